"""Kernels and estimators of the discrepancy against loops over pairs, and what is known of them."""

from collections.abc import Callable
from functools import partial
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_modules.kernels import (
    biased_mmd,
    gaussian,
    rational_quadratic,
    rational_quadratic_and_linear,
    root_mmd,
    unbiased_mmd,
    witness,
)
from gan_modules.metrics.kernel import all_pairs

Array = np.ndarray
VARIANCES = (0.5, 3.0)
narrow = partial(gaussian, variances=VARIANCES)


def gaussian_pair(a: Array, b: Array) -> float:
    return float(sum(np.exp(-(np.linalg.norm(a - b) ** 2) / (2 * variance)) for variance in VARIANCES))


def quadratic_pair(a: Array, b: Array) -> float:
    return float(sum((1 + np.linalg.norm(a - b) ** 2 / (2 * e)) ** (-e) for e in (0.2, 0.5, 1, 2, 5)))


def quadratic_linear_pair(a: Array, b: Array) -> float:
    return quadratic_pair(a, b) + float(np.dot(a, b))


KERNELS = [
    pytest.param(narrow, gaussian_pair, id="gaussian"),
    pytest.param(rational_quadratic, quadratic_pair, id="rq"),
    pytest.param(rational_quadratic_and_linear, quadratic_linear_pair, id="rq*"),
]
every_kernel = pytest.mark.parametrize(("kernel", "pair"), KERNELS)
Pair = Callable[[Array, Array], float]


def biased_loop(pair: Pair, x: Array, y: Array) -> float:
    total = 0.0
    for first, second, sign in ((x, x, 1), (y, y, 1), (x, y, -2)):
        for a in first:
            for b in second:
                total += sign * pair(a, b) / (len(first) * len(second))
    return total


def unbiased_loop(pair: Pair, x: Array, y: Array) -> float:
    total = 0.0
    for side in (x, y):
        for i, a in enumerate(side):
            for j, b in enumerate(side):
                total += pair(a, b) / (len(side) * (len(side) - 1)) if i != j else 0
    return total - 2 * float(np.mean([pair(a, b) for a in x for b in y]))


def root_loop(pair: Pair, x: Array, y: Array) -> float:
    return float(np.sqrt(biased_loop(pair, x, y)))


def slopes(function: Callable[[Array], float], at: Array, step: float = 1e-6) -> Array:
    found = np.zeros_like(at)
    for index in np.ndindex(*at.shape):
        shift = np.zeros_like(at)
        shift[index] = step
        found[index] = (function(at + shift) - function(at - shift)) / (2 * step)
    return found


def sets() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in (4, 6))
    return x.requires_grad_(), (y + 0.5).requires_grad_()


