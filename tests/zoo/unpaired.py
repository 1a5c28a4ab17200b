"""Translators between domains without pairs."""

from typing import Any

import torch
from torch import Tensor, nn

from gan_modules import CUT, AdversarialModule, DiscoGAN, DualGAN, PixelDA, StarGAN, networks
from zoo.case import Case
from zoo.own import CLASSES, LATENT, SIZE, Judge, Translate
from zoo.paired import TranslateByCode


class Features(nn.Module):
    """A user's discriminator, which shows its features."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.score = nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.Linear(6 * 4 * 4, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        features = nn.functional.silu(self.conv(images))
        return self.score(features.flatten(1)).squeeze(1), features


class Encode(Translate):
    """A user's translator, which shows its features."""

    def forward(self, source: Tensor, encode: bool = False) -> Any:
        return (source, self.first(source)) if encode else super().forward(source)


class TranslateTo(nn.Module):
    """A user's translator, which is told the domain."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3 + CLASSES, 6, 3, padding=1), nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, source: Tensor, domains: Tensor) -> Tensor:
        told = nn.functional.one_hot(domains, CLASSES).to(source.dtype)[:, :, None, None]
        joined = torch.cat([source, told.expand(-1, -1, *source.shape[2:])], dim=1)
        return torch.tanh(self.last(torch.relu(self.first(joined))))


def _discogan(own: bool, **options: Any) -> AdversarialModule:
    options = {"update_interval": 2, "early_batches": 4, **options}
    if own:
        return DiscoGAN(Translate(), Translate(), Features(), Features(), **options)
    g, f = (networks.DiscoGANGenerator(3, 3, 4, 1) for _ in range(2))
    return DiscoGAN(g, f, *(networks.DiscoGANDiscriminator(SIZE, 3, 4) for _ in range(2)), **options)


def _dualgan(own: bool, **options: Any) -> AdversarialModule:
    options = {"n_critic": 2, "clip_value": 0.1, **options}
    if own:
        return DualGAN(Translate(), Translate(), Judge(bias=False), Judge(bias=False), **options)
    g, f = (networks.ResNetTranslator(3, 3, 4, 1, 1, dropout=0.3) for _ in range(2))
    x, y = (networks.PatchDiscriminator(3, 0, 4, 1, networks.InstanceNorm) for _ in range(2))
    return DualGAN(g, f, x, y, **options)


def _cut(own: bool, **options: Any) -> AdversarialModule:
    options = {"patches": 12, "constant_epochs": 1, "decay_epochs": 2, **options}
    if own:
        return CUT(Encode(), Judge(), networks.PatchHeads((3, 6), 5), **options)
    generator = networks.ResNetTranslator(3, 3, 4, 1, 1)
    judge = networks.PatchDiscriminator(3, 0, 4, 1, networks.InstanceNorm)
    return CUT(generator, judge, networks.PatchHeads(generator.feature_widths, 5), **options)


def _fastcut(own: bool, **options: Any) -> AdversarialModule:
    return _cut(own, **{"identity": False, "contrast_weight": 10.0, "flip": True, **options})


def _stargan(own: bool, **options: Any) -> AdversarialModule:
    options = {"n_critic": 2, "constant_steps": 4, "decay_steps": 40, **options}
    names = tuple("abcdef"[:CLASSES])
    if own:
        return StarGAN(TranslateTo(), Judge(classes=CLASSES, bias=False), names, **options)
    pair = networks.StarGANGenerator(CLASSES, 3, 4, 1, 1), networks.StarGANDiscriminator(CLASSES, SIZE, 3, 4, 2)
    return StarGAN(*pair, names, **options)


def _pixel_da(own: bool, **options: Any) -> AdversarialModule:
    options = {"latent_dim": LATENT, "similarity_weight": 0.5, "decay_steps": 2, **options}
    if own:
        classify = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.SiLU(), nn.Flatten(), nn.Linear(6 * 4 * 4, CLASSES))
        return PixelDA(TranslateByCode(), Judge(), classify, **options)
    generator = networks.PixelDAGenerator(3, SIZE, LATENT, 4, 1)
    classifier = networks.ImageClassifier(CLASSES, SIZE, 3, 4, None, 6, 0.3)
    return PixelDA(generator, networks.PixelDADiscriminator(SIZE, 3, 4), classifier, **options)


CASES = {
    "discogan": Case(_discogan, "domains", coupled=True),
    "dualgan": Case(_dualgan, "domains", our_constant={f"critic_{domain}.layers.5.bias" for domain in "xy"}),
    "cut": Case(_cut, "domains"),
    "fastcut": Case(_fastcut, "domains"),
    "stargan": Case(_stargan, "styles"),
    "pixel_da": Case(_pixel_da, "adapted"),
}
