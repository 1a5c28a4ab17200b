"""What the papers prove, checked on distributions where it is known."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import norm, wasserstein_distance
from torch import Tensor

from gan_modules import objectives
from gan_modules.penalties import gradient_norm, gradient_penalty, zero_centred

# Six outcomes, as often as p and q say: a mean over these samples is an expectation, without error.
P_COUNTS, Q_COUNTS = torch.tensor([5, 1, 3, 7, 2, 2]), torch.tensor([1, 6, 3, 2, 4, 4])
P, Q = (counts.double() / counts.sum() for counts in (P_COUNTS, Q_COUNTS))
REAL, FAKE = (torch.arange(6).repeat_interleave(counts) for counts in (P_COUNTS, Q_COUNTS))


def kl(p: Tensor, q: Tensor) -> Tensor:
    return (p * (p / q).log()).sum()


def jsd(p: Tensor, q: Tensor) -> Tensor:
    middle = (p + q) / 2
    return (kl(p, middle) + kl(q, middle)) / 2


def optimal(loss: Callable[[Tensor], Tensor], start: Tensor) -> tuple[Tensor, float]:
    """Minimise `loss` by L-BFGS in float64."""
    x = start.double().clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [x], lr=1, max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(x)
        value.backward()
        return value

    optimizer.step(closure)
    return x.detach(), loss(x).item()


def test_the_optimal_discriminator_is_p_over_p_plus_q() -> None:
    """Goodfellow et al. (2014), proposition 1 and theorem 1."""
    scores, loss = optimal(lambda s: objectives.minimax_discriminator(s[REAL], s[FAKE]), torch.zeros(6))
    torch.testing.assert_close(scores.sigmoid(), P / (P + Q), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(scores, (P / Q).log(), rtol=1e-5, atol=1e-6)
    assert -loss == pytest.approx(-math.log(4) + 2 * jsd(P, Q).item(), abs=1e-12)


def test_equal_distributions_leave_the_discriminator_at_one_half() -> None:
    scores, loss = optimal(lambda s: objectives.minimax_discriminator(s[REAL], s[REAL]), torch.ones(6))
    torch.testing.assert_close(scores.sigmoid(), torch.full((6,), 0.5, dtype=torch.float64), atol=1e-6, rtol=0)
    assert loss == pytest.approx(math.log(4))


def test_the_optimal_discriminator_of_two_gaussians_is_linear() -> None:
    """log N(x; m, 1) / N(x; -m, 1) = 2 m x."""
    quantiles = torch.from_numpy(norm.ppf((np.arange(20_000) + 0.5) / 20_000))
    mean = 0.6

    def loss(line: Tensor) -> Tensor:
        scores = [line[0] * (quantiles + sign * mean) + line[1] for sign in (1, -1)]
        return objectives.minimax_discriminator(*scores)

    line, _ = optimal(loss, torch.zeros(2))
    torch.testing.assert_close(line, torch.tensor([2 * mean, 0.0], dtype=torch.float64), atol=1e-3, rtol=0)


GAMES = [
    (objectives.minimax_generator, lambda s: -torch.sigmoid(s)),
    (objectives.non_saturating_generator, lambda s: -torch.sigmoid(-s)),
    (objectives.maximum_likelihood_generator, lambda s: -0.5 * torch.exp(s)),
]


@pytest.mark.parametrize(("objective", "slope"), GAMES)
def test_the_three_games_differ_in_the_slope_by_the_score(
    objective: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor]
) -> None:
    """Goodfellow (2016), section 3.2: what the generator is given depends on the score alone."""
    scores = torch.linspace(-6, 6, 25, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(objective(scores) * len(scores), scores)
    torch.testing.assert_close(gradient, slope(scores.detach()))
    assert (gradient < 0).all()  # every game wants higher scores


def test_where_the_discriminator_is_sure_only_minimax_saturates() -> None:
    sure = torch.tensor([-20.0], dtype=torch.float64, requires_grad=True)
    slopes = [torch.autograd.grad(objective(sure), sure)[0].abs().item() for objective, _ in GAMES]
    assert slopes[0] < 1e-8 and slopes[2] < 1e-8
    assert slopes[1] == pytest.approx(1, abs=1e-8)


DIVERGENCES = [
    (objectives.minimax_generator, lambda p, q: 2 * jsd(p, q)),
    (objectives.non_saturating_generator, lambda p, q: kl(q, p) - 2 * jsd(p, q)),
    (objectives.maximum_likelihood_generator, lambda p, q: kl(p, q) / 2),
]


@pytest.mark.parametrize(("objective", "divergence"), DIVERGENCES)
def test_at_the_optimal_discriminator_each_game_descends_its_divergence(
    objective: Callable[[Tensor], Tensor], divergence: Callable[[Tensor, Tensor], Tensor]
) -> None:
    """Goodfellow et al. (2014), theorem 1; Arjovsky and Bottou (2017), theorem 2.5; Goodfellow (2016), 3.2.5."""
    logits = Q.log().requires_grad_()
    scores = (P / Q).log()  # held fixed, as the discriminator is in a generator's step
    losses = torch.stack([objective(score[None]) for score in scores])
    (by_the_game,) = torch.autograd.grad((logits.softmax(0) * losses).sum(), logits)
    (by_the_divergence,) = torch.autograd.grad(divergence(P, logits.softmax(0)), logits)
    torch.testing.assert_close(by_the_game, by_the_divergence)


def test_maximum_likelihood_weighs_samples_by_the_density_ratio() -> None:
    """Goodfellow (2016), section 3.2.5: exp(score) = p / q at the optimum, through the generator's noise."""
    theta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    noise = torch.from_numpy(norm.ppf((np.arange(50_000) + 0.5) / 50_000))
    samples = theta + noise  # q = N(theta, 1), p = N(0, 1)
    fixed = theta.detach()
    scores = -(samples.square()) / 2 + (samples - fixed).square() / 2
    (gradient,) = torch.autograd.grad(objectives.maximum_likelihood_generator(scores), theta)
    assert gradient.item() == pytest.approx(fixed.item() / 2, rel=1e-2)  # half of d KL(p, q) / d theta


