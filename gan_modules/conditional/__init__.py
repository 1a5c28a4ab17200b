"""Noise and label -> image."""

from gan_modules.conditional.acgan import ACGAN
from gan_modules.conditional.cgan import CGAN
from gan_modules.conditional.projection import ProjectionGAN

__all__ = ["ACGAN", "CGAN", "ProjectionGAN"]
