"""Noise and label, or noise and text -> image."""

from gan_modules.conditional.acgan import ACGAN
from gan_modules.conditional.biggan import BigGAN
from gan_modules.conditional.cgan import CGAN
from gan_modules.conditional.projection import ProjectionGAN
from gan_modules.conditional.sgan import SGAN
from gan_modules.conditional.text_gan import TextGAN

__all__ = ["ACGAN", "CGAN", "SGAN", "BigGAN", "ProjectionGAN", "TextGAN"]
