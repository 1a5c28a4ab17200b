"""Your films: folders of frames, and animated GIFs."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from datamodules.files import Files, Reader, Unreadable, listed, parts_of, readable, training_of
from datamodules.folders import GIGABYTE, _Folders
from datamodules.loading import FilmDataModule
from datamodules.order import Batches, Indexed, digest_of, held_out_every
from datamodules.pictures import count_frames, load_frames, picture_size
from gan_modules import checks


def natural(path: Path) -> tuple[object, ...]:
    """What paths are sorted by so that numbers in names count as numbers.

    >>> [path.name for path in sorted(map(Path, ["f10.png", "f9.png", "f1.png"]), key=natural)]
    ['f1.png', 'f9.png', 'f10.png']
    """
    named = [[int(x) if x.isdecimal() else x for x in re.split(r"(\d+)", part)] for part in path.parts]
    return named, path


@dataclass(frozen=True)
class Film:
    """A folder of frames with its pictures, in their order; or a GIF, which has none."""

    path: Path
    pictures: tuple[Path, ...] = ()

    def frames(self, read: Reader) -> Indexed:
        """uint8 frames (t, c, h, w), which are read when they are asked for."""
        return Files(self.pictures, read) if self.pictures else _Animation(self.path, read)

    def length(self) -> int:
        """The number of frames, as far as the heads of the files tell.

        Raises:
            ValueError: if one of them cannot be read, or their sizes differ.
        """
        if not self.pictures:
            return count_frames(self.path)
        sizes = [picture_size(path) for path in self.pictures]
        for path, (width, height) in zip(self.pictures, sizes, strict=True):
            if (width, height) != sizes[0]:
                first = f"{sizes[0][0]} x {sizes[0][1]} ({self.pictures[0].name})"
                raise ValueError(
                    f"{self.path} has frames of different sizes, {first} and {width} x {height} ({path.name})"
                )
        return len(self.pictures)


def films_of(paths: Sequence[Path]) -> list[Film]:
    """The films that pictures are: each GIF is one, and all others in a folder are another; in natural order."""
    found: dict[Path, list[Path]] = {}
    for path in sorted(paths, key=natural):
        is_film = path.suffix.lower() == ".gif"
        found.setdefault(path if is_film else path.parent, []).extend([] if is_film else [path])
    return [Film(path, tuple(found[path])) for path in sorted(found, key=natural)]


def film_at(path: Path) -> Film:
    """The GIF, or the folder of frames.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if there are no pictures in it, or it is a file of another kind.
    """
    if path.suffix.lower() == ".gif" and path.is_file():
        return Film(path)
    return Film(path, tuple(sorted(listed(path), key=natural)))


class FilmFolders(FilmDataModule, _Folders):
    """Films below a folder: folders of frames, whose names say their order, and animated GIFs.

    Batches are those of `MovingEmoji`: `(history, next)`, images (n, history * channels, h, w) and (n, channels, h, w),
    a clip's frames being joined along the channels; held-out batches are `(history, next, later)` with `ahead - 1`
    frames more. A clip is flipped, and cropped, as a whole. In training it begins at any frame; held-out clips share
    no frames. Numbers in names count as numbers: `f9.png` is before `f10.png`.

    Held out are the films in a subfolder `val` or `test`, and those in `train`, or else all others, are trained on; or
    else every tenth film, beginning with the first, of those that are long enough for it.

    Args:
        root: the folder.
        history: frames that are given.
        ahead: frames that follow in a held-out clip.
        step: a clip has every `step`-th frame of a film.
        stride: frames from the beginning of a training clip to that of the next one.
        batch_size, image_size, channels, load_size, flip, held_out_every, background, cache, num_workers, seed: as for
            `ImageFolder`; films are held out in place of pictures.
        unreadable: "error" lists the films that cannot be read, or have frames of different sizes; "skip" warns and
            leaves them out.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if there are no films, or too few, or none that is long enough, or some that cannot be read.
    """

    def __init__(
        self,
        root: str | Path,
        history: int = 4,
        ahead: int = 8,
        step: int = 1,
        stride: int = 1,
        batch_size: int = 8,
        image_size: int = 64,
        channels: int = 3,
        load_size: int | None = None,
        flip: bool = True,
        held_out_every: int = 10,
        background: str = "white",
        unreadable: Unreadable = "error",
        cache: int = GIGABYTE,
        num_workers: int | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            batch_size,
            image_size,
            channels,
            load_size,
            flip,
            held_out_every,
            background,
            unreadable,
            cache,
            num_workers,
            seed,
        )
        checks.whole(1, history=history, ahead=ahead, step=step, stride=stride)
        self.root, self.history, self.ahead, self.step, self.stride = Path(root), history, ahead, step, stride

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        training, held_out = self._split()
        self.training = Batches(self._clips(training, True), vary=self.vary, seed=self.seed)
        self.held_out = Batches(self._clips(held_out, False))

    def _span(self, training: bool) -> int:
        """Frames of a film from the first to the last one of a clip."""
        return (self.history + (1 if training else self.ahead) - 1) * self.step + 1

    def _split(self) -> tuple[list[Film], list[Film]]:
        (training_root, held_root), paths = parts_of(self.root), training_of(self.root, listed(self.root))
        if not paths:
            raise ValueError(f"There are no films for training in {training_root}: add some.")
        if held_root is not None:
            parts = self._long_enough(films_of(paths), True), self._long_enough(films_of(listed(held_root)), False)
            return list(parts[0]), list(parts[1])
        lengths = self._long_enough(films_of(paths), True)
        fit = [film for film, length in lengths.items() if length >= self._span(False)]
        if not fit:
            raise ValueError(self._too_short(lengths, False))
        held_out = [fit[i] for i in held_out_every(len(fit), self.every)[1].tolist()]
        aside = set(held_out)
        rest = [film for film in lengths if film not in aside]
        if not rest:
            raise ValueError(
                f"{self.root} has one film that is long enough, {held_out[0].path}, which is held out and leaves none "
                "for training: add some, or cut it in two, in folders train and val."
            )
        return rest, held_out

    def _long_enough(self, films: Sequence[Film], training: bool) -> dict[Film, int]:
        """Those of which there is a clip, and how many frames they have."""
        seen = readable(films, Film.length, self.unreadable, "films")
        lengths = {films[place]: length for place, length in seen.items()}
        kept = {film: length for film, length in lengths.items() if length >= self._span(training)}
        if not kept:
            raise ValueError(self._too_short(lengths, training))
        short = [f"{film.path} has {lengths[film]}" for film in lengths if film not in kept]
        if short:
            more = f"; and {len(short) - 5} more" if len(short) > 5 else ""
            rank_zero_warn(
                f"{len(short)} of {len(lengths)} films are shorter than {self._told(training)}: "
                f"{'; '.join(short[:5])}{more}. They are left out."
            )
        return kept

    def _too_short(self, lengths: dict[Film, int], training: bool) -> str:
        longest = max(lengths, key=lambda film: lengths[film])
        less = "history or step" if training else "history, ahead or step"
        return (
            f"No film is as long as {self._told(training)}: the longest, {longest.path}, has {lengths[longest]}; give "
            f"longer films, or a smaller {less}."
        )

    def _told(self, training: bool) -> str:
        part, ahead = ("training", "") if training else ("held-out", f", ahead {self.ahead}")
        asked = f"history {self.history}{ahead}, step {self.step}"
        return f"a {part} clip, which takes {self._span(training)} frames ({asked})"

    def _clips(self, films: Sequence[Film], training: bool) -> "_Clips":
        read = self.reader(training, self.channels)
        columns = [film.frames(read) for film in films]
        in_memory = sum(map(len, columns)) * read.bytes <= self.cache

        def look(frames: Indexed) -> Indexed:
            if not in_memory and self.unreadable == "error":
                return frames
            decoded = frames[torch.arange(len(frames))]
            return decoded if in_memory else frames

        found = list(readable(columns, look, self.unreadable, "films").values())
        count = self.history + (1 if training else self.ahead)
        return _Clips(found, count, self.step, self.stride if training else self._span(False))


class _Animation:
    """uint8 frames of a GIF, which are read when they are asked for."""

    def __init__(self, path: Path, read: Reader) -> None:
        self.path, self.read, self.count = path, read, count_frames(path)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, indices: Tensor) -> Tensor:
        return load_frames(self.path, indices.tolist(), self.read.channels, self.read.size, self.read.background)

    def fingerprint(self) -> str:
        return Files([self.path], self.read).fingerprint()


class _Clips:
    """uint8 clips (n, frames * c, h, w): of each film those that begin at every `stride`-th frame and fit into it."""

    def __init__(self, films: Sequence[Indexed], frames: int, step: int, stride: int) -> None:
        self.films, self.frames, self.step, self.stride = films, frames, step, stride
        starts = [torch.arange(0, len(film) - (frames - 1) * step, stride) for film in films]
        self.starts = torch.cat(starts)
        self.numbers = torch.arange(len(films)).repeat_interleave(torch.tensor([len(each) for each in starts]))

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, indices: Tensor) -> Tensor:
        places = self.starts[indices, None] + self.step * torch.arange(self.frames)
        chosen = zip(self.numbers[indices].tolist(), places, strict=True)
        return torch.stack([self.films[film][frames].flatten(0, 1) for film, frames in chosen])

    @property
    def in_memory(self) -> bool:
        """Whether no file is read for a clip."""
        return all(isinstance(film, Tensor) for film in self.films)

    def fingerprint(self) -> str:
        """A digest of the films, and of where in them clips are."""
        parts = (self.frames, self.step, self.stride, [digest_of(film) for film in self.films])
        return hashlib.sha256(repr(parts).encode()).hexdigest()
