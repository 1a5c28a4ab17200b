"""The residual networks of WGAN-GP and SNGAN, at 32 pixels as published, and for every size that halves down to 4 to 7.

Gulrajani et al. (2017), "Improved training of Wasserstein GANs", appendix C; Miyato et al. (2018), "Spectral
normalization for GANs", table 4.
"""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import base_and_doublings, check_images, join_labels
from gan_modules.networks.init import init_glorot
from gan_modules.networks.layers import Norm, normalised
from gan_modules.networks.resampling import DownConv2d, UpConv2d
from gan_modules.networks.spectral import spectrally_normalised


class _Residual(nn.Module):
    def __init__(self, shortcut: nn.Module, *branch: nn.Module) -> None:
        super().__init__()
        self.shortcut, self.branch = shortcut, nn.Sequential(*branch)
        init_glorot(self.shortcut)
        init_glorot(self.branch, math.sqrt(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.branch(x)


def _activation(norm: Norm | None, channels: int) -> list[nn.Module]:
    # Without a norm the input is the shortcut's as well, so it must not change in place.
    return [*normalised(norm, channels), nn.ReLU(inplace=norm is not None)]


def up(inputs: int, outputs: int) -> nn.Module:
    """A block that doubles the size; (n, inputs, h, w) -> (n, outputs, 2h, 2w)."""
    # A 1 x 1 convolution commutes with resampling: it is put on the smaller side, at a quarter of the cost.
    shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.Upsample(scale_factor=2))
    return _Residual(
        shortcut,
        *_activation(nn.BatchNorm2d, inputs),
        UpConv2d(inputs, outputs),
        *_activation(nn.BatchNorm2d, outputs),
        nn.Conv2d(outputs, outputs, 3, padding=1),
    )


def first(in_channels: int, channels: int) -> nn.Module:
    """A discriminator's first block; (n, in_channels, h, w) -> (n, channels, h/2, w/2)."""
    shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(in_channels, channels, 1))
    convolution = nn.Conv2d(in_channels, channels, 3, padding=1)
    return _Residual(shortcut, convolution, nn.ReLU(inplace=True), DownConv2d(channels, channels))


def down(inputs: int, outputs: int, norm: Norm | None = None) -> nn.Module:
    """A block that halves the size; (n, inputs, h, w) -> (n, outputs, h/2, w/2)."""
    return _Residual(
        nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1)),
        *_activation(norm, inputs),
        nn.Conv2d(inputs, outputs, 3, padding=1),
        *_activation(norm, outputs),
        DownConv2d(outputs, outputs),
    )


def same(channels: int, norm: Norm | None = None) -> nn.Module:
    """A block that keeps the size; (n, channels, h, w) -> the same."""
    return _Residual(
        nn.Identity(),
        *_activation(norm, channels),
        nn.Conv2d(channels, channels, 3, padding=1),
        *_activation(norm, channels),
        nn.Conv2d(channels, channels, 3, padding=1),
    )


class ResNetGenerator(nn.Module):
    """Latents (n, latent_dim), and labels (n,) where there are classes -> images (n, channels, h, w) in [-1, 1].

    Args:
        latent_dim: numbers a latent.
        image_size: 4, 5, 6 or 7 times a power of two, at least 8: one block a doubling.
        channels: of the images.
        width: feature maps of every layer (128 for WGAN-GP, 256 for SNGAN).
        num_classes: labels are joined to the latent as one-hot vectors; 0 for no labels.

    Raises:
        ValueError: for another image_size; from `forward`, if latents or labels do not fit.
    """

    def __init__(
        self, latent_dim: int = 128, image_size: int = 32, channels: int = 3, width: int = 128, num_classes: int = 0
    ) -> None:
        super().__init__()
        checks.whole(1, latent_dim=latent_dim, channels=channels, width=width)
        checks.whole(0, num_classes=num_classes)
        self.base, doublings = base_and_doublings(image_size)
        self.latent_dim, self.num_classes, self.width = latent_dim, num_classes, width
        self.input = nn.Linear(latent_dim + num_classes, width * self.base**2)
        self.blocks = nn.Sequential(*(up(width, width) for _ in range(doublings)))
        self.output = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.Conv2d(width, channels, 3, padding=1), nn.Tanh()
        )
        init_glorot(self.input)
        init_glorot(self.output)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        features = self.input(join_labels(z, labels, self.latent_dim, self.num_classes))
        return self.output(self.blocks(features.unflatten(1, (self.width, self.base, self.base))))


class ResNetCritic(nn.Module):
    """Images (n, channels, h, w) -> scores (n,).

    Blocks halve the images until they are 8 to 14 pixels a side; two more keep that size.

    Args:
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width: feature maps of every layer.
        norm: in every block but the first. Batch norm couples the samples, which a penalty per sample forbids:
            `LayerNorm` (WGAN-GP, section 4), or None.
        spectral_norm: SNGAN's critic: every weight divided by an estimate of its largest singular value, by one power
            iteration a forward in train mode, and features summed instead of averaged over the pixels.

    Raises:
        ValueError: for another image_size; from `forward`, for images of another shape.
    """

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        width: int = 128,
        norm: Norm | None = None,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        checks.whole(1, channels=channels, width=width)
        checks.switch(spectral_norm=spectral_norm)
        doublings = base_and_doublings(image_size)[1]
        self.image_size, self.channels, self.spectral_norm = image_size, channels, spectral_norm
        halvings = [down(width, width, norm) for _ in range(doublings - 2)]
        self.blocks = nn.Sequential(first(channels, width), *halvings, same(width, norm), same(width, norm))
        self.output = nn.Linear(width, 1)
        init_glorot(self.output)
        if spectral_norm:
            spectrally_normalised(self)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.channels, self.image_size)
        features = F.relu(self.blocks(images))
        pooled = features.sum(dim=(2, 3)) if self.spectral_norm else features.mean(dim=(2, 3))
        return self.output(pooled).squeeze(1)
