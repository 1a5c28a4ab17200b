"""Networks that grow, from 4 x 4 pixels to their full size.

Karras et al. (2018), "Progressive growing of GANs for improved quality, stability, and variation", table 2. Stage s
works at 4 * 2**s pixels; while it fades in, its part is `fade`, in [0, 1], and the rest is the stage before.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import check_features, check_images, power_of_two
from gan_modules.networks.layers import (
    EqualizedConv2d,
    EqualizedDownConv2d,
    EqualizedLinear,
    EqualizedUpConv2d,
    MinibatchStd,
    PixelNorm,
)


def _activation() -> nn.Module:
    return nn.LeakyReLU(0.2, inplace=True)


def _widths(image_size: int, width: int, base_width: int) -> list[int]:
    """Feature maps at 2, 4, 8, ... and `image_size` pixels."""
    levels = power_of_two(image_size, smallest=4)
    checks.whole(1, width=width)
    checks.whole(image_size // 2, base_width=base_width)
    return [min(base_width // 2**level, width) for level in range(levels)]


def _checked(stage: int | None, stages: int) -> int:
    if stage is not None and not 0 <= stage < stages:
        raise ValueError(f"stage must be from 0 to {stages - 1}, got {stage}: the networks grow no further.")
    return stages - 1 if stage is None else stage


def _fading(stage: int, fade: float | Tensor) -> bool:
    return stage > 0 and (isinstance(fade, Tensor) or fade < 1)


def _blend(old: Tensor, new: Tensor, fade: float | Tensor) -> Tensor:
    return torch.lerp(old, new, fade.to(new) if isinstance(fade, Tensor) else fade)


class ProgressiveGenerator(nn.Module):
    """Latents (n, latent_dim) -> images (n, channels, s, s) of about [-1, 1], where s = 4 * 2**stage.

    The output is linear, and may leave [-1, 1]. Latents are scaled to mean square 1.

    Args:
        latent_dim: numbers a latent.
        image_size: of the last stage, a power of two, at least 4.
        channels: of the images.
        width: feature maps of a layer, at most.
        base_width: feature maps at s pixels are 2 * base_width / s, where that is less than `width`.

    Attributes:
        stages: how many there are.

    Raises:
        ValueError: for another image_size; from `forward`, for a stage that does not exist.
    """

    def __init__(
        self,
        latent_dim: int = 512,
        image_size: int = 64,
        channels: int = 3,
        width: int = 512,
        base_width: int = 8192,
    ) -> None:
        super().__init__()
        checks.whole(1, latent_dim=latent_dim, channels=channels)
        widths = _widths(image_size, width, base_width)[1:]
        self.latent_dim, self.stages = latent_dim, len(widths)
        # The gain of the first layer is the authors', from their original implementation.
        self.input = EqualizedLinear(latent_dim, 16 * widths[0], gain=math.sqrt(2) / 4)
        self.blocks = nn.ModuleList([_hidden(EqualizedConv2d(widths[0], widths[0]))])
        for old, new in pairwise(widths):
            self.blocks.append(nn.Sequential(_hidden(EqualizedUpConv2d(old, new)), _hidden(EqualizedConv2d(new, new))))
        self.to_images = nn.ModuleList(EqualizedConv2d(maps, channels, kernel=1, gain=1.0) for maps in widths)
        self.unflatten = nn.Sequential(nn.Unflatten(1, (widths[0], 4, 4)), _activation(), PixelNorm())
        self.normalise = PixelNorm()

    def forward(self, z: Tensor, stage: int | None = None, fade: float | Tensor = 1.0) -> Tensor:
        """Generate at `stage` (None: the last one), of which `fade` shows; a `fade` of 1.0 costs nothing."""
        check_features(z, self.latent_dim)
        stage = _checked(stage, self.stages)
        old = self.unflatten(self.input(self.normalise(z)))
        for block in self.blocks[:stage]:
            old = block(old)
        images = self.to_images[stage](self.blocks[stage](old))
        if not _fading(stage, fade):
            return images
        return _blend(F.interpolate(self.to_images[stage - 1](old), scale_factor=2), images, fade)


class ProgressiveDiscriminator(nn.Module):
    """Images (n, channels, s, s) -> scores (n,), where s = 4 * 2**stage.

    Args:
        image_size: of the last stage, a power of two, at least 4.
        channels: of the images.
        width: feature maps of a layer, at most.
        base_width: feature maps at s pixels are 2 * base_width / s, where that is less than `width`.
        group: images over which the standard deviation is taken.

    Attributes:
        stages: how many there are.

    Raises:
        ValueError: for another image_size; from `forward`, for a stage that does not exist or images of another size.
    """

    def __init__(
        self,
        image_size: int = 64,
        channels: int = 3,
        width: int = 512,
        base_width: int = 8192,
        group: int = 4,
    ) -> None:
        super().__init__()
        checks.whole(1, channels=channels)
        inner, *widths = _widths(image_size, width, base_width)
        self.channels, self.stages = channels, len(widths)
        self.from_images = nn.ModuleList(
            nn.Sequential(EqualizedConv2d(channels, maps, kernel=1), _activation()) for maps in widths
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(EqualizedConv2d(new, new), _activation(), EqualizedDownConv2d(new, old), _activation())
            for old, new in pairwise(widths)
        )
        self.score = nn.Sequential(
            MinibatchStd(group),
            EqualizedConv2d(widths[0] + 1, widths[0]),
            _activation(),
            nn.Flatten(),
            EqualizedLinear(16 * widths[0], inner),
            _activation(),
            EqualizedLinear(inner, 1, gain=1.0),
        )

    def forward(self, images: Tensor, stage: int | None = None, fade: float | Tensor = 1.0) -> Tensor:
        """Score images of `stage` (None: the last one), of which `fade` shows; a `fade` of 1.0 costs nothing."""
        stage = _checked(stage, self.stages)
        check_images(images, self.channels, 4 * 2**stage)
        features = self.from_images[stage](images)
        for level in range(stage, 0, -1):
            features = self.blocks[level - 1](features)
            if level == stage and _fading(stage, fade):
                features = _blend(self.from_images[stage - 1](F.avg_pool2d(images, 2)), features, fade)
        return self.score(features).squeeze(1)


def _hidden(layer: nn.Module) -> nn.Module:
    return nn.Sequential(layer, _activation(), PixelNorm())
