"""From the images of a batch to what metrics read: one range, bytes, and equal channels."""

import torch
from torch import Tensor

_AS_BYTES = 16  # a generator may overshoot, but not by so much without ever going below 0
_TOLERANCE = 1e-3  # rounding of half precision and of resizing; an eighth of one step of a byte


def to_floats(images: Tensor, real: bool) -> Tensor:
    """Images as float32 in [-1, 1]; generated ones are clamped to it, data must lie in it.

    Args:
        images: (n, c, h, w), floating point in [-1, 1], or uint8; n may be 0, for a process that has no samples.
        real: whether these are data.

    Raises:
        ValueError: if the images are no such batch, are not finite, are data outside [-1, 1], or are generated images
            that seem to be in [0, 255].
    """
    readable = images.is_floating_point() or images.dtype == torch.uint8
    if images.ndim != 4 or not readable or 0 in images.shape[1:]:
        raise ValueError(
            f"a metric of pictures needs floating-point images (n, c, h, w), got {images.dtype} of shape "
            f"{tuple(images.shape)}; leave this metric out for other data"
        )
    if images.dtype == torch.uint8:
        return images / 127.5 - 1
    low, high = (bound.item() for bound in torch.aminmax(images.detach())) if len(images) else (0.0, 0.0)
    if not (abs(low) < float("inf") and abs(high) < float("inf")):
        kind = "the data" if real else "the generated images"
        raise ValueError(f"a metric needs finite images, but {kind} hold NaN or infinity; look at the losses")
    if real and (low < -1 - _TOLERANCE or high > 1 + _TOLERANCE):
        raise ValueError(f"a metric needs data in [-1, 1], got values from {low:.3g} to {high:.3g}; rescale the data")
    if low >= 0 and high > _AS_BYTES:
        raise ValueError(
            f"a metric needs generated images in [-1, 1], got values from {low:.3g} to {high:.3g}; give x / 127.5 - 1, "
            "or bytes"
        )
    return images.detach().float().clamp(-1, 1)


def to_bytes(images: Tensor, real: bool) -> Tensor:
    """Images in [-1, 1] as bytes in [0, 255], rounded to the nearest.

    A generator without a final tanh overshoots, so what it made is clamped; data must lie in the range.

    Args:
        images: (n, c, h, w), floating point in [-1, 1], or uint8; n may be 0, for a process that has no samples.
        real: whether these are data.

    Raises:
        ValueError: as `to_floats`.

    >>> to_bytes(torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 1, 1, 3), real=True).flatten().tolist()
    [0, 128, 255]
    """
    return ((to_floats(images, real) + 1) * 127.5).round().to(torch.uint8)


def match_channels(images: Tensor, channels: int) -> Tensor:
    """Images, floating-point or uint8, with `channels` channels: grey is repeated, colour becomes its luma (BT.601).

    Raises:
        ValueError: if the two numbers are neither equal nor one and three.
    """
    given = images.shape[1]
    if given == channels:
        return images
    if given == 1:
        return images.expand(-1, channels, -1, -1)
    if (given, channels) == (3, 1):
        weights = torch.tensor([0.299, 0.587, 0.114], device=images.device).reshape(1, 3, 1, 1)
        luma = (images * weights.to(images.dtype if images.is_floating_point() else None)).sum(dim=1, keepdim=True)
        return luma if images.is_floating_point() else luma.round().to(images.dtype)
    raise ValueError(f"expected images with 1 or {channels} channels, got {given}; convert them in the data module")
