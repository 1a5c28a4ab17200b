"""Kernels, and the maximum mean discrepancy (MMD) of two sets of features by them (Gretton et al., 2012).

A kernel is a function of features `(n, d)` and `(m, d)` that returns its values for all pairs, `(n, m)`. The estimators
compute at full precision also under autocast. They cost n^2, and compare every feature with every other one.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Kernel = Callable[[Tensor, Tensor], Tensor]


def gaussian(x: Tensor, y: Tensor, variances: Sequence[float] = (1.0, 4.0, 16.0, 64.0, 256.0)) -> Tensor:
    """Sum over the variances v of exp(-|x - y|^2 / 2v).

    The default is that of Li et al., 2017 (section 5.1: deviations of 1, 2, 4, 8 and 16).

    >>> gaussian(torch.zeros(1, 2), torch.tensor([[0.0, 0.0], [3.0, 4.0]]), variances=(12.5,))
    tensor([[1.0000, 0.3679]])
    """
    squares = _squared_distances(x, y)
    return sum((torch.exp(-squares / (2 * variance)) for variance in variances), torch.zeros_like(squares))


def rational_quadratic(x: Tensor, y: Tensor, exponents: Sequence[float] = (0.2, 0.5, 1.0, 2.0, 5.0)) -> Tensor:
    """Sum over the exponents a of (1 + |x - y|^2 / 2a)^-a, whose tails are heavier than a Gaussian's.

    The default is that of Bińkowski et al., 2018 (section 4, equation 7).
    """
    squares = _squared_distances(x, y)
    return sum(((1 + squares / (2 * each)) ** -each for each in exponents), torch.zeros_like(squares))


def rational_quadratic_and_linear(x: Tensor, y: Tensor) -> Tensor:
    """`rational_quadratic` plus x.y, which also sees means that are far apart (Bińkowski et al., 2018: rq*)."""
    return rational_quadratic(x, y) + x @ y.T


def biased_mmd(kernel: Kernel, x: Tensor, y: Tensor) -> Tensor:
    """The squared discrepancy of the two sets themselves, never negative: a mean over all pairs.

    >>> biased_mmd(lambda x, y: x @ y.T, torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0]]))  # of the means
    tensor(4.)
    """
    with _full_precision(x):
        x, y = _full(x), _full(y)
        return kernel(x, x).mean() + kernel(y, y).mean() - 2 * kernel(x, y).mean()


def unbiased_mmd(kernel: Kernel, x: Tensor, y: Tensor) -> Tensor:
    """The estimate of the distributions' squared discrepancy that is right on average, and negative half of the time
    where they are equal: no sample is paired with itself.

    Raises:
        ValueError: if a side has fewer than two samples.

    >>> unbiased_mmd(lambda x, y: x @ y.T, torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [0.0]]))
    tensor(3.)
    """
    if min(len(x), len(y)) < 2:
        raise ValueError(
            f"the unbiased discrepancy needs at least 2 samples a side, got {len(x)} and {len(y)}; give larger batches"
        )
    with _full_precision(x):
        x, y = _full(x), _full(y)
        within = [
            (values.sum() - values.trace()) / (len(values) * (len(values) - 1))
            for values in (kernel(x, x), kernel(y, y))
        ]
        return within[0] + within[1] - 2 * kernel(x, y).mean()


def root_mmd(kernel: Kernel, x: Tensor, y: Tensor) -> Tensor:
    """The root of the biased estimate: its slope does not fade as the sets come close.

    For sets that are equal up to rounding there is no gradient.
    """
    square = biased_mmd(kernel, x, y)
    return square.clamp(min=torch.finfo(square.dtype).eps).sqrt()


def witness(kernel: Kernel, points: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """E k(p, x) - E k(p, y) for each of the points `(p, d)`, `(p,)`: where x is denser than y."""
    with _full_precision(x):
        points, x, y = _full(points), _full(x), _full(y)
        return kernel(points, x).mean(1) - kernel(points, y).mean(1)


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    squares = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T
    return squares.clamp(min=0)


def _full_precision(x: Tensor) -> torch.autocast:
    return torch.autocast(x.device.type, enabled=False)


def _full(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