def test_least_squares_has_the_same_optimum_as_minimax() -> None:
    """Mao et al. (2017), equation 5, with targets 1 and 0: p / (p + q)."""
    scores, _ = optimal(
        lambda s: objectives.least_squares(s[REAL], 1) + objectives.least_squares(s[FAKE], 0), torch.zeros(6)
    )
    torch.testing.assert_close(scores, P / (P + Q), rtol=1e-6, atol=1e-8)


def test_least_squares_descends_pearsons_divergence() -> None:
    """Mao et al. (2017), theorem 1: b - c = 1 and b - a = 2."""
    scores, _ = optimal(
        lambda s: objectives.least_squares(s[REAL], 1) + objectives.least_squares(s[FAKE], -1), torch.zeros(6)
    )
    value = objectives.least_squares(scores[REAL], 0) + objectives.least_squares(scores[FAKE], 0)
    pearson = ((2 * Q - (P + Q)).square() / (P + Q)).sum()
    torch.testing.assert_close(value, pearson, rtol=1e-6, atol=1e-8)


def test_the_hinge_measures_total_variation() -> None:
    """Lim and Ye (2017): the optimum is sign(p - q), of value 2 - 2 TV."""
    best = (P - Q).sign()
    value = objectives.hinge_discriminator(best[REAL], best[FAKE])
    torch.testing.assert_close(value, 2 - (P - Q).abs().sum())
    for seed in range(50):
        other = best + torch.randn(6, generator=torch.Generator().manual_seed(seed)).double()
        assert objectives.hinge_discriminator(other[REAL], other[FAKE]) >= value - 1e-12


def test_the_identity_is_the_best_critic_of_a_shift() -> None:
    """Kantorovich and Rubinstein: among 1-Lipschitz functions none sees more than the distance."""
    generator = torch.Generator().manual_seed(0)
    fake = torch.randn(500, generator=generator, dtype=torch.float64)
    real = fake + 1.7
    distance = wasserstein_distance(real.numpy(), fake.numpy())
    assert -objectives.wasserstein_critic(real, fake).item() == pytest.approx(distance) == pytest.approx(1.7)
    for critic in (torch.sin, torch.tanh, torch.abs, lambda x: -x, lambda x: x.clamp(0)):
        assert -objectives.wasserstein_critic(critic(real), critic(fake)).item() <= distance


def test_a_relativistic_critic_sees_differences_alone() -> None:
    real, fake = torch.randn(2, 8, dtype=torch.float64)
    for objective in (objectives.relativistic, objectives.relativistic_average):
        torch.testing.assert_close(objective(real + 5, fake + 5), objective(real, fake))
    assert objectives.relativistic(real, real).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("length", [0.0, 0.3, 1.0, 2.5])
def test_penalties_of_a_linear_critic(length: float) -> None:
    """f(x) = a x + b has the gradient a everywhere, so the penalties are (|a| - 1)^2 and |a|^2; short ones are too."""
    slope = torch.randn(12, dtype=torch.float64)
    slope = slope * length / slope.norm()

    def critic(images: Tensor) -> Tensor:
        return images.flatten(1) @ slope + 3

    for scale in (0.1, 10.0):
        real, fake = scale * torch.randn(2, 5, 3, 2, 2, dtype=torch.float64)
        assert gradient_penalty(critic, real, fake).item() == pytest.approx((length - 1) ** 2, abs=1e-12)
        assert zero_centred(critic, real).item() == pytest.approx(length**2, abs=1e-12)
        torch.testing.assert_close(gradient_norm(critic, real), torch.full((5,), length, dtype=torch.float64))


def test_a_critic_trained_with_the_penalty_gets_a_slope_beyond_one_by_the_distance() -> None:
    """min over a of -a d + w (|a| - 1)^2 is at a = 1 + d / 2w: what Algorithm 1 finds for two points."""
    distance, weight = 0.8, 10.0
    real, fake = torch.full((4, 1), distance, dtype=torch.float64), torch.zeros(4, 1, dtype=torch.float64)

    def loss(slope: Tensor) -> Tensor:
        def critic(x: Tensor) -> Tensor:
            return (x * slope).squeeze(1)

        return objectives.wasserstein_critic(critic(real), critic(fake)) + weight * gradient_penalty(critic, real, fake)

    slope, _ = optimal(loss, torch.tensor([0.5]))
    assert slope.item() == pytest.approx(1 + distance / (2 * weight), rel=1e-6)
