"""Folders of pictures: which files train, which are held out, and what is done with those that cannot be read."""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

from datamodules.order import Indexed, held_out_every
from datamodules.pictures import SUFFIXES, check_picture, find_pictures, load_picture

Row = tuple[Path, ...]
"""The files of one item, one for each domain."""
Unreadable = Literal["error", "skip"]
Item = TypeVar("Item")
Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Reader:
    """`load_picture` with its arguments."""

    channels: int
    size: int | None
    background: str = "white"
    half: Literal["left", "right"] | None = None
    exact: bool = False

    def __call__(self, path: Path) -> Tensor:
        return load_picture(path, self.channels, self.size, self.background, self.half, self.exact)

    @property
    def bytes(self) -> int:
        """Memory that a picture takes; 0 where it keeps its size, which is not known then."""
        return self.channels * (self.size or 0) ** 2


class Files:
    """Pictures that are read when they are asked for."""

    def __init__(self, paths: Sequence[Path], read: Reader) -> None:
        self.paths, self.read = list(paths), read

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, indices: Tensor) -> Tensor:
        return torch.stack([self.read(self.paths[i]) for i in indices.tolist()])

    def chosen(self, places: Tensor) -> "Files":
        """The pictures at these places (n,), which may come more than once."""
        return Files([self.paths[i] for i in places.tolist()], self.read)

    def fingerprint(self) -> str:
        """A digest of the files' names, sizes and times, and of how they are read.

        Contents would have to be read for it, as long as an epoch takes. A file that is put in the place of another
        with its size and time of modification still has another time of change (`st_ctime`).
        """
        root = os.path.commonpath([path.parent for path in self.paths])
        digest = hashlib.sha256(repr(self.read).encode())
        for path in self.paths:
            status = path.stat()
            digest.update(os.fsencode(path.relative_to(root)))
            digest.update(f"\0{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}\0".encode())
        return digest.hexdigest()


class Read(NamedTuple):
    """What `read_rows` gives: the domains, and the places of the rows that were kept."""

    columns: list[Indexed]
    kept: Tensor


def read_rows(rows: Sequence[Row], readers: Sequence[Reader], in_memory: bool, unreadable: Unreadable) -> Read:
    """The domains of `rows`: decoded at once to uint8 tensors if `in_memory`, else read on demand.

    A row is readable when all its pictures are. On demand, only the heads of the files are looked at here, unless
    unreadable ones are to be skipped: then every file is decoded once.

    Raises:
        ValueError: if pictures cannot be read and `unreadable` is "error", or none can.
    """

    def look(row: Row) -> list[Tensor]:
        if not in_memory and unreadable == "error":
            for path in row:
                check_picture(path)
            return []
        pictures = [read(path) for path, read in zip(row, readers, strict=True)]
        return pictures if in_memory else []

    items = readable(rows, look, unreadable)
    kept = torch.tensor(list(items))
    if in_memory:
        return Read([torch.stack(column) for column in zip(*items.values(), strict=True)], kept)
    return Read([Files([rows[i][k] for i in items], read) for k, read in enumerate(readers)], kept)


def readable(
    items: Sequence[Item], look: Callable[[Item], Seen], unreadable: Unreadable, what: str = "pictures"
) -> dict[int, Seen]:
    """What `look` gives for each item, by the item's place; those for which it raises are named, or left out.

    Raises:
        ValueError: if it raises for an item and `unreadable` is "error", or for all.
    """

    def attempt(item: Item) -> Seen | Exception:
        try:
            return look(item)
        except (ValueError, OSError) as error:
            return error

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        seen = tqdm(pool.map(attempt, items), f"reading {what}", len(items), delay=3, leave=False, disable=_silent())
        results = list(seen)
    failed = [str(result).rstrip(".") for result in results if isinstance(result, Exception)]
    if failed:
        told = f"{len(failed)} of {len(items)} {what} cannot be read: " + "; ".join(failed[:5])
        told += f"; and {len(failed) - 5} more" if len(failed) > 5 else ""
        if unreadable == "error" or len(failed) == len(items):
            raise ValueError(f'{told}. Repair or remove them, or leave them out with unreadable="skip".')
        rank_zero_warn(f"{told}. They are left out.")
    return {i: result for i, result in enumerate(results) if not isinstance(result, Exception)}


