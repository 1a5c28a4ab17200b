"""Integral probability metrics: transport distances and moments."""

from typing import Any

from torch import nn

from gan_modules import DRAGAN, GMMN, MMDGAN, WGAN, AdversarialModule, WGANDiv, kernels, networks
from zoo.case import Case
from zoo.own import LATENT, SIZE, Draw, Judge

SERIES = {"n_critic": 2, "n_critic_many": 4, "many_first": 1}  # the generator steps at batches 4, 6, 8 ...


def _dcgan(norm: type[nn.Module] | None = None) -> tuple[networks.DCGANGenerator, networks.DCGANDiscriminator]:
    return networks.DCGANGenerator(LATENT, SIZE, 3, 4), networks.DCGANDiscriminator(SIZE, 3, 4, norm)


def _wgan(own: bool, **options: Any) -> AdversarialModule:
    pair = (Draw(), Judge()) if own else _dcgan(nn.BatchNorm2d)
    return WGAN(*pair, LATENT, **{"clip_value": 0.1, **SERIES, **options})


def _wgan_div(own: bool, **options: Any) -> AdversarialModule:
    pair = (Draw(), Judge()) if own else _dcgan()
    return WGANDiv(*pair, LATENT, **{"n_critic": 2, **options})


def _dragan(own: bool, **options: Any) -> AdversarialModule:
    pair = (Draw(), Judge()) if own else _dcgan()
    return DRAGAN(*pair, LATENT, **options)


def _gmmn(own: bool, **options: Any) -> AdversarialModule:
    options = {"variances": (0.5, 2.0), "learning_rate": 0.05, **options}
    return GMMN(networks.MLPGenerator(LATENT, (2,), (8, 8), None if own else nn.BatchNorm1d), LATENT, **options)


def _gmmn_images(own: bool, **options: Any) -> AdversarialModule:
    options = {"learning_rate": 0.05, **options}
    return GMMN(Draw() if own else networks.DCGANGenerator(LATENT, SIZE, 3, 4), LATENT, **options)


def _features(own: bool) -> tuple[nn.Module, nn.Module]:
    if own:
        return Draw(), nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.SiLU(), nn.Flatten(), nn.Linear(96, 5))
    return networks.DCGANGenerator(LATENT, SIZE, 3, 4), networks.DCGANTrunk(SIZE, 3, 4, None, features=5)


def _mmd_gan(own: bool, **options: Any) -> AdversarialModule:
    return MMDGAN(*_features(own), latent_dim=LATENT, **{**SERIES, **options})


def _mmd_gan_rbf(own: bool, **options: Any) -> AdversarialModule:
    decoder = Draw(5) if own else networks.DCGANGenerator(5, SIZE, 3, 4)
    functions = {"kernel": kernels.gaussian, "distance": kernels.root_mmd}
    numbers = {"penalty_weight": 0.0, "feature_weight": 0.0, "ranking_weight": 16.0, "clip_value": 0.1}
    return MMDGAN(*_features(own), decoder, LATENT, **{**functions, **numbers, **SERIES, **options})


CASES: dict[str, Case] = {
    "wgan": Case(_wgan, constant={"critic.score.bias"}),
    "wgan_div": Case(_wgan_div, constant={"critic.score.bias"}, our_constant={"critic.score.bias"}),
    "dragan": Case(_dragan, coupled=True),
    "gmmn": Case(_gmmn, "points", coupled=True),
    "gmmn on images": Case(_gmmn_images, coupled=True),
    "mmd_gan": Case(_mmd_gan, coupled=True),
    "mmd_gan_rbf": Case(_mmd_gan_rbf, coupled=True),
}
