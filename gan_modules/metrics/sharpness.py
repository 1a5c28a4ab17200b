"""How sharp pictures are: the energy of their gradients."""

from torch import Tensor

from gan_modules.metrics.means import MeanOverImages
from gan_modules.metrics.pixels import to_floats


def gradient_energy(images: Tensor) -> Tensor:
    """The mean squared difference of neighbouring pixels, downwards and to the right, of images in [-1, 1]: (n,).

    A mean over channels and neighbours, the two directions being added. Blurred pictures have less than the data, noisy
    ones more.

    Args:
        images: (n, c, h, w), of at least two rows and columns.

    >>> import torch
    >>> gradient_energy(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]))
    tensor([1.])
    """
    down, right = images[:, :, 1:] - images[:, :, :-1], images[..., 1:] - images[..., :-1]
    return down.square().mean(dim=(1, 2, 3)) + right.square().mean(dim=(1, 2, 3))


class Sharpness(MeanOverImages):
    """The mean over images of their gradient energy, which is to be compared with that of the data.

    >>> import torch
    >>> metric = Sharpness()
    >>> metric.update(torch.zeros(2, 3, 8, 8))
    >>> metric.compute()
    tensor(0.)
    """

    higher_is_better = None
    name = "sharpness"

    def update(self, images: Tensor) -> None:
        """Add images (n, c, h, w), in [-1, 1] or uint8; values outside are clamped.

        Raises:
            ValueError: if they are no such images, or are not finite.
        """
        self.add(gradient_energy(to_floats(images, real=False)))
