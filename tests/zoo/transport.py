"""Integral probability metrics: transport distances and moments."""

from typing import Any

from gan_modules import WGAN, AdversarialModule, networks
from zoo.case import Case
from zoo.own import LATENT, SIZE, Draw, Judge

SERIES = {"n_critic": 2, "n_critic_many": 4, "many_first": 1}  # the generator steps at batches 4, 6, 8 ...


def _dcgan() -> tuple[networks.DCGANGenerator, networks.DCGANDiscriminator]:
    return networks.DCGANGenerator(LATENT, SIZE, 3, 4), networks.DCGANDiscriminator(SIZE, 3, 4)


def _wgan(own: bool, **options: Any) -> AdversarialModule:
    pair = (Draw(), Judge()) if own else _dcgan()
    return WGAN(*pair, LATENT, **{"clip_value": 0.1, **SERIES, **options})


CASES: dict[str, Case] = {
    "wgan": Case(_wgan, constant={"critic.score.bias"}),
}
