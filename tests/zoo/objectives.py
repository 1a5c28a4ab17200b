"""Other objectives of the discriminator's score."""

from typing import Any

from gan_modules import BGAN, FGAN, LSGAN, AdversarialModule, LossSensitiveGAN, RelativisticGAN, networks
from gan_modules.divergences import pearson
from gan_modules.objectives import hinge_margin, relativistic
from zoo.case import Case
from zoo.own import LATENT, SIZE, Draw, Judge


def _pair(own: bool, bias: bool = True) -> Any:
    if own:
        return Draw(), Judge(bias=bias)
    return networks.DCGANGenerator(LATENT, SIZE, 3, 4), networks.DCGANDiscriminator(SIZE, 3, 4)


def _lsgan(own: bool, **options: Any) -> AdversarialModule:
    return LSGAN(*_pair(own), LATENT, **options)


def _relativistic(own: bool, **options: Any) -> AdversarialModule:
    return RelativisticGAN(*_pair(own, bias=False), LATENT, **options)


def _relativistic_pairs(own: bool, **options: Any) -> AdversarialModule:
    options = {"n_discriminator": 2, "penalty_weight": 1.0 if own else 0.0, **options}
    functions = {"comparison": relativistic, "margin": hinge_margin}
    return RelativisticGAN(*_pair(own, bias=False), LATENT, **functions, **options)


def _bgan(own: bool, **options: Any) -> AdversarialModule:
    return BGAN(*_pair(own), LATENT, **options)


def _f_gan(own: bool, **options: Any) -> AdversarialModule:
    return FGAN(*_pair(own), LATENT, **options)


def _f_gan_single_step(own: bool, **options: Any) -> AdversarialModule:
    return FGAN(*_pair(own), LATENT, pearson, non_saturating=own, single_step=True, **options)


def _ls_gan(own: bool, **options: Any) -> AdversarialModule:
    # a distance that is not negligible beside the losses of small networks
    options = {"distance_weight": 1e-2, "slope": 0.2, "penalty_weight": 1.0 if own else 0.0, **options}
    return LossSensitiveGAN(*_pair(own, bias=False), LATENT, **options)


CASES: dict[str, Case] = {
    "lsgan": Case(_lsgan),
    "relativistic": Case(_relativistic, coupled=True),
    "relativistic in pairs": Case(_relativistic_pairs),
    "bgan": Case(_bgan),
    "f_gan": Case(_f_gan),
    "f_gan in one step": Case(_f_gan_single_step),
    "ls_gan": Case(_ls_gan),
}
