"""Adaptive discriminator augmentation: images in [-1, 1] -> images changed with a probability that follows overfitting.

Karras et al. (2020), "Training generative adversarial networks with limited data" (ADA), in the set of changes that the
paper uses throughout ("bgc": blits, geometry, colour), with the numbers of the authors' `training/augment.py`. Each
change is made to each image with probability p, so that below p = 1 the images as they are remain the most frequent,
and the changes do not leak into what the generator makes (the paper's section 2.2 and appendix C).

All functions take images `(n, c, s, s)` of one or three channels and p, a scalar tensor; they are differentiable twice
with respect to the images; their random numbers are the step's and each image's own.
"""

import math
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_modules.randomness import normal_after, uniform_after

_SYM6 = (
    *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
    *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
    *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
)
"""Daubechies' symlet of order 6, orthogonal to itself at even shifts: sampling at twice the rate and back is exact."""
_LEAN = (5.5 - sum(place * tap for place, tap in enumerate(_SYM6)) / sum(_SYM6)) / 2
"""Pixels from the filter's centre to its middle, which the authors leave in, so that their images move as they turn."""


def augmented(images: Tensor, p: Tensor) -> Tensor:
    """Blits, then geometry, then colour, in at least single precision.

    Raises:
        ValueError: if the images are not square, or have neither one channel nor three.
    """
    if images.ndim != 4 or images.shape[2] != images.shape[3] or images.shape[1] not in (1, 3):
        raise ValueError(
            f"adaptive augmentation is for square images of 1 or 3 channels, got the shape {tuple(images.shape)}; set "
            "ada_target to None"
        )
    with torch.autocast(images.device.type, enabled=False):
        exact = images.to(torch.promote_types(images.dtype, torch.float32))
        return coloured(warped(blitted(exact, p), p), p)


def blitted(images: Tensor, p: Tensor) -> Tensor:
    """Mirror (or not, evenly), turn by 0, 90, 180 or 270 degrees, shift by up to an eighth of the side; exactly."""
    n, _, side, _ = images.shape
    u = uniform_after(images, n, 7)
    chosen = u[:, :3] < p
    flip, turns = (chosen[:, 0] & (u[:, 3] < 0.5)), (4 * u[:, 4]).long() * chosen[:, 1]
    shifts = ((2 * u[:, 5:] - 1) * side / 8).round().long() * chosen[:, 2:]
    return _rearranged(images, flip, turns, shifts)


def _rearranged(images: Tensor, flip: Tensor, turns: Tensor, shifts: Tensor) -> Tensor:
    """Mirrored, then turned, then shifted down and right, the borders being mirrors; all `(n,)` but shifts `(n, 2)`."""
    side = images.shape[2]
    places = torch.arange(side, device=images.device)
    row, column = (_reflected(places - shift[:, None], side) for shift in shifts.unbind(1))
    row, column = row[:, :, None].expand(-1, -1, side), column[:, None].expand(-1, side, -1)
    mirrored_row, mirrored_column = side - 1 - row, side - 1 - column
    index = turns.view(1, -1, 1, 1).expand(1, -1, side, side)
    rows = torch.stack([row, column, mirrored_row, mirrored_column]).gather(0, index)[0]
    columns = torch.stack([column, mirrored_row, mirrored_column, row]).gather(0, index)[0]
    columns = torch.where(flip[:, None, None], side - 1 - columns, columns)
    source = (rows * side + columns).flatten(1)[:, None].expand(-1, images.shape[1], -1)
    return images.flatten(2).gather(2, source).view_as(images)


def _reflected(places: Tensor, side: int) -> Tensor:
    """Places on the line folded into [0, side - 1]; the outer pixels are the mirrors, and not repeated."""
    folded = places.remainder(2 * side - 2)
    return torch.minimum(folded, 2 * side - 2 - folded)


def warped(images: Tensor, p: Tensor) -> Tensor:
    """Scale, rotate, stretch, rotate and shift by fractions of pixels, each with probability p (rotation in either)."""
    n = len(images)
    u, z = uniform_after(images, n, 7).to(images.dtype), normal_after(images, n, 4).to(images.dtype)
    once = 1 - (1 - p).clamp(min=0).sqrt()  # P(before or after) = p
    scale = torch.where(u[:, 0] < p, torch.exp2(0.2 * z[:, 0]), 1)
    before = torch.where(u[:, 1] < once, math.pi * (2 * u[:, 2] - 1), 0)
    stretch = torch.where(u[:, 3] < p, torch.exp2(0.2 * z[:, 1]), 1)
    after = torch.where(u[:, 4] < once, math.pi * (2 * u[:, 5] - 1), 0)
    shift = torch.where(u[:, 6:] < p, z[:, 2:] * images.shape[3] / 8, 0)
    matrix = _turn(before) @ torch.diag_embed(torch.stack([1 / stretch, stretch], 1)) @ _turn(after)
    matrix = matrix / scale[:, None, None]
    return _resampled(images, matrix, -(matrix @ shift[:, :, None])[:, :, 0])


