"""Image -> image, paired and unpaired."""

from gan_modules.translation.cyclegan import CycleGAN
from gan_modules.translation.pix2pix import Pix2Pix

__all__ = ["CycleGAN", "Pix2Pix"]
