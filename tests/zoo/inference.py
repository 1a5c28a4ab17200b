"""Encoders beside the generator."""

from typing import Any

from torch import Tensor, nn

from gan_modules import AAE, VAE, VAEGAN, AdversarialModule, BiGAN, networks
from zoo.case import Case
from zoo.own import LATENT, SIZE, Draw


class Encode(nn.Module):
    """A user's encoder: codes, or means and log variances."""

    def __init__(self, gaussian: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.mean = nn.Linear(6 * 4 * 4, LATENT)
        self.log_variance = nn.Linear(6 * 4 * 4, LATENT) if gaussian else None

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        features = nn.functional.silu(self.conv(images)).flatten(1)
        mean = self.mean(features)
        return mean if self.log_variance is None else (mean, self.log_variance(features))


class JudgeOfFeatures(nn.Module):
    """A user's discriminator, with the features that it judges by."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.score = nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.Linear(6 * 4 * 4, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = nn.functional.silu(self.conv(images))
        return self.score(features.flatten(1)).squeeze(1), features


class JudgeOfPairs(nn.Module):
    """A user's discriminator of images and codes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.of_code = nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.Linear(LATENT, 6)
        self.score = nn.Linear(6 * 4 * 4, 1)

    def forward(self, images: Tensor, codes: Tensor) -> Tensor:
        features = nn.functional.silu(self.conv(images) + self.of_code(codes)[:, :, None, None])
        return self.score(features.flatten(1)).squeeze(1)


class JudgeOfCodes(nn.Module):
    """A user's discriminator of codes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(LATENT, 6), nn.SiLU(), nn.Linear(6, 1))

    def forward(self, codes: Tensor) -> Tensor:
        return self.layers(codes).squeeze(1)


def _coder(own: bool, gaussian: bool = True) -> tuple[nn.Module, nn.Module]:
    if own:
        return Encode(gaussian), Draw()
    encoder = networks.DCGANEncoder(LATENT, SIZE, 3, 4, gaussian=gaussian)
    return encoder, networks.DCGANGenerator(LATENT, SIZE, 3, 4)


def _vae(own: bool, **options: Any) -> AdversarialModule:
    return VAE(*_coder(own), LATENT, **options)


def _vae_gan(own: bool, **options: Any) -> AdversarialModule:
    judge = JudgeOfFeatures() if own else networks.FeatureDiscriminator(SIZE, 3, 4)
    return VAEGAN(*_coder(own), judge, LATENT, **{"likelihood_weight": 0.1, **options})


def _pairs(own: bool, gaussian: bool, **options: Any) -> AdversarialModule:
    judge = JudgeOfPairs() if own else networks.JointDiscriminator(LATENT, SIZE, 3, 4, features=8)
    return BiGAN(*_coder(own, gaussian), judge, LATENT, **options)


def _bigan(own: bool, **options: Any) -> AdversarialModule:
    return _pairs(own, False, **options)


def _ali(own: bool, **options: Any) -> AdversarialModule:
    return _pairs(own, True, **options)


def _aae(own: bool, **options: Any) -> AdversarialModule:
    judge = JudgeOfCodes() if own else networks.CodeDiscriminator(LATENT, (8, 8))
    return AAE(*_coder(own, False), judge, LATENT, **options)


CASES = {
    "vae": Case(_vae, "encoded"),
    "vae_gan": Case(_vae_gan, "encoded"),
    "bigan": Case(_bigan, "encoded"),
    "ali": Case(_ali, "encoded"),
    "aae": Case(_aae, "encoded"),
}
