"""Maps of labels as pictures: a colour is a label."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from gan_modules import checks

Palette = Sequence[Sequence[int]]
"""Colours (red, green, blue), from 0 to 255, in the order of their labels."""


def check_palette(palette: Palette | None) -> None:
    """Raise ValueError unless it is None, or at least two colours, all of them different."""
    if palette is None:
        return
    given = palette if isinstance(palette, (list, tuple)) else ()
    rows = [tuple(colour) for colour in given if isinstance(colour, (list, tuple))]
    if len(rows) != len(given) or len(set(rows)) != len(rows) or len(rows) < 2:
        raise ValueError(f"palette must be at least two different colours, got {palette}; [[0,0,0],[255,0,0]] are two")
    for place, colour in enumerate(rows):
        if len(colour) != 3:
            raise ValueError(f"palette[{place}] must be three numbers, got {list(colour)}; [255,0,0] is red")
        checks.whole(0, 256, **{f"palette[{place}]": each for each in colour})


def labelled(pictures: Tensor, palette: Palette) -> Tensor:
    """Which colour of a palette is nearest (in RGB) at each pixel, of equally near ones the first.

    Args:
        pictures: uint8 (n, 3, h, w).
        palette: of l colours.

    Returns:
        Maps uint8 (n, l, h, w), 255 or 0.

    >>> labelled(torch.tensor([250, 9, 9], dtype=torch.uint8)[None, :, None, None], [(0, 0, 0), (255, 0, 0)]).flatten()
    tensor([  0, 255], dtype=torch.uint8)
    """
    colours = torch.tensor([tuple(colour) for colour in palette], dtype=torch.int32, device=pictures.device)
    maps = []
    for part in torch.split(pictures.int(), 256):
        distances = torch.stack([(part - colour[:, None, None]).square().sum(1) for colour in colours], dim=1)
        maps.append(one_hot(distances.argmin(1), len(colours)).permute(0, 3, 1, 2).to(torch.uint8) * 255)
    return torch.cat(maps)
