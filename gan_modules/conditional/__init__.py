"""Noise and label -> image."""

from gan_modules.conditional.acgan import ACGAN

__all__ = ["ACGAN"]
