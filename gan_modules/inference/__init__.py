"""Encoders beside the generator."""

from gan_modules.inference.aae import AAE
from gan_modules.inference.bigan import BiGAN
from gan_modules.inference.vae import VAE
from gan_modules.inference.vae_gan import VAEGAN

__all__ = ["AAE", "VAE", "VAEGAN", "BiGAN"]
