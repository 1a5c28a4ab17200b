"""The fused convolutions are the plain ones, in value and in their first two derivatives."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gan_modules.networks.resampling import conv_downsample, upsample_conv

Convolution = Callable[[Tensor, Tensor, Tensor], Tensor]


def plain_down(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.avg_pool2d(F.conv2d(x, weight, bias, padding=1), 2)


def plain_up(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(F.interpolate(x, scale_factor=2.0), weight, bias, padding=1)


@pytest.mark.parametrize(("fused", "plain"), [(conv_downsample, plain_down), (upsample_conv, plain_up)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_fused_is_plain(fused: Convolution, plain: Convolution, memory_format: torch.memory_format) -> None:
    x = torch.randn(2, 3, 6, 8, dtype=torch.float64).to(memory_format=memory_format).requires_grad_()
    weight = torch.randn(5, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(5, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn_like(plain(x, weight, bias))

    def derivatives(function: Convolution) -> list[Tensor]:
        y = function(x, weight, bias)
        first = torch.autograd.grad((y.square() * upstream).sum(), (x, weight, bias), create_graph=True)
        second = torch.autograd.grad(first[0].square().sum(), (x, weight))
        return [y, *first, *second]

    for ours, expected in zip(derivatives(fused), derivatives(plain), strict=True):
        torch.testing.assert_close(ours, expected)
