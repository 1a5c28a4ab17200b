"""Optimizer steps as differentiable functions: where a network's parameters would be some steps from now."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

Values: TypeAlias = dict[str, Tensor]
Step: TypeAlias = Callable[[Sequence[Tensor], Sequence[Tensor]], list[Tensor]]


def look_ahead(
    optimizer: Optimizer, parameters: Mapping[str, nn.Parameter], loss: Callable[[Values], Tensor], steps: int
) -> Values:
    """The values of `parameters` after `steps` more steps of `optimizer` down `loss`, from its present state.

    They are differentiable functions of whatever `loss` depends on. Neither parameters nor optimizer change. Nothing is
    copied: what a step needs again is in the graph.

    Args:
        optimizer: Adam, or SGD without momentum, whose first group has the parameters; both without weight decay.
        parameters: by name.
        loss: values by name -> a scalar.
        steps: how many; 0 gives the present values.

    Raises:
        ValueError: for another optimizer.

    >>> weight = nn.Parameter(torch.tensor(1.0))
    >>> target = torch.tensor(3.0, requires_grad=True)
    >>> after = look_ahead(SGD([weight], lr=0.25), {"w": weight}, lambda at: (at["w"] - target) ** 2, 2)["w"]
    >>> torch.autograd.grad(after, target)  # 1 - (1 - 2 * 0.25)^2
    (tensor(0.7500),)
    """
    values = {name: parameter.detach().requires_grad_() for name, parameter in parameters.items()}
    step = _step_of(optimizer, list(parameters.values()))
    for _ in range(steps):
        present = list(values.values())
        gradients = torch.autograd.grad(loss(values), present, create_graph=True, materialize_grads=True)
        values = dict(zip(values, step(present, gradients), strict=True))
    return values


def _step_of(optimizer: Optimizer, parameters: Sequence[nn.Parameter]) -> Step:
    group = optimizer.param_groups[0]
    if isinstance(optimizer, SGD) and not group["momentum"]:
        return lambda values, gradients: [p - group["lr"] * g for p, g in zip(values, gradients, strict=True)]
    if not isinstance(optimizer, Adam):
        raise ValueError(f"expected Adam, or SGD without momentum, got {type(optimizer).__name__}; choose one of them")
    return _adam(optimizer, parameters)


def _adam(optimizer: Adam, parameters: Sequence[nn.Parameter]) -> Step:
    """Algorithm 1 of Kingma and Ba (2015), as torch has it."""
    group = optimizer.param_groups[0]
    (beta1, beta2), rate, epsilon = group["betas"], group["lr"], group["eps"]
    states = [optimizer.state.get(parameter, {}) for parameter in parameters]
    first, second = (
        [state.get(name, torch.zeros_like(p)) for state, p in zip(states, parameters, strict=True)]
        for name in ("exp_avg", "exp_avg_sq")
    )
    count = states[0].get("step", parameters[0].new_zeros(())).to(parameters[0])

    def step(values: Sequence[Tensor], gradients: Sequence[Tensor]) -> list[Tensor]:
        nonlocal first, second, count
        count = count + 1
        first = [beta1 * m + (1 - beta1) * g for m, g in zip(first, gradients, strict=True)]
        second = [beta2 * v + (1 - beta2) * g.square() for v, g in zip(second, gradients, strict=True)]
        size, scale = rate / (1 - beta1**count), (1 - beta2**count).sqrt()
        # the root has no slope at 0; the smallest number is far below epsilon
        roots = [(v + torch.finfo(v.dtype).tiny).sqrt() / scale for v in second]
        return [p - size * m / (root + epsilon) for p, m, root in zip(values, first, roots, strict=True)]

    return step
