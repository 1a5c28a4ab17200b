"""Learning-rate schedules: a factor of the steps or epochs done, and the optimizer that follows it."""

from collections.abc import Callable
from typing import Literal

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def scheduled(
    optimizer: Optimizer, factor: Callable[[int], float], interval: Literal["step", "epoch"]
) -> OptimizerLRSchedulerConfig:
    """An optimizer whose learning rate is multiplied by `factor` of its own steps, or of the epochs."""
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": LambdaLR(optimizer, factor), "interval": interval}}


def constant_then_linear(constant: int, decay: int) -> Callable[[int], float]:
    """1 for `constant` steps, then down a straight line that would reach 0 after `decay` more (0: no decay).

    The schedule of CycleGAN's and pix2pix's code, whose last epoch still has a rate of 1 / (decay + 1).

    >>> factor = constant_then_linear(2, 3)
    >>> [factor(epoch) for epoch in range(6)]
    [1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """

    def factor(step: int) -> float:
        return 1.0 if decay == 0 else max(0.0, 1 - max(0, step + 1 - constant) / (decay + 1))

    return factor


def linear_to_zero(steps: int | None) -> Callable[[int], float]:
    """Down a straight line from 1 to 0 at `steps` (None: constant), as in WGAN-GP's CIFAR-10 code."""
    return lambda step: 1.0 if steps is None else max(0.0, 1 - step / steps)
