"""Noise -> image."""

from gan_modules.unconditional.began import BEGAN
from gan_modules.unconditional.bgan import BGAN
from gan_modules.unconditional.cogan import CoGAN
from gan_modules.unconditional.dragan import DRAGAN
from gan_modules.unconditional.ebgan import EBGAN
from gan_modules.unconditional.f_gan import FGAN
from gan_modules.unconditional.gan import GAN
from gan_modules.unconditional.gmmn import GMMN
from gan_modules.unconditional.infogan import InfoGAN
from gan_modules.unconditional.ls_gan import LossSensitiveGAN
from gan_modules.unconditional.lsgan import LSGAN
from gan_modules.unconditional.mmd_gan import MMDGAN
from gan_modules.unconditional.msgan import MSGAN
from gan_modules.unconditional.pacgan import PacGAN
from gan_modules.unconditional.pggan import ProgressiveGAN
from gan_modules.unconditional.r1_gan import R1GAN
from gan_modules.unconditional.r3gan import R3GAN
from gan_modules.unconditional.relativistic import RelativisticGAN
from gan_modules.unconditional.sngan import SNGAN
from gan_modules.unconditional.stylegan2 import StyleGAN2
from gan_modules.unconditional.unrolled import UnrolledGAN
from gan_modules.unconditional.wgan import WGAN
from gan_modules.unconditional.wgan_div import WGANDiv
from gan_modules.unconditional.wgan_gp import WGANGP

__all__ = [
    "BEGAN",
    "BGAN",
    "DRAGAN",
    "EBGAN",
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
    "CoGAN",
    "InfoGAN",
    "LossSensitiveGAN",
    "PacGAN",
    "ProgressiveGAN",
    "RelativisticGAN",
    "StyleGAN2",
    "UnrolledGAN",
    "WGANDiv",
]
