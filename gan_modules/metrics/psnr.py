"""The peak signal-to-noise ratio to a known truth."""

import torch
from torch import Tensor
from torchmetrics import Metric

# The mean squared error of rounding to bytes: a step is 2 / 255, and the error of rounding is uniform over a step.
ROUNDING = (2 / 255) ** 2 / 12


class PSNR(Metric):
    """The mean over images of the peak signal-to-noise ratio, in decibels; more is better.

    For images in [-1, 1] the peak is 2, so that one image has 10 log10(4 / mean squared error). An error below that of
    rounding to bytes counts as rounding: a perfect image has 58.9 dB, and no single one makes the mean infinite.

    >>> metric = PSNR()
    >>> metric.update(torch.zeros(2, 3, 8, 8), torch.full((2, 3, 8, 8), 0.2))
    >>> round(metric.compute().item(), 3)
    20.0
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

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
        self.total += (10 * torch.log10(4 / error)).sum()
        self.count += len(images)

    def compute(self) -> Tensor:
        """The mean in decibels, a scalar.

        Raises:
            ValueError: if there were no images.
        """
        if not self.count:
            raise ValueError("PSNR needs at least one image, got none; call update first")
        return self.total / self.count
