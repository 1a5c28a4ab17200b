"""Sources that are made of their targets: pairs of what has none."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from datamodules.pixels import in_channels, to_bytes
from gan_modules.holes import GREY, squares
from gan_modules.palettes import labelled

Task = Literal["grey2colour", "lines2colour", "small2large", "low2high", "holes", "labels2colour"]
Hole = Literal["centre", "anywhere"]
PALETTE = (
    (255, 255, 255),  # white
    (30, 30, 30),  # black
    (150, 150, 150),  # grey
    (220, 50, 40),  # red
    (250, 190, 40),  # yellow
    (100, 170, 60),  # green
    (50, 140, 220),  # blue
    (130, 85, 60),  # brown
)
"""The colours by which "labels2colour" sorts pixels."""
SOURCE_CHANNELS = {"grey2colour": 1, "lines2colour": 1, "labels2colour": len(PALETTE)}
"""Channels of the sources of tasks in which they have not those of the targets."""


def made_of(target: Tensor, task: Task, places: Tensor | None = None) -> list[Tensor]:
    """Sources and targets, and of "holes" also the holes, all uint8; `datamodules.EmojiPairs` says what they are.

    Args:
        target: uint8 (n, c, h, h).
        task: what the sources are.
        places: for the row and column of each hole, integers (n, 2) in [0, 2**24); None: holes are in the middle.
    """
    if task == "grey2colour":
        return [in_channels(target, 1), target]
    if task == "lines2colour":
        return [line_drawings(in_channels(target, 3)), target]
    if task == "labels2colour":
        return [labelled(in_channels(target, 3), PALETTE), target]
    if task == "holes":
        return _with_hole(target, places)
    reduced = _blurred if task == "small2large" else _quartered
    return [torch.cat([reduced(part) for part in torch.split(target, 512)]), target]


def line_drawings(pictures: Tensor, size: int | None = None) -> Tensor:
    """Black lines on white in place of uint8 pictures (n, 3, h, h): uint8 (n, 1, size, size).

    The size divides h; None: it is h.

    Edges in the manner of Canny (1986): the Sobel gradient of the colour channel in which it is longest, kept where it
    is a maximum along its own direction. Smaller drawings are smoothed first, as by a soft pen, and the ink of an area
    is twice its mean, at most 1, so that a line stays dark.
    """
    drawn = []
    for part in torch.split(pictures, 128):
        ink = _ink(part.float() / 255)
        if size is not None and size < pictures.shape[-1]:
            ink = (2 * functional.avg_pool2d(_smoothed(ink), pictures.shape[-1] // size)).clamp(max=1)
        drawn.append(to_bytes(255 * (1 - ink)))
    return torch.cat(drawn)


def _ink(colours: Tensor, faint: float = 0.05, strong: float = 0.25) -> Tensor:
    """How much of a line is at each pixel, in [0, 1]: (n, 3, h, w) -> (n, 1, h, w)."""
    down, right = _sobel(colours)
    squared, channel = (down.square() + right.square()).max(1, keepdim=True)
    length, down, right = squared.sqrt(), down.gather(1, channel), right.gather(1, channel)
    flat, steep = down.abs() <= 0.4142 * right.abs(), right.abs() <= 0.4142 * down.abs()  # tan 22.5 degrees
    rising = down * right > 0
    padded = functional.pad(length, (1, 1, 1, 1), mode="replicate")
    beside = torch.where(rising, _larger(padded, 1, 1), _larger(padded, 1, -1))
    beside = torch.where(flat, _larger(padded, 0, 1), torch.where(steep, _larger(padded, 1, 0), beside))
    crest = ((length - beside) / (0.15 * length + 1e-6) + 0.6).clamp(0, 1)
    return crest * ((length - faint) / (strong - faint)).clamp(0, 1)


def _smoothed(ink: Tensor) -> Tensor:
    """The mean over 3 x 3 pixels with binomial weights."""
    weights = torch.tensor([1.0, 2, 1]) / 4
    padded = functional.pad(ink, (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(padded, (weights[:, None] * weights)[None, None])


def _sobel(colours: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes downwards and to the right, a unit step having the slope 1: each (n, c, h, w)."""
    padded = functional.pad(colours, (1, 1, 1, 1), mode="replicate")
    rows = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    columns = padded[..., :-2] + 2 * padded[..., 1:-1] + padded[..., 2:]
    return (columns[:, :, 2:] - columns[:, :, :-2]) / 4, (rows[..., 2:] - rows[..., :-2]) / 4


def _larger(padded: Tensor, down: int, right: int) -> Tensor:
    """The larger of the two neighbours that lie (down, right) and the opposite way."""
    height, width = padded.shape[-2] - 2, padded.shape[-1] - 2
    one, other = (
        padded[..., 1 + sign * down : 1 + sign * down + height, 1 + sign * right : 1 + sign * right + width]
        for sign in (1, -1)
    )
    return torch.maximum(1.08 * one, 0.92 * other)  # of two equal neighbours one wins, and the line is not doubled


def _blurred(pictures: Tensor) -> Tensor:
    """At a quarter of the size and back: uint8 (n, c, h, w) -> uint8 (n, c, h, w)."""
    small = functional.avg_pool2d(pictures.float(), 4)
    return to_bytes(functional.interpolate(small, scale_factor=4, mode="bicubic", align_corners=False))


def _quartered(pictures: Tensor) -> Tensor:
    """At a quarter of the size, by the antialiased bicubic kernel: uint8 (n, c, h, w) -> uint8 (n, c, h / 4, w / 4)."""
    return to_bytes(functional.interpolate(pictures.float(), scale_factor=0.25, mode="bicubic", antialias=True))


def _with_hole(target: Tensor, places: Tensor | None) -> list[Tensor]:
    """uint8 (n, c, h, h) with a grey square of half its side, as they are, and the square (n, 1, h, h), 255 inside.

    `places` (n, 2) are integers in [0, 2**24) for the square's row and column; None: it is in the middle.
    """
    side = target.shape[-1]
    places = torch.full((len(target), 2), 1 << 23, device=target.device) if places is None else places
    inside = squares(places * (side - side // 2 + 1) >> 24, side // 2, side, side)
    return [target.masked_fill(inside, GREY), target, inside.to(torch.uint8) * 255]
