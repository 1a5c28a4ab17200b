"""The networks of StyleGAN2, in plain torch.

Karras et al. (2020), "Analyzing and improving the image quality of StyleGAN", configuration F, as in the authors'
`stylegan2-ada-pytorch`: a mapping network, a skip generator of modulated convolutions, a residual discriminator, and
all resampling filtered by [1, 3, 3, 1].
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import check_features, check_images, power_of_two
from gan_modules.networks.layers import EqualizedConv2d, EqualizedLinear, MinibatchStd, PixelNorm
from gan_modules.networks.resampling import Blur, BlurUpsample
from gan_modules.randomness import normal_after


class StyleGAN2Mapping(nn.Module):
    """Latents (n, latent_dim) -> styles (n, style_dim), by layers that learn at a hundredth of the others' speed.

    Args:
        latent_dim: numbers a latent, which is scaled to mean square 1.
        style_dim: numbers a style.
        layers: how many layers of `style_dim` features (configuration F: 8; the ADA paper's small ones: 2).
    """

    def __init__(self, latent_dim: int = 512, style_dim: int = 512, layers: int = 8) -> None:
        super().__init__()
        checks.whole(1, latent_dim=latent_dim, style_dim=style_dim, layers=layers)
        self.latent_dim, self.normalise = latent_dim, PixelNorm()
        sizes = [latent_dim] + [style_dim] * layers
        self.layers = nn.ModuleList(EqualizedLinear(old, new, gain=1.0, speed=0.01) for old, new in pairwise(sizes))

    def forward(self, z: Tensor) -> Tensor:
        check_features(z, self.latent_dim)
        styles = self.normalise(z)
        for layer in self.layers:
            styles = _activated(layer(styles))
        return styles


class StyleGAN2Generator(nn.Module):
    """Styles (n, layers, style_dim), one a layer -> images (n, channels, s, s) of about [-1, 1].

    The output is linear, and may leave [-1, 1]: a sum over all sizes of what each shows, doubled in size until it fits.
    In training each layer adds noise of its own to each image, at a learnt strength; in evaluation the same one always.

    Args:
        style_dim: numbers a style.
        image_size: s, a power of two, at least 8.
        channels: of the images.
        width: feature maps of a layer, at most.
        base_width: feature maps at s pixels are base_width / s, where that is less than `width` (configuration F:
            32768; the ADA paper up to 256 pixels: 16384).

    Attributes:
        layers: how many styles an image has.
    """

    def __init__(
        self,
        style_dim: int = 512,
        image_size: int = 64,
        channels: int = 3,
        width: int = 512,
        base_width: int = 32768,
    ) -> None:
        super().__init__()
        checks.whole(1, style_dim=style_dim, channels=channels)
        sizes, widths = _sizes_and_widths(image_size, width, base_width)
        self.style_dim, self.layers = style_dim, 2 * len(sizes)
        self.input = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.first = StyledConv2d(widths[0], widths[0], style_dim, 4)
        self.convs = nn.ModuleList()
        for size, (old, new) in zip(sizes[1:], pairwise(widths), strict=True):
            self.convs.append(StyledConv2d(old, new, style_dim, size, up=True))
            self.convs.append(StyledConv2d(new, new, style_dim, size))
        self.to_images = nn.ModuleList(ToImage(maps, channels, style_dim) for maps in widths)
        self.upsample = BlurUpsample()

    def forward(self, styles: Tensor) -> Tensor:
        if styles.shape[1:] != (self.layers, self.style_dim):
            raise ValueError(
                f"Expected styles (n, {self.layers}, {self.style_dim}), got the shape {tuple(styles.shape)}: make "
                "style_dim of both networks agree."
            )
        each = styles.unbind(1)
        x = self.first(self.input.expand(styles.shape[0], -1, -1, -1), each[0])
        images = self.to_images[0](x, each[1])
        for level, to_image in enumerate(self.to_images[1:], 1):
            first, second = self.convs[2 * level - 2 : 2 * level]
            x = second(first(x, each[2 * level - 1]), each[2 * level])
            # an image's style is that of the next convolution
            images = self.upsample(images) + to_image(x, each[2 * level + 1])
        return images


class StyleGAN2Discriminator(nn.Module):
    """Images (n, channels, s, s) -> scores (n,).

    Args:
        image_size: s, a power of two, at least 8.
        channels: of the images.
        width: feature maps of a layer, at most.
        base_width: feature maps at s pixels are base_width / s, where that is less than `width`.
        group: images over which the standard deviation is taken (configuration F: 4).
    """

    def __init__(
        self, image_size: int = 64, channels: int = 3, width: int = 512, base_width: int = 32768, group: int = 4
    ) -> None:
        super().__init__()
        checks.whole(1, channels=channels)
        widths = _sizes_and_widths(image_size, width, base_width)[1][::-1]
        self.channels, self.image_size = channels, image_size
        self.from_images = EqualizedConv2d(channels, widths[0], kernel=1, gain=1.0)
        self.blocks = nn.ModuleList(ResidualDown(old, new) for old, new in pairwise(widths))
        self.deviation = MinibatchStd(group)
        self.conv = EqualizedConv2d(widths[-1] + 1, widths[-1], gain=1.0)
        self.hidden = EqualizedLinear(16 * widths[-1], widths[-1], gain=1.0)
        self.score = EqualizedLinear(widths[-1], 1, gain=1.0)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.channels, self.image_size)
        x = _activated(self.from_images(images))
        for block in self.blocks:
            x = block(x)
        x = _activated(self.conv(self.deviation(x)))
        return self.score(_activated(self.hidden(x.flatten(1)))).squeeze(1)


class StyledConv2d(nn.Module):
    """A 3 x 3 convolution that a style modulates, then noise, bias and a leaky ReLU; (n, i, h, w) -> (n, o, s, s).

    Args:
        in_channels, out_channels: i, o.
        style_dim: numbers of the style (n, style_dim).
        size: s.
        up: double the size.
    """

    noise: Tensor

    def __init__(self, in_channels: int, out_channels: int, style_dim: int, size: int, up: bool = False) -> None:
        super().__init__()
        self.style, self.up = _style(style_dim, in_channels), up
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))  # of any scale, as it is demodulated
        self.bias = nn.Parameter(torch.zeros(out_channels, 1, 1))
        self.strength = nn.Parameter(torch.zeros(1))
        self.blur = Blur(padding=1, gain=4) if up else None
        self.register_buffer("noise", torch.randn(size, size))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        x = modulated_conv2d(x, self.weight, self.style(style), up=self.up)
        if self.blur is not None:
            x = self.blur(x)
        noise = normal_after(x, len(x), 1, *x.shape[2:]).to(x.dtype) if self.training else self.noise
        return _activated(x + self.strength * noise + self.bias)


class ToImage(nn.Module):
    """A 1 x 1 convolution that a style modulates, without demodulation; (n, i, h, w) -> (n, channels, h, w)."""

    def __init__(self, in_channels: int, channels: int, style_dim: int) -> None:
        super().__init__()
        self.style = _style(style_dim, in_channels)
        self.weight = nn.Parameter(torch.randn(channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.scale = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        return modulated_conv2d(x, self.weight * self.scale, self.style(style), demodulate=False) + self.bias


class ResidualDown(nn.Module):
    """Two convolutions that halve the size, beside a 1 x 1 one; (n, i, h, w) -> (n, o, h/2, w/2)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = EqualizedConv2d(in_channels, in_channels, gain=1.0)
        self.blur, self.second = Blur(padding=2), EqualizedDown2d(in_channels, out_channels, gain=1.0)
        self.halve = Blur(padding=1, stride=2)
        self.skip = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        skipped = F.conv2d(self.halve(x), self.skip / math.sqrt(self.skip.shape[1]))
        x = _activated(self.second(self.blur(_activated(self.first(x)))))
        return (x + skipped) * math.sqrt(0.5)


class EqualizedDown2d(EqualizedConv2d):
    """Convolve by 3 x 3 at every second pixel, without padding; (n, i, h, w) -> (n, o, (h - 1)/2, (w - 1)/2)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, stride=2)


def modulated_conv2d(x: Tensor, weight: Tensor, style: Tensor, demodulate: bool = True, up: bool = False) -> Tensor:
    """Convolve each image with weights scaled by its style, divided by their norm for each output (section 2.2, eq. 3).

    Computed by scaling what goes in and what comes out, the weights being the same for all images, as one convolution
    in groups, an image each, took 1 to 2.5 times as long on the CPU.

    Args:
        x: (n, i, h, w).
        weight: (o, i, k, k).
        style: (n, i), factors of the input's channels.
        demodulate: divide by the norm, so that inputs of variance 1 give outputs of variance 1.
        up: by a transposed convolution of stride 2, to be filtered: sides of 2h + k - 2 instead of h.
    """
    x = x * style[:, :, None, None]
    x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2) if up else F.conv2d(x, weight, padding="same")
    if not demodulate:
        return x
    norms = style.square() @ weight.square().sum((2, 3)).T
    return x * torch.rsqrt(norms + 1e-8)[:, :, None, None]


def _style(style_dim: int, channels: int) -> EqualizedLinear:
    """The learnt map from a style to factors of channels, which are about 1 at first."""
    affine = EqualizedLinear(style_dim, channels, gain=1.0)
    nn.init.ones_(affine.bias)
    return affine


def _activated(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


def _sizes_and_widths(image_size: int, width: int, base_width: int) -> tuple[list[int], list[int]]:
    """4, 8, ... and `image_size` pixels, and feature maps there."""
    levels = power_of_two(image_size, smallest=8)
    checks.whole(1, width=width)
    checks.whole(image_size, base_width=base_width)
    sizes = [2**level for level in range(2, levels + 1)]
    return sizes, [min(base_width // size, width) for size in sizes]
