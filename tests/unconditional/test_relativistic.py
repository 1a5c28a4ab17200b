"""Relativistic GANs against the formulas of Jolicoeur-Martineau (2018); both players see both sides."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from gan_modules import RelativisticGAN, objectives, randomness
from gan_modules.objectives import hinge_margin, least_squares_margin, logistic_margin
from gan_modules.penalties import gradient_penalty
from variants import loader, trainer
from zoo.games import (
    FAKE,
    REAL,
    N,
    Outcomes,
    P,
    Q,
    Scores,
    Table,
    again,
    check_slope,
    close,
    fakes,
    generator,
    networks_reached,
    once,
    optimal_scores,
    points,
    schedule_of,
)

Array = npt.NDArray[np.float64]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


PAIRS: dict[Any, Callable[[Array, Array], float]] = {  # of scores that are to be higher, and lower
    logistic_margin: lambda b, w: -np.log(sigmoid(b - w)).mean(),
    least_squares_margin: lambda b, w: ((b - w - 1) ** 2).mean(),
    hinge_margin: lambda b, w: np.maximum(0, 1 - (b - w)).mean(),
}
AVERAGES: dict[Any, Callable[[Array, Array], float]] = {
    logistic_margin: lambda b, w: -np.log(sigmoid(b - w.mean())).mean() - np.log(1 - sigmoid(w - b.mean())).mean(),
    least_squares_margin: lambda b, w: ((b - w.mean() - 1) ** 2).mean() + ((w - b.mean() + 1) ** 2).mean(),
    hinge_margin: lambda b, w: np.maximum(0, 1 - (b - w.mean())).mean() + np.maximum(0, 1 + (w - b.mean())).mean(),
}
FORMS = [
    *((objectives.relativistic, margin, formula) for margin, formula in PAIRS.items()),
    *((objectives.relativistic_average, margin, formula) for margin, formula in AVERAGES.items()),
]
every_form = pytest.mark.parametrize(("comparison", "margin", "formula"), FORMS)


def relativistic(**arguments: Any) -> RelativisticGAN:
    return RelativisticGAN(generator(), Scores(), latent_dim=2, **arguments).double()


@every_form
def test_the_losses_are_the_papers(comparison: Any, margin: Any, formula: Any) -> None:
    module, real = relativistic(comparison=comparison, margin=margin), points()
    s_real, s_fake = (module.discriminator(x).detach().numpy() for x in (real, fakes(module)))
    close(once(lambda m: m.discriminator_loss(real), module), formula(s_real, s_fake))
    close(once(lambda m: m.generator_loss(real), module), formula(s_fake, s_real))


@every_form
def test_each_player_has_its_gradient(comparison: Any, margin: Any, formula: Any) -> None:
    module, real = relativistic(comparison=comparison, margin=margin), points()
    check_slope(module, lambda m: m.discriminator_loss(real), "discriminator")
    check_slope(module, lambda m: m.generator_loss(real), "generator")
    assert networks_reached(module, lambda m: m.discriminator_loss(real)) == {"discriminator"}
    assert networks_reached(module, lambda m: m.generator_loss(real)) == {"discriminator", "generator"}


class Seen(nn.Module):
    """A discriminator whose scores are looked at: their gradients stay."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.scores = Scores(), list[Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        scores = self.layers(x)
        scores.retain_grad()
        self.scores.append(scores)
        return scores


@every_form
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_both_players_see_both_sides(player: str, comparison: Any, margin: Any, formula: Any) -> None:
    """Each side's scores get the gradient of all terms, by finite differences of the formula."""
    seen = Seen()
    module = RelativisticGAN(generator(), seen, 2, comparison, margin).double()
    getattr(module, f"{player}_loss")(points()).backward()
    better, worse = (scores.detach().numpy() for scores in seen.scores)
    for side, scores in enumerate(seen.scores):
        for i in range(N):
            moved = [[each.copy() for each in (better, worse)] for _ in range(2)]
            for step, pair in zip((1e-6, -1e-6), moved, strict=True):
                pair[side][i] += step
            slope = (formula(*moved[0]) - formula(*moved[1])) / 2e-6
            assert scores.grad is not None and scores.grad[i].item() == pytest.approx(slope, rel=1e-5, abs=1e-9)
    assert all(scores.grad is not None and scores.grad.abs().max() > 0 for scores in seen.scores)


