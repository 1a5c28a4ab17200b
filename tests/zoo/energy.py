"""Energies, and normalised weights."""

from typing import Any

from gan_modules import BEGAN, EBGAN, SNGAN, AdversarialModule, networks
from zoo.case import Case
from zoo.own import LATENT, SIZE, Draw, Judge, Rebuild


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


def _ebgan(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return EBGAN(Draw(), Rebuild(), LATENT, **options)
    return EBGAN(networks.DCGANGenerator(LATENT, SIZE, 3, 4), networks.EBGANDiscriminator(3, 4, 2), LATENT, **options)


def _began(own: bool, **options: Any) -> AdversarialModule:
    options = {"control_rate": 0.1, "halving_steps": 4, **options}
    if own:
        return BEGAN(Draw(), Rebuild(), LATENT, **options)
    pair = networks.BEGANGenerator(LATENT, SIZE, 3, 4), networks.BEGANDiscriminator(LATENT, SIZE, 3, 4)
    return BEGAN(*pair, LATENT, **options)


CASES = {
    # of so small scores none leaves the hinges' linear parts, whose pulls on the last bias cancel
    "sngan": Case(_sngan, constant={"discriminator.score.bias"}, our_constant={"discriminator.output.bias"}),
    "sagan": Case(_sagan, constant={"discriminator.score.bias"}),
    "ebgan": Case(_ebgan, coupled=True),  # by the pulling-away term
    "began": Case(_began),
}
