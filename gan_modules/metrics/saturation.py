"""How colourful pictures are."""

import torch
from torch import Tensor
from torchmetrics import Metric

from gan_modules.metrics.pixels import to_floats


class MeanSaturation(Metric):
    """The mean over pixels of the largest minus the smallest channel, colours being in [0, 1]: 0 is grey, 1 is pure.

    This is the chroma of HSV, which unlike its quotient with the brightness says nothing of almost black pixels.
    Generated pictures that hedge between colours are less saturated than data: a number to be met, not to be raised.

    >>> metric = MeanSaturation()
    >>> metric.update(torch.tensor([1.0, 0.0, -1.0]).reshape(1, 3, 1, 1))
    >>> metric.compute()
    tensor(1.)
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, images: Tensor) -> None:
        """Add images (n, 3, h, w) in [-1, 1], which are clamped, or uint8.

        Raises:
            ValueError: if they are no such images, or are not finite.
        """
        colours = to_floats(images, real=False)
        if colours.shape[1] != 3:
            raise ValueError(f"saturation is of pictures in colour, got {colours.shape[1]} channels; leave it out")
        self.total += ((colours.amax(1) - colours.amin(1)) / 2).mean((1, 2)).sum()
        self.count += len(images)

    def compute(self) -> Tensor:
        """The mean, a scalar.

        Raises:
            ValueError: if there were no images.
        """
        if not self.count:
            raise ValueError("saturation needs at least one image, got none; call update first")
        return self.total / self.count
