"""Labels and half-labels."""

from typing import Any

import torch
from torch import Tensor, nn

from gan_modules import CGAN, SGAN, AdversarialModule, BigGAN, ProjectionGAN, networks
from zoo.case import Case
from zoo.own import CLASSES, LATENT, SIZE, Draw


class JudgeOfClass(nn.Module):
    """A user's discriminator, which is told the class."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.embed = nn.Embedding(CLASSES, 6)
        self.score = nn.Linear(6 * 4 * 4, 1)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        features = torch.sigmoid(self.conv(images) + self.embed(labels)[:, :, None, None])
        return self.score(nn.functional.adaptive_avg_pool2d(features, 4).flatten(1)).squeeze(1)


class Classify(nn.Module):
    """A user's classifier, with the features that it judges by."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.classify = nn.Linear(6 * 4 * 4, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = nn.functional.adaptive_avg_pool2d(torch.sigmoid(self.conv(images)), 4).flatten(1)
        return self.classify(features), features


def _cgan(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return CGAN(Draw(classes=CLASSES), JudgeOfClass(), CLASSES, LATENT, **options)
    generator = networks.DCGANGenerator(LATENT, SIZE, 3, 4, num_classes=CLASSES)
    judge = networks.ConditionalDCGANDiscriminator(SIZE, 3, 4, num_classes=CLASSES)
    return CGAN(generator, judge, CLASSES, LATENT, **options)


def _projection(own: bool, **options: Any) -> AdversarialModule:
    options = {"n_critic": 2, "decay_steps": 100, **options}
    if own:
        return ProjectionGAN(Draw(classes=CLASSES), JudgeOfClass(), CLASSES, LATENT, **options)
    generator = networks.ProjectionGenerator(LATENT, SIZE, 3, 4, num_classes=CLASSES)
    judge = networks.ProjectionDiscriminator(SIZE, 3, 4, num_classes=CLASSES)
    return ProjectionGAN(generator, judge, CLASSES, LATENT, **options)


def _biggan(own: bool, **options: Any) -> AdversarialModule:
    options = {"n_critic": 2, **options}
    if own:
        return BigGAN(Draw(classes=CLASSES), JudgeOfClass(), CLASSES, LATENT, **options)
    generator = networks.BigGANGenerator(LATENT, SIZE, 3, 4, CLASSES, 5)
    judge = networks.BigGANDiscriminator(SIZE, 3, 4, CLASSES)
    return BigGAN(generator, judge, CLASSES, LATENT, **options)


def _sgan(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return SGAN(Draw(), Classify(), CLASSES, LATENT, **options)
    pair = networks.DCGANGenerator(LATENT, SIZE, 3, 4), networks.DCGANClassifier(SIZE, 3, 4, CLASSES, features=8)
    return SGAN(*pair, CLASSES, LATENT, **options)


CASES = {
    "cgan": Case(_cgan, "labelled"),
    # as long as no score leaves the margins, it does not matter how high all of them are
    "projection": Case(_projection, "labelled", constant={"discriminator.score.bias"}),
    "biggan": Case(_biggan, "labelled", constant={"discriminator.score.bias"}),
    "sgan": Case(_sgan, "few labels", coupled=True),
}
