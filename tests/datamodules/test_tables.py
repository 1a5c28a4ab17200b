"""Labels and texts from a csv file."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from datamodules import ImageFolder
from datamodules.tables import read_table
from gan_modules.texts import decoded


def folder(root: Path, table: str, *names: str) -> Path:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(root / name)
    (root / "table.csv").write_text(table)
    return root / "table.csv"


NAMES = ("train/a.png", "train/b.png", "train/c.png", "val/d.png")


@pytest.mark.parametrize("heading", ["", "file,label\n", "\ufefffilename,label,more\n"])
def test_classes_from_a_table(heading: str, tmp_path: Path) -> None:
    table = folder(
        tmp_path, heading + 'a.png,cat\ntrain/b.png,"dog, small"\n\nc.png,cat,else\nd.png,dog, small\n', *NAMES
    )
    module = ImageFolder(tmp_path, labels=True, table=table, image_size=8)
    assert module.class_names == ["cat", "dog", "dog, small"] and module.num_classes == 3
    module.setup("fit")
    raw = module.training[0, torch.arange(3)]
    assert raw.labels is not None and raw.labels.tolist() == [0, 2, 0]
    assert raw.columns[0][:, 0, 0, 0].tolist() == [0, 1, 2]
    held_out = module.held_out[0, torch.arange(1)].labels
    assert held_out is not None and held_out.tolist() == [1]


def test_texts_from_a_table(tmp_path: Path) -> None:
    table = folder(tmp_path, "a.png,a red cat\nb.png,two dogs\nc.png,a cat\nd.png,a bird\n", *NAMES)
    module = ImageFolder(tmp_path, texts=True, table=table, image_size=8, flip=False)
    module.setup("fit")
    images, texts = module.on_after_batch_transfer(module.training[0, torch.arange(3)], 0)  # type: ignore[misc]
    assert texts.dtype == torch.int64 and decoded(texts) == ["a red cat", "two dogs", "a cat"]
    assert images.shape == (3, 3, 8, 8) and module.class_names == []


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("a.png\n", "a line is a picture's name and its label"),
        ("", "says nothing"),
        ("file,label\n", "says nothing"),
        ("a.png,cat\na.png,dog\n", "says both 'cat' and 'dog' of a.png"),
        ("a.png,\n", "has the line 'a.png,'"),
    ],
)
def test_what_is_no_table(table: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_table(folder(tmp_path, table))


def test_tables_that_do_not_fit(tmp_path: Path) -> None:
    table = folder(tmp_path, "a.png,cat\nb.png,dog\nd.png,dog\n", *NAMES)
    with pytest.raises(ValueError, match=r"says nothing of .*c\.png"):
        ImageFolder(tmp_path, labels=True, table=table, image_size=8).setup("fit")
    for options in ({"texts": True}, {"table": table}, {"table": table, "texts": True, "labels": True}):
        with pytest.raises(ValueError, match="set one of them true"):
            ImageFolder(tmp_path, **options)
    with pytest.raises(FileNotFoundError, match=r"no table .*none\.csv"):
        ImageFolder(tmp_path, labels=True, table=tmp_path / "none.csv").setup("fit")
    table.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ValueError, match="is no csv file"):
        read_table(table)
