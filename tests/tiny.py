"""A discriminator small enough to be written out in numpy, and gradients by differences."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[np.float64]


class Scores(nn.Module):
    """Points (n, 3) -> scores (n,)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(1)


def scores_and_slopes(parameters: list[Array], x: Array) -> tuple[Array, Array]:
    """Of `Scores`, by hand: D(x) and its gradient with respect to x."""
    weight, bias, last, last_bias = parameters
    hidden = np.tanh(x @ weight.T + bias)
    return hidden @ last[0] + last_bias, (last * (1 - hidden**2)) @ weight


def arrays(parameters: Iterable[Tensor]) -> list[Array]:
    return [parameter.detach().numpy().copy() for parameter in parameters]


def assert_gradient(loss: Callable[[], float], weights: list[Array], gradients: Iterable[Tensor | None]) -> None:
    """Compare gradients with central differences of `loss`, which reads `weights`; None is a gradient of zero."""
    for weight, gradient in zip(weights, gradients, strict=True):
        given = torch.zeros(weight.shape) if gradient is None else gradient
        for place in np.ndindex(*weight.shape):
            sides = []
            for step in (1e-5, -2e-5):
                weight[place] += step
                sides.append(loss())
            weight[place] += 1e-5
            assert given[place].item() == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-5, abs=1e-8)
