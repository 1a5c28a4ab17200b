"""Holes in pictures: where they are, what is kept around them, and what fills them."""

import torch
from torch import Tensor


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
