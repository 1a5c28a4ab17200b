"""Image -> image, paired and unpaired."""

from gan_modules.translation.advgan import AdvGAN
from gan_modules.translation.bicyclegan import BicycleGAN
from gan_modules.translation.cc_gan import CCGAN
from gan_modules.translation.context_encoder import ContextEncoder
from gan_modules.translation.cut import CUT
from gan_modules.translation.cyclegan import CycleGAN
from gan_modules.translation.discogan import DiscoGAN
from gan_modules.translation.drit import DRIT
from gan_modules.translation.dualgan import DualGAN
from gan_modules.translation.esrgan import ESRGAN
from gan_modules.translation.mode_seeking_pix2pix import ModeSeekingPix2Pix
from gan_modules.translation.munit import MUNIT
from gan_modules.translation.pix2pix import Pix2Pix
from gan_modules.translation.pix2pixhd import Pix2PixHD
from gan_modules.translation.pixel_da import PixelDA
from gan_modules.translation.spade import SPADE
from gan_modules.translation.srgan import SRGAN
from gan_modules.translation.stargan import StarGAN
from gan_modules.translation.unit import UNIT
from gan_modules.translation.video_gan import VideoGAN

__all__ = [
    "CCGAN",
    "CUT",
    "DRIT",
    "ESRGAN",
    "MUNIT",
    "SPADE",
    "SRGAN",
    "UNIT",
    "AdvGAN",
    "BicycleGAN",
    "ContextEncoder",
    "CycleGAN",
    "DiscoGAN",
    "DualGAN",
    "ModeSeekingPix2Pix",
    "Pix2Pix",
    "Pix2PixHD",
    "PixelDA",
    "StarGAN",
    "VideoGAN",
]
