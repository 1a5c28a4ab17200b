"""Packed samples, mode seeking, texts, two domains, attacks."""

from typing import Any

from gan_modules import MSGAN, AdversarialModule, PacGAN, networks
from zoo.case import Case
from zoo.conditional import JudgeOfClass
from zoo.own import CLASSES, LATENT, SIZE, Draw, Judge


def _pacgan(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return PacGAN(Draw(), Judge(6), LATENT, **options)
    return PacGAN(
        networks.DCGANGenerator(LATENT, SIZE, 3, 4), networks.DCGANDiscriminator(SIZE, 6, 4), LATENT, **options
    )


def _msgan(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return MSGAN(Draw(), Judge(), 0, LATENT, **options)
    pair = networks.DCGANGenerator(LATENT, SIZE, 3, 4), networks.DCGANDiscriminator(SIZE, 3, 4)
    return MSGAN(*pair, 0, LATENT, **options)


def _msgan_labelled(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return MSGAN(Draw(classes=CLASSES), JudgeOfClass(), CLASSES, LATENT, **options)
    generator = networks.DCGANGenerator(LATENT, SIZE, 3, 4, num_classes=CLASSES)
    judge = networks.ConditionalDCGANDiscriminator(SIZE, 3, 4, num_classes=CLASSES)
    return MSGAN(generator, judge, CLASSES, LATENT, **options)


CASES: dict[str, Case] = {
    "pacgan": Case(_pacgan),
    "msgan": Case(_msgan, coupled=True),
    "msgan with labels": Case(_msgan_labelled, "labelled", coupled=True),
}
