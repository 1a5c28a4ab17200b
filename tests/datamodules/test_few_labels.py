"""A few labels of each class are known, and which ones follows from the seed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import Arrays, Emoji, ImageFolder
from datamodules.few_labels import few_labels
from gan_modules.cli import fit

CLASSES = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0, 0])


def test_every_picture_comes_without_its_label_and_as_many_with_one() -> None:
    places, labels = few_labels(CLASSES, 2, seed=0)
    assert torch.equal(places[:12], torch.arange(12)) and (labels[:12] == -1).all()
    assert torch.equal(labels[12:], CLASSES[places[12:]])
    known = {label: set(places[12:][labels[12:] == label].tolist()) for label in range(3)}
    assert all(len(each) == 2 for each in known.values())
    assert places[12:].bincount().unique().tolist() == [0, 2], "each of six comes twice"


def test_the_choice_is_the_seeds() -> None:
    choices = [few_labels(torch.arange(400) % 4, 3, seed)[0][400:412].sort().values.tolist() for seed in (0, 0, 1)]
    assert choices[0] == choices[1] != choices[2]


def test_too_few_pictures_are_said() -> None:
    with pytest.raises(ValueError, match=r"labels_per_class must be at most 3, the pictures of class 1, got 4; give a"):
        few_labels(CLASSES, 4, seed=0)
    with pytest.raises(ValueError, match="at most 3, the pictures of class dogs, got 4"):
        few_labels(CLASSES, 4, seed=0, names=["cats", "dogs", "fish"])
    with pytest.raises(ValueError, match="No training picture has a label"):
        few_labels(torch.full((3,), -1), None, seed=0)


def test_emoji_with_a_few_labels() -> None:
    data = Emoji(labels=True, labels_per_class=5, image_size=8, seed=3)
    data.setup("fit")
    whole = Emoji(labels=True, image_size=8, seed=3)
    whole.setup("fit")
    count, labels = len(whole.training), data.training.labels
    assert labels is not None and whole.training.labels is not None and data.held_out.labels is not None
    assert len(data.training) == 2 * count and (labels < 0).sum() == count
    assert torch.equal(data.training[0, torch.arange(count)].columns[0], whole.training.columns[0])
    assert data.training.identities is not None
    known = data.training.identities[0][count:]
    assert len(known.unique()) == 45 and torch.equal(whole.training.labels[known], labels[count:])
    assert torch.equal(whole.training.columns[0][known], data.training.columns[0][count:])  # type: ignore[index]
    assert (data.held_out.labels >= 0).all() and len(data.held_out) == 379, "what is held out is known"
    assert data.fingerprint("held_out") == whole.fingerprint("held_out")


def test_arrays_with_a_few_labels(tmp_path: Path) -> None:
    x = np.arange(24, dtype=np.uint8).repeat(16).reshape(24, 4, 4)
    np.savez(tmp_path / "set.npz", x_train=x, y_train=np.arange(24) % 2, x_test=x[:3], y_test=np.zeros(3, dtype=int))
    data = Arrays(tmp_path / "set.npz", labels=True, image_size=4, channels=1, labels_per_class=1)
    data.setup("fit")
    raw = data.training[0, torch.arange(48)]
    assert raw.labels is not None and len(raw.columns[0][24:].unique()) == 2
    assert torch.equal(raw.columns[0][24:, 0, 0, 0] % 2, raw.labels[24:])


def paint(*paths: Path, level: int = 0) -> None:
    """Pictures of one grey each: level, level + 1, and so on."""
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), level + number).save(path)


def items(data: ImageFolder) -> list[tuple[int, int]]:
    """The level and the label of each training picture."""
    data.setup("fit")
    raw = data.training[0, torch.arange(len(data.training))]
    assert raw.labels is not None
    return list(zip(raw.columns[0][:, 0, 0, 0].tolist(), raw.labels.tolist(), strict=True))


def animals(root: Path) -> None:
    """Of training cats the levels 0 to 3, of dogs 10 to 13; a held-out dog of level 40."""
    paint(*(root / "train" / "cats" / f"{number}.png" for number in range(4)))
    paint(*(root / "train" / "dogs" / f"{number}.png" for number in range(4)), level=10)
    paint(root / "val" / "dogs" / "0.png", level=40)


@pytest.mark.parametrize("cache", [0, 2**30])
def test_a_folder_with_a_few_labels(cache: int, tmp_path: Path) -> None:
    animals(tmp_path)
    data = ImageFolder(tmp_path, labels=True, labels_per_class=1, image_size=8, flip=False, cache=cache)
    given = items(data)
    assert given[:8] == [(level, -1) for level in (0, 1, 2, 3, 10, 11, 12, 13)]
    (cat, _), (dog, _) = given[8:10]
    assert given[8:] == 4 * [(cat, 0), (dog, 1)] and cat < 4 and 10 <= dog < 14
    assert data.class_names == ["cats", "dogs"] and data.training.in_memory == bool(cache)
    assert data.held_out.labels is not None and data.held_out.labels.tolist() == [1]
    assert data.training.identities is not None and data.training.identities[0][:8].tolist() == list(range(8))
    with pytest.raises(ValueError, match="labels_per_class must be at most 4, the pictures of class cats, got 5"):
        ImageFolder(tmp_path, labels=True, labels_per_class=5, image_size=8).setup("fit")


def test_a_set_is_kept_in_memory_only_with_its_copies(tmp_path: Path) -> None:
    animals(tmp_path)
    for cache, known, kept in ((8 * 192, None, True), (8 * 192, 1, False), (16 * 192, 1, True)):
        data = ImageFolder(tmp_path, labels=True, image_size=8, cache=cache, labels_per_class=known)
        data.setup("fit")
        assert data.training.in_memory == kept


@pytest.mark.parametrize("name", ["unlabelled", "unlabeled", "train/unlabelled"])
@pytest.mark.parametrize("cache", [0, 2**30])
def test_a_folder_without_labels_trains_and_is_no_class(name: str, cache: int, tmp_path: Path) -> None:
    animals(tmp_path)
    unlabelled = [tmp_path / name / "any.png", tmp_path / name / "below" / "it.png"]
    paint(*unlabelled, level=20)
    options = {"labels": True, "image_size": 8, "flip": False, "cache": cache}
    data = ImageFolder(tmp_path, **options)  # type: ignore[arg-type]
    given = items(data)
    known = [*((level, 0) for level in range(4)), *((level, 1) for level in range(10, 14))]
    assert given == [*((level, -1) for level, _ in known), (20, -1), (21, -1), *known, *known[:2]]
    assert data.class_names == ["cats", "dogs"] and len(data.held_out) == 1
    given = items(ImageFolder(tmp_path, labels_per_class=2, **options))  # type: ignore[arg-type]
    assert len(given) == 20 and len(set(given[10:])) == 4 and set(given[10:]) < set(known)
    unlabelled[0].write_text("no picture")
    data = ImageFolder(tmp_path, unreadable="skip", **options)  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match="1 of 10 pictures cannot be read"):
        assert items(data) == [*((level, -1) for level, _ in known), (21, -1), *known, known[0]]


def test_no_picture_without_label_is_held_out(tmp_path: Path) -> None:
    paint(*(tmp_path / "cats" / f"{number:02}.png" for number in range(11)))
    paint(tmp_path / "dogs" / "0.png", tmp_path / "dogs" / "1.png", level=30)
    paint(*(tmp_path / "unlabelled" / f"{number:02}.png" for number in range(30)), level=100)
    data = ImageFolder(tmp_path, labels=True, image_size=8, flip=False)
    assert {level for level, label in items(data) if label < 0} >= set(range(100, 130))
    assert data.held_out.columns[0][torch.arange(2)][:, 0, 0, 0].tolist() == [0, 10]
    assert ImageFolder(tmp_path, image_size=8).class_names == [] and data.num_classes == 2
    plain = ImageFolder(tmp_path, image_size=8)
    plain.setup("fit")
    assert len(plain.training) + len(plain.held_out) == 43, "without labels all pictures are alike"


def test_a_table_need_not_name_what_is_in_the_folder_without_labels(tmp_path: Path) -> None:
    paint(*(tmp_path / name for name in ("train/a.png", "train/b.png", "train/unlabelled/c.png", "val/d.png")))
    (tmp_path / "table.csv").write_text("a.png,dog\nb.png,cat\nd.png,cat\n")
    options = {"labels": True, "table": tmp_path / "table.csv", "image_size": 8, "flip": False}
    given = items(ImageFolder(tmp_path, **options))  # type: ignore[arg-type]
    assert given == [(0, -1), (1, -1), (2, -1), (0, 1), (1, 0), (0, 1)]
    assert sorted(items(ImageFolder(tmp_path, labels_per_class=1, **options))) == sorted(  # type: ignore[arg-type]
        [(0, -1), (1, -1), (2, -1), (1, 0), (0, 1), (1, 0)]
    )


def test_a_folder_of_nothing_but_unlabelled_pictures(tmp_path: Path) -> None:
    paint(*(tmp_path / "unlabelled" / f"{number:02}.png" for number in range(3)))
    with pytest.raises(ValueError, match="no pictures for training in .*, beside those without labels"):
        ImageFolder(tmp_path, labels=True, image_size=8).setup("fit")
    paint(tmp_path / "val" / "cats" / "0.png")
    with pytest.raises(ValueError, match="no pictures for training in .*, beside those held out or without labels"):
        ImageFolder(tmp_path, labels=True, image_size=8).setup("fit")


def test_labels_must_be_wanted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="labels_per_class=5 is of data with labels; add labels=True"):
        Emoji(labels_per_class=5)
    with pytest.raises(ValueError, match="labels_per_class=5 is of data with labels; add labels=True"):
        ImageFolder(tmp_path, labels_per_class=5)
    with pytest.raises(ValueError, match="labels_per_class must be a whole number of at least 1, got 0"):
        ImageFolder(tmp_path, labels=True, labels_per_class=0)


QUICKLY = (
    "--data.image_size=16",
    "--data.batch_size=8",
    "--trainer.max_steps=2",
    "--trainer.accelerator=cpu",
    "--trainer.callbacks=null",
    "--trainer.enable_progress_bar=false",
)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["sgan", "cc_gan", "aae"])
def test_models_of_few_labels_train_on_a_folder(model: str, tmp_path: Path) -> None:
    animals(tmp_path / "mine")
    paint(tmp_path / "mine" / "unlabelled" / "0.png", level=90)
    data = ["--data", "folder_labelled", f"--data.root={tmp_path / 'mine'}", "--data.labels_per_class=2"]
    own = ["--model.hole_size=8"] if model == "cc_gan" else []
    fit(["--model", model, *data, *QUICKLY, *own, f"--trainer.default_root_dir={tmp_path / 'runs'}"])
    assert len(list((tmp_path / "runs").rglob("last.ckpt"))) == 1


@pytest.mark.parametrize("model", ["acgan", "stargan"])
def test_models_of_all_labels_say_so(model: str, tmp_path: Path) -> None:
    animals(tmp_path / "mine")
    paint(tmp_path / "mine" / "unlabelled" / "0.png", level=90)
    data = ["--data", "folder_labelled", f"--data.root={tmp_path / 'mine'}"]
    with pytest.raises(ValueError, match="GAN needs the label of every picture, and ImageFolder has some without;"):
        fit(["--model", model, *data, *QUICKLY, f"--trainer.default_root_dir={tmp_path / 'runs'}"])
