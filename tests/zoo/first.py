"""The first variants, on which the mechanics are tested too."""

from typing import Any

from torch import nn

from gan_modules import ACGAN, GAN, WGANGP, AdversarialModule, CycleGAN, InfoGAN, Pix2Pix, ProgressiveGAN, networks
from gan_modules.augmentation import color, cutout, translation
from zoo.case import Case
from zoo.own import CLASSES, LATENT, SIZE, Draw, Judge, Recognise, Score, Translate

GROWTH = {"stable_images": 8, "fade_images": 16}  # at batches of 4: grown up after 6 of them


def _gan(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return GAN(Draw(), Judge(), LATENT, **options)
    pair = networks.DCGANGenerator(LATENT, SIZE, 3, 4), networks.DCGANDiscriminator(SIZE, 3, 4)
    return GAN(*pair, LATENT, **options)


def _gan_points(own: bool, **options: Any) -> AdversarialModule:
    norm = None if own else nn.BatchNorm1d
    pair = networks.MLPGenerator(LATENT, (2,), (8, 8), norm), networks.MLPDiscriminator((2,), (8, 8), 2)
    return GAN(*pair, LATENT, **options)


def _wgan_gp(own: bool, **options: Any) -> AdversarialModule:
    options = {"n_critic": 2, "decay_steps": 100, **options}
    if own:
        return WGANGP(Draw(), Judge(), LATENT, **options)
    return WGANGP(networks.ResNetGenerator(LATENT, SIZE, 3, 4), networks.ResNetCritic(SIZE, 3, 4), LATENT, **options)


def _augmented(own: bool, **options: Any) -> AdversarialModule:
    return _wgan_gp(own, augmentation=(color, translation, cutout), **options)


def _acgan(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return ACGAN(Draw(classes=CLASSES), Judge(classes=CLASSES), CLASSES, LATENT, **options)
    generator = networks.DCGANGenerator(LATENT, SIZE, 3, 4, num_classes=CLASSES)
    return ACGAN(generator, networks.DCGANDiscriminator(SIZE, 3, 4, num_classes=CLASSES), CLASSES, LATENT, **options)


def _infogan(own: bool, **options: Any) -> AdversarialModule:
    inputs = LATENT + CLASSES + 2
    if own:
        own_trunk = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.SiLU(), nn.Flatten())
        return InfoGAN(Draw(inputs), own_trunk, Score(96), Recognise(96), LATENT, CLASSES, 2, **options)
    trunk = networks.DCGANTrunk(SIZE, 3, 4, features=8)
    heads = networks.ScoreHead(8), networks.RecognitionHead(8, 8, CLASSES, 2)
    generator = networks.DCGANGenerator(inputs, SIZE, 3, 4)
    return InfoGAN(generator, trunk, *heads, LATENT, CLASSES, 2, **options)


def _pix2pix(own: bool, **options: Any) -> AdversarialModule:
    options = {"constant_epochs": 1, "decay_epochs": 2, **options}
    if own:
        return Pix2Pix(Translate(), Judge(6), **options)
    return Pix2Pix(networks.UNetGenerator(3, 3, 16, 4), networks.PatchDiscriminator(3, 3, 4, 1), **options)


def _cyclegan(own: bool, **options: Any) -> AdversarialModule:
    options = {"history_size": 6, "constant_epochs": 1, "decay_epochs": 2, **options}
    if own:
        return CycleGAN(Translate(), Translate(), Judge(), Judge(), **options)
    g, f = (networks.ResNetTranslator(3, 3, 4, 1, 1) for _ in range(2))
    x, y = (networks.PatchDiscriminator(3, 0, 4, 1, networks.InstanceNorm) for _ in range(2))
    return CycleGAN(g, f, x, y, **options)


def _pggan(own: bool, **options: Any) -> AdversarialModule:
    pair = networks.ProgressiveGenerator(LATENT, SIZE, 3, 8), networks.ProgressiveDiscriminator(SIZE, 3, 8)
    # each of two parts of 8 images holds a whole group of the standard deviation
    options = {**GROWTH, "batch_sizes": {4: 8, 8: 8} if own else {4: 2}, **options}
    return ProgressiveGAN(*pair, LATENT, **options)


CASES = {
    "gan": Case(_gan),
    "gan on points": Case(_gan_points, "points"),
    "wgan_gp": Case(_wgan_gp, constant={"critic.score.bias"}, our_constant={"critic.output.bias"}),
    "wgan_gp augmented": Case(_augmented, constant={"critic.score.bias"}, our_constant={"critic.output.bias"}),
    "acgan": Case(_acgan, "labelled"),
    "infogan": Case(_infogan),
    "pix2pix": Case(_pix2pix, "pairs"),
    "cyclegan": Case(_cyclegan, "domains"),
    "pggan": Case(_pggan),
}
