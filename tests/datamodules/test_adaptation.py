"""Two domains of which one has labels: whose labels they are, what is in both, and what lies behind the digits."""

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from datamodules import BatchedDataModule, DigitsOnPatches, EmojiAdaptation
from datamodules.adaptation import on_patches
from datamodules.emoji import categories, index, pictures, shrunk, split, without_tones
from datamodules.order import Batches
from mnist_files import write_bars


def emoji(**options: Any) -> EmojiAdaptation:
    data = EmojiAdaptation(**{"target": "twemoji", "image_size": 8, "batch_size": 100, "seed": 1, **options})
    data.setup("fit")
    return data


def whole(batches: Batches) -> list[Tensor]:
    """All pictures, column by column, and the labels, in their order."""
    return [*(cast(Tensor, column)[:] for column in batches.columns), cast(Tensor, batches.labels)]


def test_labels_are_the_sources_whatever_the_order() -> None:
    data = emoji()
    source, target, labels = whole(data.training)
    assert len(source) == len(target) == len(labels) == 861 and data.num_classes == 9
    known = {picture.numpy().tobytes(): label for picture, label in zip(source, labels.tolist(), strict=True)}
    orders = []
    for loader in (data.train_dataloader(), data.train_dataloader()):
        loader.sampler.set_epoch(len(orders))  # type: ignore[union-attr]
        raw = next(iter(loader))
        assert raw.labels is not None and len(raw.labels) == 100
        assert [known[picture.numpy().tobytes()] for picture in raw.columns[0]] == raw.labels.tolist()
        orders.append([picture.numpy().tobytes() for picture in raw.columns[1]])
    assert set(orders[0]) != set(orders[1])
    images, _, given = data.on_after_batch_transfer(raw, 0)  # type: ignore[misc]
    assert images.dtype == torch.float32 and torch.equal(given, raw.labels)


def test_labels_follow_a_shorter_first_domain() -> None:
    first, second = torch.arange(3, dtype=torch.uint8).view(3, 1, 1, 1), torch.zeros(8, 1, 1, 1, dtype=torch.uint8)
    batches = Batches(first, second, labels=torch.arange(3), unpaired=True, seed=2)
    for epoch in range(3):
        raw = batches[epoch, torch.arange(8)]
        assert torch.equal(raw.columns[0].flatten().long(), cast(Tensor, raw.labels))
        assert sorted(cast(Tensor, raw.labels).bincount().tolist()) == [2, 3, 3]


def test_no_emoji_is_in_both_domains_or_both_parts() -> None:
    rest, held_out = map(without_tones, split())
    names = [index()["pictures"][place]["name"] for place in torch.cat([rest, held_out]).tolist()]
    assert len(set(names)) == len(names) == 1910
    data, drawn = emoji(flip=False), shrunk(pictures("twemoji"), 8)
    source, target, labels = whole(data.training)
    assert torch.equal(target, drawn[rest[1::2]]) and torch.equal(source, shrunk(pictures("noto"), 8)[rest[::2]])
    assert torch.equal(labels, categories()[rest[::2]])
    x, y, truth, named = whole(data.held_out)
    assert torch.equal(y, drawn[held_out]) and torch.equal(x, shrunk(pictures("noto"), 8)[held_out])
    assert torch.equal(named, categories()[held_out]) and torch.equal(truth, y)


def one_domain_alone(data: BatchedDataModule, source: BatchedDataModule, target: BatchedDataModule) -> None:
    x, y, labels = whole(data.training)
    alone, known = whole(source.training)
    assert torch.equal(alone, x) and torch.equal(known, labels)
    alone, known = whole(target.training)
    assert torch.equal(alone, y) and len(known) == len(y)
    for module in (source, target):
        assert all(map(torch.equal, whole(module.held_out), whole(data.held_out)[2:]))


def test_emoji_of_one_domain_alone() -> None:
    one_domain_alone(emoji(), emoji(only="source"), emoji(only="target"))
    rest = without_tones(split()[0])
    assert torch.equal(whole(emoji(only="target").training)[1], categories()[rest[1::2]])


def test_a_negative_is_one() -> None:
    target = whole(emoji(target="negative", flip=False).training)[1]
    assert torch.equal(255 - target, whole(emoji(flip=False).training)[1])


def test_a_picture_and_its_patch_differ_by_what_is_shown() -> None:
    drawn = torch.stack([torch.zeros(3, 16, 16), torch.full((3, 16, 16), 255), torch.full((3, 16, 16), 90)]).byte()
    same = torch.full((3,), 7)
    patch, inverted, other = on_patches(drawn, same).int()
    assert torch.equal(inverted, 255 - patch) and torch.equal(other, (patch - 90).abs())
    emoji = pictures("noto").unfold(2, 16, 1).unfold(3, 16, 1)
    assert (emoji[:, :, :, :, 0, 0] == patch[None, :, :1, :1]).all(1).any(), "its first pixel is one of an emoji"
    grey = on_patches(drawn[:, :1], torch.arange(3))
    assert grey.shape == (3, 3, 16, 16) and torch.equal(grey[1:], on_patches(drawn[1:, :1], torch.arange(1, 3)))
    assert not torch.equal(grey, on_patches(drawn[:, :1], torch.arange(1, 4)))


def digits(root: Path, **options: Any) -> DigitsOnPatches:
    data = DigitsOnPatches(root, download=False, **{"image_size": 28, "batch_size": 4, **options})
    data.prepare_data()
    data.setup("fit")
    return data


def test_digits_on_patches(tmp_path: Path) -> None:
    arrays = write_bars(tmp_path, (41, 20))
    data = digits(tmp_path)
    known = {part: torch.from_numpy(arrays[f"{part}-images-idx3-ubyte"])[:, None] for part in ("train", "t10k")}
    classes = torch.from_numpy(arrays["train-labels-idx1-ubyte"]).long()
    source, target, labels = whole(data.training)
    assert torch.equal(source, known["train"][::2].expand(-1, 3, -1, -1)) and torch.equal(labels, classes[::2])
    assert torch.equal(target, on_patches(known["train"][1::2], torch.arange(1, 41, 2)))
    x, y, truth, named = whole(data.held_out)
    assert torch.equal(y, on_patches(known["t10k"], torch.arange(41, 61))) and len(x) == len(named) == 20
    assert torch.equal(truth, y)
    assert torch.equal(whole(digits(tmp_path, seed=5).held_out)[1], y), "the set is always the same"
    one_domain_alone(data, digits(tmp_path, only="source"), digits(tmp_path, only="target", channels=3))
    assert torch.equal(whole(digits(tmp_path, only="target").training)[1], classes[1::2])
    assert whole(digits(tmp_path, channels=1, image_size=32).training)[1].shape == (20, 1, 32, 32)


def test_what_is_no_pair_of_domains_is_refused() -> None:
    with pytest.raises(ValueError, match="source and target must be two styles, got 'grey' for both"):
        EmojiAdaptation("grey", "grey")
    with pytest.raises(ValueError, match="image_size"):
        DigitsOnPatches(image_size=65)
