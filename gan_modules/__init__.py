"""The GANs of the literature as PyTorch Lightning modules."""

from gan_modules.adversarial import AdversarialModule
from gan_modules.conditional import ACGAN, CGAN, ProjectionGAN
from gan_modules.latent import LabelledModule, LatentModule
from gan_modules.translation import CycleGAN, Pix2Pix
from gan_modules.unconditional import (
    GAN,
    LSGAN,
    MSGAN,
    R1GAN,
    SNGAN,
    WGANGP,
    InfoGAN,
    PacGAN,
    ProgressiveGAN,
    RelativisticGAN,
)

__all__ = [
    "ACGAN",
    "AdversarialModule",
    "CGAN",
    "CycleGAN",
    "GAN",
    "InfoGAN",
    "LSGAN",
    "LabelledModule",
    "LatentModule",
    "MSGAN",
    "PacGAN",
    "Pix2Pix",
    "ProgressiveGAN",
    "ProjectionGAN",
    "R1GAN",
    "RelativisticGAN",
    "SNGAN",
    "WGANGP",
]
