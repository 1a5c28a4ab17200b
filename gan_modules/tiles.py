"""Large pictures in overlapping tiles, which are blended where they overlap."""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import pad

from gan_modules import checks

_OVERLAP = 4  # a tile shares this part of its side with its neighbour


def tiled(translate: Callable[[Tensor], Tensor], source: Tensor, multiple: int, tile: int | None = None) -> Tensor:
    """A picture translated in tiles, so that memory is needed for one of them at a time.

    Tiles share at least a quarter of their sides with each neighbour. The outer quarter of it counts for nothing in the
    tile whose edge it is, and further in tiles are blended linearly: networks that look no further than a sixteenth of
    a tile make of the tiles what they make of the whole. Norms of single pictures look as far as the picture goes.

    Args:
        translate: maps pictures (1, c, h, w), whose sides `multiple` divides, to pictures (1, c', s h, s w).
        source: the picture, (1, c, h, w) of any size; it is padded by its last row and column.
        multiple: see above.
        tile: side of a tile, which `multiple` divides; None: the picture is one tile.

    Returns:
        The translation (1, c', s h, s w).

    Raises:
        ValueError: if `multiple` does not divide the tile.
    """
    checks.whole(1, multiple=multiple, tile=multiple if tile is None else tile)
    if tile is not None and tile % multiple:
        raise ValueError(f"tile must be a multiple of {multiple}, got {tile}; {tile + -tile % multiple} is one")
    height, width = source.shape[-2:]
    windows = [side + -side % multiple for side in (height, width)]
    windows = windows if tile is None else [min(window, tile) for window in windows]
    source = pad(source, (0, max(windows[1] - width, 0), 0, max(windows[0] - height, 0)), mode="replicate")
    rows, columns = (_starts(side, window) for side, window in zip(source.shape[-2:], windows, strict=True))
    made = [] if len(rows) * len(columns) > 1 else [translate(source)]
    whole = made[0] if made else _blended(translate, source, (rows, columns), windows)
    scale = whole.shape[-1] // source.shape[-1]
    return whole[..., : scale * height, : scale * width]


def _starts(side: int, window: int) -> list[int]:
    """Where windows begin that cover a side evenly: [0] where one does."""
    if side <= window:
        return [0]
    count = -(-(side - window) // (window - window // _OVERLAP)) + 1
    return [(side - window) * place // (count - 1) for place in range(count)]


def _blended(
    translate: Callable[[Tensor], Tensor], source: Tensor, starts: tuple[list[int], list[int]], windows: list[int]
) -> Tensor:
    height, width = windows
    total, weights = source.new_zeros(0), source.new_zeros(0)
    for top, left in product(*starts):
        made = translate(source[..., top : top + height, left : left + width])
        scale = made.shape[-1] // width
        if not len(total):
            total = made.new_zeros(*made.shape[:2], *(scale * side for side in source.shape[-2:]))
            weights = total.new_zeros(total.shape[-2:])
        own = _ramp(starts[0], top, scale * height, made)[:, None] * _ramp(starts[1], left, scale * width, made)
        place = (..., slice(scale * top, scale * (top + height)), slice(scale * left, scale * (left + width)))
        total[place] += own * made
        weights[place] += own
    return total.div_(weights)


def _ramp(starts: list[int], start: int, window: int, like: Tensor) -> Tensor:
    """Weights of a tile along one side: 1, but falling to 0 where a neighbour goes on."""
    places = torch.arange(window, device=like.device, dtype=torch.float64) + 0.5
    shared = window / _OVERLAP
    ends = [places] * (start != starts[0]) + [window - places] * (start != starts[-1])
    weights = torch.ones_like(places)
    for end in ends:
        weights = weights * ((end - shared / 4) / (shared / 2)).clamp(0, 1)
    return weights.to(like.dtype)