def test_the_penalty_is_added_to_the_discriminators_loss_alone() -> None:
    plain, real = relativistic(), points()
    module = relativistic(penalty_weight=7.0)
    module.load_state_dict(plain.state_dict())
    fake = fakes(module)
    penalty = gradient_penalty(module.discriminator, real, fake)
    loss = once(lambda m: m.discriminator_loss(real), plain) + 7 * penalty
    close(once(lambda m: m.discriminator_loss(real), module), loss)
    close(once(lambda m: m.generator_loss(real), module), once(lambda m: m.generator_loss(real), plain))


def on_outcomes(margin: Any) -> tuple[RelativisticGAN, Table]:
    table = Table()
    return RelativisticGAN(Outcomes(), table, 2, margin=margin), table


def test_least_squares_averages_measure_the_triangular_discrimination() -> None:
    """With d = sum (p - q)^2 / (p + q): scores 4 / (2 + 3d) (p - q) / (p + q) and a constant, loss 2 - 8d / (2 + 3d).

    In scores t with opposite means m and -m the loss is sum (p + q) t^2 + 6 m^2 - 8 m + 2; for a given m, the sum is
    least where t is proportional to (p - q) / (p + q).
    """
    module, table = on_outcomes(least_squares_margin)
    scores = optimal_scores(table, lambda: module.discriminator_loss(REAL))
    scores = scores - ((P + Q) * scores).sum() / 2
    d = ((P - Q) ** 2 / (P + Q)).sum()
    torch.testing.assert_close(scores, 4 / (2 + 3 * d) * (P - Q) / (P + Q), rtol=1e-6, atol=1e-7)
    close(module.discriminator_loss(REAL), 2 - 8 * d / (2 + 3 * d))


@pytest.mark.parametrize(
    ("margin", "value"), [(logistic_margin, 2 * math.log(2)), (least_squares_margin, 2.0), (hinge_margin, 2.0)]
)
def test_no_discriminator_tells_equal_distributions_apart_by_averages(margin: Any, value: float) -> None:
    """Convex margins: by Jensen's inequality equal scores are best, and different distributions do better."""
    module, table = on_outcomes(margin)
    close(module.discriminator_loss(FAKE), value)
    assert module.discriminator_loss(FAKE).requires_grad
    for _ in range(20):
        nn.init.normal_(table.scores, std=3)
        assert module.discriminator_loss(FAKE) > value
    nn.init.zeros_(table.scores)
    optimal_scores(table, lambda: module.discriminator_loss(REAL))
    assert module.discriminator_loss(REAL) < value - 0.05


def test_only_differences_of_scores_count() -> None:
    module, real = relativistic(), points()
    before = [once(loss, module) for loss in (lambda m: m.discriminator_loss(real), lambda m: m.generator_loss(real))]
    with torch.no_grad():
        module.discriminator.layers[2].bias += 100  # type: ignore[index,operator]
    close(once(lambda m: m.discriminator_loss(real), module), before[0])
    close(once(lambda m: m.generator_loss(real), module), before[1])


@pytest.mark.parametrize("n_discriminator", [1, 3])
def test_the_generator_steps_after_every_so_many_steps_of_the_discriminator(n_discriminator: int) -> None:
    networks = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 1, bias=False), nn.Flatten(0))
    module = RelativisticGAN(*networks, latent_dim=2, n_discriminator=n_discriminator)
    schedule = schedule_of(module)
    trainer().fit(module, loader("gan on points", 6))
    assert schedule == [*["discriminator_loss"] * n_discriminator, "generator_loss"] * (6 // n_discriminator)


def test_both_steps_draw_fresh_noise() -> None:
    module, shown = relativistic(), list[Tensor]()
    module.generator.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    again()
    real = points()
    module.discriminator_loss(real)
    module.generator_loss(real)
    randomness.use(None)
    assert not torch.equal(*shown)


def test_the_defaults_are_the_papers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(RelativisticGAN).parameters.items()}
    assert defaults["comparison"] is objectives.relativistic_average and defaults["margin"] is logistic_margin
    assert (defaults["n_discriminator"], defaults["penalty_weight"], defaults["latent_dim"]) == (1, 0, 128)
    assert (defaults["learning_rate"], defaults["betas"]) == (2e-4, (0.5, 0.999))
