"""Holes in pictures: where they are, what is kept around them, and what fills them."""

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

GREY = 128
"""What pictures of bytes hold in their holes."""


def squares(corners: Tensor, hole: int, height: int, width: int) -> Tensor:
    """Which pixels lie in a square: bool (n, 1, height, width).

    Args:
        corners: row and column of each square's first pixel, integers (n, 2).
        hole: the square's side.
        height, width: of the pictures.

    >>> squares(torch.tensor([[0, 1]]), 2, 3, 4)[0, 0].int().tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    rows, columns = (
        torch.arange(count, device=corners.device) - corners[:, place, None]
        for place, count in enumerate((height, width))
    )
    inside = [(each >= 0) & (each < hole) for each in (rows, columns)]
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]


def centred(images: Tensor, hole: int) -> Tensor:
    """The square of side `hole` in the middle of images (n, c, h, w), in their dtype: (n, 1, h, w), 1 inside.

    >>> centred(torch.zeros(1, 3, 4, 4), 2)[0, 0].int().tolist()
    [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    n, _, height, width = images.shape
    corners = torch.tensor([(height - hole + 1) // 2, (width - hole + 1) // 2], device=images.device)
    return squares(corners.expand(n, 2), hole, height, width).to(images.dtype)


def around(hole: Tensor, width: int | None) -> Tensor:
    """Holes with the `width` pixels around them (None: with all of the picture), 1 inside and 0 elsewhere.

    Args:
        hole: (n, 1, h, w), 1 inside and 0 elsewhere.
        width: of the border, in pixels.

    >>> around(torch.tensor([0.0, 0, 0, 1, 0]).expand(1, 1, 1, 5), 1).flatten().tolist()
    [0.0, 0.0, 1.0, 1.0, 1.0]
    """
    if width is None:
        return torch.ones_like(hole)
    return max_pool2d(hole, 2 * width + 1, stride=1, padding=width)
