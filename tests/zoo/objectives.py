"""Other objectives of the discriminator's score."""

from typing import Any

from gan_modules import LSGAN, AdversarialModule, networks
from zoo.case import Case
from zoo.own import LATENT, SIZE, Draw, Judge


def _pair(own: bool) -> Any:
    if own:
        return Draw(), Judge()
    return networks.DCGANGenerator(LATENT, SIZE, 3, 4), networks.DCGANDiscriminator(SIZE, 3, 4)


def _lsgan(own: bool, **options: Any) -> AdversarialModule:
    return LSGAN(*_pair(own), LATENT, **options)


CASES: dict[str, Case] = {
    "lsgan": Case(_lsgan),
}
