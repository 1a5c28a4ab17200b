"""Integral probability metrics: transport distances and moments."""

from typing import Any

from torch import nn

from gan_modules import DRAGAN, WGAN, AdversarialModule, WGANDiv, networks
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


CASES: dict[str, Case] = {
    "wgan": Case(_wgan, constant={"critic.score.bias"}),
    "wgan_div": Case(_wgan_div, constant={"critic.score.bias"}, our_constant={"critic.score.bias"}),
    "dragan": Case(_dragan, coupled=True),
}
