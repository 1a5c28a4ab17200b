"""What the networks ask of their sizes and inputs, with errors that say what to do."""

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_modules import checks


def base_and_doublings(image_size: int) -> tuple[int, int]:
    """Write `image_size` as base * 2**doublings, with a base of 4 to 7 pixels and at least one doubling.

    Raises:
        ValueError: if there is no such base.

    >>> base_and_doublings(64), base_and_doublings(28)
    ((4, 4), (7, 2))
    """
    checks.whole(8, image_size=image_size)
    base, doublings = image_size, 0
    while base >= 8 and base % 2 == 0:
        base, doublings = base // 2, doublings + 1
    if doublings == 0 or base > 7:
        raise ValueError(
            f"image_size must be 4, 5, 6 or 7 times a power of two, at least 8 (as 28, 32, 48, 64), got {image_size}: "
            "resize the images."
        )
    return base, doublings


def power_of_two(image_size: int, smallest: int) -> int:
    """The exponent of `image_size`, a power of two no smaller than `smallest`.

    Raises:
        ValueError: if it is neither.

    >>> power_of_two(64, smallest=16)
    6
    """
    checks.whole(1, image_size=image_size)
    if image_size < smallest or image_size & (image_size - 1):
        raise ValueError(
            f"image_size must be a power of two, at least {smallest}, got {image_size}: resize or crop the images."
        )
    return image_size.bit_length() - 1


def check_images(images: Tensor, channels: int, image_size: int | None = None) -> None:
    """Refuse a batch that is not (n, channels, h, w), with h = w = `image_size` where that is given.

    Raises:
        ValueError: if it is not.
    """
    size = (channels, *images.shape[2:]) if image_size is None else (channels, image_size, image_size)
    if images.dim() != 4 or tuple(images.shape[1:]) != size:
        side = "height x width" if image_size is None else f"{image_size} x {image_size}"
        raise ValueError(
            f"Expected a batch of {channels} x {side} images, got the shape {tuple(images.shape)}: "
            "make the network's channels and image_size those of the data."
        )


def check_features(features: Tensor, count: int, name: str = "latent_dim") -> None:
    """Refuse a batch that is not (n, count), where `count` is the network's argument `name`.

    Raises:
        ValueError: if it is not.
    """
    if features.dim() != 2 or features.shape[1] != count:
        raise ValueError(
            f"Expected (n, {count}), because the network has {name}={count}, got the shape {tuple(features.shape)}: "
            "make the sizes of the networks and the module agree."
        )


def check_shape(samples: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a batch that is not (n, *shape).

    Raises:
        ValueError: if it is not.
    """
    if tuple(samples.shape[1:]) != shape:
        raise ValueError(
            f"Expected samples of shape {shape}, got {tuple(samples.shape[1:])}: "
            "make the network's shape that of the data."
        )


def join_labels(z: Tensor, labels: Tensor | None, latent_dim: int, num_classes: int) -> Tensor:
    """Append the one-hot labels (n,) to the latents (n, latent_dim); with no classes there must be no labels.

    Raises:
        ValueError: if labels are missing, or given to a network that has no classes, or the latents have another size.
    """
    check_features(z, latent_dim)
    if (labels is None) != (num_classes == 0):
        given = "no labels" if labels is None else "labels"
        raise ValueError(f"The network has num_classes={num_classes} but was given {given}: make the two agree.")
    return z if labels is None else torch.cat([z, F.one_hot(labels, num_classes).to(z.dtype)], dim=1)
