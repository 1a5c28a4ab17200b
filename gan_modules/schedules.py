"""Schedules: learning rates as a factor of the steps or epochs done, and how often the critic steps."""

import math
from collections.abc import Callable, Sequence
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


def critic_steps(generator_steps: int, usual: int, many: int, many_first: int, many_every: int) -> int:
    """Critic steps before the next generator step: `many` at first and now and then, so that f is near its best.

    The schedule of WGAN's code (`main.py` of the authors: 5, 100, 25, 500), which both MMD GANs keep.

    Args:
        generator_steps: steps that the generator has made.
        usual: critic steps before most of its steps.
        many: critic steps before each of its first `many_first` steps and before every `many_every`-th.

    >>> [critic_steps(step, 5, 100, 2, 4) for step in range(9)]
    [100, 100, 5, 5, 100, 5, 5, 5, 100]
    """
    return many if generator_steps < many_first or generator_steps % many_every == 0 else usual


def cosine(first: float, last: float, position: float) -> float:
    """From `first` to `last` by half a cosine, for a position from 0 to 1; beyond it, `last`.

    >>> [round(cosine(2.0, 1.0, position), 2) for position in (0, 0.25, 0.5, 1, 3)]
    [2.0, 1.85, 1.5, 1.0, 1.0]
    """
    return last + (first - last) * (1 + math.cos(math.pi * min(position, 1.0))) / 2


def halving(steps: int | None) -> Callable[[int], float]:
    """1, halved after every `steps` (None: constant), as in the best known code of BEGAN.

    >>> factor = halving(2)
    >>> [factor(step) for step in range(6)]
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """
    return staircase(0.5, steps)


def staircase(factor: float, steps: int | None) -> Callable[[int], float]:
    """1, multiplied by `factor` after every `steps` (None: constant).

    >>> rate = staircase(0.9, 2)
    >>> [round(rate(step), 2) for step in range(6)]
    [1.0, 1.0, 0.9, 0.9, 0.81, 0.81]
    """
    return lambda step: 1.0 if steps is None else factor ** float(step // steps)


def stepwise(factor: float, milestones: Sequence[int]) -> Callable[[int], float]:
    """1, multiplied by `factor` at each of the milestones.

    >>> rate = stepwise(0.5, (2, 3))
    >>> [rate(step) for step in range(5)]
    [1.0, 1.0, 0.5, 0.25, 0.25]
    """
    return lambda step: factor ** float(sum(step >= milestone for milestone in milestones))
