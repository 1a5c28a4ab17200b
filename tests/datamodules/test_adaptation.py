"""Two domains of which one has labels: whose labels they are, what is in both, and what lies behind the digits."""

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from datamodules import AdaptationFolders, BatchedDataModule, DigitsOnPatches, EmojiAdaptation
from datamodules.adaptation import on_patches
from datamodules.emoji import categories, index, pictures, shrunk, split, without_tones
from datamodules.order import Batches
from gan_modules.cli import fit
from mnist_files import write_bars
from script_modules import loaded


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


def paint(root: Path, **levels: tuple[int, ...]) -> None:
    """Pictures of one grey each, in folders whose names have _ for /."""
    for name, given in levels.items():
        folder = root / name.replace("_", "/")
        folder.mkdir(parents=True, exist_ok=True)
        for level in given:
            Image.new("L", (10, 8), level).save(folder / f"{level:03}.png")


def products(root: Path) -> Path:
    """Seven chairs and cups as sources, four targets, and three held-out targets; their levels tell which each is."""
    paint(root, source_chairs=(0, 1, 2), source_cups=(10, 11, 12, 13), target=(100, 101), target_of_them=(110, 111))
    paint(root, test_cups=(210, 211), test_chairs=(200,))
    return root


def folders(root: Path, **options: Any) -> AdaptationFolders:
    data = AdaptationFolders(root, **{"image_size": 8, "batch_size": 2, "flip": False, **options})
    data.setup("fit")
    return data


def seen(batches: Batches) -> list[list[int]]:
    """The levels of each column, and the labels, in the order of the first epoch's indices."""
    raw = batches[0, torch.arange(len(batches))]
    return [*(column[:, 0, 0, 0].tolist() for column in raw.columns), cast(Tensor, raw.labels).tolist()]


@pytest.mark.parametrize("cache", [0, 2**30])
def test_two_domains_in_folders(cache: int, tmp_path: Path) -> None:
    data = folders(products(tmp_path), cache=cache)
    assert data.class_names == ["chairs", "cups"] and data.num_classes == 2
    source, target, labels = seen(data.training)
    assert source == [0, 1, 2, 10, 11, 12, 13] and labels == [0, 0, 0, 1, 1, 1, 1]
    assert sorted(set(target)) == [100, 101, 110, 111] and all(target.count(level) in (1, 2) for level in target)
    orders = [data.training[epoch, torch.arange(7)].columns[1][:, 0, 0, 0].tolist() for epoch in range(4)]
    assert len(set(map(tuple, orders))) > 1, "targets have partners of their own in each epoch"
    assert seen(data.held_out) == [[0, 2, 11], [200, 210, 211], [0, 1, 1]]
    assert data.training.in_memory == data.held_out.in_memory == bool(cache)
    raw = next(iter(data.train_dataloader())) if cache else data.training[0, torch.arange(2)]
    assert all(column.dtype == torch.uint8 for column in raw.columns)
    images, others, given = data.on_after_batch_transfer(raw, 0)  # type: ignore[misc]
    assert images.shape == others.shape == (2, 3, 8, 8) and torch.equal(given, cast(Tensor, raw.labels))


def test_sources_are_repeated_for_a_larger_test(tmp_path: Path) -> None:
    paint(tmp_path, source_a=(1,), source_b=(2,), target=(50, 51, 52), test_a=(60, 61, 62), test_b=(63, 64))
    data = folders(tmp_path)
    assert seen(data.held_out) == [[1, 1, 1, 2, 2], [60, 61, 62, 63, 64], [0, 0, 0, 1, 1]]
    assert data.held_out.identities is not None and data.held_out.identities[0].tolist() == [0, 0, 0, 1, 1]
    source, target, labels = seen(data.training)
    assert sorted(target) == [50, 51, 52] and [level - 1 for level in source] == labels, "labels follow their pictures"


def test_the_source_alone(tmp_path: Path) -> None:
    data = folders(products(tmp_path), only="source")
    assert seen(data.training) == [[0, 1, 2, 10, 11, 12, 13], [0, 0, 0, 1, 1, 1, 1]]
    assert seen(data.held_out) == [[200, 210, 211], [0, 1, 1]]
    with pytest.raises(ValueError, match="only the source's labels are known, so that only cannot be 'target'; give"):
        AdaptationFolders(tmp_path, only="target")
    with pytest.raises(ValueError, match="only must be 'source' or None, got 'both'"):
        AdaptationFolders(tmp_path, only="both")  # type: ignore[arg-type]


