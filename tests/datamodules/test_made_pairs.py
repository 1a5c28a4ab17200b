"""Pairs of plain pictures, of maps of labels, and of two sizes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from datamodules import MadePairs, PairedFolders
from datamodules.loading import PictureDataModule
from datamodules.making import PALETTE, line_drawings, made_of
from datamodules.pixels import in_channels
from gan_modules.palettes import labelled


def noise(root: Path, count: int, side: int, mode: str = "RGB") -> Path:
    rng = np.random.default_rng(0)
    root.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(root / f"{i:02d}.png")
    return root


def batch(module: PictureDataModule, training: bool = False, epoch: int = 0) -> tuple[Tensor, ...]:
    """All items of a part, finished, as bytes."""
    module.setup("fit")
    items = module.training if training else module.held_out
    finished: Any = module.on_after_batch_transfer(items[epoch, torch.arange(len(items))], 0)
    return tuple(((part + 1) * 127.5).round().to(torch.uint8) for part in finished)


@pytest.mark.parametrize("task", ["grey2colour", "lines2colour", "small2large", "low2high", "holes", "labels2colour"])
def test_sources_are_made_of_any_pictures(task: Any, tmp_path: Path) -> None:
    module = MadePairs(noise(tmp_path, 12, 16), task, image_size=16, flip=False)
    source, target, *hole = batch(module)
    assert len(target) == 2 and source.shape[1] == module.source_channels
    assert module.palette == (PALETTE if task == "labels2colour" else None)
    expected = {
        "grey2colour": lambda: in_channels(target, 1),
        "lines2colour": lambda: line_drawings(target),
        "labels2colour": lambda: labelled(target, PALETTE),
    }
    if task in expected:
        assert torch.equal(source, expected[task]())
    elif task == "holes":
        inside = hole[0] == 255
        assert inside[0, 0].nonzero().aminmax().min == 4 and inside.sum() == 2 * 64
        assert (source[inside.expand_as(source)] == 128).all()
        assert torch.equal(source.masked_fill(inside, 0), target.masked_fill(inside, 0))
    else:
        assert torch.equal(source, made_of(target, task)[0])
        assert source.shape[-1] == (4 if task == "low2high" else 16)


@pytest.mark.parametrize("cache", [0, 2**30])
def test_sources_follow_the_crop_and_the_mirror(tmp_path: Path, cache: int) -> None:
    module = MadePairs(noise(tmp_path, 12, 20), "low2high", image_size=8, load_size=20, cache=cache)
    source, target = batch(module, training=True)
    assert source.shape == (10, 3, 2, 2) and target.shape == (10, 3, 8, 8)
    assert torch.equal(source, made_of(target, "low2high")[0])
    assert not torch.equal(target, batch(module, training=True, epoch=1)[1])


def test_holes_anywhere_are_anew_in_training_and_fixed_when_held_out(tmp_path: Path) -> None:
    module = MadePairs(noise(tmp_path, 40, 16), "holes", "anywhere", image_size=16, flip=False)
    first, again = (batch(module, training=True, epoch=epoch)[2] for epoch in (0, 1))
    assert not torch.equal(first, again) and (first == 255).flatten(1).sum(1).eq(64).all()
    held_out = batch(module)[2]
    assert torch.equal(held_out, batch(module, epoch=3)[2]) and len(held_out.unique(dim=0)) > 1
    assert torch.equal(held_out, batch(MadePairs(tmp_path, "holes", "anywhere", image_size=16, seed=5))[2])


def test_targets_that_cannot_be_quartered(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        MadePairs(tmp_path, "low2high", image_size=18)
    assert MadePairs(tmp_path, "holes", image_size=18).source_channels == 3


@pytest.mark.parametrize("load_size", [8, 20])
def test_sources_of_another_size_are_cropped_where_their_targets_are(tmp_path: Path, load_size: int) -> None:
    """Where each target pixel has the number of its source pixel, a source enlarged is its target."""
    numbers = np.arange(25, dtype=np.uint8).reshape(5, 5) * 10
    for i in range(30):
        small, large = Image.fromarray(numbers), Image.fromarray(numbers.repeat(4, 0).repeat(4, 1))
        for name, picture in (("low", small), ("high", large)):
            (tmp_path / name).mkdir(exist_ok=True)
            picture.save(tmp_path / name / f"{i:02d}.png")
    folders = tmp_path / "low", tmp_path / "high"
    module = PairedFolders(*folders, source_size=2, image_size=8, load_size=load_size)
    source, target = batch(module, training=True)
    assert source.shape == (27, 3, 2, 2) and target.shape == (27, 3, 8, 8)
    if load_size == 20:  # else pictures are resized, which mixes numbers
        assert torch.equal(source.repeat_interleave(4, 2).repeat_interleave(4, 3), target)
        assert len(source.unique(dim=0)) > 10
    source, target = batch(module)
    assert source.shape == (3, 3, 2, 2) and target.shape == (3, 3, 8, 8)


@pytest.mark.parametrize("sizes", [(8, None, 3), (8, 10, 2), (8, None, 16), (8, None, 0)])
def test_sizes_that_are_no_multiples(tmp_path: Path, sizes: tuple[int, int | None, int]) -> None:
    image_size, load_size, source_size = sizes
    with pytest.raises(ValueError, match="source_size"):
        PairedFolders(tmp_path, tmp_path, source_size=source_size, image_size=image_size, load_size=load_size)


def maps(root: Path, colours: list[tuple[int, int, int]], mode: str = "RGB") -> tuple[Path, Path]:
    """Twenty maps of vertical stripes, and pictures of their own, of 10 x 6 pixels."""
    rng = np.random.default_rng(0)
    for i in range(20):
        pixels = np.array(colours, dtype=np.uint8)[rng.integers(0, len(colours), 10)][None].repeat(6, 0)
        for name, picture in (
            ("maps", Image.fromarray(pixels).convert(mode, palette=Image.Palette.ADAPTIVE)),
            ("real", Image.fromarray(pixels)),
        ):
            (root / name).mkdir(exist_ok=True)
            picture.save(root / name / f"{i:02d}.png")
    return root / "maps", root / "real"


@pytest.mark.parametrize("mode", ["RGB", "P", "L"])
def test_maps_have_a_channel_for_each_of_their_colours(tmp_path: Path, mode: str) -> None:
    colours = [(0, 0, 0), (3, 3, 3), (255, 255, 255)] if mode == "L" else [(0, 0, 9), (0, 255, 0), (200, 0, 0)]
    module = PairedFolders(*maps(tmp_path, colours, mode), labels=True, image_size=4)
    assert module.palette == [list(colour) for colour in sorted(colours)] and module.source_channels == 3
    source, target = batch(module)
    assert source.shape == (2, 3, 4, 4) and target.shape == (2, 3, 4, 4)
    assert (source == 255).sum(1).eq(1).all() and source.unique().tolist() == [0, 255], "no colour is mixed"
    source, _ = batch(module, training=True)
    assert source.shape == (18, 3, 4, 4)
    other = PairedFolders(*module.folders, labels=True, image_size=4, palette=[colours[0], colours[1]])
    other.setup("fit")
    assert other.source_channels == 2 and other.fingerprint("held_out") != module.fingerprint("held_out")


def test_what_are_no_maps(tmp_path: Path) -> None:
    noise(tmp_path / "maps", 12, 16)
    with pytest.raises(ValueError, match="more colours than labels"):
        _ = PairedFolders(tmp_path / "maps", tmp_path / "maps", labels=True).palette
    (tmp_path / "one").mkdir()
    maps(tmp_path / "one", [(5, 5, 5)])
    with pytest.raises(ValueError, match="one colour alone"):
        _ = PairedFolders(tmp_path / "one" / "maps", tmp_path / "one" / "real", labels=True).palette
    with pytest.raises(ValueError, match="set labels true"):
        PairedFolders(tmp_path, tmp_path, palette=[[0, 0, 0], [1, 1, 1]])
    assert PairedFolders(tmp_path, tmp_path).palette is None