@every_kernel
def test_kernels_against_loops(kernel: Callable[[Tensor, Tensor], Tensor], pair: Pair) -> None:
    x, y = sets()
    expected = [[pair(a, b) for b in y.detach().numpy()] for a in x.detach().numpy()]
    np.testing.assert_allclose(kernel(x, y).detach(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("estimate", "loop"), [(biased_mmd, biased_loop), (unbiased_mmd, unbiased_loop), (root_mmd, root_loop)]
)
@every_kernel
def test_estimators_against_loops_in_value_and_gradient(
    kernel: Callable[[Tensor, Tensor], Tensor], pair: Pair, estimate: Callable[..., Tensor], loop: Callable[..., float]
) -> None:
    x, y = sets()
    value = estimate(kernel, x, y)
    gradients = torch.autograd.grad(value, (x, y))
    a, b = x.detach().numpy(), y.detach().numpy()
    np.testing.assert_allclose(value.item(), loop(pair, a, b), rtol=1e-10)
    np.testing.assert_allclose(gradients[0], slopes(lambda moved: loop(pair, moved, b), a), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(gradients[1], slopes(lambda moved: loop(pair, a, moved), b), rtol=1e-5, atol=1e-8)


@every_kernel
def test_the_unbiased_estimate_is_zero_on_average_for_equal_distributions(
    kernel: Callable[[Tensor, Tensor], Tensor], pair: Pair
) -> None:
    """Exactly, over all splits of six points into two halves; the biased one is above zero in each of them."""
    points = sets()[1].detach()
    halves = [(list(half), [i for i in range(6) if i not in half]) for half in combinations(range(6), 3)]
    unbiased = torch.stack([unbiased_mmd(kernel, points[a], points[b]) for a, b in halves])
    assert abs(unbiased.mean().item()) < 1e-14 and unbiased.min() < 0 < unbiased.max()
    assert min(biased_mmd(kernel, points[a], points[b]).item() for a, b in halves) > 0


def test_the_biased_estimate_is_the_distance_of_means_in_the_kernels_space() -> None:
    """For x.y that space is the plane; for a Gaussian the discrepancy is zero only for equal sets."""
    x, y = (each.detach() for each in sets())
    linear = biased_mmd(lambda a, b: a @ b.T, x, y)
    torch.testing.assert_close(linear, (x.mean(0) - y.mean(0)).square().sum())
    assert biased_mmd(narrow, x, x[[2, 0, 3, 1]]).abs() < 1e-14 < biased_mmd(narrow, x, y)
    same_mean = x.mean(0) + 2 * (x - x.mean(0))
    assert biased_mmd(lambda a, b: a @ b.T, x, same_mean).abs() < 1e-14 < biased_mmd(narrow, x, same_mean)


def test_the_gaussian_discrepancy_of_two_normal_distributions() -> None:
    """Of N(0, 1) and N(m, 1) by a kernel of variance v: 2 sqrt(v / (v + 2)) (1 - exp(-m^2 / (2 (v + 2))))."""
    m, v = 1.5, 2.0
    quantiles = torch.special.ndtri((torch.arange(400, dtype=torch.float64) + 0.5) / 400)[:, None]
    found = biased_mmd(partial(gaussian, variances=(v,)), quantiles, quantiles + m).item()
    assert found == pytest.approx(2 * (v / (v + 2)) ** 0.5 * (1 - np.exp(-(m**2) / (2 * (v + 2)))), rel=5e-3)


def test_the_slope_of_the_witness_in_closed_form() -> None:
    """Of a Gaussian: E k(p, x) (x - p) / v - E k(p, y) (y - p) / v, point by point."""
    (x, y), v = sets(), 0.7
    points = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    kernel = partial(gaussian, variances=(v,))
    values = witness(kernel, points, x, y)
    torch.testing.assert_close(values, kernel(points, x).mean(1) - kernel(points, y).mean(1))
    (found,) = torch.autograd.grad(values.sum(), points)

    def pull(p: Tensor, side: Tensor) -> Tensor:
        weight = torch.exp(-(p - side).square().sum(1) / (2 * v))
        return (weight[:, None] * (side - p) / v).mean(0)

    torch.testing.assert_close(found, torch.stack([pull(p, x) - pull(p, y) for p in points]))


def test_the_witness_separates_the_sets_by_their_discrepancy() -> None:
    """E witness(x) - E witness(y) is the biased MMD^2 itself."""
    x, y = sets()
    difference = witness(rational_quadratic, x, x, y).mean() - witness(rational_quadratic, y, x, y).mean()
    torch.testing.assert_close(difference, biased_mmd(rational_quadratic, x, y))


def test_the_estimate_of_the_kernel_distance_is_the_same() -> None:
    x, y = (each.detach() for each in sets())
    cubic = unbiased_mmd(lambda a, b: (a @ b.T / a.shape[1] + 1) ** 3, x, y)
    torch.testing.assert_close(cubic, all_pairs(x, y))


def test_equal_sets_have_a_root_without_a_gradient() -> None:
    x, _ = sets()
    root = root_mmd(narrow, x, x.detach().clone())
    (gradient,) = torch.autograd.grad(root, x)
    assert root.item() < 1e-7 and torch.equal(gradient, torch.zeros_like(x))


@pytest.mark.parametrize("estimate", [biased_mmd, unbiased_mmd, root_mmd])
def test_full_precision_under_autocast(estimate: Callable[..., Tensor]) -> None:
    x, y = (each.detach().float() for each in sets())
    expected = estimate(rational_quadratic_and_linear, x, y)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(estimate(rational_quadratic_and_linear, x, y), expected)
        assert estimate(rational_quadratic_and_linear, x.bfloat16(), y.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 1), (0, 3)])
def test_one_sample_is_not_enough_without_bias(n: int, m: int) -> None:
    with pytest.raises(ValueError, match=f"at least 2 samples a side, got {n} and {m}; give larger batches"):
        unbiased_mmd(narrow, torch.zeros(n, 2), torch.zeros(m, 2))


@pytest.mark.parametrize("n", [2, 64])
def test_second_derivatives_are_finite_where_points_meet(n: int) -> None:
    """A gradient penalty differentiates the witness twice, also at the points that it is made of."""
    x = torch.randn(n, 2, dtype=torch.float64, requires_grad=True)
    for kernel in (narrow, rational_quadratic_and_linear):
        (slope,) = torch.autograd.grad(witness(kernel, x, x, x + 1).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(slope.norm(2, dim=1).sum(), x)
        assert second.isfinite().all()
