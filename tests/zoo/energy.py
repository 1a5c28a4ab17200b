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


CASES = {
    # of so small scores none leaves the hinges' linear parts, whose pulls on the last bias cancel
    "sngan": Case(_sngan, constant={"discriminator.score.bias"}, our_constant={"discriminator.output.bias"}),
}
