"""How colourful pictures are."""

from torch import Tensor

from gan_modules.metrics.means import MeanOverImages
from gan_modules.metrics.pixels import to_floats


class MeanSaturation(MeanOverImages):
    """The mean over pixels of the largest minus the smallest channel, colours being in [0, 1]: 0 is grey, 1 is pure.

    This is the chroma of HSV, which unlike its quotient with the brightness says nothing of almost black pixels.
    Generated pictures that hedge between colours are less saturated than data: a number to be met, not to be raised.

    >>> import torch
    >>> metric = MeanSaturation()
    >>> metric.update(torch.tensor([1.0, 0.0, -1.0]).reshape(1, 3, 1, 1))
    >>> metric.compute()
    tensor(1.)
    """

    higher_is_better = None
    name = "saturation"

    def update(self, images: Tensor) -> None:
        """Add images (n, 3, h, w) in [-1, 1], which are clamped, or uint8.

        Raises:
            ValueError: if they are no such images, or are not finite.
        """
        colours = to_floats(images, real=False)
        if colours.shape[1] != 3:
            raise ValueError(f"saturation is of pictures in colour, got {colours.shape[1]} channels; leave it out")
        self.add(((colours.amax(1) - colours.amin(1)) / 2).mean((1, 2)))
