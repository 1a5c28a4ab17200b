"""Penalties at the data, and look-ahead."""

from typing import Any

from gan_modules import R1GAN, R3GAN, AdversarialModule, UnrolledGAN, networks
from zoo.case import Case
from zoo.own import LATENT, SIZE, Draw, Judge


def _r1_gan(own: bool, **options: Any) -> AdversarialModule:
    options = {"penalty_every": 2, "r2_weight": 1.0, **options}
    if own:
        return R1GAN(Draw(), Judge(), LATENT, **options)
    discriminator = networks.DCGANDiscriminator(SIZE, 3, 4, norm=None)
    return R1GAN(networks.DCGANGenerator(LATENT, SIZE, 3, 4), discriminator, LATENT, **options)


def _r3gan(own: bool, **options: Any) -> AdversarialModule:
    options = {"burn_in": 40, **options}
    if own:
        return R3GAN(Draw(), Judge(), LATENT, **options)
    return R3GAN(
        networks.R3GANGenerator(LATENT, SIZE, 3, 4, 4), networks.R3GANDiscriminator(SIZE, 3, 4, 4), LATENT, **options
    )


def _unrolled(own: bool, **options: Any) -> AdversarialModule:
    options = {"unrolling_steps": 2, **options}
    if own:
        return UnrolledGAN(Draw(), Judge(), LATENT, **options)
    pair = networks.DCGANGenerator(LATENT, SIZE, 3, 4), networks.DCGANDiscriminator(SIZE, 3, 4)
    return UnrolledGAN(*pair, LATENT, **options)


CASES = {
    "r1_gan": Case(_r1_gan),
    "r3gan": Case(_r3gan, constant={"discriminator.score.bias"}),
    "unrolled": Case(_unrolled, coupled=True),
}