@pytest.mark.parametrize("cache", [0, 2**30])
def test_what_cannot_be_read_is_left_out_of_its_own_domain(cache: int, tmp_path: Path) -> None:
    products(tmp_path)
    for name in ("source/chairs/000.png", "target/100.png", "test/cups/210.png"):
        (tmp_path / name).write_text("no picture")
    with pytest.raises(ValueError, match=r"1 of 7 pictures cannot be read: .*source/chairs/000\.png"):
        folders(tmp_path, cache=cache)
    with pytest.warns(UserWarning, match="cannot be read.*They are left out"):
        data = folders(tmp_path, cache=cache, unreadable="skip")
    source, target, labels = seen(data.training)
    assert source == [1, 2, 10, 11, 12, 13] and labels == [0, 0, 1, 1, 1, 1] and set(target) == {101, 110, 111}
    assert seen(data.held_out) == [[1, 11], [200, 211], [0, 1]]


def test_sizes_crops_and_mirrors_are_those_of_folders(tmp_path: Path) -> None:
    data = folders(products(tmp_path), image_size=4, load_size=8, channels=1, flip=True)
    raw = data.training[0, torch.arange(2)]
    assert [tuple(column.shape) for column in raw.columns] == 2 * [(2, 1, 8, 8)]
    assert len(raw.numbers) == 2 and not torch.equal(*raw.numbers), "each domain is varied by itself"
    assert data.held_out[0, torch.arange(2)].columns[0].shape == (2, 1, 4, 4) and not data.held_out.vary
    same = [folders(tmp_path, seed=seed).fingerprint("held_out") for seed in (0, 1)]
    assert same[0] == same[1] != folders(tmp_path, only="source").fingerprint("held_out")


def test_folders_that_are_no_two_domains(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no folder .*missing: check the path"):
        folders(tmp_path / "missing")
    paint(tmp_path, source_cups=(0, 1), test_cups=(2,))
    with pytest.raises(FileNotFoundError, match=r"no folder .*target: .* must have source and test, with a folder for"):
        folders(tmp_path)
    (tmp_path / "target").mkdir()
    with pytest.raises(ValueError, match="There are no pictures in .*target"):
        folders(tmp_path)
    paint(tmp_path, target=(3, 4), test_fish=(5,))
    with pytest.raises(ValueError, match="test has the class fish, which has no training pictures"):
        folders(tmp_path)
    paint(tmp_path, source=(6,))
    with pytest.raises(ValueError, match=r"006\.png is in no subfolder of .*source, its class: move it into one\.$"):
        folders(tmp_path)


class Brightness(nn.Module):
    """Pictures -> logits of two classes, the second for those that are brighter than a level."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self.level = level / 127.5 - 1

    def forward(self, images: Tensor) -> Tensor:
        brightness = images[:, 0, 0, 0] - self.level
        return torch.stack([-brightness, brightness], dim=1)


def test_the_script_counts_sources_only_where_their_labels_are_known(tmp_path: Path) -> None:
    shares = loaded("adaptation").shares
    data = folders(products(tmp_path))
    assert shares(Brightness(205), data) == [1.0] and shares(Brightness(255), data) == [pytest.approx(1 / 3)]
    target, source = shares(Brightness(0), emoji())
    assert target == source == pytest.approx(cast(Tensor, emoji().held_out.labels).eq(1).float().mean().item())


@pytest.mark.slow
def test_pixel_da_trains_on_folders_and_is_compared_with_the_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = products(tmp_path / "mine")
    paint(root, test_chairs=(5,))  # pictures that are bright alone would be taken for some in [0, 1]
    quick = ["--trainer.max_steps=2", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    size = ["--data.image_size=16", "--data.batch_size=4", f"--trainer.default_root_dir={tmp_path / 'runs'}"]
    fit(["--model", "pixel_da", "--data", "adaptation_folders", f"--data.root={root}", *size, *quick])
    (checkpoint,) = (tmp_path / "runs").rglob("last.ckpt")
    saved = torch.load(checkpoint, weights_only=True)
    assert saved["state_dict"]["classifier.layers.0.weight"].shape[1] == 3
    capsys.readouterr()
    loaded("adaptation").run(["--checkpoint", str(checkpoint), "--epochs", "1"])
    head, *rows, told = capsys.readouterr().out.splitlines()
    assert head.split() == ["classifier", "target"] and [row[:16].strip() for row in rows] == [
        "source only",
        "pixel_da",
    ]
    assert (
        told == "no classifier learns from the target alone, because the labels of its training pictures are not known"
    )
