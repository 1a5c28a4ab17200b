"""Larger pictures, and whole ones."""

from typing import Any

from torch import Tensor, nn

from gan_modules import CCGAN, ESRGAN, SRGAN, AdversarialModule, ContextEncoder, networks
from zoo.case import Case
from zoo.own import CLASSES, SIZE, Judge, Translate


class Enlarge(nn.Module):
    """A user's enlarging network, in which no sample depends on another."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 48, 3, padding=1)

    def forward(self, source: Tensor) -> Tensor:
        return nn.functional.pixel_shuffle(self.last(nn.functional.silu(self.first(source))), 4)


class Maps(nn.Module):
    """A user's feature maps."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(4, 4, 3, stride=2)

    def forward(self, images: Tensor) -> list[Tensor]:
        first = nn.functional.silu(self.first(images))
        return [first, self.last(first)]


def _srgan(own: bool, **options: Any) -> AdversarialModule:
    options = {"pretraining_steps": 2, "decay_steps": 4, **options}
    if own:
        return SRGAN(Enlarge(), Judge(), Maps(), **options)
    pair = networks.SRResNetGenerator(3, 3, 4, 1), networks.SRGANDiscriminator(2 * SIZE, 3, 2, 8)
    return SRGAN(*pair, **options)


def _esrgan(own: bool, **options: Any) -> AdversarialModule:
    options = {"pretraining_steps": 2, "halvings": (2, 4), "interpolation": 0.75, **options}
    if own:
        return ESRGAN(Enlarge(), Judge(bias=False), Maps(), **options)
    pair = networks.RRDBGenerator(3, 3, 4, 1, 2), networks.SRGANDiscriminator(2 * SIZE, 3, 2, 8)
    return ESRGAN(*pair, **options)


def _context_encoder(own: bool, **options: Any) -> AdversarialModule:
    options = {"overlap": 1, **options}
    if own:
        return ContextEncoder(Translate(), Judge(), **options)
    pair = networks.ContextGenerator(3, 3, 2 * SIZE, 4, 6), networks.DCGANDiscriminator(2 * SIZE, 3, 4)
    return ContextEncoder(*pair, **options)


def _cc_gan(own: bool, **options: Any) -> AdversarialModule:
    options = {"hole_size": 4, **options}
    if own:
        return CCGAN(Translate(), Judge(classes=CLASSES), **options)
    pair = networks.ContextGenerator(3, 3, SIZE, 4, 0), networks.DCGANDiscriminator(SIZE, 3, 4, num_classes=CLASSES)
    return CCGAN(*pair, **options)


CASES: dict[str, Case] = {
    "srgan": Case(_srgan, "enlarged"),
    # only differences of scores count, so that our discriminator's last bias follows rounding alone
    "esrgan": Case(_esrgan, "enlarged", coupled=True),
    "context_encoder": Case(_context_encoder, "holes"),
    "cc_gan": Case(_cc_gan, "context", coupled=True),
}
