"""Least squares GAN against its objective, and theorem 1 of Mao et al. (2017)."""

import inspect
from typing import Any

import pytest
import torch

from gan_modules import LSGAN
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

TARGETS = (-0.3, 1.7, 0.4)


def lsgan(**arguments: Any) -> LSGAN:
    return LSGAN(generator(), Scores(), latent_dim=2, **{"targets": TARGETS, **arguments}).double()


def test_the_losses_are_equation_2() -> None:
    module, real = lsgan(), points()
    s_real = module.discriminator(real).detach().numpy()
    s_fake = module.discriminator(fakes(module)).detach().numpy()
    formula = (sum((s_real - 1.7) ** 2) + sum((s_fake + 0.3) ** 2)) / (2 * N)
    close(once(lambda m: m.discriminator_loss(real), module), formula)
    close(once(lambda m: m.generator_loss(real), module), sum((s_fake - 0.4) ** 2) / (2 * N))


def test_each_player_has_its_gradient_and_the_generator_is_left_alone_by_the_discriminator() -> None:
    module, real = lsgan(), points()
    check_slope(module, lambda m: m.discriminator_loss(real), "discriminator")
    check_slope(module, lambda m: m.generator_loss(real), "generator")
    assert networks_reached(module, lambda m: m.discriminator_loss(real)) == {"discriminator"}
    assert networks_reached(module, lambda m: m.generator_loss(real)) == {"discriminator", "generator"}


def game(targets: tuple[float, float, float]) -> tuple[Any, torch.Tensor]:
    """A game on six outcomes, and its optimal scores."""
    table = Table()
    module = LSGAN(Outcomes(), table, latent_dim=2, targets=targets)
    return module, optimal_scores(table, lambda: module.discriminator_loss(REAL))


@pytest.mark.parametrize("targets", [(0.0, 1.0, 1.0), (-1.0, 1.0, 0.0), TARGETS])
def test_the_optimal_score_is_the_mean_of_the_targets_weighed_by_the_densities(
    targets: tuple[float, float, float],
) -> None:
    """Equation 5."""
    a, b, _ = targets
    torch.testing.assert_close(game(targets)[1], (b * P + a * Q) / (P + Q), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("targets", "pearson"), [((-1.0, 1.0, 0.0), True), ((0.0, 1.0, 1.0), False)])
def test_at_the_optimum_b_minus_c_of_1_and_b_minus_a_of_2_give_pearsons_chi_square(
    targets: tuple[float, float, float], pearson: bool
) -> None:
    """Theorem 1, for the generator's objective with the real samples' term that does not depend on it (equation 4)."""
    module, scores = game(targets)
    real_term = (P * (scores - targets[2]) ** 2).sum() / 2
    value = 2 * (module.generator_loss(FAKE).detach() + real_term)
    chi_square = ((2 * Q - (P + Q)) ** 2 / (P + Q)).sum()
    assert torch.isclose(value, chi_square, rtol=1e-6) == pearson


@pytest.mark.parametrize("steps", [1, 3])
def test_a_generator_step_for_so_many_of_the_discriminator(steps: int) -> None:
    networks = torch.nn.Linear(2, 2), torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Flatten(0))
    module = LSGAN(*networks, 2, n_discriminator=steps)
    schedule = schedule_of(module)
    trainer().fit(module, loader("gan on points", 6))
    assert schedule == [*["discriminator_loss"] * steps, "generator_loss"] * (6 // steps)
    assert module.generator_steps == 6 // steps


def test_the_defaults_are_the_papers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(LSGAN).parameters.items()}
    assert defaults["targets"] == (0, 1, 1) and defaults["latent_dim"] == 1024
    assert (defaults["learning_rate"], defaults["betas"]) == (1e-3, (0.5, 0.999))


def test_equal_targets_are_refused() -> None:
    with pytest.raises(ValueError, match="targets must tell real from generated samples, got a = b = 1"):
        lsgan(targets=(1, 1, 0))
