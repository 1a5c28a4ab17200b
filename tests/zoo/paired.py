"""Pairs of pictures: translators of a code, and of maps of labels."""

from typing import Any

import torch
from torch import Tensor, nn

from gan_modules import SPADE, AdversarialModule, BicycleGAN, ModeSeekingPix2Pix, Pix2PixHD, matching, networks
from zoo.case import Case
from zoo.own import LATENT, SIZE, Judge, Translate

EPOCHS = {"constant_epochs": 1, "decay_epochs": 2}


class TranslateByCode(nn.Module):
    """A user's translator of a picture and a code."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 3, 3, padding=1)
        self.code = nn.Linear(LATENT, 6)

    def forward(self, source: Tensor, code: Tensor) -> Tensor:
        return torch.tanh(self.last(torch.tanh(self.first(source) + self.code(code)[:, :, None, None])))


class Encode(nn.Module):
    """A user's encoder to Gaussian codes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.mean, self.log_variance = nn.Linear(6, LATENT), nn.Linear(6, LATENT)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = nn.functional.silu(self.conv(images)).mean((2, 3))
        return self.mean(features), self.log_variance(features)


class JudgeByFeatures(nn.Module):
    """A user's discriminator of one scale, with the maps of its layers.

    The last bias is left out: while no score is beyond the hinge, its gradient is zero.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first, self.score = nn.Conv2d(6, 6, 3, stride=2, padding=1), nn.Conv2d(6, 1, 3, bias=False)

    def forward(self, images: Tensor, source: Tensor) -> list[list[Tensor]]:
        features = nn.functional.silu(self.first(torch.cat([images, source], dim=1)))
        return [[features, self.score(features)]]


class Features(nn.Module):
    """A user's frozen network of two maps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images, torch.tanh(self.conv(images))]


def _unet() -> nn.Module:
    return networks.UNetGenerator(3, 3, 16, 4, networks.InstanceNorm, 0.0, code_dim=LATENT)


def _bicyclegan(own: bool, **options: Any) -> AdversarialModule:
    options = {**EPOCHS, **options}
    if own:
        return BicycleGAN(TranslateByCode(), Encode(), Judge(), Judge(), LATENT, **options)
    judges = (networks.PyramidDiscriminator(3, 0, 4, 1, scales=2) for _ in range(2))
    return BicycleGAN(_unet(), networks.ResNetEncoder(3, LATENT, 4, 1), *judges, LATENT, **options)


def _mode_seeking_pix2pix(own: bool, **options: Any) -> AdversarialModule:
    options = {**EPOCHS, **options}
    if own:
        return ModeSeekingPix2Pix(TranslateByCode(), Judge(6), LATENT, **options)
    return ModeSeekingPix2Pix(_unet(), networks.PyramidDiscriminator(3, 3, 4, 1, scales=2), LATENT, **options)


def _spade(own: bool, **options: Any) -> AdversarialModule:
    options = {"latent_dim": LATENT, "constant_epochs": 1, "decay_epochs": 2, **options}
    if own:
        return SPADE(TranslateByCode(), JudgeByFeatures(), Encode(), **options)
    generator = networks.SPADEGenerator(3, 3, 16, 4, 2, LATENT, 4)
    judge = networks.PyramidDiscriminator(3, 3, 4, 1, scales=2, features=True, spectral_norm=True)
    return SPADE(generator, judge, networks.SPADEEncoder(3, 2 * SIZE, LATENT, 4), **options)


def _spade_without_codes(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return SPADE(Translate(), JudgeByFeatures(), **options)
    generator = networks.SPADEGenerator(3, 3, 16, 4, 2, 0, 4, spectral_norm=False)
    judge = networks.PyramidDiscriminator(3, 3, 4, 1, scales=2, features=True, spectral_norm=True)
    return SPADE(generator, judge, **options)


def _pix2pixhd(own: bool, **options: Any) -> AdversarialModule:
    options = {**EPOCHS, **options}
    perceptual = matching.PerceptualDistance(Features(), (0.5, 1.0))
    if own:
        return Pix2PixHD(Translate(), JudgeByFeatures(), perceptual, **options)
    judge = networks.PyramidDiscriminator(3, 3, 4, 1, scales=2, features=True)
    return Pix2PixHD(networks.LocalEnhancer(3, 3, 4, 1, 1, 1), judge, perceptual, **options)


CASES: dict[str, Case] = {
    "bicyclegan": Case(_bicyclegan, "coded pairs"),
    "mode_seeking_pix2pix": Case(_mode_seeking_pix2pix, "coded pairs", coupled=True),
    "spade": Case(_spade, "coded pairs"),
    "spade without codes": Case(_spade_without_codes, "pairs"),
    "pix2pixhd": Case(_pix2pixhd, "pairs"),
}
