"""Pairs of DCGAN's networks that share layers: the two generators their first ones, the two discriminators their last.

Liu and Tuzel (2016), "Coupled generative adversarial networks", section 3.
"""

import torch
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import base_and_doublings, check_features, check_images
from gan_modules.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_modules.networks.layers import Norm


class CoupledGenerator(nn.Module):
    """Latents (n, latent_dim) -> two images (n, channels, h, w) in [-1, 1] of one scene, one for each domain.

    Args:
        latent_dim, image_size, channels, width: as for `DCGANGenerator`.
        own: upsampling layers, counted from the images, of which each domain has its own (authors' digits: 1).

    Raises:
        ValueError: as `DCGANGenerator`, and if there are not so many layers.
    """

    def __init__(
        self, latent_dim: int = 100, image_size: int = 64, channels: int = 3, width: int = 64, own: int = 1
    ) -> None:
        super().__init__()
        checks.whole(1, base_and_doublings(image_size)[1] + 1, own=own)
        self.latent_dim = latent_dim
        x, y = (DCGANGenerator(latent_dim, image_size, channels, width).layers for _ in range(2))
        own_layers = 2 + 3 * (own - 1)  # a convolution and tanh, and before it convolution, norm and ReLU
        self.shared, self.own_x, self.own_y = x[:-own_layers], x[-own_layers:], y[-own_layers:]

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        check_features(z, self.latent_dim)
        scene = self.shared(z)
        return self.own_x(scene), self.own_y(scene)


class CoupledDiscriminator(nn.Module):
    """Images (n, channels, h, w) of one domain and of another -> scores (n,) of each; pairs need not belong together.

    Args:
        image_size, channels, width, norm: as for `DCGANDiscriminator`; a norm over the batch is over both domains.
        own: downsampling layers, counted from the images, of which each domain has its own (authors' digits: 1).

    Raises:
        ValueError: as `DCGANDiscriminator`, and if there are not so many layers.
    """

    def __init__(
        self,
        image_size: int = 64,
        channels: int = 3,
        width: int = 64,
        norm: Norm | None = nn.BatchNorm2d,
        own: int = 1,
    ) -> None:
        super().__init__()
        checks.whole(1, base_and_doublings(image_size)[1] + 1, own=own)
        self.image_size, self.channels = image_size, channels
        x, y = (DCGANDiscriminator(image_size, channels, width, norm) for _ in range(2))
        own_layers = 2 + (2 if norm is None else 3) * (own - 1)  # the first layer has no norm
        self.own_x, self.own_y = x.trunk.layers[:own_layers], y.trunk.layers[:own_layers]
        self.shared = nn.Sequential(*x.trunk.layers[own_layers:], x.score, nn.Flatten(0))

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        for images in (x, y):
            check_images(images, self.channels, self.image_size)
        scores = self.shared(torch.cat([self.own_x(x), self.own_y(y)]))
        return scores[: len(x)], scores[len(x) :]
