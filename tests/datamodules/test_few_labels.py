"""A few labels of each class are known, and which ones follows from the seed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import Arrays, Emoji
from datamodules.few_labels import few_labels

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


def test_labels_must_be_wanted() -> None:
    with pytest.raises(ValueError, match="labels_per_class=5 is of data with labels; add labels=True"):
        Emoji(labels_per_class=5)