def colours_of(paths: Sequence[Path]) -> list[list[int]]:
    """All colours of maps of labels, sorted by red, green and blue.

    Raises:
        ValueError: if there are less than two, or more than 256, or a map cannot be read.
    """
    found: Tensor = torch.zeros(0, dtype=torch.int64)
    weights = torch.tensor([1 << 16, 1 << 8, 1])
    for path in tqdm(paths, "reading maps", delay=3, leave=False, disable=_silent()):
        numbers = (load_picture(path).long() * weights[:, None, None]).sum(0)
        found = torch.cat([found, numbers.flatten()]).unique()
        if len(found) > 256:
            raise ValueError(
                f"{path} has more colours than labels (of a JPEG, or a photograph?): say with palette which colours "
                "are labels, or save maps as PNG."
            )
    if len(found) < 2:
        raise ValueError(f"{paths[0].parent} has maps of one colour alone: a map has a colour for each label.")
    return [[number >> 16, number >> 8 & 255, number & 255] for number in found.tolist()]


def _silent() -> bool:
    return os.environ.get("LOCAL_RANK", "0") != "0"


def listed(folder: Path) -> list[Path]:
    """The pictures below `folder`, at least one.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if there is no picture in it.
    """
    paths = find_pictures(folder)
    if not paths:
        raise ValueError(f"There are no pictures in {folder}: files that end in {', '.join(sorted(SUFFIXES))} count.")
    return paths


class Split(NamedTuple):
    """Training and held-out pictures, and the folder that the names of each are relative to; those without labels."""

    training: list[Path]
    training_root: Path
    held_out: list[Path]
    held_out_root: Path
    unlabelled: Sequence[Path] = ()


def split_folder(root: Path, every: int, unlabelled: Sequence[str] = ()) -> Split:
    """The pictures of a folder `root/val`, or else `root/test`, are held out; or else every `every`-th is.

    Then `root/train`, if there is one, holds the training pictures, or else all that is left.

    Args:
        root: the folder.
        every: see above.
        unlabelled: names of folders in `root` or `root/train` whose pictures have no labels. They are given by
            themselves, and none of them is held out.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if a part is empty.
    """
    paths, (training_root, held_root) = listed(root), parts_of(root)
    folders = {folder / name for folder in (root, training_root) for name in unlabelled}
    without = [path for path in paths if folders & set(path.parents)] if folders else []
    if without:
        paths = sorted({*paths} - {*without})
    rest = training_of(root, paths)
    others = [*(["held out"] if held_root else []), *(["without labels"] if without else [])]
    if others and not rest:
        raise ValueError(f"There are no pictures for training in {training_root}, beside those {' or '.join(others)}.")
    if held_root is not None:
        return Split(rest, training_root, listed(held_root), held_root, without)
    rest, held = every_nth(rest, every)
    return Split(rest, training_root, held, training_root, without)


def parts_of(root: Path) -> tuple[Path, Path | None]:
    """The folder of the training pictures, and that of those held out, if there is one."""
    held_out = [root / name for name in ("val", "test") if (root / name).is_dir()]
    return root / "train" if (root / "train").is_dir() else root, held_out[0] if held_out else None


def training_of(root: Path, paths: Sequence[Path]) -> list[Path]:
    """Of pictures below `root` those that are neither outside of `train`, if there is one, nor in `val` or `test`."""
    training_root, aside = parts_of(root)[0], {root / "val", root / "test"}
    return [path for path in paths if training_root in path.parents and not aside & set(path.parents)]


def every_nth(items: Sequence[Item], every: int) -> tuple[list[Item], list[Item]]:
    """(training, held out): every `every`-th item, beginning with the first, is held out."""
    rest, held = held_out_every(len(items), every)
    if not len(rest):
        raise ValueError(f"{len(items)} pictures leave none for training when every {every}-th is held out: add some.")
    return [items[i] for i in rest.tolist()], [items[i] for i in held.tolist()]


def matched(first: Sequence[Path], first_root: Path, second: Sequence[Path], second_root: Path) -> list[Row]:
    """Rows of equal names: paths below the two folders that differ at most in their suffix.

    Raises:
        ValueError: if a picture has no partner, or two pictures of a folder have the same name.
    """
    one, other = _by_name(first, first_root), _by_name(second, second_root)
    alone = sorted(one.keys() ^ other.keys())
    if alone:
        raise ValueError(
            f"{len(alone)} pictures of {first_root} and {second_root} have no partner of the same name, "
            f"{alone[0]} for one: pairs have equal names."
        )
    return [(path, other[name]) for name, path in sorted(one.items())]


def _by_name(paths: Sequence[Path], root: Path) -> dict[str, Path]:
    named = {path.relative_to(root).with_suffix("").as_posix(): path for path in paths}
    if len(named) < len(paths):
        raise ValueError(f"Two pictures in {root} have names that differ only in their suffix: rename or remove one.")
    return named
