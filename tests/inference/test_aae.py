"""Adversarial autoencoders: two phases, whom they reach, and codes that take the prior's shape."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from gan_modules import AAE, randomness
from gan_modules.networks import CodeDiscriminator
from transcribed import assert_same, unreached
from variants import build, loader, losses_of, trainer
from zoo.coders import LATENT, Decoder, Encoder, noise
from zoo.games import N, points

both = pytest.mark.parametrize("gaussian", [False, True], ids=["a function", "a distribution"])


def aae(gaussian: bool, **options: Any) -> AAE:
    return AAE(Encoder(gaussian), Decoder(), CodeDiscriminator(LATENT, (5,)), LATENT, **options).double()


def codes_of(module: AAE, real: Tensor, gaussian: bool) -> Tensor:
    if not gaussian:
        return module.encoder(real)
    mean, log_variance = module.encoder(real)
    return mean + torch.exp(log_variance / 2) * noise()


@both
def test_the_reconstruction_phase(gaussian: bool) -> None:
    module, real = aae(gaussian), points()

    def by_hand() -> Tensor:
        return ((module.generator(codes_of(module, real, gaussian)) - real) ** 2).sum() / (3 * N)

    assert_same(lambda: module.reconstruction_loss(real), by_hand, module.encoder, module.generator)
    assert unreached(module.reconstruction_loss(real), module.discriminator)


@both
def test_the_regularisation_phase(gaussian: bool) -> None:
    module, real = aae(gaussian), points()

    def of_discriminator() -> Tensor:
        prior = noise()
        codes = codes_of(module, real, gaussian)
        return -(logsigmoid(module.discriminator(prior)) + logsigmoid(-module.discriminator(codes))).mean()

    def of_encoder() -> Tensor:
        return -logsigmoid(module.discriminator(codes_of(module, real, gaussian))).mean()

    assert_same(lambda: module.discriminator_loss(real), of_discriminator, module.discriminator)
    assert_same(lambda: module.encoder_loss(real), of_encoder, module.encoder)
    assert unreached(module.discriminator_loss(real), module.encoder)
    assert all(unreached(loss(real), module.generator) for loss in (module.discriminator_loss, module.encoder_loss))


def by_planes(noise: Tensor, classes: Tensor) -> Tensor:
    """The prior of three classes, its planes being the complex numbers."""
    turned = torch.exp(2j * math.pi / 3 * classes.double())[:, None]
    plane = turned * torch.complex(1.4 + 0.5 * noise[:, ::2], 0.1 * noise[:, 1::2])
    return torch.view_as_real(plane).flatten(1)


def test_the_regularisation_phase_with_classes() -> None:
    """Codes of a class meet that mode of the prior; those of images without a label meet any."""
    judge = CodeDiscriminator(LATENT, (5,), 3)
    module, real = AAE(Encoder(False), Decoder(), judge, LATENT, 3).double(), points()
    labels = torch.arange(N) % 4 - 1
    told = torch.eye(4).double()[labels]  # -1 is the last

    def score(codes: Tensor) -> Tensor:
        return judge.layers(torch.cat([codes, told], dim=1))

    def of_discriminator() -> Tensor:
        drawn = randomness.labels(N, 3)
        prior = by_planes(noise(), torch.where(labels < 0, drawn, labels))
        return -(logsigmoid(score(prior)) + logsigmoid(-score(module.encoder(real)))).mean()

    def of_encoder() -> Tensor:
        return -logsigmoid(score(module.encoder(real))).mean()

    assert_same(lambda: module.discriminator_loss(real, labels), of_discriminator, module.discriminator)
    assert_same(lambda: module.encoder_loss(real, labels), of_encoder, module.encoder)
    assert unreached(module.discriminator_loss(real, labels), module.encoder)


def test_the_prior_has_a_mode_for_each_class() -> None:
    module = AAE(nn.Linear(3, 2), nn.Identity(), nn.Linear(2, 1), 2, 4)
    codes = module.prior(20_000, torch.full((20_000,), 1))
    torch.testing.assert_close(codes.mean(0), torch.tensor([0.0, 1.4]), atol=0.02, rtol=0)
    torch.testing.assert_close(codes.std(0), torch.tensor([0.1, 0.5]), atol=0.01, rtol=0)
    assert module.prior(20_000).mean(0).abs().max() < 0.05, "without labels, from all modes alike"
    (rows,) = module.grid_inputs(5, 3)
    torch.testing.assert_close(rows[12:], rows[:3])
    torch.testing.assert_close(rows[6:9], -rows[:3])
    with pytest.raises(ValueError, match="latent_dim must be even, got 3"):
        AAE(nn.Linear(3, 3), nn.Identity(), nn.Linear(3, 1), 3, 4)
    with pytest.raises(ValueError, match="num_classes=3 but was given no labels"):
        CodeDiscriminator(2, (5,), 3)(torch.randn(4, 2))


def test_the_phases_follow_each_other_and_the_encoder_is_in_both() -> None:
    module: Any = build("aae")
    losses, fitted = losses_of(module), trainer()
    fitted.fit(module, loader("aae", 4))
    assert len(losses) == 12
    owned = [{id(p) for group in each.param_groups for p in group["params"]} for each in fitted.optimizers]
    encoder, decoder, judge = (
        {id(p) for p in network.parameters()} for network in (module.encoder, module.generator, module.discriminator)
    )
    assert owned == [encoder | decoder, judge, encoder]
    assert [each.param_groups[0]["lr"] for each in fitted.optimizers] == [1e-3, 2e-4, 2e-4]


class Ratio(nn.Module):
    """The best discriminator of N(0, 1) from codes of N(m, 1): the logarithm of their ratio."""

    def __init__(self, m: float) -> None:
        super().__init__()
        self.m = m

    def forward(self, z: Tensor) -> Tensor:
        return ((z - self.m).square() - z.square()).sum(1) / 2


@pytest.mark.parametrize("m", [-2.0, 0.0, 0.5])
def test_the_best_discriminator_draws_codes_to_the_prior(m: float) -> None:
    """Its slope in the codes' mean has the sign of the mean, and at the prior there is none."""
    shift = nn.Linear(1, 1)
    nn.init.ones_(shift.weight)
    nn.init.constant_(shift.bias, m)
    module, data = AAE(shift, nn.Linear(1, 1), Ratio(m), 1), torch.randn(500, 1)
    (slope,) = torch.autograd.grad(module.encoder_loss(data), shift.bias)
    assert torch.equal(slope.sign(), torch.tensor([m]).sign())
    assert m or module.discriminator_loss(data).item() == pytest.approx(2 * math.log(2))
