"""Folders: who trains, who is held out, what belongs together, and what cannot be used."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from datamodules import ImageFolder, PairedFolders, SideBySide, UnpairedFolders
from datamodules.order import Batches


def paint(path: Path, level: int, size: tuple[int, int] = (10, 8)) -> Path:
    """A picture of one colour, (level, 0, 0)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, 0, 0)).save(path)
    return path


def levels(column: Tensor) -> list[int]:
    return column[:, 0, 0, 0].tolist()


def everything(batches: Batches) -> list[list[int]]:
    return [levels(column) for column in batches[0, torch.arange(len(batches))].columns]


def numbered(root: Path, count: int, start: int = 0) -> None:
    for i in range(start, start + count):
        paint(root / f"{i:03d}.png", i)


@pytest.mark.parametrize("cache", [0, 2**30])
def test_every_tenth_is_held_out(tmp_path: Path, cache: int) -> None:
    numbered(tmp_path, 25)
    module = ImageFolder(tmp_path, image_size=8, cache=cache)
    module.setup("fit")
    assert everything(module.held_out) == [[0, 10, 20]]
    assert everything(module.training) == [[i for i in range(25) if i % 10]]
    assert module.training.in_memory == bool(cache)
    assert module.training[0, torch.tensor([0])].columns[0].shape == (1, 3, 8, 8)
    assert module.num_classes == 0


@pytest.mark.parametrize("train", ["train", ""])
@pytest.mark.parametrize("held_out", ["val", "test"])
def test_subfolders_say_who_is_held_out(tmp_path: Path, train: str, held_out: str) -> None:
    numbered(tmp_path / train / "cats", 3)
    numbered(tmp_path / train / "dogs", 2, start=100)
    numbered(tmp_path / held_out / "dogs", 2, start=150)
    module = ImageFolder(tmp_path, labels=True, image_size=8, flip=False)
    assert module.class_names == ["cats", "dogs"] and module.num_classes == 2
    module.setup("fit")
    assert everything(module.training) == [[0, 1, 2, 100, 101]] and everything(module.held_out) == [[150, 151]]
    raw = module.training[0, torch.arange(5)]
    assert raw.labels is not None and raw.labels.tolist() == [0, 0, 0, 1, 1]
    x, labels = module.on_after_batch_transfer(module.held_out[0, torch.arange(2)], 0)  # type: ignore[misc]
    assert labels.tolist() == [1, 1] and labels.dtype == torch.int64
    assert torch.allclose(x[:, 0, 0, 0], torch.tensor([150, 151]) / 127.5 - 1)


def test_classes_that_do_not_fit(tmp_path: Path) -> None:
    numbered(tmp_path / "train" / "cats", 3)
    numbered(tmp_path / "val" / "dogs", 3)
    with pytest.raises(ValueError, match="has the class dogs, which has no training pictures"):
        ImageFolder(tmp_path, labels=True, image_size=8).setup("fit")
    paint(tmp_path / "train" / "stray.png", 0)
    with pytest.raises(ValueError, match="stray.png is in no subfolder"):
        ImageFolder(tmp_path, labels=True, image_size=8).setup("fit")


