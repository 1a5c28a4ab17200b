"""Maps of labels as pictures."""

import pytest
import torch

from gan_modules.palettes import check_palette, labelled

PALETTE = [(0, 0, 0), (255, 0, 0), (0, 0, 255)]


def test_a_colour_is_a_label_and_others_are_their_nearest() -> None:
    pictures = torch.tensor([*PALETTE, (200, 30, 30), (20, 30, 10), (127, 0, 127)], dtype=torch.uint8).T[None, :, None]
    maps = labelled(pictures, PALETTE)
    assert maps.shape == (1, 3, 1, 6) and maps.dtype == torch.uint8 and maps.unique().tolist() == [0, 255]
    assert maps.argmax(1).flatten().tolist() == [0, 1, 2, 1, 0, 0] and (maps == 255).sum(1).eq(1).all()


@pytest.mark.parametrize(
    ("palette", "sentence"),
    [
        ([], "at least two"),
        ([(1, 2, 3)], "at least two"),
        ([(1, 2, 3), (1, 2, 3)], "different"),
        ([1, 2], "at least two"),
        ([(1, 2), (3, 4)], "three numbers"),
        ([(0, 0, 0), (0, 0, 256)], "below 256"),
        ([(0, 0, 0), (0, 0, 0.5)], "whole number"),
    ],
)
def test_what_is_no_palette(palette: list[tuple[int, int, int]], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_palette(palette)
    check_palette(None)
    check_palette(PALETTE)
