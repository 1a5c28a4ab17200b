"""The pure drawing functions, pixel by pixel where that is possible."""

import numpy as np
import pytest
import torch

from gan_modules.callbacks.drawing import grid, scatter, titled_columns


def test_grid_places_images_row_by_row() -> None:
    images = torch.linspace(-1, 1, 6).reshape(6, 1, 1, 1).expand(6, 1, 4, 4)
    picture = np.asarray(grid(images, columns=3, scale=2))
    assert picture.shape == (2 * 9 + 1, 3 * 9 + 1, 3)
    seen = picture[1::9, 1::9, 0][:2, :3]
    assert seen.flatten().tolist() == [0, 51, 102, 153, 204, 255]
    assert (picture[1:9, 10:18] == 51).all()


def test_grid_clamps_and_survives_nan() -> None:
    images = torch.tensor([-9.0, 9.0, torch.nan, torch.inf]).reshape(4, 1, 1, 1).expand(4, 3, 2, 2)
    picture = np.asarray(grid(images, columns=4, scale=1))
    assert picture[1, 1::3, 0][:4].tolist() == [0, 255, 0, 255]


@pytest.mark.parametrize(("size", "columns"), [(8, 8), (28, 10), (32, 8), (64, 8), (128, 4), (256, 8)])
def test_grids_are_enlarged_to_a_good_width(size: int, columns: int) -> None:
    width = grid(torch.zeros(columns, 1, size, size), columns).width
    assert 700 <= width <= 1060 or size * columns > 1024


def test_grid_of_fewer_images_than_columns() -> None:
    assert grid(torch.zeros(2, 3, 8, 8), columns=8, scale=1).size == (2 * 9 + 1, 10)


def test_titled_columns_hold_their_images() -> None:
    dark, bright = torch.full((2, 1, 32, 32), -1.0), torch.full((2, 3, 32, 32), 0.5)
    picture = np.asarray(titled_columns([("x to y", [("source", dark), ("translation", bright)])], scale=3))
    centre = picture.shape[1] // 4, 3 * picture.shape[1] // 4
    assert (picture[-20, centre[0]] == 0).all() and (picture[-20, centre[1]] == 191).all()
    assert (picture[:54] < 100).any()  # titles


def test_columns_of_different_sizes_are_shown_equally_large() -> None:
    small, large = torch.full((1, 1, 16, 16), -1.0), torch.full((1, 1, 64, 64), -1.0)
    picture = np.asarray(titled_columns([("", [("source", small), ("translation", large)])], scale=2))[..., 0]
    assert (picture[-40] == 0).sum() == 256


def test_scatter_shows_both_and_counts_strays() -> None:
    data = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    picture = np.asarray(scatter(data, torch.tensor([[1.0, -1.0], [50.0, 0.0], [torch.nan, 0.0]])))
    assert picture.shape == (512, 512, 3)
    # limits are the data's, times 1.2: x = -1 lies at 44 + 424 / 12
    low, high = 44 + 424 / 12, 512 - 44 - 424 / 12
    assert np.ptp(picture[int(high), int(low)].astype(int)) == 0 and picture[int(high), int(low), 0] < 200
    assert picture[int(high), int(high), 0] > picture[int(high), int(high), 1] + 50
    assert (np.asarray(scatter(data, data)) != picture).any()


@pytest.mark.parametrize("call", [lambda: grid(torch.zeros(0, 3, 4, 4)), lambda: grid(torch.zeros(2, 2))])
def test_bad_images_are_named(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="a picture needs images"):
        call()


def test_bad_points_are_named() -> None:
    with pytest.raises(ValueError, match="a scatter plot needs points"):
        scatter(torch.zeros(3, 3), torch.zeros(3, 3))
