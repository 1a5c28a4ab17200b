"""Learning-rate schedules, as factors for `torch.optim.lr_scheduler.LambdaLR`."""

from collections.abc import Callable


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
