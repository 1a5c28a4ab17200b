"""The pictures that ship: their number, split, sizes, domains and truth."""

from collections import Counter
from importlib.resources import files

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import Emoji, EmojiPairs, EmojiUnpaired
from datamodules.emoji import categories, index, pictures, shrunk, split
from datamodules.loading import PictureDataModule
from datamodules.making import PALETTE, line_drawings
from datamodules.order import Batches
from datamodules.pixels import in_channels

HELD_OUT = split()[1]


def ready(module: PictureDataModule) -> tuple[Batches, Batches]:
    module.setup("fit")
    return module.training, module.held_out


def test_what_ships() -> None:
    assert pictures("noto").shape == pictures("twemoji").shape == (3786, 3, 64, 64)
    names = [picture["code_points"] for picture in index()["pictures"]]
    assert len(names) == len(set(names)) == 3786 and names == sorted(names)
    assert len(index()["categories"]) == 9 and categories().unique().tolist() == list(range(9))
    assert min(Counter(categories().tolist()).values()) > 80
    smiley = names.index("1f600")
    assert index()["pictures"][smiley]["category"] == "Smileys & Emotion"
    for style in ("noto", "twemoji"):
        colour = pictures(style)[smiley].float().mean((1, 2))
        assert colour[0] > colour[2] + 60 and colour[1] > colour[2] + 30, "a smiley is yellow"
        assert (pictures(style)[:, :, 0, 0] == 255).all(1).float().mean() > 0.9, "the background is white"


def test_licences_ship() -> None:
    assets = files("datamodules") / "assets"
    assert "Version 2.0, January 2004" in (assets / "LICENSE-Apache-2.0.txt").read_text()
    assert "Attribution 4.0 International" in (assets / "LICENSE-CC-BY-4.0.txt").read_text()
    attribution = (assets / "ATTRIBUTION.md").read_text()
    assert "Google" in attribution and "Twitter" in attribution


