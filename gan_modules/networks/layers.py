"""Layers that torch does not have, or has with a defect."""

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.resampling import conv_downsample, upsample_conv
from gan_modules.randomness import normal_after, uniform_after

Norm: TypeAlias = Callable[[int], nn.Module]
"""A number of channels -> a normalisation layer: `nn.BatchNorm2d`, `InstanceNorm`, `LayerNorm`, ..."""


def _exact(x: Tensor) -> torch.dtype:
    """The type for statistics of `x`: at least single precision."""
    return torch.promote_types(x.dtype, torch.float32)


def normalised(norm: Norm | None, channels: int) -> list[nn.Module]:
    """The layers of `norm`: one, or none."""
    checks.function(norm=norm or nn.Identity)
    return [] if norm is None else [norm(channels)]


class InstanceNorm(nn.GroupNorm):
    """Normalise every channel of every image to mean 0 and variance 1; (n, c, h, w) -> (n, c, h, w).

    Ulyanov et al. (2016), "Instance normalization". Computed as a group norm, because `F.instance_norm` returns wrong
    gradients on the CPU for one image whose gradient is channels_last.

    Args:
        channels: c.
        affine: learn a scale and a shift per channel.
    """

    def __init__(self, channels: int, affine: bool = False) -> None:
        checks.whole(1, channels=channels)
        checks.switch(affine=affine)
        super().__init__(channels, channels, affine=affine)


class LayerNorm(nn.GroupNorm):
    """Normalise every image over channels and pixels, then scale and shift every channel; (n, c, h, w) -> the same.

    What WGAN-GP recommends for critics (Gulrajani et al., 2017, section 4), as it does not couple the samples.
    """

    def __init__(self, channels: int) -> None:
        checks.whole(1, channels=channels)
        super().__init__(1, channels)


class ConditionalBatchNorm(nn.Module):
    """Batch norm, scaled and shifted as a condition says; (n, c, h, w) and (n, conditions) -> (n, c, h, w).

    Scales and shifts are linear in the condition. Of a one-hot class they are numbers of its own (Dumoulin et al.,
    2017, "A learned representation for artistic style"); of an embedding, what the classes share (Brock et al., 2019,
    "Large scale GAN training"). At first they are 1 and 0 for all.

    Args:
        channels: c.
        conditions: numbers a condition.
    """

    def __init__(self, channels: int, conditions: int) -> None:
        super().__init__()
        checks.whole(1, channels=channels, conditions=conditions)
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale = nn.Linear(conditions, channels, bias=False)
        self.shift = nn.Linear(conditions, channels, bias=False)
        nn.init.zeros_(self.scale.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = (layer(condition)[:, :, None, None] for layer in (self.scale, self.shift))
        return self.norm(x) * (1 + scale) + shift


class PixelNorm(nn.Module):
    """Scale the channels of every pixel to mean square 1; (n, c, ...) -> (n, c, ...).

    Karras et al. (2018), "Progressive growing of GANs", section 4.2.
    """

    def forward(self, x: Tensor) -> Tensor:
        mean = x.square().mean(dim=1, keepdim=True, dtype=_exact(x))
        return x * torch.rsqrt(mean + 1e-8).to(x.dtype)


class MinibatchStd(nn.Module):
    """Append, as one more channel, the average standard deviation over a group; (n, c, h, w) -> (n, c + 1, h, w).

    Karras et al. (2018), section 3. A group is made of images that lie as far apart in the batch as there are groups,
    as in the authors' code; processes that each hold whole groups then see the groups of the global batch.

    Args:
        group: images a group; where it does not divide the batch, the largest smaller number that does.
    """

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        checks.whole(1, group=group)
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        group = next(size for size in range(min(self.group, count), 0, -1) if count % size == 0)
        groups = x.reshape(group, count // group, channels, height, width)
        variance = groups.to(_exact(x)).var(dim=0, correction=0)
        deviation = (variance + 1e-8).sqrt().mean(dim=(1, 2, 3)).to(x.dtype)
        return torch.cat([x, deviation.repeat(group).view(-1, 1, 1, 1).expand(-1, 1, height, width)], dim=1)


class EqualizedLinear(nn.Module):
    """A linear layer whose weights are N(0, 1) and scaled by gain / sqrt(fan_in) at run time; (n, i) -> (n, o).

    Karras et al. (2018), section 4.1: with Adam, all weights then learn at one speed. At `speed` times that speed, with
    the same outputs at the start, learn those of StyleGAN's mapping network (0.01).
    """

    def __init__(self, in_features: int, out_features: int, gain: float = math.sqrt(2), speed: float = 1.0) -> None:
        super().__init__()
        checks.whole(1, in_features=in_features, out_features=out_features)
        checks.positive(gain=gain, speed=speed)
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / speed)
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.scale, self.speed = gain * speed / math.sqrt(in_features), speed

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias if self.speed == 1 else self.bias * self.speed)