@pytest.mark.parametrize("cache", [0, 2**30])
def test_unreadable_pictures_are_listed_or_skipped(tmp_path: Path, cache: int) -> None:
    for name in ("cats", "dogs"):
        numbered(tmp_path / "train" / name, 8)
        numbered(tmp_path / "val" / name, 2)
    (tmp_path / "train" / "cats" / "001.png").write_bytes(b"")
    (tmp_path / "train" / "cats" / "003.png").write_text("<html></html>")
    noise = np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    (tmp_path / "train" / "dogs" / "zz.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:2000])
    (tmp_path / "whole.jpg").unlink()
    module = ImageFolder(tmp_path, labels=True, image_size=8, cache=cache, flip=False)
    count = "3 of 17" if cache else "2 of 17"  # on demand, damage shows when a picture is decoded
    with pytest.raises(
        ValueError, match=rf"{count} pictures cannot be read: .*001.png is empty; .*003.png is not a pic"
    ):
        module.setup("fit")
    module = ImageFolder(tmp_path, labels=True, image_size=8, cache=cache, unreadable="skip", flip=False)
    with pytest.warns(UserWarning, match="3 of 17 pictures cannot be read.*They are left out"):
        module.setup("fit")
    raw = module.training[0, torch.arange(14)]
    assert levels(raw.columns[0]) == [0, 2, 4, 5, 6, 7, *range(8)] and len(module.training) == 14
    assert raw.labels is not None and raw.labels.tolist() == [0] * 6 + [1] * 8


def test_nothing_readable(tmp_path: Path) -> None:
    for i in range(12):
        (tmp_path / f"{i:02d}.jpg").touch()
    with pytest.raises(
        ValueError, match=r"10 of 10 pictures cannot be read: .*01.jpg is empty;.*; and 5 more\. Repair"
    ):
        ImageFolder(tmp_path, unreadable="skip").setup("fit")


def test_missing_empty_and_tiny_folders(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no folder .*missing"):
        ImageFolder(tmp_path / "missing").setup("fit")
    with pytest.raises(ValueError, match="There are no pictures in"):
        ImageFolder(tmp_path).setup("fit")
    numbered(tmp_path, 1)
    with pytest.raises(ValueError, match="1 pictures leave none for training"):
        ImageFolder(tmp_path).setup("fit")
    with pytest.raises(ValueError, match="load_size must be a whole number of at least 64, got 32"):
        ImageFolder(tmp_path, load_size=32)
    with pytest.raises(ValueError, match="background is a colour"):
        ImageFolder(tmp_path, background="blurple")
    with pytest.raises(ValueError, match="held_out_every must be a whole number of at least 2"):
        ImageFolder(tmp_path, held_out_every=1)


def test_training_pictures_are_cropped_from_the_load_size(tmp_path: Path) -> None:
    gradient = np.arange(12, dtype=np.uint8)[None].repeat(12, 0)
    for i in range(20):
        Image.fromarray(gradient).save(tmp_path / f"{i:02d}.png")
    module = ImageFolder(tmp_path, image_size=8, load_size=12, channels=1, flip=False)
    module.setup("fit")
    raw = module.training[0, torch.arange(18)]
    assert raw.columns[0].shape == (18, 1, 12, 12)
    x = module.on_after_batch_transfer(raw, 0)
    assert isinstance(x, Tensor) and x.shape == (18, 1, 8, 8)
    starts = ((x[:, 0, 0, 0] + 1) * 127.5).round().long()
    assert set(starts.tolist()) <= set(range(5)) and len(starts.unique()) > 2
    assert module.held_out[0, torch.arange(2)].columns[0].shape == (2, 1, 8, 8)


@pytest.mark.parametrize("cache", [0, 2**30])
def test_unpaired_domains_of_unequal_size(tmp_path: Path, cache: int) -> None:
    numbered(tmp_path / "trainA", 7)
    numbered(tmp_path / "trainB", 4, start=100)
    numbered(tmp_path / "testA", 2, start=20)
    numbered(tmp_path / "testB", 3, start=120)
    module = UnpairedFolders(tmp_path, image_size=8, cache=cache)
    module.setup("fit")
    assert len(module.training) == 7
    x, y = everything(module.training)
    assert sorted(x) == list(range(7)) and set(y) == {100, 101, 102, 103}
    assert everything(module.held_out) == [[20, 21, 20], [120, 121, 122]]
    assert module.channels == 3 and module.num_classes == 0


def test_unpaired_truth_goes_by_name(tmp_path: Path) -> None:
    numbered(tmp_path / "trainA", 3)
    numbered(tmp_path / "trainB", 3)
    paint(tmp_path / "testA" / "one.png", 1)
    paint(tmp_path / "testA" / "two.png", 2)
    paint(tmp_path / "testB" / "two.bmp", 102)
    paint(tmp_path / "testB" / "one.bmp", 101)
    module = UnpairedFolders(tmp_path, truth=True, image_size=8)
    module.setup("fit")
    assert everything(module.held_out) == [[1, 2], [101, 102], [101, 102], [1, 2]]
    paint(tmp_path / "testB" / "three.png", 3)
    with pytest.raises(ValueError, match="1 pictures of .* have no partner of the same name, three for one"):
        UnpairedFolders(tmp_path, truth=True).setup("fit")


def test_unpaired_folders_that_are_incomplete(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        UnpairedFolders(tmp_path / "missing").setup("fit")
    numbered(tmp_path / "trainA", 12)
    with pytest.raises(FileNotFoundError, match="trainB"):
        UnpairedFolders(tmp_path).setup("fit")
    numbered(tmp_path / "trainB", 12)
    with pytest.raises(ValueError, match="truth needs the folders testA and testB"):
        UnpairedFolders(tmp_path, truth=True).setup("fit")
    module = UnpairedFolders(tmp_path, image_size=8)
    module.setup("fit")
    assert len(module.training) == 10 and everything(module.held_out) == [[0, 10], [0, 10]]
    numbered(tmp_path / "testA", 2)
    with pytest.raises(ValueError, match="only one of testA and testB"):
        UnpairedFolders(tmp_path).setup("fit")


@pytest.mark.parametrize("direction", ["left2right", "right2left"])
def test_side_by_side(tmp_path: Path, direction: str) -> None:
    for i in range(12):
        both = np.zeros((8, 16, 3), np.uint8)
        both[:, :8, 0], both[:, 8:, 0] = i, 100 + i
        Image.fromarray(both).save(tmp_path / f"{i:02d}.png")
    module = SideBySide(tmp_path, direction, image_size=8)  # type: ignore[arg-type]
    module.setup("fit")
    source, target = everything(module.training)
    source, target = (source, target) if direction == "left2right" else (target, source)
    assert source == [i for i in range(12) if i % 10] and target == [100 + i for i in source]
    grey = SideBySide(tmp_path, image_size=8, source_channels=1)
    grey.setup("fit")
    assert [column.shape[1] for column in grey.held_out[0, torch.arange(2)].columns] == [1, 3]
    with pytest.raises(ValueError, match="source_channels must be 1 or 3"):
        SideBySide(tmp_path, source_channels=2)


def test_paired_folders(tmp_path: Path) -> None:
    for i in range(12):
        paint(tmp_path / "in" / f"{i:02d}.png", i)
        paint(tmp_path / "out" / f"{i:02d}.bmp", 100 + i)
    module = PairedFolders(tmp_path / "in", tmp_path / "out", image_size=8)
    module.setup("fit")
    assert everything(module.held_out) == [[0, 10], [100, 110]]
    assert everything(module.training)[1] == [100 + i for i in range(12) if i % 10]
    apart = PairedFolders(tmp_path / "in", tmp_path / "out", tmp_path / "in", tmp_path / "out", image_size=8)
    apart.setup("fit")
    assert len(apart.training) == len(apart.held_out) == 12
    with pytest.raises(ValueError, match="given both, or neither"):
        PairedFolders(tmp_path / "in", tmp_path / "out", tmp_path / "in")
    paint(tmp_path / "in" / "00.bmp", 0)
    with pytest.raises(ValueError, match="differ only in their suffix"):
        PairedFolders(tmp_path / "in", tmp_path / "out").setup("fit")
    (tmp_path / "in" / "00.bmp").unlink()
    (tmp_path / "out" / "05.bmp").unlink()
    with pytest.raises(ValueError, match="05 for one"):
        PairedFolders(tmp_path / "in", tmp_path / "out").setup("fit")


def test_pairs_with_parts_of_their_own(tmp_path: Path) -> None:
    for side, start in (("in", 0), ("out", 100)):
        numbered(tmp_path / side / "train", 3)
        paint(tmp_path / side / "test" / "x.png", start + 50)
    module = PairedFolders(tmp_path / "in", tmp_path / "out", image_size=8)
    module.setup("fit")
    assert everything(module.training) == [[0, 1, 2], [0, 1, 2]] and everything(module.held_out) == [[50], [150]]


def test_a_pair_is_skipped_as_a_whole(tmp_path: Path) -> None:
    for i in range(12):
        paint(tmp_path / "in" / f"{i:02d}.png", i)
        paint(tmp_path / "out" / f"{i:02d}.png", 100 + i)
    (tmp_path / "in" / "03.png").write_bytes(b"")
    (tmp_path / "out" / "07.png").write_bytes(b"")
    module = PairedFolders(tmp_path / "in", tmp_path / "out", image_size=8, unreadable="skip")
    with pytest.warns(UserWarning, match="2 of 10 pictures cannot be read"):
        module.setup("fit")
    source, target = everything(module.training)
    assert source == [1, 2, 4, 5, 6, 8, 9, 11] and target == [100 + i for i in source]
