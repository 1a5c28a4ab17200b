"""Pictures in folders: alone, by class, in two unpaired domains, or in pairs.

Pictures keep their proportions: the middle square is resized to the size asked for. With `load_size` larger than
`image_size`, training pictures are resized to it and a random square of `image_size` is cut out on the device (286 and
256 in pix2pix and CycleGAN); held-out pictures are always whole. A set that takes at most `cache` bytes, at its size,
is decoded once and kept in memory; a larger one is read by worker processes as it is needed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from datamodules.files import Reader, Row, Unreadable, every_nth, listed, matched, read_rows, split_folder
from datamodules.loading import PictureDataModule
from datamodules.order import Batches, Indexed
from datamodules.pictures import check_colour
from gan_modules import checks

GIGABYTE = 2**30
Direction = Literal["left2right", "right2left"]


class _Folders(PictureDataModule):
    """The arguments that all share; see `ImageFolder`."""

    def __init__(
        self,
        batch_size: int,
        image_size: int,
        channels: int,
        load_size: int | None,
        flip: bool,
        held_out_every: int,
        background: str,
        unreadable: Unreadable,
        cache: int,
        num_workers: int | None,
        seed: int | None,
    ) -> None:
        super().__init__(batch_size, image_size, channels, flip, num_workers, seed)
        self.load_size = image_size if load_size is None else load_size
        checks.whole(image_size, load_size=self.load_size)
        checks.whole(2, held_out_every=held_out_every)
        checks.whole(0, 2**63, cache=cache)
        checks.choice(get_args(Unreadable), unreadable=unreadable)
        check_colour(background)
        self.every, self.background, self.unreadable, self.cache = held_out_every, background, unreadable, cache

    @property
    def vary(self) -> bool:
        """Whether training pictures are flipped or cropped."""
        return self.flip or self.load_size > self.image_size

    def reader(self, training: bool, channels: int, half: Literal["left", "right"] | None = None) -> Reader:
        """How pictures are read, at the size that they are kept in."""
        return Reader(channels, self.load_size if training else self.image_size, self.background, half)

    def read(self, rows: Sequence[Row], *readers: Reader) -> tuple[list[Indexed], Tensor]:
        """The domains of the rows, and the places of the rows that were kept."""
        in_memory = len(rows) * sum(reader.bytes for reader in readers) <= self.cache
        columns, kept = read_rows(rows, readers, in_memory, self.unreadable)
        return columns, kept


class ImageFolder(_Folders):
    """All pictures below a folder, alone or with the subfolder that they are in as label.

    Held out are the pictures in a subfolder `val` or `test`, or else every tenth in the order of their paths; a
    subfolder `train` then has the others. Hidden files are left out.

    Args:
        root: the folder.
        labels: give `(pictures, class)`; the classes are the folders below `root` (or `root/train`), by name.
        batch_size: the global batch, shared evenly by all processes.
        image_size: side of the pictures.
        channels: 1 or 3; pictures are converted.
        load_size: side that training pictures are resized to before a square of `image_size` is cut out at random;
            None: `image_size`.
        flip: mirror half of the training pictures.
        held_out_every: every how many-th picture is held out, where no subfolder says which.
        background: colour behind transparent pixels, a name or #rrggbb.
        unreadable: "error" lists the pictures that cannot be read; "skip" warns and leaves them out.
        cache: bytes up to which a set (training, held out) is decoded once and kept in memory.
        num_workers: processes that read ahead; None: none for what lies in memory, up to four for files.
        seed: of order, flips and crops; None takes the environment's PL_GLOBAL_SEED (`seed_everything`), else 0.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if there are no pictures, or too few, or some that cannot be read, or a picture without class.
    """

    def __init__(
        self,
        root: str | Path,
        labels: bool = False,
        batch_size: int = 64,
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
        checks.switch(labels=labels)
        self.root, self.labels = Path(root), labels

    @property
    def class_names(self) -> list[str]:
        if not self.labels:
            return []
        split = split_folder(self.root, self.every)
        paths = [*split.training, *(split.held_out if split.held_out_root == split.training_root else ())]
        return sorted({_class_of(path, split.training_root) for path in paths})

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        split, names = split_folder(self.root, self.every), self.class_names
        self.training = self._batches(split.training, split.training_root, names, True)
        self.held_out = self._batches(split.held_out, split.held_out_root, names, False)

    def _batches(self, paths: list[Path], root: Path, names: list[str], training: bool) -> Batches:
        columns, kept = self.read([(path,) for path in paths], self.reader(training, self.channels))
        labels = _labels([paths[i] for i in kept.tolist()], root, names) if self.labels else None
        return Batches(*columns, labels=labels, vary=training and self.vary, seed=self.seed)


def _class_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root).parts
    if len(parts) < 2:
        raise ValueError(f"{path} is in no subfolder of {root}, its class: move it, or set labels false.")
    return parts[0]


def _labels(paths: list[Path], root: Path, names: list[str]) -> Tensor:
    places = {name: place for place, name in enumerate(names)}
    classes = [_class_of(path, root) for path in paths]
    unknown = sorted(set(classes) - set(names))
    if unknown:
        raise ValueError(f"{root} has the class {unknown[0]}, which has no training pictures: add some or remove it.")
    return torch.tensor([places[name] for name in classes])


class UnpairedFolders(_Folders):
    """Two domains in CycleGAN's layout: `trainA`, `trainB`, and `testA`, `testB` held out.

    Training batches are `(x, y)` with x from A and y from B, of which there may be unequally many, shuffled, cropped
    and flipped independently; an epoch shows each picture of the larger domain once. Without test folders every tenth
    picture of each domain is held out. Of unequal held-out domains the smaller one is repeated.

    Args:
        root: the folder of the four.
        truth: pictures of equal name in testA and testB are the same picture in either domain: held-out batches are
            then `(x, y, x_as_y, y_as_x)`, where x and y are such a pair.
        batch_size, image_size, channels, load_size, flip, held_out_every, background, unreadable, cache, num_workers,
            seed: as for `ImageFolder`.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: as `ImageFolder` does; if only one test folder is there, or for `truth` none, or names differ.
    """

    def __init__(
        self,
        root: str | Path,
        truth: bool = False,
        batch_size: int = 1,
        image_size: int = 256,
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
        checks.switch(truth=truth)
        self.root, self.truth = Path(root), truth

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        x, y, held_out = self._split()
        reader = self.reader(True, self.channels)
        columns = [self.read([(path,) for path in paths], reader)[0][0] for paths in (x, y)]
        self.training = Batches(*columns, vary=self.vary, unpaired=True, seed=self.seed)
        columns, kept = self.read(held_out, *[self.reader(False, self.channels)] * 2)
        lengths = [len(set(domain)) for domain in zip(*held_out, strict=True)]
        identities = [kept % length for length in lengths]
        if self.truth:
            columns, identities = [*columns, *reversed(columns)], [*identities, *reversed(identities)]
        self.held_out = Batches(*columns, identities=identities, seed=self.seed)

    def _split(self) -> tuple[list[Path], list[Path], list[Row]]:
        if not self.root.is_dir():
            raise FileNotFoundError(f"There is no folder {self.root}: check the path.")
        x, y = listed(self.root / "trainA"), listed(self.root / "trainB")
        tests = [self.root / name for name in ("testA", "testB")]
        there = [folder.is_dir() for folder in tests]
        if any(there) != all(there):
            raise ValueError(f"{self.root} has only one of testA and testB: give both, or neither.")
        if not any(there):
            if self.truth:
                raise ValueError(f"truth needs the folders testA and testB in {self.root}.")
            (x, held_x), (y, held_y) = every_nth(x, self.every), every_nth(y, self.every)
            return x, y, _wrapped(held_x, held_y)
        held_x, held_y = listed(tests[0]), listed(tests[1])
        return x, y, matched(held_x, tests[0], held_y, tests[1]) if self.truth else _wrapped(held_x, held_y)


def _wrapped(first: list[Path], second: list[Path]) -> list[Row]:
    longest = max(len(first), len(second))
    return [(first[i % len(first)], second[i % len(second)]) for i in range(longest)]


class SideBySide(_Folders):
    """Pairs as pix2pix ships them: one picture whose left and right halves are source and target, or the reverse.

    Batches are `(source, target)`, cropped and flipped alike. The held-out part is chosen as in `ImageFolder`.

    Args:
        root: the folder.
        direction: which half is the source.
        source_channels: 1 or 3.
        batch_size, image_size, channels, load_size, flip, held_out_every, background, unreadable, cache, num_workers,
            seed: as for `ImageFolder`; `channels` are the target's.

    Raises:
        FileNotFoundError, ValueError: as `ImageFolder` does.
    """

    def __init__(
        self,
        root: str | Path,
        direction: Direction = "left2right",
        source_channels: int = 3,
        batch_size: int = 1,
        image_size: int = 256,
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
        checks.choice(get_args(Direction), direction=direction)
        checks.choice((1, 3), source_channels=source_channels)
        self.root, self.direction, self.source_channels = Path(root), direction, source_channels

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        split = split_folder(self.root, self.every)
        self.training = self._batches(split.training, True)
        self.held_out = self._batches(split.held_out, False)

    def _batches(self, paths: list[Path], training: bool) -> Batches:
        left_first = self.direction == "left2right"
        source = self.reader(training, self.source_channels, "left" if left_first else "right")
        target = self.reader(training, self.channels, "right" if left_first else "left")
        columns, _ = self.read([(path, path) for path in paths], source, target)
        return Batches(*columns, vary=training and self.vary, seed=self.seed)


class PairedFolders(_Folders):
    """Pairs in two folders: pictures of equal name (the suffix may differ) are source and target.

    Batches are `(source, target)`, cropped and flipped alike. The held-out part is in folders of its own, or in
    subfolders `val` or `test` of both folders, or else every tenth pair.

    Args:
        source, target: the two folders.
        held_out_source, held_out_target: two more, for the held-out pairs; None: see above.
        source_channels: 1 or 3.
        batch_size, image_size, channels, load_size, flip, held_out_every, background, unreadable, cache, num_workers,
            seed: as for `ImageFolder`; `channels` are the target's.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: as `ImageFolder` does, and if a picture has no partner.
    """

    def __init__(
        self,
        source: str | Path,
        target: str | Path,
        held_out_source: str | Path | None = None,
        held_out_target: str | Path | None = None,
        source_channels: int = 3,
        batch_size: int = 1,
        image_size: int = 256,
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
        if (held_out_source is None) != (held_out_target is None):
            raise ValueError("held_out_source and held_out_target are given both, or neither.")
        self.folders = Path(source), Path(target)
        self.held_out_folders = (
            None
            if held_out_source is None or held_out_target is None
            else (Path(held_out_source), Path(held_out_target))
        )
        checks.choice((1, 3), source_channels=source_channels)
        self.source_channels = source_channels

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        training, held_out = self._split()
        self.training = self._batches(training, True)
        self.held_out = self._batches(held_out, False)

    def _split(self) -> tuple[list[Row], list[Row]]:
        one, other = self.folders
        if self.held_out_folders:
            apart, aside = self.held_out_folders
            return (
                matched(listed(one), one, listed(other), other),
                matched(listed(apart), apart, listed(aside), aside),
            )
        first, second = (split_folder(folder, self.every) for folder in self.folders)
        if first.held_out_root == one and second.held_out_root == other:
            return every_nth(matched(listed(one), one, listed(other), other), self.every)
        return (
            matched(first.training, first.training_root, second.training, second.training_root),
            matched(first.held_out, first.held_out_root, second.held_out, second.held_out_root),
        )

    def _batches(self, rows: list[Row], training: bool) -> Batches:
        readers = self.reader(training, self.source_channels), self.reader(training, self.channels)
        columns, _ = self.read(rows, *readers)
        return Batches(*columns, vary=training and self.vary, seed=self.seed)
