"""What is done to a whole batch of pixels at once."""

import torch
from torch import Tensor


def jittered(pictures: Tensor, numbers: Tensor | None, size: int, flip: bool) -> Tensor:
    """Crop each picture (n, c, h, w) to a random square of `size`, then mirror each with probability one half.

    `numbers` (n, 3) are random integers in [0, 2**24), for the mirror, the row and the column; with None nothing is
    varied and the pictures must have the size.
    """
    if numbers is None:
        return pictures
    if pictures.shape[-2:] != (size, size):
        pictures = cropped(pictures, numbers[:, 1:], size)
    if flip:
        mirror = (numbers[:, 0] < 1 << 23).to(pictures.dtype)[:, None, None, None]
        # uint8 wraps around, so this is exact; on the CPU it takes a quarter of the time of torch.where
        return pictures.flip(-1).sub_(pictures).mul_(mirror).add_(pictures)
    return pictures


def cropped(pictures: Tensor, numbers: Tensor, size: int) -> Tensor:
    """Of each picture (n, c, h, w) a square of `size`; `numbers` (n, 2) in [0, 2**24) say its row and column.

    Raises:
        ValueError: if it does not fit.
    """
    n, channels, height, width = pictures.shape
    if size > min(height, width):
        raise ValueError(f"A crop of {size} pixels does not fit into pictures of {height} x {width}.")
    steps = torch.arange(size, device=pictures.device)
    rows = (numbers[:, :1] * (height - size + 1) >> 24) + steps
    columns = (numbers[:, 1:] * (width - size + 1) >> 24) + steps
    items = torch.arange(n, device=pictures.device)[:, None, None, None]
    planes = torch.arange(channels, device=pictures.device)[:, None, None]
    return pictures[items, planes, rows[:, None, :, None], columns[:, None, None, :]]


def scaled(pictures: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """uint8 pictures [0, 255] as numbers in [-1, 1]; computed in float32 at least."""
    return pictures.to(torch.promote_types(dtype, torch.float32), copy=True).div_(127.5).sub_(1).to(dtype)


def to_bytes(pictures: Tensor) -> Tensor:
    """Pictures with values in [0, 255] rounded to uint8."""
    return pictures.round().clamp(0, 255).to(torch.uint8)


def in_channels(pictures: Tensor, channels: int) -> Tensor:
    """uint8 pictures (n, c, h, w) in 1 (luminance of ITU-R BT.601) or 3 channels (three equal ones)."""
    if pictures.shape[1] == channels:
        return pictures
    if channels == 3:
        return pictures.repeat(1, 3, 1, 1)
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    return torch.cat([to_bytes((part * weights).sum(1, keepdim=True)) for part in torch.split(pictures, 1024)])
