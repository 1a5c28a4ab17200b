"""The GANs of the literature as PyTorch Lightning modules."""

from gan_modules.adversarial import AdversarialModule
from gan_modules.conditional import ACGAN, CGAN, BigGAN, ProjectionGAN, TextGAN
from gan_modules.latent import LabelledModule, LatentModule
from gan_modules.translation import CycleGAN, Pix2Pix
from gan_modules.unconditional import (
    BGAN,
    DRAGAN,
    FGAN,
    GAN,
    GMMN,
    LSGAN,
    MMDGAN,
    MSGAN,
    R1GAN,
    R3GAN,
    SNGAN,
    WGAN,
    WGANGP,
    CoGAN,
    InfoGAN,
    PacGAN,
    ProgressiveGAN,
    RelativisticGAN,
    WGANDiv,
)

__all__ = [
    "ACGAN",
    "BGAN",
    "CGAN",
    "DRAGAN",
    "FGAN",
    "GAN",
    "GMMN",
    "LSGAN",
    "MMDGAN",
    "MSGAN",
    "R1GAN",
    "R3GAN",
    "SNGAN",
    "WGAN",
    "WGANGP",
    "AdversarialModule",
    "BigGAN",
    "CoGAN",
    "CycleGAN",
    "InfoGAN",
    "LabelledModule",
    "LatentModule",
    "PacGAN",
    "Pix2Pix",
    "ProgressiveGAN",
    "ProjectionGAN",
    "RelativisticGAN",
    "TextGAN",
    "WGANDiv",
]