class EqualizedConv2d(nn.Module):
    """A convolution that keeps the size and is scaled like `EqualizedLinear`; (n, i, h, w) -> (n, o, h, w)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        checks.whole(1, in_channels=in_channels, out_channels=out_channels, kernel=kernel)
        checks.positive(gain=gain)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.scale = gain / math.sqrt(in_channels * kernel**2)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, padding="same")


class EqualizedUpConv2d(EqualizedConv2d):
    """Double the size by nearest neighbour, then convolve by 3 x 3; (n, i, h, w) -> (n, o, 2h, 2w)."""

    def forward(self, x: Tensor) -> Tensor:
        return upsample_conv(x, self.weight * self.scale, self.bias)


class EqualizedDownConv2d(EqualizedConv2d):
    """Convolve by 3 x 3, then halve the size by averaging; (n, i, h, w) -> (n, o, h/2, w/2)."""

    def forward(self, x: Tensor) -> Tensor:
        return conv_downsample(x, self.weight * self.scale, self.bias)


class Maxout(nn.Module):
    """The largest of several linear maps; (n, i) -> (n, o). Goodfellow et al. (2013), "Maxout networks"."""

    def __init__(self, in_features: int, out_features: int, pieces: int = 5) -> None:
        super().__init__()
        checks.whole(1, in_features=in_features, out_features=out_features, pieces=pieces)
        self.pieces = pieces
        self.linear = nn.Linear(in_features, out_features * pieces)

    def forward(self, x: Tensor) -> Tensor:
        # amax has the same value, and on the CPU a gradient that takes as long as the matrix products
        return self.linear(x).unflatten(1, (-1, self.pieces)).max(dim=2).values


class Dropout(nn.Module):
    """Set entries to zero with probability p and divide the others by 1 - p; any shape, its first dimension the batch.

    Inside a training step the mask of an image is a function of seed, step and image, whatever the number of processes.

    Args:
        p: the probability, in [0, 1).
        in_eval: drop in eval mode as well, as pix2pix does for want of another noise (Isola et al., 2017, section 3.1).

    Raises:
        ValueError: if p is outside [0, 1).
    """

    def __init__(self, p: float = 0.5, in_eval: bool = False) -> None:
        super().__init__()
        checks.fraction(p=p)
        checks.switch(in_eval=in_eval)
        self.p, self.in_eval = p, in_eval

    def forward(self, x: Tensor) -> Tensor:
        if self.p == 0 or not (self.training or self.in_eval):
            return x
        return x * (uniform_after(x, *x.shape) >= self.p) / (1 - self.p)


class GaussianNoise(nn.Module):
    """Add N(0, std**2) in train mode; any shape, its first dimension the batch.

    Inside a training step the noise of an image is a function of seed, step and image, whatever the number of
    processes.

    Args:
        std: the standard deviation.
    """

    def __init__(self, std: float) -> None:
        super().__init__()
        checks.not_negative(std=std)
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        if self.std == 0 or not self.training:
            return x
        return x + self.std * normal_after(x, *x.shape).to(x.dtype)
