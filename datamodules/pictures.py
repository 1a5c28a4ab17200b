"""Pictures from the wild: every kind that people have loads right, or is refused with its name and the reason."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError
from torch import Tensor

SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpeg", ".jpg", ".pbm"}
    | {".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"}
)

_ORIENTATION = 0x0112  # the EXIF tag
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ACROSS = [_UPRIGHT[orientation] for orientation in (5, 6, 7, 8)]  # width becomes height


def load_picture(
    path: Path,
    channels: int = 3,
    size: int | None = None,
    background: str = "white",
    half: Literal["left", "right"] | None = None,
    exact: bool = False,
) -> Tensor:
    """The picture at `path`, upright: uint8 (channels, h, w).

    16-bit grey is scaled by 1/257, wider integers as well. Floats are taken as [0, 1], [0, 255] or [0, 65535], the
    narrowest range that holds them all. Integers and floats outside these are stretched from their own minimum to
    their maximum. Of an animation the first frame is read.

    Args:
        path: a file of any format that Pillow reads.
        channels: 1 or 3; the picture is converted.
        size: the middle square of the picture is resized to it (bicubic, antialiased); None keeps the picture.
        background: colour behind transparent pixels, a name or #rrggbb.
        half: take this half of the picture instead of the whole.
        exact: resize by nearest neighbours, so that no colour is mixed: for maps of labels.

    Raises:
        FileNotFoundError: if there is no such file, or a link leads nowhere.
        ValueError: if it is no regular file, empty, damaged, no picture, or has more pixels than Pillow's limit
            (`PIL.Image.MAX_IMAGE_PIXELS`, against decompression bombs).
    """
    with _opened(path) as opened:
        opened.load()
        picture = _converted(opened, channels, background)
    if half is not None:
        middle = picture.width // 2
        if not middle:
            raise ValueError(f"{path} is one pixel wide, which makes no two halves.")
        picture = picture.crop(
            (0, 0, middle, picture.height) if half == "left" else (middle, 0, 2 * middle, picture.height)
        )
    if size is not None:
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.NEAREST if exact else Image.Resampling.BICUBIC)
    return _pixels(picture)


def load_frames(
    path: Path,
    numbers: Sequence[int],
    channels: int = 3,
    size: int | None = None,
    background: str = "white",
) -> Tensor:
    """Frames of the animation at `path`, as `load_picture` gives a picture: uint8 (t, channels, h, w).

    Args:
        path: a file of any format that Pillow reads; a picture has one frame.
        numbers: of the frames, from 0. To reach one, those before it are decoded.
        channels, size, background: as for `load_picture`.

    Raises:
        FileNotFoundError: as `load_picture` does.
        ValueError: as `load_picture` does, and if there is no such frame.
    """
    frames = []
    with _opened(path) as opened:
        for number in numbers:
            opened.seek(number)
            picture = _converted(opened, channels, background)
            if size is not None:
                picture = ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)
            frames.append(_pixels(picture))
    return torch.stack(frames)


def count_frames(path: Path) -> int:
    """Of an animation; 1 of a picture. Raises as `load_picture` does, for what is seen without decoding."""
    with _opened(path) as opened:
        return getattr(opened, "n_frames", 1)


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of the upright picture. Raises as `check_picture` does."""
    with _opened(path) as opened:
        width, height = opened.size
        return (height, width) if _turn(opened) in _ACROSS else (width, height)


def check_picture(path: Path) -> None:
    """Raise as `load_picture` does, for what the head of a file tells without decoding it."""
    with _opened(path):
        pass


def check_colour(colour: str) -> None:
    """Raise a ValueError unless Pillow knows the colour."""
    try:
        ImageColor.getrgb(colour)
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"background is a colour such as white or #ff8000, not {colour!r}.") from error


def find_pictures(root: Path) -> list[Path]:
    """All files below `root` with a picture's suffix, sorted; hidden ones (`.x`, `._x`) are left out.

    Linked folders are followed, each real folder once, so that a loop of links ends.

    Raises:
        FileNotFoundError: if there is no such folder.
        PermissionError: if it, or a folder below it, may not be read.
        ValueError: if `root` is no folder.
    """
    if not root.exists():
        raise FileNotFoundError(f"There is no folder {root}: check the path.")
    if not root.is_dir():
        raise ValueError(f"{root} is a file where a folder of pictures is expected.")
    found, seen = [], set()
    for folder, subfolders, files in os.walk(root, onerror=_raised, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        found += [Path(folder, name) for name in files if _is_picture_name(name)]
    return sorted(found)


def _raised(error: OSError) -> NoReturn:
    raise error


def _is_picture_name(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES


def _check_file(path: Path) -> None:
    if not path.exists():
        reason = "is a link that leads nowhere" if path.is_symlink() else "does not exist"
        raise FileNotFoundError(f"{path} {reason}.")
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # to open a named pipe would wait for ever
        raise ValueError(f"{path} is no regular file.")
    if not status.st_size:
        raise ValueError(f"{path} is empty.")


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The picture, not decoded yet; whatever fails inside names the file."""
    _check_file(path)
    try:
        with Image.open(path) as picture:
            limit = Image.MAX_IMAGE_PIXELS
            if limit and picture.width * picture.height > limit:  # Pillow refuses twice the limit, and warns below
                raise Image.DecompressionBombError
            yield picture
    except UnidentifiedImageError as error:
        raise ValueError(f"{path} is not a picture.") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path} has more than {Image.MAX_IMAGE_PIXELS} pixels: make it smaller.") from error
    except Exception as error:  # Pillow's readers raise whatever the damage made them stumble over
        if isinstance(error, PermissionError):
            raise
        raise ValueError(f"{path} is damaged ({error}).") from error


def _converted(picture: Image.Image, channels: int, background: str) -> Image.Image:
    return _flat(_upright(picture), background).convert("L" if channels == 1 else "RGB")


def _pixels(picture: Image.Image) -> Tensor:
    pixels = np.array(picture)
    return torch.from_numpy(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1).copy())


def _upright(picture: Image.Image) -> Image.Image:
    turn = _turn(picture)
    return picture if turn is None else picture.transpose(turn)


def _turn(picture: Image.Image) -> Image.Transpose | None:
    try:
        return _UPRIGHT.get(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged metadata are no reason to refuse a picture
        return None


def _flat(picture: Image.Image, background: str) -> Image.Image:
    """In 8 bits a channel and without transparency."""
    if picture.mode.startswith("I") or picture.mode == "F":
        return Image.fromarray(_in_bytes(np.asarray(picture), picture.mode))
    if not picture.has_transparency_data:
        return picture
    base = "RGBA" if picture.mode != "La" else "LA"
    picture = picture.convert(base).convert("RGBA")
    behind = Image.new("RGBA", picture.size, background)
    behind.alpha_composite(picture)
    return behind.convert("RGB")


def _in_bytes(values: NDArray[Any], mode: str) -> NDArray[np.uint8]:
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("it holds numbers that are not finite")
    low, high = values.min(), values.max()
    if mode.startswith("I;16"):
        low, high = 0, 65535
    elif low >= 0 and high <= 65535:
        narrow = [65535] if mode == "I" else [1, 255, 65535]
        low, high = 0, next(top for top in narrow if high <= top)
    return np.rint((values - low) * (255 / max(high - low, 1e-30))).astype(np.uint8)
