"""The peak signal-to-noise ratio to a known truth."""

import torch
from torch import Tensor

from gan_modules.metrics.means import MeanOverImages

# The mean squared error of rounding to bytes: a step is 2 / 255, and the error of rounding is uniform over a step.
ROUNDING = (2 / 255) ** 2 / 12


class PSNR(MeanOverImages):
    """The mean over images of the peak signal-to-noise ratio, in decibels; more is better.

    For images in [-1, 1] the peak is 2, so that one image has 10 log10(4 / mean squared error). An error below that of
    rounding to bytes counts as rounding: a perfect image has 58.9 dB, and no single one makes the mean infinite.

    >>> metric = PSNR()
    >>> metric.update(torch.zeros(2, 3, 8, 8), torch.full((2, 3, 8, 8), 0.2))
    >>> round(metric.compute().item(), 3)
    20.0
    """

    higher_is_better = True
    name = "PSNR"

    def update(self, images: Tensor, truth: Tensor) -> None:
        """Add images (n, c, h, w) in [-1, 1] and their truths of the same shape; values outside are clamped.

        Raises:
            ValueError: if the shapes differ.
        """
        if images.shape != truth.shape:
            raise ValueError(
                f"PSNR compares images of one shape, got {tuple(images.shape)} and {tuple(truth.shape)}; "
                "resize or convert one of them"
            )
        difference = images.float().clamp(-1, 1) - truth.float().clamp(-1, 1)
        error = difference.square().flatten(1).mean(dim=1).clamp(min=ROUNDING)
        self.add(10 * torch.log10(4 / error))
