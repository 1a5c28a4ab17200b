"""Metrics that torchmetrics does not have."""

from gan_modules.metrics.psnr import PSNR
from gan_modules.metrics.sliced_wasserstein import SlicedWasserstein

__all__ = ["PSNR", "SlicedWasserstein"]
