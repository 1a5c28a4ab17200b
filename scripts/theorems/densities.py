"""Densities on the line, and their integrals by the trapezoidal rule, in float64."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, MixtureSameFamily, Normal

GRID = torch.linspace(-14, 14, 28_001, dtype=torch.float64)
"""Points of all integrals: for analytic densities the rule is as exact as rounding allows."""


def gaussian(mean: float, deviation: float) -> Normal:
    """N(mean, deviation^2)."""
    return Normal(torch.tensor(mean, dtype=torch.float64), torch.tensor(deviation, dtype=torch.float64))


def mixture(means: list[float], deviations: list[float]) -> MixtureSameFamily:
    """Gaussians, equally often."""
    components = Normal(*(torch.tensor(x, dtype=torch.float64) for x in (means, deviations)))
    return MixtureSameFamily(Categorical(torch.ones(len(means), dtype=torch.float64)), components)


def density(distribution: Distribution, at: Tensor = GRID) -> Tensor:
    """p(x) at the points of a tensor."""
    return distribution.log_prob(at).exp()


def samples(distribution: Distribution, n: int) -> Tensor:
    """`n` draws, `(n, 1)` in float32, as networks take them."""
    return distribution.sample((n,)).float()[:, None]


def integral(values: Tensor) -> float:
    """The integral of what has these values on the grid."""
    return torch.trapezoid(values, GRID).item()


def distribution_function(p: Tensor) -> Tensor:
    """F(x) on the grid, from p there."""
    return torch.cat([torch.zeros(1, dtype=p.dtype), torch.cumulative_trapezoid(p, GRID)])


def jensen_shannon(p: Tensor, q: Tensor) -> float:
    """JSD = KL(P, M) / 2 + KL(Q, M) / 2 with M the even mixture; at most log 2."""
    middle = ((p + q) / 2).clamp(min=1e-300)
    return integral(torch.xlogy(p, p / middle) + torch.xlogy(q, q / middle)) / 2


def shifted_jensen_shannon(shift: float, deviation: float = 1.0) -> float:
    """JSD of two Gaussians of the same deviation, `shift` apart."""
    return jensen_shannon(*(density(gaussian(mean, deviation)) for mean in (0.0, shift)))


def slope_of_two_jensen_shannon(shift: float, deviation: float = 1.0) -> float:
    """The derivative of 2 JSD of two such Gaussians by their distance: the integral of dq/dshift log(2 q / (p + q))."""
    p, q = (gaussian(mean, deviation).log_prob(GRID) for mean in (0.0, shift))
    return integral((GRID - shift) / deviation**2 * q.exp() * (math.log(2) + q - torch.logaddexp(p, q)))


def segment(start: float, length: float) -> Tensor:
    """The uniform density on (start, start + length], multiples of the grid's step: sums over it are exact."""
    inside = (GRID - start).round(decimals=9)
    return ((inside > 0) & (inside <= length)).double() / length


def expectation(function: Callable[[Tensor], Tensor]) -> Tensor:
    """E function(e) over a standard normal e; differentiable."""
    return torch.trapezoid(density(gaussian(0.0, 1.0)) * function(GRID), GRID)
