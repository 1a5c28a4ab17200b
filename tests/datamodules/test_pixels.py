"""Flips, crops and scaling of whole batches, against slices of single pictures."""

import pytest
import torch

from datamodules.loading import PictureDataModule
from datamodules.order import random_numbers
from datamodules.pixels import in_channels, jittered, scaled, to_bytes


def pictures(n: int = 40, c: int = 3, h: int = 11, w: int = 9) -> torch.Tensor:
    return torch.randint(0, 256, (n, c, h, w), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("size", [1, 5, 9])
def test_crop_and_flip_equal_slices(size: int, flip: bool) -> None:
    x, numbers = pictures(), random_numbers(3, torch.arange(40), 3)
    done = jittered(x, numbers, size, flip)
    assert done.is_contiguous() and done.dtype == torch.uint8
    for before, after, (mirror, row, column) in zip(x, done, (numbers / 2**24).tolist(), strict=True):
        top, left = int(row * (12 - size)), int(column * (10 - size))
        expected = before[:, top : top + size, left : left + size]
        assert torch.equal(after, expected.flip(-1) if flip and mirror < 0.5 else expected)


def test_crops_reach_every_place_and_no_further() -> None:
    x = torch.arange(25, dtype=torch.uint8).reshape(1, 1, 5, 5).expand(4000, -1, -1, -1)
    corners = jittered(x, random_numbers(0, torch.arange(4000), 3), 3, False)[:, 0, 0, 0]
    values, counts = corners.unique(return_counts=True)
    assert values.tolist() == [0, 1, 2, 5, 6, 7, 10, 11, 12]
    assert counts.min() > 380
    last = jittered(x[:1], torch.full((1, 3), 2**24 - 1), 3, False)
    assert last[0, 0, 0, 0] == 12


def test_nothing_varies_without_numbers() -> None:
    x = pictures()
    assert jittered(x, None, 9, True) is x


def test_crop_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        jittered(pictures(2), random_numbers(0, torch.arange(2), 3), 10, False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_scaling_goes_there_and_back(dtype: torch.dtype) -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    x = scaled(levels, dtype)
    assert x.dtype == dtype and x[0] == -1 and x[255] == 1
    if dtype in (torch.float32, torch.float64):
        assert torch.equal(((x + 1) * 127.5).round().to(torch.uint8), levels)
    exact = levels.double() / 127.5 - 1
    assert (x.double() - exact).abs().max() <= torch.finfo(dtype).eps


def test_channels() -> None:
    x = pictures()
    grey = in_channels(x, 1)
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64).reshape(3, 1, 1)
    assert ((x * weights).sum(1, keepdim=True) - grey).abs().max() <= 0.5001
    assert torch.equal(in_channels(grey, 3), grey.repeat(1, 3, 1, 1))
    assert in_channels(x, 3) is x
    assert to_bytes(torch.tensor([-3.0, 0.4, 0.6, 300.0])).tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"image_size": 0}, "image_size must be a whole number of at least 1, got 0"),
        ({"channels": 4}, "channels must be 1 or 3, got 4"),
        ({"num_workers": -1}, "num_workers must be a whole number of at least 0, got -1"),
    ],
)
def test_arguments_are_checked(changed: dict[str, int], message: str) -> None:
    given = {"batch_size": 4, "image_size": 8, "channels": 3, "flip": True, "num_workers": 0, "seed": 0}
    with pytest.raises(ValueError, match=message):
        PictureDataModule(**{**given, **changed})  # type: ignore[arg-type]


def test_seed_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    assert PictureDataModule(4, 8, 3, True, 0, None).seed == 0
    monkeypatch.setenv("PL_GLOBAL_SEED", "17")
    assert PictureDataModule(4, 8, 3, True, 0, None).seed == 17
    assert PictureDataModule(4, 8, 3, True, 0, 5).seed == 5


def test_foreign_batches_pass() -> None:
    batch = [torch.zeros(2)]
    assert PictureDataModule(4, 8, 3, True, 0, 0).on_after_batch_transfer(batch, 0) is batch