def _turn(angle: Tensor) -> Tensor:
    """Rotations `(n, 2, 2)` by the inverse of `angle` `(n,)`."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, sin], 1), torch.stack([-sin, cos], 1)], 1)


def _resampled(images: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """The images at `matrix @ (x, y) + offset`, x and y in pixels from the centre; filtered at twice the rate."""
    side = images.shape[2]
    finer, coarser = _filters(side, images.device, images.dtype)
    centre = (side - 1) / 2
    line = torch.arange(-5, 2 * side + 5, device=images.device, dtype=images.dtype) / 2 - 0.25 + _LEAN - centre
    y, x = torch.meshgrid(line, line, indexing="ij")
    source = (torch.stack([x, y], 2).flatten(0, 1) @ matrix.mT + offset[:, None]).view(-1, *x.shape, 2)
    outside = source.abs() > centre + 3  # of what the filter needs at the borders
    source = torch.where(outside, _reflected(source + centre, side) - centre, source)
    fine = finer @ images @ finer.T
    return coarser @ _Sample.apply(fine, (source - _LEAN) * 2 / (side + 12)) @ coarser.T


@cache
def _filters(side: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """From a line of pixels to twice as many, and 12 more at either end; and back, from those but 7 at either end.

    Beyond its ends a line is mirrored.
    """
    taps = torch.tensor(_SYM6, dtype=torch.float64)
    finer, coarser = torch.zeros(2 * side + 24, side).double(), torch.zeros(side, 2 * side + 10).double()
    for pixel in range(-6, side + 6):
        source = _reflected(torch.tensor(pixel), side)
        for tap in range(12):
            row = 2 * pixel + tap + 7  # the first is that of pixel -6
            if 0 <= row < len(finer):
                finer[row, source] += math.sqrt(2) * taps[tap]
    for pixel in range(side):
        coarser[pixel, 2 * pixel : 2 * pixel + 12] = taps / math.sqrt(2)
    return finer.to(device, dtype), coarser.to(device, dtype)


class _Sample(torch.autograd.Function):
    """Bilinear `grid_sample`, linear in the images; torch's own cannot be differentiated twice."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = images.shape
        return F.grid_sample(images, grid, align_corners=False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _Spread.apply(gradients[0], ctx.saved_tensors[0], ctx.shape), None


class _Spread(torch.autograd.Function):
    """The transpose of `_Sample`."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        images = gradient.new_zeros(shape)
        return torch.ops.aten.grid_sampler_2d_backward(gradient, images, grid, 0, 0, False, [True, False])[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _Sample.apply(gradients[0], ctx.saved_tensors[0]), None, None


def coloured(images: Tensor, p: Tensor) -> Tensor:
    """Brightness, contrast, luma reversed (or not, evenly), hue and saturation, each with probability p."""
    n = len(images)
    u, z = uniform_after(images, n, 7).to(images.dtype), normal_after(images, n, 3).to(images.dtype)
    brightness = torch.where(u[:, 0] < p, 0.2 * z[:, 0], 0)
    contrast = torch.where(u[:, 1] < p, torch.exp2(0.5 * z[:, 1]), 1)
    reverse = ((u[:, 2] < p) & (u[:, 3] < 0.5)).to(images.dtype)
    hue = torch.where(u[:, 4] < p, math.pi * (2 * u[:, 5] - 1), 0)
    saturation = torch.where(u[:, 6] < p, torch.exp2(z[:, 2]), 1)
    matrix = _colours(reverse, hue, saturation) * contrast[:, None, None]
    lit = images.expand(-1, 3, -1, -1) + brightness.view(-1, 1, 1, 1)
    changed = (matrix @ lit.flatten(2)).view_as(lit)
    return changed if images.shape[1] == 3 else changed.mean(dim=1, keepdim=True)


def _colours(reverse: Tensor, hue: Tensor, saturation: Tensor) -> Tensor:
    """Maps of colours `(n, 3, 3)`: the grey axis kept or reversed, colours turned about it and stretched from it."""
    unit = torch.eye(3, device=hue.device, dtype=hue.dtype)
    grey = torch.full_like(unit, 1 / 3)
    quarter = (unit.roll(1, 0) - unit.roll(-1, 0)) / math.sqrt(3)
    reverse, hue, saturation = (each[:, None, None] for each in (reverse, hue, saturation))
    return (1 - 2 * reverse) * grey + saturation * (hue.cos() * (unit - grey) + hue.sin() * quarter)
