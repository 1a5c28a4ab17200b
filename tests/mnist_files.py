"""MNIST's files, generated: in the layout of the originals, without a download."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RNG = np.random.default_rng(0)
Arrays = dict[str, NDArray[np.uint8]]


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + array.tobytes())


def write_mnist(root: Path, name: str) -> Arrays:
    """30 and 12 pictures of noise, of random classes."""
    arrays = {}
    for part, count in (("train", 30), ("t10k", 12)):
        arrays[f"{part}-images-idx3-ubyte"] = RNG.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = RNG.integers(0, 10, count, dtype=np.uint8)
    return _written(root / name / "raw", arrays)


def write_bars(root: Path, counts: tuple[int, int] = (400, 200)) -> Arrays:
    """Digits that are easily told apart, under MNIST's name: digit d is a bright bar over rows 2 d + 4 and 2 d + 5."""
    arrays = {}
    for part, count in zip(("train", "t10k"), counts, strict=True):
        classes = RNG.integers(0, 10, count, dtype=np.uint8)
        pictures = RNG.integers(0, 100, (count, 28, 28), dtype=np.uint8)
        for picture, digit in zip(pictures, classes.tolist(), strict=True):
            picture[2 * digit + 4 : 2 * digit + 6] = 255
        arrays |= {f"{part}-images-idx3-ubyte": pictures, f"{part}-labels-idx1-ubyte": classes}
    return _written(root / "MNIST" / "raw", arrays)


def _written(folder: Path, arrays: Arrays) -> Arrays:
    for file, array in arrays.items():
        write_idx(folder / file, array)
    return arrays
