"""Encoders beside the generator."""

from typing import Any

from torch import Tensor, nn

from gan_modules import AAE, VAE, VAEGAN, AdversarialModule, BiGAN, networks
from zoo.case import Case
from zoo.own import CLASSES, LATENT, SIZE, Draw


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
    """A user's discriminator of codes, and of labels where there are classes."""

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        self.embed = nn.Embedding(classes, 6) if classes else None
        self.first, self.last = nn.Linear(LATENT, 6), nn.Linear(6, 1)

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        features = self.first(codes)
        if self.embed is not None:
            features = features + self.embed(labels)
        return self.last(nn.functional.silu(features)).squeeze(1)


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


def _aae_of_classes(own: bool, **options: Any) -> AdversarialModule:
    judge = JudgeOfCodes(CLASSES) if own else networks.CodeDiscriminator(LATENT, (8, 8), CLASSES)
    return AAE(*_coder(own, False), judge, LATENT, CLASSES, **options)


CASES = {
    "vae": Case(_vae, "encoded"),
    "vae_gan": Case(_vae_gan, "encoded"),
    "bigan": Case(_bigan, "encoded"),
    "ali": Case(_ali, "encoded"),
    "aae": Case(_aae, "encoded"),
    "aae of classes": Case(_aae_of_classes, "encoded"),
}
