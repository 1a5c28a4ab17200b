"""Packed samples, mode seeking, texts, two domains, attacks."""

from typing import Any

import torch
from torch import Tensor, nn

from gan_modules import MSGAN, AdversarialModule, AdvGAN, CoGAN, PacGAN, TextGAN, networks
from gan_modules.objectives import relativistic
from gan_modules.penalties import gradient_penalty
from zoo.case import Case
from zoo.conditional import JudgeOfClass
from zoo.own import CLASSES, LATENT, SIZE, Draw, Judge, Translate


def _pacgan(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return PacGAN(Draw(), Judge(6), LATENT, **options)
    return PacGAN(
        networks.DCGANGenerator(LATENT, SIZE, 3, 4), networks.DCGANDiscriminator(SIZE, 6, 4), LATENT, **options
    )


def _pacgan_of_pairs(own: bool, **options: Any) -> AdversarialModule:
    judge = Judge(6) if own else networks.DCGANDiscriminator(SIZE, 6, 4, norm=None)
    draw = Draw() if own else networks.DCGANGenerator(LATENT, SIZE, 3, 4)
    game: dict[str, Any] = {"penalty": gradient_penalty, "n_discriminator": 2}
    return PacGAN(draw, judge, LATENT, 2, relativistic, relativistic, **game, **options)


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


class DrawText(nn.Module):
    """A user's generator, which is told an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.draw = Draw(LATENT + 5)

    def forward(self, z: Tensor, embeddings: Tensor) -> Tensor:
        return self.draw(torch.cat([z, embeddings], dim=1))


class JudgeText(nn.Module):
    """A user's discriminator, which is told an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.judge, self.told = Judge(4), nn.Linear(5, 1)

    def forward(self, images: Tensor, embeddings: Tensor) -> Tensor:
        told = self.told(embeddings)[:, :, None, None].expand(-1, -1, *images.shape[2:])
        return self.judge(torch.cat([images, told], dim=1))


class Read(nn.Module):
    """A user's encoder of texts: the mean of what their characters are worth."""

    def __init__(self) -> None:
        super().__init__()
        self.worth = nn.Embedding(60, 5)

    def forward(self, texts: Tensor) -> Tensor:
        return self.worth(texts).mean(1)


def _text_gan(own: bool, **options: Any) -> AdversarialModule:
    options = {"interpolation_weight": 0.5, **options}
    if own:
        return TextGAN(DrawText(), JudgeText(), Read(), LATENT, **options)
    pair = networks.TextGenerator(LATENT, 5, 3, SIZE, 3, 4), networks.TextDiscriminator(5, 3, SIZE, 3, 4)
    return TextGAN(*pair, networks.TextEncoder(5, 6, 3), LATENT, **options)


class DrawTwo(nn.Module):
    """A user's generator of two domains."""

    def __init__(self) -> None:
        super().__init__()
        self.draw, self.own_y = Draw(), nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        x = self.draw(z)
        return x, torch.tanh(self.own_y(x))


class JudgeTwo(nn.Module):
    """A user's discriminator of two domains."""

    def __init__(self) -> None:
        super().__init__()
        self.judge, self.own_y = Judge(), nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.judge(x), self.judge(torch.tanh(self.own_y(y)))


def _cogan(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return CoGAN(DrawTwo(), JudgeTwo(), LATENT, **options)
    return CoGAN(
        networks.CoupledGenerator(LATENT, SIZE, 3, 4), networks.CoupledDiscriminator(SIZE, 3, 4), LATENT, **options
    )


class Name(nn.Module):
    """A user's classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = Judge(classes=CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        return self.judge(images)[1]


def _advgan(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return AdvGAN(Translate(), Judge(), Name(), **options)
    generator = networks.ResNetTranslator(3, 3, 4, 1, 1)
    return AdvGAN(
        generator, networks.DCGANDiscriminator(SIZE, 3, 4), networks.ImageClassifier(CLASSES, SIZE, 3, 4), **options
    )


CASES: dict[str, Case] = {
    "pacgan": Case(_pacgan),
    "pacgan of pairs": Case(
        _pacgan_of_pairs, constant={"discriminator.score.bias"}, our_constant={"discriminator.score.bias"}
    ),
    "msgan": Case(_msgan, coupled=True),
    "cogan": Case(_cogan, "joint"),
    "advgan": Case(_advgan, "attacked"),
    "text_gan": Case(_text_gan, "captioned"),
    "msgan with labels": Case(_msgan_labelled, "labelled", coupled=True),
}
