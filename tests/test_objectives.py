"""Every objective against numpy: value, gradient, and what it does at the edges."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from gan_modules import objectives

Array = npt.NDArray[np.float64]


def sigmoid(scores: Array) -> Array:
    return 1 / (1 + np.exp(-scores))


def outer(better: Array, worse: Array) -> tuple[Array, Array]:
    """sigmoid(mean worse - better) and sigmoid(worse - mean better)."""
    return sigmoid(worse.mean() - better), sigmoid(worse - better.mean())


def average_value(better: Array, worse: Array) -> float:
    first, second = outer(better, worse)
    return -np.log(1 - first).mean() - np.log(1 - second).mean()


def average_gradients(better: Array, worse: Array) -> list[Array]:
    first, second = outer(better, worse)
    return [-(first + second.mean()) / better.size, (first.mean() + second) / worse.size]


def half(scores: Tensor) -> Tensor:
    return objectives.least_squares(scores, 0.5)


def least_squares_pairs(better: Tensor, worse: Tensor) -> Tensor:
    return objectives.relativistic(better, worse, objectives.least_squares_margin)


def hinge_pairs(better: Tensor, worse: Tensor) -> Tensor:
    return objectives.relativistic(better, worse, objectives.hinge_margin)


def logistic_pairs(better: Tensor, worse: Tensor) -> Tensor:
    return objectives.relativistic(better, worse, objectives.logistic_margin)


SPECIAL = {
    half: "least_squares",
    least_squares_pairs: "least_squares_margin",
    hinge_pairs: "hinge_margin",
    logistic_pairs: "logistic_margin",
}
"""Objectives with an argument given, and what they are here for."""


class Case(NamedTuple):
    ours: Callable[..., Tensor]
    value: Callable[..., float]
    gradients: Callable[..., list[Array]]


TWO_SIDED = [
    Case(
        objectives.minimax_discriminator,
        lambda r, f: -np.log(sigmoid(r)).mean() - np.log(1 - sigmoid(f)).mean(),
        lambda r, f: [-sigmoid(-r) / r.size, sigmoid(f) / f.size],
    ),
    Case(
        objectives.hinge_discriminator,
        lambda r, f: np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean(),
        lambda r, f: [-1.0 * (r < 1) / r.size, 1.0 * (f > -1) / f.size],
    ),
    Case(
        objectives.wasserstein_critic,
        lambda r, f: f.mean() - r.mean(),
        lambda r, f: [-np.ones_like(r) / r.size, np.ones_like(f) / f.size],
    ),
    Case(
        objectives.relativistic,
        lambda b, w: -np.log(sigmoid(b - w)).mean(),
        lambda b, w: [-sigmoid(w - b) / b.size, sigmoid(w - b) / b.size],
    ),
    Case(
        logistic_pairs,
        lambda b, w: np.log(1 + np.exp(w - b)).mean(),
        lambda b, w: [-sigmoid(w - b) / b.size, sigmoid(w - b) / b.size],
    ),
    Case(
        least_squares_pairs,
        lambda b, w: ((b - w - 1) ** 2).mean(),
        lambda b, w: [2 * (b - w - 1) / b.size, -2 * (b - w - 1) / b.size],
    ),
    Case(
        hinge_pairs,
        lambda b, w: np.maximum(0, 1 - b + w).mean(),
        lambda b, w: [-1.0 * (b - w < 1) / b.size, 1.0 * (b - w < 1) / b.size],
    ),
    Case(objectives.relativistic_average, average_value, average_gradients),
]

ONE_SIDED = [
    Case(
        objectives.minimax_generator,
        lambda s: np.log(1 - sigmoid(s)).mean(),
        lambda s: [-sigmoid(s) / s.size],
    ),
    Case(
        objectives.non_saturating_generator,
        lambda s: -np.log(sigmoid(s)).mean(),
        lambda s: [-sigmoid(-s) / s.size],
    ),
    Case(
        objectives.maximum_likelihood_generator,
        lambda s: -0.5 * (sigmoid(s) / (1 - sigmoid(s))).mean(),
        lambda s: [-0.5 * np.exp(s) / s.size],
    ),
    Case(
        objectives.wasserstein_generator,
        lambda s: -s.mean(),
        lambda s: [-np.ones_like(s) / s.size],
    ),
    Case(
        objectives.boundary_seeking_generator,
        lambda s: ((np.log(sigmoid(s)) - np.log(1 - sigmoid(s))) ** 2 / 2).mean(),
        lambda s: [s / s.size],
    ),
    Case(half, lambda s: ((s - 0.5) ** 2).mean(), lambda s: [2 * (s - 0.5) / s.size]),
]

every = pytest.mark.parametrize(
    ("case", "sides"),
    [*((case, 2) for case in TWO_SIDED), *((case, 1) for case in ONE_SIDED)],
    ids=lambda part: part.ours.__name__ if isinstance(part, Case) else "",
)


def scores(sides: int, *shape: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [2 * torch.randn(*shape, generator=generator, dtype=torch.float64) for _ in range(sides)]


def test_every_objective_is_here() -> None:
    ours = {SPECIAL.get(case.ours, case.ours.__name__) for case in [*TWO_SIDED, *ONE_SIDED]}
    public = {
        name
        for name, value in vars(objectives).items()
        if getattr(value, "__module__", "") == objectives.__name__ and not name.startswith("_")
    }
    elsewhere = {
        "boundary_seeking_discrete",
        "cross_entropy_to",
        "loss_sensitive",
        "l1_distance",
        "logit_margin",
        "masked_pairwise_error",
        "over_scales",
        "patch_nce",
    }  # in their variants' tests
    assert public == ours | elsewhere


@every
@pytest.mark.parametrize("shape", [(6,), (2, 1, 3, 3)])
def test_value(case: Case, sides: int, shape: tuple[int, ...]) -> None:
    given = scores(sides, *shape)
    value = case.ours(*given)
    assert value.shape == ()
    np.testing.assert_allclose(value.item(), case.value(*(each.numpy() for each in given)), rtol=1e-12)


@every
@pytest.mark.parametrize("shape", [(6,), (2, 1, 3, 3)])
def test_gradient(case: Case, sides: int, shape: tuple[int, ...]) -> None:
    given = [each.requires_grad_() for each in scores(sides, *shape)]
    found = torch.autograd.grad(case.ours(*given), given)
    expected = case.gradients(*(each.detach().numpy() for each in given))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-12, atol=1e-15)


@every
def test_first_and_second_derivatives_by_finite_differences(case: Case, sides: int) -> None:
    given = [each.requires_grad_() for each in scores(sides, 5)]
    assert torch.autograd.gradcheck(case.ours, given)
    assert torch.autograd.gradgradcheck(case.ours, given)


@every
def test_is_a_mean_and_not_a_sum(case: Case, sides: int) -> None:
    given = scores(sides, 6)
    torch.testing.assert_close(case.ours(*(each.repeat(3) for each in given)), case.ours(*given))


@every
def test_sure_scores_overflow_nowhere(case: Case, sides: int) -> None:
    # exp(score), the weight of maximum likelihood, is unbounded by its nature
    top = 80.0 if case.ours is objectives.maximum_likelihood_generator else 1e4
    extremes = torch.tensor([-1e4, -100.0, 0.0, top / 2, top])
    given = [extremes.clone().requires_grad_(), extremes.flip(0).clone().requires_grad_()][:sides]
    value = case.ours(*given)
    assert value.isfinite()
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(value, given))


def test_minimax_is_binary_cross_entropy() -> None:
    real, fake = scores(2, 9)
    truth = torch.cat([torch.ones_like(real), torch.zeros_like(fake)])
    entropy = binary_cross_entropy_with_logits(torch.cat([real, fake]), truth)
    torch.testing.assert_close(objectives.minimax_discriminator(real, fake), 2 * entropy)
    torch.testing.assert_close(
        objectives.minimax_generator(fake), -binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    )
    torch.testing.assert_close(
        objectives.non_saturating_generator(fake), binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
    )


def test_the_two_sides_may_differ_in_number() -> None:
    real, fake = scores(1, 4)[0], scores(1, 8)[0]
    expected = np.log1p(np.exp(-real.numpy())).mean() + np.log1p(np.exp(fake.numpy())).mean()
    np.testing.assert_allclose(objectives.minimax_discriminator(real, fake).item(), expected, rtol=1e-12)
