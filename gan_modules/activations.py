"""ReLU, leaky ReLU and average pooling without the second derivative that they do not have, for gradient penalties."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

aten = torch.ops.aten


class PiecewiseLinear(TorchFunctionMode):
    """Inside, gradients are not differentiated through the slopes of ReLU, leaky ReLU and average pooling.

    Their slopes are constant around almost every point. Autograd's own double backward sends zeros through every layer
    below such an operation; the gradients of a penalty are bit for bit the same without them, at two thirds of the
    floating-point operations for a network of convolutions. A parameter on which the penalty does not depend, such as
    a bias, receives no gradient instead of zeros.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _CONSTANT_SLOPES.get(func, func)(*args, **(kwargs or {}))


class _ConstantSlope(torch.autograd.Function):
    """`operation(x)`, whose gradient depends on the incoming one and, as on a constant, on its input or output."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, operation: Callable[[Tensor], Tensor], gradient: Callable[..., Tensor], of_output: bool
    ) -> Tensor:
        ctx.gradient = gradient
        ctx.set_materialize_grads(False)  # else its zeros are the waste again
        version = x._version
        y = operation(x)
        if x._version != version:
            ctx.mark_dirty(x)
        ctx.save_for_backward(y if of_output else x)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        incoming, (at,) = gradients[0], ctx.saved_tensors
        return None if incoming is None else ctx.gradient(incoming, at.detach()), None, None, None


def _relu(input: Tensor, inplace: bool = False) -> Tensor:
    slope = partial(aten.threshold_backward, threshold=0)
    return _ConstantSlope.apply(input, partial(F.relu, inplace=inplace), slope, True)


def _leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    operation = partial(F.leaky_relu, negative_slope=negative_slope, inplace=inplace)
    slope = partial(aten.leaky_relu_backward, negative_slope=negative_slope, self_is_result=inplace)
    return _ConstantSlope.apply(input, operation, slope, inplace)


def _avg_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    options: tuple[Any, ...] = (
        kernel_size,
        [] if stride is None else stride,
        padding,
        ceil_mode,
        count_include_pad,
        divisor_override,
    )

    def slope(incoming: Tensor, at: Tensor) -> Tensor:
        return aten.avg_pool2d_backward(incoming, at, *options)

    return _ConstantSlope.apply(input, lambda x: aten.avg_pool2d(x, *options), slope, False)


_CONSTANT_SLOPES: dict[Callable[..., Any], Callable[..., Any]] = {
    F.relu: _relu,
    torch.relu: _relu,
    Tensor.relu: _relu,
    F.leaky_relu: _leaky_relu,
    F.avg_pool2d: _avg_pool2d,
}
