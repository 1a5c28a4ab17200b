"""The networks that predict frames, and judge predictions, at several scales.

Mathieu, Couprie and LeCun (2016), "Deep multi-scale video prediction beyond mean square error".
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate

from gan_modules import checks
from gan_modules.networks.checks import check_images


class _Scale(NamedTuple):
    """Kernels, and in units of `width` the feature maps between convolutions, and hidden units after them."""

    kernels: tuple[int, ...]
    maps: tuple[int, ...]
    hidden: tuple[int, ...] = ()


_PREDICTORS = (
    _Scale((3, 3, 3, 3), (1, 2, 1)),
    _Scale((5, 3, 3, 5), (1, 2, 1)),
    _Scale((5, 3, 3, 3, 3, 5), (1, 2, 4, 2, 1)),
    _Scale((7, 5, 5, 5, 5, 7), (1, 2, 4, 2, 1)),
)
_JUDGES = (
    _Scale((3,), (1,), (8, 4)),
    _Scale((3, 3, 3), (1, 2, 2), (16, 8)),
    _Scale((5, 5, 5), (2, 4, 4), (16, 8)),
    _Scale((7, 7, 5, 5), (2, 4, 8, 2), (16, 8)),
)


class VideoGenerator(nn.Module):
    """Frames (n, in_channels, h, w) -> predictions (n, out_channels, h', w') in [-1, 1], the last of full size.

    From coarse to fine, each of half the size of the one after it: a scale's network sees the frames in its size and
    the enlarged prediction of the scale before, to which it adds a correction, before the tanh, as in the authors' code
    (`get_model.lua`, which enlarges by nearest neighbours). There is neither pooling nor a norm.

    Args:
        in_channels: of the history, all of whose frames are joined along the channels.
        out_channels: of a frame.
        width: feature maps of the first layer (the paper: 128; the authors' training script: 16).
        scales: from 1 to 4, beginning with the coarsest of the paper's networks.

    Raises:
        ValueError: from `forward`, for images whose sides 2**(scales - 1) does not divide, or with other channels.
    """

    def __init__(self, in_channels: int = 12, out_channels: int = 3, width: int = 128, scales: int = 4) -> None:
        super().__init__()
        checks.whole(1, in_channels=in_channels, out_channels=out_channels, width=width)
        checks.whole(1, len(_PREDICTORS) + 1, scales=scales)
        self.in_channels, self.out_channels, self.multiple = in_channels, out_channels, 2 ** (scales - 1)
        self.scales = nn.ModuleList(
            _predictor(in_channels + (out_channels if number else 0), out_channels, width, _PREDICTORS[number])
            for number in range(scales)
        )

    def forward(self, source: Tensor) -> list[Tensor]:
        check_images(source, self.in_channels)
        height, width = source.shape[2:]
        if height % self.multiple or width % self.multiple:
            raise ValueError(
                f"Expected a height and a width that {self.multiple} divides, got {height} x {width}: resize or crop "
                "the images, or give fewer scales."
            )
        made: list[Tensor] = []
        for number, network in enumerate(self.scales):
            shrink = self.multiple // 2**number
            seen = avg_pool2d(source, shrink)
            if not made:
                made.append(torch.tanh(network(seen)))
                continue
            guess = interpolate(made[-1], scale_factor=2, mode="nearest")
            made.append(torch.tanh(guess + network(torch.cat([seen, guess], dim=1))))
        return made


class VideoDiscriminator(nn.Module):
    """Frames of every scale, from coarse to fine, and the frames before them -> scores (n,), one tensor a scale.

    Each scale has a network of its own, which sees the history in its size: convolutions without padding, at the fourth
    scale 2 x 2 max-pooling as in the authors' code, and fully connected layers, with ReLU between all.

    Args:
        channels: of a frame.
        condition_channels: of the history, all of whose frames are joined along the channels.
        image_size: side of the finest frames.
        width: half the feature maps of the finest scale's first layer (the paper: 64; the authors' training script has
            narrower ones).
        scales: from 1 to 4, beginning with the coarsest of the paper's networks.

    Raises:
        ValueError: if the frames of a scale are too small for its convolutions, or 2**(scales - 1) does not divide
            image_size; and from `forward`, for another number of scales, or frames of another shape.
    """

    def __init__(
        self,
        channels: int = 3,
        condition_channels: int = 12,
        image_size: int = 32,
        width: int = 64,
        scales: int = 4,
    ) -> None:
        super().__init__()
        checks.whole(1, channels=channels, condition_channels=condition_channels, image_size=image_size, width=width)
        checks.whole(1, len(_JUDGES) + 1, scales=scales)
        self.channels, self.condition_channels = channels, condition_channels
        self.sizes = [image_size // 2 ** (scales - 1 - number) for number in range(scales)]
        fits = all(_left(size, judge) for size, judge in zip(self.sizes, _JUDGES, strict=False))
        if image_size % 2 ** (scales - 1) or not fits:
            raise ValueError(
                f"image_size must be a multiple of {2 ** (scales - 1)} that leaves each of {scales} scales a pixel "
                f"after its convolutions, got {image_size}: use larger images or fewer scales."
            )
        self.scales = nn.ModuleList(
            _judge(channels + condition_channels, width, size, judge)
            for size, judge in zip(self.sizes, _JUDGES, strict=False)
        )

    def forward(self, frames: Sequence[Tensor], source: Tensor) -> list[Tensor]:
        check_images(source, self.condition_channels)
        if len(frames) != len(self.sizes):
            raise ValueError(
                f"Expected frames of {len(self.sizes)} scales, got {len(frames)}: give generator and discriminator "
                "equally many."
            )
        scores = []
        for images, size, network in zip(frames, self.sizes, self.scales, strict=True):
            check_images(images, self.channels, size)
            before = adaptive_avg_pool2d(source, (size, size))
            scores.append(network(torch.cat([before, images], dim=1)).squeeze(1))
        return scores


def _predictor(inputs: int, outputs: int, width: int, scale: _Scale) -> nn.Sequential:
    widths = [inputs, *(width * each for each in scale.maps), outputs]
    parts: list[nn.Module] = []
    for kernel, before, after in zip(scale.kernels, widths, widths[1:], strict=False):
        parts += [nn.Conv2d(before, after, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
    return nn.Sequential(*parts[:-1])


def _pools(scale: _Scale) -> bool:
    return len(scale.kernels) == 4


def _left(size: int, scale: _Scale) -> int:
    """The side that is left of `size` after the convolutions, and the pooling; 0 where they do not fit."""
    size = max(0, size - sum(kernel - 1 for kernel in scale.kernels))
    return size // 2 if _pools(scale) else size


def _judge(inputs: int, width: int, size: int, scale: _Scale) -> nn.Sequential:
    widths = [inputs, *(width * each for each in scale.maps)]
    parts: list[nn.Module] = []
    for kernel, before, after in zip(scale.kernels, widths, widths[1:], strict=False):
        parts += [nn.Conv2d(before, after, kernel), nn.ReLU(inplace=True)]
    parts += [nn.MaxPool2d(2)] if _pools(scale) else []
    units = [widths[-1] * _left(size, scale) ** 2, *(width * each for each in scale.hidden)]
    parts.append(nn.Flatten())
    for before, after in zip(units, units[1:], strict=False):
        parts += [nn.Linear(before, after), nn.ReLU(inplace=True)]
    return nn.Sequential(*parts, nn.Linear(units[-1], 1))
