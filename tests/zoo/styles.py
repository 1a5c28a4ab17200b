"""Translators of shared codes, and of content and style."""

from typing import Any

import torch
from torch import Tensor, nn

from gan_modules import DRIT, MUNIT, UNIT, AdversarialModule, networks
from zoo.case import Case
from zoo.own import Judge

FEATURES, STYLE = 4, 5


def _reads(outputs: int = FEATURES) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, outputs, 3, stride=2, padding=1), nn.SiLU())


def _shared() -> nn.Module:
    return nn.Conv2d(FEATURES, FEATURES, 3, padding=1)


def _draws() -> nn.Module:
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(FEATURES, 3, 3, padding=1), nn.Tanh())


class Style(nn.Module):
    """A user's encoder of styles, or of their means and log variances."""

    def __init__(self, gaussian: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(_reads(6), nn.Flatten(), nn.Linear(96, 2 * STYLE if gaussian else STYLE))
        self.gaussian = gaussian

    def forward(self, images: Tensor) -> Any:
        styles = self.layers(images)
        return styles.chunk(2, 1) if self.gaussian else styles


class Dress(nn.Module):
    """A user's decoder of contents and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.layers = nn.Linear(STYLE, FEATURES), _draws()

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        return self.layers(content * (1 + self.scale(style)[:, :, None, None]))


class JudgeContent(nn.Module):
    """A user's discriminator of contents."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(FEATURES, 6, 3), nn.SiLU(), nn.Flatten(), nn.Linear(24, 1))

    def forward(self, content: Tensor) -> Tensor:
        return self.layers(content).squeeze(1)


def _encoder() -> nn.Module:
    return networks.ContentEncoder(3, FEATURES // 2, 1, 1)


def _style() -> nn.Module:
    return networks.StyleEncoder(3, STYLE, 4, 2)


def _attributes() -> nn.Module:
    return networks.ResNetEncoder(3, STYLE, 4, 1, None)


def _judge() -> nn.Module:
    return networks.MultiScaleDiscriminator(3, 4, 2, 2)


def _unit(own: bool, **options: Any) -> AdversarialModule:
    options = {"halving_steps": 3, **options}
    if own:
        parts = _reads(), _reads(), _shared(), _shared(), _draws(), _draws(), Judge(), Judge()
        return UNIT(*parts, **options)
    shared = (networks.SharedBlocks(FEATURES) for _ in range(2))
    decoders = (networks.ContentDecoder(3, FEATURES // 2, 1, 1) for _ in range(2))
    return UNIT(_encoder(), _encoder(), *shared, *decoders, _judge(), _judge(), **options)


def _munit(own: bool, **options: Any) -> AdversarialModule:
    options = {"style_dim": STYLE, "halving_steps": 3, **options}
    if own:
        return MUNIT(_reads(), _reads(), Style(), Style(), Dress(), Dress(), Judge(), Judge(), **options)
    decoders = (networks.AdaINDecoder(3, STYLE, FEATURES // 2, 1, 1, 8) for _ in range(2))
    return MUNIT(_encoder(), _encoder(), _style(), _style(), *decoders, _judge(), _judge(), **options)


def _munit_whole(own: bool, **options: Any) -> AdversarialModule:
    torch.manual_seed(3)
    return _munit(own, perceptual=nn.Conv2d(3, 6, 3), cycle_weight=10.0, **options)


def _drit(own: bool, **options: Any) -> AdversarialModule:
    options = {"attribute_dim": STYLE, "content_every": 2, "constant_epochs": 1, "decay_epochs": 2, **options}
    if own:
        contents = _reads(), _reads(), _shared(), Style(True), Style(True), _shared(), Dress(), Dress()
        return DRIT(*contents, *(Judge() for _ in range(4)), JudgeContent(), **options)
    shared = networks.SharedBlocks(FEATURES, noise=1.0), networks.SharedBlocks(FEATURES)
    decoders = (networks.AttributeDecoder(3, STYLE, FEATURES // 2, 1, 1) for _ in range(2))
    contents = _encoder(), _encoder(), shared[0], _attributes(), _attributes(), shared[1], *decoders
    return DRIT(*contents, *(_judge() for _ in range(4)), networks.ContentDiscriminator(FEATURES, 0), **options)


def _drit_seeking(own: bool, **options: Any) -> AdversarialModule:
    return _drit(own, mode_seeking_weight=1.0, **options)


CASES = {
    "unit": Case(_unit, "domains"),
    "munit": Case(_munit, "coded domains"),
    "munit with all its losses": Case(_munit_whole, "coded domains"),
    "drit": Case(_drit, "coded domains"),
    "drit that seeks modes": Case(_drit_seeking, "coded domains", coupled=True),
}
