"""A data module's fingerprint changes with what the part gives, and with nothing else."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from datamodules import Arrays, BatchedDataModule, Emoji, EmojiUnpaired, ImageFolder, Ring, UnpairedFolders
from datamodules.order import Batches


def held_out(data: BatchedDataModule) -> str | None:
    data.setup("fit")
    return data.fingerprint("held_out")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve small pictures in two classes."""
    for number in range(12):
        path = tmp_path / "pictures" / f"class{number % 2}" / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (20 * number, 90, 10)).save(path)
    return tmp_path / "pictures"


def of_folder(folder: Path, cache: int, **options: object) -> str | None:
    return held_out(ImageFolder(folder, image_size=8, cache=cache, batch_size=1, **options))  # type: ignore[arg-type]


def test_what_the_held_out_part_does_not_depend_on_changes_nothing() -> None:
    plain = held_out(Emoji(image_size=8))
    assert plain == held_out(Emoji(image_size=8, seed=1, flip=True, batch_size=2, num_workers=2))
    assert len({plain, held_out(Emoji(image_size=16)), held_out(Emoji("twemoji", image_size=8))}) == 3
    assert len({plain, held_out(Emoji(image_size=8, labels=True)), held_out(Emoji(image_size=8, channels=1))}) == 3


@pytest.mark.slow
def test_the_training_part_depends_on_what_varies_it() -> None:
    def training(data: BatchedDataModule) -> str | None:
        data.setup("fit")
        return data.fingerprint("training")

    plain = training(Emoji(image_size=8))
    assert plain == training(Emoji(image_size=8, seed=1)) != held_out(Emoji(image_size=8))
    flipped = [training(Emoji(image_size=8, flip=True, seed=seed)) for seed in (0, 1)]
    assert len({plain, *flipped}) == 3
    unpaired = [training(EmojiUnpaired(image_size=8, flip=False, seed=seed)) for seed in (0, 1)]
    assert unpaired[0] != unpaired[1]
    assert held_out(EmojiUnpaired(image_size=8, seed=0)) == held_out(EmojiUnpaired(image_size=8, seed=1))


def test_points_are_their_numbers() -> None:
    assert held_out(Ring(seed=0)) == held_out(Ring(seed=0, batch_size=7))
    assert len({held_out(Ring(seed=0)), held_out(Ring(seed=1)), held_out(Ring(seed=0, sigma=0.02))}) == 3


def test_a_changed_byte_of_an_array_is_seen(tmp_path: Path) -> None:
    pictures = np.zeros((20, 8, 8, 3), np.uint8)
    found = []
    for changed in (0, 1):
        pictures[10, 0, 0, 0] = changed  # every tenth is held out
        np.savez(tmp_path / "pictures.npz", x_train=pictures)
        found.append(held_out(Arrays(tmp_path / "pictures.npz", image_size=8)))
    assert found[0] != found[1]


@pytest.mark.parametrize("cache", [0, 2**20])
def test_folders_with_a_changed_picture_are_others(cache: int, folder: Path) -> None:
    before = of_folder(folder, cache)
    assert before == of_folder(folder, cache, flip=False, seed=3)
    assert before != of_folder(folder, cache, background="black") or cache  # of opaque pictures the contents are equal
    assert before != of_folder(folder, cache, channels=1)
    assert before != of_folder(folder, cache, labels=True)
    path = folder / "class0" / "00.png"
    times, size = path.stat(), path.stat().st_size
    other = Image.new("RGB", (8, 8), (1, 90, 10))
    other.save(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_size == size  # neither size nor time tell
    assert before != of_folder(folder, cache)


def test_where_a_folder_lies_changes_nothing_that_is_decoded(folder: Path, tmp_path: Path) -> None:
    before = of_folder(folder, 2**20)
    assert of_folder(Path(shutil.copytree(folder, tmp_path / "elsewhere")), 2**20) == before
    (folder / "class0" / "00.png").rename(folder / "class0" / "0.png")  # the order is that of the names
    assert of_folder(folder, 0) != before


def test_domains_of_files_are_told_apart(folder: Path) -> None:
    for name, source in (("trainA", "class0"), ("trainB", "class1"), ("testA", "class0"), ("testB", "class1")):
        shutil.copytree(folder / source, folder / name)
    swapped = folder.parent / "swapped"
    for one, other in (("trainA", "trainB"), ("trainB", "trainA"), ("testA", "testB"), ("testB", "testA")):
        shutil.copytree(folder / one, swapped / other)
    found = {held_out(UnpairedFolders(root, image_size=8, cache=2**20)) for root in (folder, swapped)}
    assert len(found) == 2


def test_columns_of_a_foreign_kind_have_none() -> None:
    class Drawn:
        def __len__(self) -> int:
            return 4

        def __getitem__(self, indices: Tensor) -> Tensor:
            return torch.zeros(len(indices), 3, 8, 8)

    data = Emoji(image_size=8)
    data.held_out = Batches(Drawn())
    assert data.fingerprint("held_out") is None
    with pytest.raises(ValueError, match="part must be 'held_out' or 'training'"):
        data.fingerprint("test")  # type: ignore[arg-type]
