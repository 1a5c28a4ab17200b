"""Adversarial autoencoders: two phases, whom they reach, and codes that take the prior's shape."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from gan_modules import AAE
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
