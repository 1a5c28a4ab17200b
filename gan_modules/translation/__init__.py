"""Image -> image, paired and unpaired."""

from gan_modules.translation.advgan import AdvGAN
from gan_modules.translation.cyclegan import CycleGAN
from gan_modules.translation.pix2pix import Pix2Pix

__all__ = ["AdvGAN", "CycleGAN", "Pix2Pix"]
