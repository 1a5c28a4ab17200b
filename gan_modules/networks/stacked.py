"""The networks with which modes of stacked digits are counted, for pictures of 28 pixels.

The DCGAN of Srivastava et al. (2017), "VEEGAN", and of Lin et al. (2018), "PacGAN", section 4.2: four convolutions with
kernels of 5 and a stride of 2, between 28, 14, 7, 4 and 2 pixels. `DCGANGenerator` halves 28 pixels twice only.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import check_features, check_images
from gan_modules.networks.init import init_normal
from gan_modules.networks.layers import Norm, normalised

_SIDES = (2, 4, 7, 14, 28)


class StackedGenerator(nn.Module):
    """Latents (n, latent_dim) -> images (n, channels, 28, 28) in [-1, 1].

    The protocol's latents are uniform in [-1, 1]. Ours are standard normal, as everywhere, and the network takes their
    distribution function first, which makes them uniform.

    Args:
        latent_dim: numbers a latent.
        channels: of the images.
        width: feature maps of the last hidden layer; they double from layer to layer towards the latent.
    """

    def __init__(self, latent_dim: int = 100, channels: int = 3, width: int = 64) -> None:
        super().__init__()
        checks.whole(1, latent_dim=latent_dim, channels=channels, width=width)
        self.latent_dim = latent_dim
        widths = (8 * width, 4 * width, 2 * width, width, channels)
        self.project = nn.Linear(latent_dim, widths[0] * _SIDES[0] ** 2)
        layers: list[nn.Module] = [nn.Unflatten(1, (widths[0], _SIDES[0], _SIDES[0]))]
        for (inputs, outputs), side in zip(pairwise(widths), _SIDES[1:], strict=True):
            upwards = nn.ConvTranspose2d(inputs, outputs, 5, 2, 2, output_padding=1 - side % 2)
            layers += [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), upwards]
        self.layers = nn.Sequential(*layers, nn.Tanh())
        init_normal(self)

    def forward(self, z: Tensor) -> Tensor:
        check_features(z, self.latent_dim)
        return self.layers(self.project(torch.erf(z * 0.5**0.5)))


class StackedDiscriminator(nn.Module):
    """Images (n, channels, 28, 28) -> scores (n,).

    Args:
        channels: of the images.
        width: feature maps of the first layer; they double from layer to layer.
        norm: after every layer but the first; None for none (as a per-sample gradient penalty asks).

    Raises:
        ValueError: from `forward`, for images of another shape.
    """

    def __init__(self, channels: int = 3, width: int = 64, norm: Norm | None = nn.BatchNorm2d) -> None:
        super().__init__()
        checks.whole(1, channels=channels, width=width)
        self.channels = channels
        widths = (channels, width, 2 * width, 4 * width, 8 * width)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            after = normalised(norm, outputs) if layers else []
            layers += [nn.Conv2d(inputs, outputs, 5, 2, 2), *after, nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * _SIDES[0] ** 2, 1))
        init_normal(self)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.channels, _SIDES[-1])
        return self.layers(images).squeeze(1)
