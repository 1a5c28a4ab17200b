"""Folders of pictures, translated: names, subfolders, sheets, and files that are in the way."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import load_picture
from gan_modules import picture_folders
from gan_modules.picture_folders import as_picture, translate
from gan_modules.translators import Translator
from variants import build

SIZE = 16


def folder(root: Path, *names: str) -> Path:
    rng = np.random.default_rng(0)
    for place, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20 + place, 31, 3), dtype=np.uint8)).save(root / name)
    return root


def names(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def translator(name: str) -> Translator:
    return Translator(build(name).eval(), SIZE)


def test_several_translations_have_names_of_their_own(tmp_path: Path) -> None:
    source = folder(tmp_path / "in", "a.png", "sub/b.jpg")
    out, tool = tmp_path / "out", translator("munit")
    assert translate(tool, source, out / "samples", samples=2) == 4
    assert names(out / "samples") == ["a_1.png", "a_2.png", "sub/b_1.png", "sub/b_2.png"]
    manners = tool.manners(samples=2)
    expected = as_picture(tool(load_picture(source / "a.png"), manners[1]))
    assert Image.open(out / "samples" / "a_2.png").tobytes() == expected.tobytes()
    references = folder(tmp_path / "styles", "red.png", "more/blue.png")
    assert translate(tool, source, out / "styles", reference=references) == 4
    assert names(out / "styles") == ["a_more-blue.png", "a_red.png", "sub/b_more-blue.png", "sub/b_red.png"]
    assert translate(tool, source, out / "style", reference=references / "red.png") == 2
    assert names(out / "style") == ["a.png", "sub/b.png"]
    assert (out / "style" / "a.png").read_bytes() == (out / "styles" / "a_red.png").read_bytes()
    assert translate(translator("stargan"), source, out / "domains") == 6
    assert names(out / "domains")[:3] == ["a_a.png", "a_b.png", "a_c.png"]
    assert translate(translator("stargan"), source, out / "domain", domain="c") == 2
    assert (out / "domain" / "a.png").read_bytes() == (out / "domains" / "a_c.png").read_bytes()


def test_a_sheet_shows_the_first_sources_beside_their_translations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, sheet = folder(tmp_path / "in", "a.png", "b.png"), tmp_path / "sheets" / "sheet.png"
    reference = folder(tmp_path / "styles", "red.png")
    translate(translator("munit"), source, tmp_path / "one", reference=reference, sheet=sheet)
    with_references = Image.open(sheet).size
    translate(translator("munit"), source, tmp_path / "two", samples=1, sheet=tmp_path / "other.png")
    assert with_references[1] > Image.open(tmp_path / "other.png").size[1]  # a row more, of references
    monkeypatch.setattr(picture_folders, "_ROWS", 1)
    assert translate(translator("munit"), source, tmp_path / "three", samples=1, sheet=tmp_path / "first.webp") == 2
    assert Image.open(tmp_path / "first.webp").size[1] < Image.open(tmp_path / "other.png").size[1]


def test_a_mask_is_read_from_its_file(tmp_path: Path) -> None:
    source, tool = folder(tmp_path / "in", "a.png"), translator("context_encoder")
    mask = np.zeros((20, 31), dtype=np.uint8)
    mask[2:9, 4:10] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    translate(tool, source, tmp_path / "out", mask=tmp_path / "mask.png")
    expected = tool(load_picture(source / "a.png"), mask=torch.from_numpy(mask)[None])
    assert Image.open(tmp_path / "out" / "a.png").tobytes() == as_picture(expected).tobytes()


def test_nothing_is_replaced_without_being_told(tmp_path: Path) -> None:
    source, out, tool = folder(tmp_path / "in", "a.png"), tmp_path / "out", translator("unit")
    sheet = tmp_path / "sheet.png"
    sheet.write_text("mine")
    with pytest.raises(ValueError, match=r"sheet\.png is there already"):
        translate(tool, source, out, sheet=sheet)
    assert not out.exists()
    translate(tool, source, out, overwrite=True, sheet=sheet)
    with pytest.raises(ValueError, match=r"a\.png is there already"):
        translate(tool, source, out)
    folder(source, "a.jpg")
    with pytest.raises(ValueError, match="would both become"):
        translate(tool, source, tmp_path / "new")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="found none"):
        translate(translator("munit"), source, tmp_path / "new", reference=tmp_path / "empty")
    with pytest.raises(FileNotFoundError):
        translate(translator("munit"), source, tmp_path / "new", reference=tmp_path / "missing")
    assert not (tmp_path / "new").exists()
