"""Pictures from the wild: each kind loads right, or is refused by name."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import find_pictures, load_picture
from datamodules.pictures import check_colour, check_picture

RAMP = np.arange(0, 256, 17, dtype=np.uint8).reshape(4, 4)
"""Every seventeenth level, so that nothing can be upside down, mirrored, inverted or saturated unnoticed."""


def colour() -> np.ndarray:  # type: ignore[type-arg]
    return np.stack([RAMP, RAMP.T, RAMP[::-1]], axis=-1)


def save(path: Path, pixels: np.ndarray, mode: str | None = None, **options: object) -> Path:  # type: ignore[type-arg]
    picture = Image.fromarray(pixels)
    (picture if mode is None else picture.convert(mode)).save(path, **options)  # type: ignore[arg-type]
    return path


def grey_16(path: Path) -> Path:
    return save(path, RAMP.astype(np.uint16) * 257)


def big_endian_16(path: Path) -> Path:
    pixels = RAMP.astype(">u2") * 257
    Image.frombytes("I;16B", (4, 4), pixels.astype(">u2").tobytes()).save(path)
    return path


def integers(path: Path) -> Path:
    return save(path, RAMP.astype(np.int32) * 257)


def wide_integers(path: Path) -> Path:
    return save(path, RAMP.astype(np.int32) * 1_000_000 - 5)


def floats(scale: float, offset: float = 0) -> Callable[[Path], Path]:
    return lambda path: save(path, (RAMP / np.float32(255) * np.float32(scale) + np.float32(offset)).astype(np.float32))


def grey(path: Path) -> Path:
    return save(path, RAMP)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("grey.png", grey),
        ("grey.bmp", grey),
        ("grey.pgm", grey),
        ("16_bit.png", grey_16),
        ("16_bit.tif", grey_16),
        ("16_bit_big_endian.tif", big_endian_16),
        ("16_bit.pgm", grey_16),
        ("integers.tif", integers),
        ("wide_integers.tif", wide_integers),
        ("floats_to_1.tif", floats(1)),
        ("floats_to_255.tif", floats(255)),
        ("floats_to_65535.tiff", floats(65535)),
        ("floats_from_-1_to_1.tif", floats(2, -1)),
        ("floats_to_a_million.tif", floats(1e6)),
    ],
)
def test_grey_of_any_depth(tmp_path: Path, name: str, make: Callable[[Path], Path]) -> None:
    x = load_picture(make(tmp_path / name), channels=1)
    assert x.dtype == torch.uint8 and x.tolist() == [RAMP.tolist()]
    assert load_picture(tmp_path / name).tolist() == [RAMP.tolist()] * 3


def test_colour_and_back(tmp_path: Path) -> None:
    path = save(tmp_path / "colour.PNG", colour())
    assert load_picture(path).tolist() == colour().transpose(2, 0, 1).tolist()
    weighted = colour() @ np.array([0.299, 0.587, 0.114])
    assert np.abs(load_picture(path, channels=1)[0].numpy() - weighted).max() <= 1


def test_one_bit(tmp_path: Path) -> None:
    path = save(tmp_path / "bits.png", RAMP > 100)
    assert load_picture(path, channels=1)[0].tolist() == (255 * (RAMP > 100)).tolist()


def test_palette(tmp_path: Path) -> None:
    picture = Image.fromarray(RAMP // 17)
    picture.putpalette([level for entry in range(16) for level in (entry, 2 * entry, 3 * entry)])
    picture.save(tmp_path / "palette.png")
    x = load_picture(tmp_path / "palette.png")
    assert x.tolist() == [(RAMP // 17 * k).tolist() for k in (1, 2, 3)]
    picture.save(tmp_path / "transparent.png", transparency=15)
    x = load_picture(tmp_path / "transparent.png", background="#102030")
    assert x[:, 3, 3].tolist() == [16, 32, 48] and x[:, 3, 2].tolist() == [14, 28, 42]
    picture.save(tmp_path / "transparent.gif", transparency=15)
    assert load_picture(tmp_path / "transparent.gif", background="red")[:, 3, 3].tolist() == [255, 0, 0]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_transparency_shows_the_background(tmp_path: Path, mode: str, suffix: str) -> None:
    if (mode, suffix) == ("LA", "webp"):
        mode = "RGBA"
    picture = Image.new("RGBA", (3, 1), (200, 200, 200, 0))
    picture.putpixel((1, 0), (200, 200, 200, 255))
    picture.putpixel((2, 0), (200, 200, 200, 51))
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    picture.convert(mode).save(tmp_path / f"x.{suffix}", **options)
    assert load_picture(tmp_path / f"x.{suffix}")[0, 0].tolist() == [255, 200, 244]
    assert load_picture(tmp_path / f"x.{suffix}", background="black")[0, 0].tolist() == [0, 200, 40]


def test_transparent_colour(tmp_path: Path) -> None:
    Image.fromarray(colour()).save(tmp_path / "keyed.png", transparency=tuple(int(v) for v in colour()[1, 2]))
    x = load_picture(tmp_path / "keyed.png", background="blue")
    assert x[:, 1, 2].tolist() == [0, 0, 255] and x[:, 0, 0].tolist() == colour()[0, 0].tolist()


def test_cmyk(tmp_path: Path) -> None:
    inks = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    for name in ("inks.tif", "inks.jpg"):
        inks.save(tmp_path / name)
        cyan = load_picture(tmp_path / name)[:, 4, 4]
        assert (cyan.int() - torch.tensor([0, 255, 255])).abs().max() < 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(tmp_path: Path, orientation: int) -> None:
    stored = {
        1: RAMP,
        2: RAMP[:, ::-1],
        3: RAMP[::-1, ::-1],
        4: RAMP[::-1],
        5: RAMP.T,
        6: np.rot90(RAMP),
        7: np.rot90(RAMP, 2).T,
        8: np.rot90(RAMP, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "turned.png", np.ascontiguousarray(stored), exif=exif)
    assert load_picture(path, channels=1)[0].tolist() == RAMP.tolist()


def test_damaged_metadata_are_no_reason_to_refuse(tmp_path: Path) -> None:
    path = save(tmp_path / "odd.jpg", np.full((8, 8), 128, np.uint8), exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f")
    assert load_picture(path).float().mean() == pytest.approx(128, abs=1)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_first_frame_of_an_animation(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (4, 4), c) for c in ("black", "white", "red")]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(tmp_path / f"x.{suffix}", save_all=True, append_images=frames[1:], **options)
    assert load_picture(tmp_path / f"x.{suffix}").max() == 0


def test_halves_and_middle_square(tmp_path: Path) -> None:
    wide = np.zeros((8, 16, 3), np.uint8)
    wide[:, 8:] = 255
    path = save(tmp_path / "wide.png", wide)
    assert load_picture(path, half="left").shape == (3, 8, 8)
    assert load_picture(path, half="left").max() == 0 and load_picture(path, half="right").min() == 255
    middle = load_picture(path, size=4)
    assert middle.shape == (3, 4, 4) and middle[0, 0].tolist()[0] < 20 and middle[0, 0].tolist()[3] > 235
    assert load_picture(path, size=16).shape == (3, 16, 16)


def empty(path: Path) -> None:
    path.touch()


def web_page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><body>404 Not Found</body></html>")


def truncated(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = save(path.with_suffix(".whole.jpg"), noise).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere.jpg"))


def bomb(path: Path) -> None:
    Image.new("1", (12_000, 8_500)).save(path, format="PNG")


def huge_bomb(path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(path, format="PNG")


def not_a_number(path: Path) -> None:
    save(path.with_suffix(".tif"), np.full((4, 4), np.nan, np.float32)).rename(path)


@pytest.mark.filterwarnings("ignore:Image size")
@pytest.mark.parametrize(
    ("make", "reason", "seen_at_once"),
    [
        (empty, "is empty", True),
        (web_page, "is not a picture", True),
        (truncated, "is damaged", False),
        (pipe, "is no regular file", True),
        (folder, "is no regular file", True),
        (dangling, "is a link that leads nowhere", True),
        (lambda path: None, "does not exist", True),
        (bomb, "has more than .* pixels", True),
        (huge_bomb, "has more than .* pixels", True),
        (not_a_number, "is damaged .it holds numbers that are not finite", False),
    ],
)
def test_refused_by_name(tmp_path: Path, make: Callable[[Path], None], reason: str, seen_at_once: bool) -> None:
    path = tmp_path / "suspect.jpg"
    make(path)
    with pytest.raises((ValueError, FileNotFoundError), match=f"suspect.jpg {reason}") as caught:
        load_picture(path)
    assert "\n" not in str(caught.value)
    if seen_at_once:
        with pytest.raises((ValueError, FileNotFoundError), match=reason):
            check_picture(path)
    else:
        check_picture(path)


def test_colours_are_checked() -> None:
    check_colour("#ff8000")
    with pytest.raises(ValueError, match="not 'blurple'"):
        check_colour("blurple")


def test_what_counts_as_a_picture(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPEG", "deep/er/c.webp", "notes.txt", "Thumbs.db", "._b.png", ".hidden.png", ".git/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    (tmp_path / "outside").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path)]
    assert found == ["a.JPEG", "b.png", "deep/er/c.webp"]


def test_linked_folders_count(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.png").touch()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "class").symlink_to(tmp_path / "elsewhere")
    assert [path.name for path in find_pictures(tmp_path / "root")] == ["x.png"]


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        find_pictures(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file where a folder"):
        find_pictures(tmp_path / "file")
