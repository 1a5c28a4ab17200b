"""Larger pictures, whole ones, and the next ones."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gan_modules import CCGAN, ESRGAN, SRGAN, AdversarialModule, ContextEncoder, VideoGAN, networks
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


class Predict(nn.Module):
    """A user's predictor of the frame after two others, in half its size and in full."""

    def __init__(self) -> None:
        super().__init__()
        self.in_channels = 6
        self.coarse, self.fine = nn.Conv2d(6, 3, 3, padding=1), nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, source: Tensor) -> list[Tensor]:
        half = nn.functional.avg_pool2d(source, 2)
        return [torch.tanh(self.coarse(half)), torch.tanh(self.fine(source))]


class JudgeOfScales(nn.Module):
    """A user's discriminator of frames of two sizes, and the frames before them."""

    def __init__(self) -> None:
        super().__init__()
        self.scales = nn.ModuleList([Judge(9), Judge(9)])

    def forward(self, frames: Sequence[Tensor], source: Tensor) -> list[Tensor]:
        before = [nn.functional.avg_pool2d(source, 2), source]
        return [judge(*pair) for judge, pair in zip(self.scales, zip(frames, before, strict=True), strict=True)]


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


def _video_gan(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return VideoGAN(Predict(), JudgeOfScales(), **{"p": 2.0, **options})
    pair = networks.VideoGenerator(6, 3, 4, 2), networks.VideoDiscriminator(3, 6, 2 * SIZE, 4, 2)
    return VideoGAN(*pair, **{"betas": (0.9, 0.999), **options})


CASES: dict[str, Case] = {
    "srgan": Case(_srgan, "enlarged"),
    # only differences of scores count, so that our discriminator's last bias follows rounding alone
    "esrgan": Case(_esrgan, "enlarged", coupled=True),
    "context_encoder": Case(_context_encoder, "holes"),
    "cc_gan": Case(_cc_gan, "context", coupled=True),
    "video_gan": Case(_video_gan, "films"),
}
