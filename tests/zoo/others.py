"""Packed samples, mode seeking, texts, two domains, attacks."""

from typing import Any

from gan_modules import AdversarialModule, PacGAN, networks
from zoo.case import Case
from zoo.own import LATENT, SIZE, Draw, Judge


def _pacgan(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return PacGAN(Draw(), Judge(6), LATENT, **options)
    return PacGAN(
        networks.DCGANGenerator(LATENT, SIZE, 3, 4), networks.DCGANDiscriminator(SIZE, 6, 4), LATENT, **options
    )


CASES: dict[str, Case] = {
    "pacgan": Case(_pacgan),
}
