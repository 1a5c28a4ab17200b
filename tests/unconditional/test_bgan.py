"""Boundary-seeking GAN against the formulas of Hjelm et al. (2018), also those for discrete samples."""

import inspect
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan_modules import BGAN
from gan_modules.objectives import boundary_seeking_discrete, non_saturating_generator
from variants import loader, trainer
from zoo.games import (
    FAKE,
    Q_COUNTS,
    REAL,
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


def bgan(**arguments: Any) -> BGAN:
    return BGAN(generator(), Scores(), latent_dim=2, **arguments).double()


def test_the_losses_are_the_papers() -> None:
    module, real = bgan(), points()
    d_real, d_fake = (1 / (1 + np.exp(-module.discriminator(x).detach().numpy())) for x in (real, fakes(module)))
    close(once(lambda m: m.discriminator_loss(real), module), -np.log(d_real).mean() - np.log(1 - d_fake).mean())
    close(once(lambda m: m.generator_loss(real), module), ((np.log(d_fake) - np.log(1 - d_fake)) ** 2).mean() / 2)


def test_each_player_has_its_gradient() -> None:
    module, real = bgan(), points()
    check_slope(module, lambda m: m.discriminator_loss(real), "discriminator")
    check_slope(module, lambda m: m.generator_loss(real), "generator")
    assert networks_reached(module, lambda m: m.discriminator_loss(real)) == {"discriminator"}
    assert networks_reached(module, lambda m: m.generator_loss(real)) == {"discriminator", "generator"}


class Line(nn.Module):
    """A discriminator of numbers, whose boundary is at 1."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.slope * (x[:, 0] - 1)


@pytest.mark.parametrize("start", [-3.0, 4.0])
def test_the_generator_comes_to_rest_on_the_boundary(start: float) -> None:
    """From either side, where a generator that wants higher scores goes on for ever."""
    sample = torch.full((4, 1), start, requires_grad=True)
    ours = BGAN(nn.Identity(), Line(), latent_dim=1)
    ours.sample = lambda n: sample  # type: ignore[method-assign]
    (pull,) = torch.autograd.grad(ours.generator_loss(sample), sample)
    (push,) = torch.autograd.grad(non_saturating_generator(Line()(sample)), sample)
    assert (-pull * (1 - start) > 0).all() and (push < 0).all()
    with torch.no_grad():
        sample.fill_(1.0)
    (rest,) = torch.autograd.grad(ours.generator_loss(sample), sample)
    assert not rest.any()


def test_at_the_optimum_the_scores_are_the_log_ratio_and_the_loss_its_square() -> None:
    table = Table()
    module = BGAN(Outcomes(), table, latent_dim=2)
    scores = optimal_scores(table, lambda: module.discriminator_loss(REAL))
    torch.testing.assert_close(scores, (P / Q).log(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(module.generator_loss(FAKE).detach(), (Q * (P / Q).log() ** 2).sum() / 2)
    assert module.generator_loss(FAKE) > 0.1
    optimal_scores(table, lambda: module.discriminator_loss(FAKE))
    assert module.generator_loss(FAKE) < 1e-10  # p = q


def test_the_discrete_objective_is_the_weighted_log_likelihood() -> None:
    scores, log_q = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    w = np.exp(scores.numpy())
    formula = -((w / w.sum(0)) * log_q.numpy()).sum(0).mean()
    scores.requires_grad_()
    log_q.requires_grad_()
    loss = boundary_seeking_discrete(scores, log_q)
    close(loss, formula)
    loss.backward()
    assert scores.grad is None and log_q.grad is not None
    np.testing.assert_allclose(log_q.grad.numpy(), -w / w.sum(0) / 3)


def test_at_the_optimum_the_discrete_gradient_is_that_of_kullback_leibler() -> None:
    """The weights make p of q, so that -log q weighted by them is KL(p, q) and a constant."""
    logits = Q.log().requires_grad_()
    samples = torch.arange(6).repeat_interleave(Q_COUNTS)[:, None]
    scores = (P / Q).log()[samples] + math.pi  # a constant, as of a discriminator's bias, is divided out
    (ours,) = torch.autograd.grad(boundary_seeking_discrete(scores, logits.log_softmax(0)[samples]), logits)
    (kullback_leibler,) = torch.autograd.grad((P * (P.log() - logits.log_softmax(0))).sum(), logits)
    torch.testing.assert_close(ours, kullback_leibler)
    assert ours.abs().max() > 0.1


def test_a_step_of_each_on_every_batch() -> None:
    module = BGAN(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 1), nn.Flatten(0)), latent_dim=2)
    schedule = schedule_of(module)
    trainer().fit(module, loader("gan on points", 3))
    assert schedule == ["discriminator_loss", "generator_loss"] * 3


def test_the_defaults_are_the_authors() -> None:
    defaults = {name: each.default for name, each in inspect.signature(BGAN).parameters.items()}
    assert (defaults["learning_rate"], defaults["betas"], defaults["latent_dim"]) == (1e-4, (0.5, 0.999), 128)
