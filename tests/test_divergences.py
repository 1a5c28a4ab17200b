"""The f-divergences against their definitions, scipy and each other, and as bounds: tight at f'(p / q), else below."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import lambertw
from scipy.stats import norm
from torch import Tensor

from gan_modules import divergences, objectives
from gan_modules.divergences import Divergence

MAKERS: list[Callable[[], Divergence]] = [
    divergences.kl,
    divergences.reverse_kl,
    divergences.pearson,
    divergences.neyman,
    divergences.squared_hellinger,
    divergences.jensen_shannon,
    partial(divergences.weighted_jensen_shannon, 0.3),
    partial(divergences.weighted_jensen_shannon, 0.8),
    divergences.gan,
    divergences.total_variation,
    divergences.jeffrey,
    partial(divergences.alpha, -0.7),
    partial(divergences.alpha, 0.4),
    partial(divergences.alpha, 2.6),
]
ALL = [make() for make in MAKERS]
every = pytest.mark.parametrize("divergence", ALL, ids=lambda divergence: divergence.name)
every_smooth = pytest.mark.parametrize(
    "divergence", [each for each in ALL if each.name != "total variation"], ids=lambda divergence: divergence.name
)
SCORES = torch.linspace(-4, 4, 41, dtype=torch.float64)
RATIOS = torch.logspace(-2, 2, 41, dtype=torch.float64)
P, Q = torch.tensor([[5.0, 1, 3, 7, 2, 2], [1, 6, 3, 2, 4, 4]], dtype=torch.float64) / 20


def scalar(function: Callable[[Tensor], Tensor], x: float) -> float:
    return function(torch.tensor(x, dtype=torch.float64)).item()


def test_every_divergence_is_here() -> None:
    public = {
        name
        for name, item in vars(divergences).items()
        if getattr(item, "__annotations__", {}).get("return") is Divergence
    }
    named = {make.func.__name__ if isinstance(make, partial) else make.__name__ for make in MAKERS}
    assert named == public


@every
def test_the_conjugate_is_the_largest_difference_of_a_line_and_f(divergence: Divergence) -> None:
    for t in divergence.activation(torch.linspace(-1.9, 1.5, 12, dtype=torch.float64)).tolist():
        best = minimize_scalar(
            lambda log_u, t=t: scalar(divergence.f, math.exp(log_u)) - t * math.exp(log_u),
            bounds=(-30, 12),
            method="bounded",
            options={"xatol": 1e-10},
        )
        assert scalar(divergence.conjugate, t) == pytest.approx(-best.fun, abs=1e-6, rel=1e-6)


@every
def test_f_is_convex_and_its_slope_is_the_derivative(divergence: Divergence) -> None:
    u = RATIOS[RATIOS != 1].requires_grad_()
    (slope,) = torch.autograd.grad(divergence.f(u).sum(), u)
    torch.testing.assert_close(divergence.derivative(u.detach()), slope)
    assert (slope.diff() >= -1e-12).all()


@every_smooth
def test_the_inverse_of_the_derivative_is_the_slope_of_the_conjugate(divergence: Divergence) -> None:
    t = divergence.derivative(RATIOS).requires_grad_()
    (slope,) = torch.autograd.grad(divergence.conjugate(t).sum(), t)
    torch.testing.assert_close(slope, RATIOS)


@every
def test_f_is_zero_and_its_slope_the_threshold_at_one(divergence: Divergence) -> None:
    assert scalar(divergence.derivative, 1) == pytest.approx(divergence.threshold, abs=1e-12)
    paper = -math.log(4) if divergence.name == "GAN" else 0
    assert scalar(divergence.f, 1) == pytest.approx(paper, abs=1e-12)
    assert divergence.between(P, P).item() == pytest.approx(paper, abs=1e-12)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_activation_stays_in_the_domain_and_grows(divergence: Divergence, dtype: torch.dtype) -> None:
    scores = torch.linspace(-80, 80, 3201, dtype=dtype)
    outputs = divergence.activation(scores)
    assert outputs.dtype == dtype and outputs.isfinite().all()
    assert (outputs <= divergence.supremum * (1 + 1e-7)).all()
    assert (outputs.diff() >= 0).all() and outputs[-1] > outputs[0]
    assert (divergence.activation(SCORES) < divergence.supremum).all()  # where nothing rounds, strictly
    if divergence.name == "total variation":
        assert (outputs >= -0.5).all()


@every
def test_the_activation_reaches_the_optimum(divergence: Divergence) -> None:
    """f'(u) lies in the range of g_f."""
    lowest, highest = divergence.activation(torch.tensor([-2000.0, 2000.0], dtype=torch.float64))
    best = divergence.derivative(RATIOS)
    assert (best >= lowest).all() and (best <= highest).all()


@every
def test_the_composition_is_the_conjugate_of_the_activation(divergence: Divergence) -> None:
    expected = divergence.conjugate(divergence.activation(SCORES))
    torch.testing.assert_close(divergence.conjugate_of_activation(SCORES), expected)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_scores_give_finite_values_and_gradients(divergence: Divergence, dtype: torch.dtype) -> None:
    """At v = 25 a float32 of T has rounded to the end of its domain, where f* is infinite; the composition has not."""
    scores = torch.tensor([-25.0, -17, 17, 25], dtype=dtype, requires_grad=True)
    for function in (divergence.activation, divergence.conjugate_of_activation):
        value = function(scores)
        (gradient,) = torch.autograd.grad(value.sum(), scores)
        exact = function(scores.detach().double())
        assert value.dtype == dtype and gradient.isfinite().all()
        torch.testing.assert_close(value.detach().double(), exact, rtol=1e-4, atol=1e-6)


