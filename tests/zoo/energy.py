"""Energies, and normalised weights."""

from typing import Any

from gan_modules import SNGAN, AdversarialModule, networks
from zoo.case import Case
from zoo.own import LATENT, SIZE, Draw, Judge


def _sngan(own: bool, **options: Any) -> AdversarialModule:
    options = {"n_critic": 2, "decay_steps": 100, **options}
    if own:
        return SNGAN(Draw(), Judge(), LATENT, **options)
    critic = networks.ResNetCritic(SIZE, 3, 4, spectral_norm=True)
    return SNGAN(networks.ResNetGenerator(LATENT, SIZE, 3, 4), critic, LATENT, **options)


def _sagan(own: bool, **options: Any) -> AdversarialModule:
    options = {"n_critic": 1, "generator_batch": 1, **options}
    if own:
        return SNGAN(Draw(), Judge(), LATENT, **options)
    generator = networks.SelfAttentionGenerator(LATENT, SIZE, 3, 8, attention=1)
    return SNGAN(generator, networks.SelfAttentionDiscriminator(SIZE, 3, 8, attention=1), LATENT, **options)


CASES = {
    # of so small scores none leaves the hinges' linear parts, whose pulls on the last bias cancel
    "sngan": Case(_sngan, constant={"discriminator.score.bias"}, our_constant={"discriminator.output.bias"}),
    "sagan": Case(_sagan, constant={"discriminator.score.bias"}),
}