def test_split() -> None:
    assert sorted(HELD_OUT.tolist()) == list(range(0, 3786, 10))
    assert len(set((HELD_OUT[:12] // 379).tolist())) >= 8  # the first ones come from all over
    training, held_out = ready(Emoji(labels=True))
    assert len(training) == 3407 and len(held_out) == 379
    raw = held_out[0, torch.arange(379)]
    assert torch.equal(raw.columns[0], pictures("noto")[HELD_OUT])
    assert raw.labels is not None and torch.equal(raw.labels, categories()[HELD_OUT])
    assert torch.equal(training[0, torch.tensor([0, 9])].columns[0], pictures("noto")[[1, 11]])


@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_sizes_average_areas(size: int) -> None:
    x = pictures("noto")[:600:7]
    k = 64 // size
    expected = x.double().reshape(-1, 3, size, k, size, k).mean((3, 5))
    small = shrunk(x, size)
    assert small.dtype == torch.uint8 and (small - expected).abs().max() <= 0.5


@pytest.mark.parametrize("size", [4, 17, 48, 128])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"image_size must be 8 or 16 or 32 or 64, got {size}"):
        Emoji(image_size=size)


def test_unpaired_halves_are_disjoint_and_the_truth_is_aligned() -> None:
    training, held_out = ready(EmojiUnpaired("noto2twemoji"))
    x, y = training.columns
    assert len(x) == 1704 and len(y) == 1703 and len(held_out) == 379
    rest = torch.tensor([i for i in range(3786) if i % 10])
    assert torch.equal(x[torch.arange(1704)], pictures("noto")[rest[::2]])
    assert torch.equal(y[torch.arange(1703)], pictures("twemoji")[rest[1::2]])
    x, y, x_as_y, y_as_x = held_out[0, torch.arange(379)].columns
    assert torch.equal(x, pictures("noto")[HELD_OUT]) and torch.equal(y, pictures("twemoji")[HELD_OUT])
    assert torch.equal(x_as_y, y) and torch.equal(y_as_x, x)


@pytest.mark.parametrize("size", [32, 64])
def test_lines_against_colour(size: int) -> None:
    module = EmojiUnpaired("lines2colour", image_size=size)
    training, held_out = ready(module)
    lines, colour = training.columns[0][torch.arange(1704)], training.columns[1][torch.arange(1703)]
    assert lines.shape == (1704, 3, size, size) and colour.shape == (1703, 3, size, size)
    assert (lines[:, 0] == lines[:, 1]).all() and (lines[:, 0] == lines[:, 2]).all()
    x, y, x_as_y, y_as_x = held_out[0, torch.arange(379)].columns
    assert torch.equal(x, in_channels(line_drawings(pictures("noto")[HELD_OUT], size), 3))
    assert torch.equal(x_as_y, shrunk(pictures("noto")[HELD_OUT], size)) and torch.equal(y_as_x, x)


def test_line_drawings_are_lines() -> None:
    disc = torch.full((1, 3, 64, 64), 255, dtype=torch.uint8)
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    radius = ((rows - 31.5) ** 2 + (columns - 31.5) ** 2).sqrt()
    disc[0, 1:, radius < 20] = 0
    drawing = line_drawings(disc)[0, 0]
    ink = drawing < 128
    assert (radius[ink] - 20).abs().max() < 1.6, "only the outline is drawn"
    angles = torch.atan2(rows - 31.5, columns - 31.5)[ink]
    assert angles.sort().values.diff().max() < 0.2, "the outline is closed"
    assert (drawing[radius < 17] == 255).all() and (drawing[radius > 23] == 255).all(), "nothing is filled"
    assert ink.sum() < 2.5 * 2 * 3.1416 * 20, "the line is thin"
    drawings = line_drawings(pictures("noto")[::50])
    share = (drawings < 128).float().mean((1, 2, 3))
    assert share.median() < 0.15 and share.min() > 0.01, "mostly white, nowhere empty"


@pytest.mark.parametrize(
    ("task", "source_channels"), [("grey2colour", 1), ("lines2colour", 1), ("small2large", 3), ("labels2colour", 8)]
)
def test_pairs(task: str, source_channels: int) -> None:
    module = EmojiPairs(task, image_size=32)  # type: ignore[arg-type]
    assert (module.source_channels, module.channels, module.num_classes) == (source_channels, 3, 0)
    training, held_out = ready(module)
    assert len(training) == 3407 and len(held_out) == 379
    source, target = held_out[0, torch.arange(379)].columns
    assert source.shape == (379, source_channels, 32, 32)
    assert torch.equal(target, shrunk(pictures("noto")[HELD_OUT], 32))
    if task == "grey2colour":
        assert torch.equal(source, in_channels(target, 1))
    if task == "lines2colour":
        assert torch.equal(source, line_drawings(pictures("noto")[HELD_OUT], 32))
    if task == "small2large":
        error = (source.float() - target.float()).abs().mean()
        assert 1 < error < 30, "blurred, and still the same picture"
        areas = torch.nn.functional.avg_pool2d(torch.stack([source, target]).flatten(0, 1).float(), 4)
        assert (areas[:379] - areas[379:]).abs().mean() < 6


def test_pairs_stay_aligned_under_flips() -> None:
    module = EmojiPairs("grey2colour", image_size=16, seed=1)
    module.setup("fit")
    raw = module.training[4, torch.arange(64)]
    source, target = module.on_after_batch_transfer(raw, 0)  # type: ignore[misc]
    grey = (target * torch.tensor([0.299, 0.587, 0.114]).reshape(3, 1, 1)).sum(1, keepdim=True)
    assert (grey - source).abs().max() < 0.01
    unflipped = raw.columns[1].float() / 127.5 - 1
    flipped = [not torch.equal(a, b) for a, b in zip(target, unflipped, strict=True)]
    assert 15 < sum(flipped) < 49


def test_grey_emoji_and_class_names() -> None:
    module = Emoji("twemoji", labels=True, image_size=16, channels=1)
    assert module.num_classes == 9 and "Food & Drink" in module.class_names
    training, _ = ready(module)
    assert training[0, torch.arange(2)].columns[0].shape == (2, 1, 16, 16)
    assert Emoji().num_classes == 0 and Emoji().class_names == []


def test_low_and_high_resolution_flip_alike() -> None:
    module = EmojiPairs("low2high", image_size=32, seed=1)
    assert (module.source_channels, module.channels) == (3, 3)
    training, held_out = ready(module)
    source, target = held_out[0, torch.arange(379)].columns
    assert source.shape == (379, 3, 8, 8) and torch.equal(target, shrunk(pictures("noto")[HELD_OUT], 32))
    small, large = module.on_after_batch_transfer(training[2, torch.arange(40)], 0)  # type: ignore[misc]
    areas = torch.nn.functional.avg_pool2d(large, 4)
    assert (areas - small).abs().mean() < 0.08 < (areas.flip(-1) - small).abs().mean()
    theirs = Image.fromarray(target[0].permute(1, 2, 0).numpy()).resize((8, 8), Image.Resampling.BICUBIC)
    assert np.abs(np.array(theirs, int) - source[0].permute(1, 2, 0).numpy()).max() <= 1


@pytest.mark.parametrize("hole", ["centre", "anywhere"])
def test_holes(hole: str) -> None:
    module = EmojiPairs("holes", image_size=16, batch_size=32, hole=hole)  # type: ignore[arg-type]
    training, held_out = ready(module)
    source, target, mask = module.on_after_batch_transfer(held_out[0, torch.arange(379)], 0)  # type: ignore[misc]
    assert source.shape == target.shape == (379, 3, 16, 16) and mask.shape == (379, 1, 16, 16)
    inside = (mask > 0).expand_as(target)
    assert mask.unique().tolist() == [-1, 1] and ((mask > 0).sum((1, 2, 3)) == 64).all()
    assert source[inside].unique().tolist() == [pytest.approx(1 / 255, abs=1e-6)] and torch.equal(
        source[~inside], target[~inside]
    )
    assert torch.equal(target, shrunk(pictures("noto")[HELD_OUT], 16) / 127.5 - 1)
    corners = {tuple((each[0] > 0).nonzero()[0].tolist()) for each in mask}
    assert corners == {(4, 4)} if hole == "centre" else len(corners) > 70
    again = EmojiPairs("holes", image_size=16, hole=hole, seed=9)  # type: ignore[arg-type]
    assert torch.equal(ready(again)[1][0, torch.arange(9)].columns[2], held_out[0, torch.arange(9)].columns[2])
    shown = [module.on_after_batch_transfer(training[epoch, torch.arange(64)], 0) for epoch in (0, 1, 1)]
    (_, _, first), (source, target, second), (_, _, third) = shown  # type: ignore[misc]
    assert torch.equal(second, third) and torch.equal(first, second) == (hole == "centre")
    inside = (second > 0).expand_as(target)
    assert source[inside].unique().numel() == 1 and torch.equal(source[~inside], target[~inside])
    plain = EmojiPairs("grey2colour", image_size=16)
    plain.setup("fit")
    assert torch.equal(target, plain.on_after_batch_transfer(plain.training[1, torch.arange(64)], 0)[1])  # type: ignore
    assert module.fingerprint("training") != again.fingerprint("held_out")


def test_a_random_hole_follows_the_picture_and_not_the_batch() -> None:
    module = EmojiPairs("holes", image_size=16, hole="anywhere", flip=False)
    training, _ = ready(module)
    whole = module.on_after_batch_transfer(training[3, torch.arange(20)], 0)
    part = module.on_after_batch_transfer(training[3, torch.arange(1, 20, 2)], 0)
    assert all(torch.equal(a[1::2], b) for a, b in zip(whole, part, strict=True))  # type: ignore[call-overload]


def test_labels_are_the_nearest_colours_of_the_palette() -> None:
    module = EmojiPairs("labels2colour", image_size=16, flip=False)
    _, held_out = ready(module)
    labels, target = held_out[0, torch.arange(5)].columns
    shown = target.permute(0, 2, 3, 1).reshape(-1, 3).double().numpy()
    distances = ((shown[:, None] - np.array(PALETTE, dtype=float)[None]) ** 2).sum(2)
    assert (labels.permute(0, 2, 3, 1).reshape(-1, 8) == 255).int().argmax(1).tolist() == distances.argmin(1).tolist()
    assert labels.unique().tolist() == [0, 255] and (labels == 255).sum(1).eq(1).all()
    assert module.palette == PALETTE and EmojiPairs().palette is None
    assert EmojiPairs("labels2colour").source_channels == 8