@every
def test_gradients(divergence: Divergence) -> None:
    scores = SCORES[::4].clone().requires_grad_()
    inner = divergence.activation(SCORES[::4]).detach().requires_grad_()
    for function, at in (
        (divergence.activation, scores),
        (divergence.conjugate_of_activation, scores),
        (divergence.conjugate, inner),
    ):
        assert torch.autograd.gradcheck(function, at)
        if not divergence.name.startswith("alpha 2"):  # its conjugate bends at the clamp
            assert torch.autograd.gradgradcheck(function, at)


@every
def test_tight_on_gaussians(divergence: Divergence) -> None:
    """By quadrature, N(0, 1) against N(0.6, 1.1^2)."""
    x = torch.linspace(-12, 12, 48_001, dtype=torch.float64)
    p, q = (torch.from_numpy(norm(*each).pdf(x.numpy())) for each in ((0, 1), (0.6, 1.1)))
    exact = torch.trapezoid(q * divergence.f(p / q), x).item()

    def bound(best: Tensor) -> float:
        return torch.trapezoid(p * best - q * divergence.conjugate(best), x).item()

    assert bound(divergence.derivative(p / q)) == pytest.approx(exact, abs=1e-7)
    assert bound(divergence.derivative(1.2 * p / q)) < exact - 1e-4


@every
def test_tight_on_categoricals_and_below_elsewhere(divergence: Divergence) -> None:
    exact = divergence.between(P, Q)
    best = divergence.derivative(P / Q)
    torch.testing.assert_close((P * best).sum() - (Q * divergence.conjugate(best)).sum(), exact)
    real, fake = (torch.arange(6).repeat_interleave((20 * each).round().long()) for each in (P, Q))
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        scores = 2 * torch.randn(6, generator=generator, dtype=torch.float64)
        assert divergence.bound(scores[real], scores[fake]) <= exact + 1e-12


@every_smooth
def test_ascending_the_bound_finds_the_divergence(divergence: Divergence) -> None:
    """By L-BFGS on the scores of six outcomes; the best ones of total variation are infinite."""
    real, fake = (torch.arange(6).repeat_interleave((20 * each).round().long()) for each in (P, Q))
    scores = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([scores], max_iter=300, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = -divergence.bound(scores[real], scores[fake])
        loss.backward()
        return loss

    optimizer.step(closure)
    torch.testing.assert_close(divergence.activation(scores.detach()), divergence.derivative(P / Q), atol=1e-4, rtol=0)
    assert -closure().item() == pytest.approx(divergence.between(P, Q).item(), abs=1e-8)


def test_the_game_of_2014_is_the_gan_row() -> None:
    real, fake = 3 * torch.randn(2, 50, dtype=torch.float64)
    torch.testing.assert_close(divergences.gan().bound(real, fake), -objectives.minimax_discriminator(real, fake))
    torch.testing.assert_close(
        divergences.gan().between(P, Q), divergences.jensen_shannon().between(P, Q) - math.log(4)
    )


def test_rows_that_are_each_others_limits_and_multiples() -> None:
    for one, factor, other in (
        (divergences.weighted_jensen_shannon(0.5), 0.5, divergences.jensen_shannon()),
        (divergences.alpha(0.5), 2, divergences.squared_hellinger()),
        (divergences.alpha(2), 0.5, divergences.pearson()),
        (divergences.alpha(-1), 0.5, divergences.neyman()),
    ):
        torch.testing.assert_close(one.f(RATIOS), factor * other.f(RATIOS))
    for near, limit in ((1 + 1e-6, divergences.kl()), (1e-6, divergences.reverse_kl())):
        torch.testing.assert_close(divergences.alpha(near).between(P, Q), limit.between(P, Q), rtol=1e-4, atol=1e-4)
    both = divergences.kl().between(P, Q) + divergences.reverse_kl().between(P, Q)
    torch.testing.assert_close(divergences.jeffrey().between(P, Q), both)


def test_jeffreys_conjugate_is_that_of_lamberts_function() -> None:
    t = torch.linspace(-600, 40, 300, dtype=torch.float64)
    w = lambertw(np.exp(1 - t.numpy())).real
    torch.testing.assert_close(divergences.jeffrey().conjugate(t), torch.from_numpy(w + 1 / w + t.numpy() - 2))
    far = torch.tensor([-1e30, -1e4, 80.0])  # exp(1 - t) is no float32
    assert divergences.jeffrey().conjugate(far).isfinite().all()


@pytest.mark.parametrize("make", [divergences.pearson, partial(divergences.alpha, 2.6)])
def test_left_of_the_smallest_slope_the_conjugate_is_no_number_that_breaks_the_bound(
    make: Callable[[], Divergence],
) -> None:
    divergence = make()
    left = scalar(divergence.derivative, 0) - torch.logspace(-2, 2, 20, dtype=torch.float64)
    assert (divergence.conjugate(left) >= -scalar(divergence.f, 0) - 1e-12).all()  # u = 0 gives -f(0)


@pytest.mark.parametrize("wrong", [0, 1, math.nan, math.inf, "2", None])
def test_alphas_that_are_limits_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="alpha must be .*, got .*; use reverse_kl for 0, kl for 1"):
        divergences.alpha(wrong)


@pytest.mark.parametrize("wrong", [0, 1, -0.1, math.nan, "half"])
def test_weights_that_are_no_fraction_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="weight must be"):
        divergences.weighted_jensen_shannon(wrong)
