"""Differentiable augmentation: images in [-1, 1] -> images that a discriminator is shown in their place.

Zhao et al. (2020), "Differentiable augmentation for data-efficient GAN training". Real and generated images alike are
changed at random in every step of both players (the paper's equations 5 and 6), and gradients reach the generator
through the change. The formulas are those of the authors' `DiffAugment_pytorch.py`, whose best policies for few images
are all three together, `(color, translation, cutout)`, or the last two.

The numbers are the step's and each image's own (`gan_modules.randomness`). All return images of the same shape, which
may leave [-1, 1], and raise ValueError for anything else than images `(n, c, h, w)`.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from gan_modules.randomness import uniform_after

Augmentation: TypeAlias = Callable[[Tensor], Tensor]
"""Images `(n, c, h, w)` -> images of the same shape, differentiable twice."""


def color(images: Tensor) -> Tensor:
    """Brightness, then saturation, then contrast."""
    return contrast(saturation(brightness(images)))


def brightness(images: Tensor) -> Tensor:
    """x + b, with b uniform in [-0.5, 0.5) for each image."""
    (shift,) = _numbers(images, 1)
    return images + shift - 0.5


def saturation(images: Tensor) -> Tensor:
    """Distances from each pixel's mean over the channels times a number in [0, 2)."""
    (factor,) = _numbers(images, 1)
    grey = images.mean(dim=1, keepdim=True)
    return grey + 2 * factor * (images - grey)


def contrast(images: Tensor) -> Tensor:
    """Distances from each image's mean times a number in [0.5, 1.5)."""
    (factor,) = _numbers(images, 1)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (factor + 0.5) * (images - mean)


def translation(images: Tensor) -> Tensor:
    """Shift down and right by whole pixels, up to an eighth of the sides either way; what comes in is 0."""
    for axis, number in zip((2, 3), _numbers(images, 2), strict=True):
        side = images.shape[axis]
        reach = int(side / 8 + 0.5)
        source = _places(images, axis) - (_integers(number, 2 * reach + 1) - reach)
        inside = (source >= 0) & (source < side)
        images = torch.take_along_dim(images, source.clamp(0, side - 1), axis) * inside
    return images


def cutout(images: Tensor) -> Tensor:
    """A rectangle of half the sides, about a random pixel and cut off at the edges, is 0."""
    hidden = torch.ones_like(images[:, :1], dtype=torch.bool)
    for axis, number in zip((2, 3), _numbers(images, 2), strict=True):
        side = images.shape[axis]
        size = int(side / 2 + 0.5)
        from_start = _places(images, axis) - (_integers(number, side + 1 - size % 2) - size // 2)
        hidden = hidden & (from_start >= 0) & (from_start < size)
    return images * ~hidden


def _numbers(images: Tensor, count: int) -> list[Tensor]:
    """So many uniform numbers for each image, each `(n, 1, 1, 1)`."""
    if images.ndim != 4:
        raise ValueError(
            f"these augmentations are for images (n, c, h, w), got the shape {tuple(images.shape)}; leave augmentation "
            "out, or give functions for samples of that kind"
        )
    numbers = uniform_after(images, len(images), count).to(images.dtype)
    return [each.view(-1, 1, 1, 1) for each in numbers.unbind(1)]


def _integers(number: Tensor, count: int) -> Tensor:
    """Numbers in [0, 1) -> integers in [0, count); their product may round up to `count`."""
    return (number * count).long().clamp(max=count - 1)


def _places(images: Tensor, axis: int) -> Tensor:
    """0, 1, 2, ... along an axis."""
    shape = [1, 1, 1, 1]
    shape[axis] = images.shape[axis]
    return torch.arange(images.shape[axis], device=images.device).view(shape)
