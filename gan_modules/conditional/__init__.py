"""Noise and label -> image."""

from gan_modules.conditional.acgan import ACGAN
from gan_modules.conditional.cgan import CGAN

__all__ = ["ACGAN", "CGAN"]
