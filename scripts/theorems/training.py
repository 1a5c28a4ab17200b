"""Small networks, trained on samples."""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR

from theorems.densities import GRID


def network(inputs: int = 1, width: int = 32, activation: Callable[[], nn.Module] = nn.SiLU) -> nn.Sequential:
    """Points (n, inputs) -> scores (n,)."""
    return nn.Sequential(
        *(nn.Linear(inputs, width), activation(), nn.Linear(width, width), activation()),
        *(nn.Linear(width, 1), nn.Flatten(0)),
    )


def train(
    loss: Callable[[], Tensor],
    optimizer: Optimizer,
    steps: int,
    after: Callable[[int], None] = lambda step: None,
) -> None:
    """Step down the gradient of `loss()` with a learning rate that falls to 0; `after(step)` follows each step."""
    schedule = CosineAnnealingLR(optimizer, steps)
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        schedule.step()
        after(step)


def adam(network: nn.Module, learning_rate: float = 5e-3, betas: tuple[float, float] = (0.9, 0.999)) -> Adam:
    """Adam for all of a network's parameters."""
    return Adam(network.parameters(), learning_rate, betas)


@torch.no_grad()
def on_grid(network: nn.Module) -> Tensor:
    """The scores on the grid, in float64."""
    return deepcopy(network).double()(GRID[:, None])
