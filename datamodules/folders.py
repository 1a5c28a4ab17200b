"""Pictures in folders: alone, by class, in two unpaired domains, or in pairs.

Pictures keep their proportions: the middle square is resized to the size asked for. With `load_size` larger than
`image_size`, training pictures are resized to it and a random square of `image_size` is cut out on the device (286 and
256 in pix2pix and CycleGAN); held-out pictures are always whole. A set that takes at most `cache` bytes, at its size,
is decoded once and kept in memory; a larger one is read by worker processes as it is needed.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from datamodules.few_labels import UNKNOWN, check_labels_per_class, partly_labelled
from datamodules.files import (
    Reader,
    Row,
    Split,
    Unreadable,
    colours_of,
    every_nth,
    listed,
    matched,
    read_rows,
    split_folder,
)
from datamodules.loading import PictureDataModule
from datamodules.making import PALETTE, SOURCE_CHANNELS, Hole, Task, made_of
from datamodules.order import Batches, Indexed, Raw, random_numbers
from datamodules.pictures import check_colour
from datamodules.pixels import jittered
from datamodules.tables import read_table, said_of
from gan_modules import checks
from gan_modules.palettes import Palette, check_palette, labelled
from gan_modules.texts import encoded

GIGABYTE = 2**30
Direction = Literal["left2right", "right2left"]
Half = Literal["left", "right"]
UNLABELLED = ("unlabelled", "unlabeled")
"""The folder whose pictures have no labels, in either spelling."""
_ADVICE = f"move it (to {UNLABELLED[0]}/ if that is not known), or set labels false"


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

    def reader(self, training: bool, channels: int, half: Half | None = None) -> Reader:
        """How pictures are read, at the size that they are kept in."""
        return Reader(channels, self.load_size if training else self.image_size, self.background, half)

    def read(self, rows: Sequence[Row], *readers: Reader, copies: int = 1) -> tuple[list[Indexed], Tensor]:
        """The domains of the rows, of which there will be so many copies, and the places of the rows that were kept."""
        in_memory = copies * len(rows) * sum(reader.bytes for reader in readers) <= self.cache
        columns, kept = read_rows(rows, readers, in_memory, self.unreadable)
        return columns, kept


class ImageFolder(_Folders):
    """All pictures below a folder, alone or with their label: the subfolder that they are in, or what a table says.

    Held out are the pictures in a subfolder `val` or `test`, or else every tenth in the order of their paths; a
    subfolder `train` then has the others. Hidden files are left out.

    With `labels`, pictures in a folder `unlabelled` of `root` or `root/train` have none: they are for training alone,
    and are no class. Where there are any, or `labels_per_class` is given, each training picture comes once with the
    label -1, and as many times one whose label is known (`datamodules.few_labels`).

    Args:
        root: the folder.
        labels: give `(pictures, class)`; the classes are the folders below `root` (or `root/train`), by name, or the
            labels in the table.
        texts: give `(pictures, texts)`, what the table says as `gan_modules.texts` encodes it: int64 (n, 48).
        table: a csv file with a line `name,label` for each picture, or `name,text`; names may be paths from `root`.
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
        labels_per_class: so many training labels of each class are known; None: all but those of `unlabelled`.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if there are no pictures, or too few, or some that cannot be read, or a picture without class, or
            fewer of a class than `labels_per_class`.
    """

    def __init__(
        self,
        root: str | Path,
        labels: bool = False,
        texts: bool = False,
        table: str | Path | None = None,
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
        labels_per_class: int | None = None,
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
        checks.switch(labels=labels, texts=texts)
        if (labels and texts) or (texts and table is None) or (table is not None and not (labels or texts)):
            raise ValueError("texts come from a table, and a table gives labels or texts: set one of them true")
        check_labels_per_class(labels_per_class, labels)
        self.root, self.labels, self.texts, self.labels_per_class = Path(root), labels, texts, labels_per_class
        self.table = None if table is None else Path(table)

    @cached_property
    def said(self) -> dict[str, str]:
        """What the table says of each picture."""
        return {} if self.table is None else read_table(self.table)

    @property
    def class_names(self) -> list[str]:
        if not self.labels:
            return []
        if self.table is not None:
            return sorted(set(self.said.values()))
        split = self._split()
        paths = [*split.training, *(split.held_out if split.held_out_root == split.training_root else ())]
        return sorted({_class_of(path, split.training_root) for path in paths})

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        split, names = self._split(), self.class_names
        few = self.labels_per_class is not None or bool(split.unlabelled)
        paths = [*split.training, *split.unlabelled]
        (pictures,), kept = self.read([(path,) for path in paths], self.reader(True, self.channels), copies=1 + few)
        known = [paths[i] for i in kept.tolist() if i < len(split.training)]
        labels = self._labels(known, split.training_root, names)
        if labels is not None and len(known) < len(kept):
            labels = torch.cat([labels, torch.full((len(kept) - len(known),), UNKNOWN)])
        self.training = partly_labelled(pictures, labels, self.labels_per_class, self.vary, self.seed, names)
        (pictures,), kept = self.read([(path,) for path in split.held_out], self.reader(False, self.channels))
        labels = self._labels([split.held_out[i] for i in kept.tolist()], split.held_out_root, names)
        self.held_out = Batches(pictures, labels=labels, seed=self.seed)

    def _split(self) -> Split:
        return split_folder(self.root, self.every, UNLABELLED if self.labels else ())

    def _labels(self, paths: list[Path], root: Path, names: list[str]) -> Tensor | None:
        if self.table is None:
            return _places([_class_of(path, root) for path in paths], root, names) if self.labels else None
        said = said_of(paths, self.root, self.said)
        return encoded(said) if self.texts else _places(said, root, names)


def _class_of(path: Path, root: Path, advice: str = _ADVICE) -> str:
    parts = path.relative_to(root).parts
    if len(parts) < 2:
        raise ValueError(f"{path} is in no subfolder of {root}, its class: {advice}.")
    return parts[0]


def _places(classes: list[str], root: Path, names: list[str]) -> Tensor:
    places = {name: place for place, name in enumerate(names)}
    unknown = sorted(set(classes) - set(names))
    if unknown:
        raise ValueError(f"{root} has the class {unknown[0]}, which has no training pictures: add some or remove it.")
    return torch.tensor([places[name] for name in classes])


class UnpairedFolders(_Folders):
    """Two domains in CycleGAN's layout: `trainA`, `trainB`, and `testA`, `testB` held out; or two subfolders.

    Training batches are `(x, y)` with x from A and y from B, of which there may be unequally many, shuffled, cropped
    and flipped independently; an epoch shows each picture of the larger domain once. Without test folders every tenth
    picture of each domain is held out. Of unequal held-out domains the smaller one is repeated.

    Args:
        root: the folder of the four; or of exactly two, of any names, of which the first by name is A.
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

    def _domains(self) -> tuple[Path, Path]:
        named = self.root / "trainA", self.root / "trainB"
        found = sorted(path for path in self.root.iterdir() if path.is_dir() and not path.name.startswith("."))
        one, other = found if len(found) == 2 and not any(path.is_dir() for path in named) else named
        return one, other

    def _split(self) -> tuple[list[Path], list[Path], list[Row]]:
        if not self.root.is_dir():
            raise FileNotFoundError(f"There is no folder {self.root}: check the path.")
        x, y = map(listed, self._domains())
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
        source_size: side of the sources, of which `image_size` and `load_size` are multiples, for models that enlarge;
            None: `image_size`.
        labels: whether sources are maps of labels, drawn with a colour (or a grey) for each. A batch has a channel for
            each label: 1 where the map has it, and -1 elsewhere. They are resized by nearest neighbours.
        palette: the labels' colours, from 0 to 255; others are taken for the nearest one. None: all that the maps have,
            sorted by red, green and blue, which takes maps that were saved without loss.
        batch_size, image_size, channels, load_size, flip, held_out_every, background, unreadable, cache, num_workers,
            seed: as for `ImageFolder`; `channels` are the target's.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: as `ImageFolder` does, and if a picture has no partner; for sizes that are no such multiples, a
            palette without maps, and maps of more than 256 colours.
    """

    def __init__(
        self,
        source: str | Path,
        target: str | Path,
        held_out_source: str | Path | None = None,
        held_out_target: str | Path | None = None,
        source_channels: int = 3,
        source_size: int | None = None,
        labels: bool = False,
        palette: Palette | None = None,
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
        checks.switch(labels=labels)
        check_palette(palette)
        if palette is not None and not labels:
            raise ValueError("a palette is for sources that are maps of labels; set labels true, or leave it out")
        self.given_channels, self.given_palette, self.labels = source_channels, palette, labels
        self.scale = self._scale(image_size if source_size is None else source_size)

    def _scale(self, source_size: int) -> int:
        """How many times larger targets are than sources."""
        checks.whole(1, source_size=source_size)
        scale = self.image_size // source_size
        if not scale or self.image_size % source_size or self.load_size % scale:
            raise ValueError(
                f"image_size and load_size must be the same multiples of source_size, got {self.image_size}, "
                f"{self.load_size} and {source_size}; 64, 72 and 16 are, for four times"
            )
        return scale

    @cached_property
    def palette(self) -> Palette | None:
        """The colours of the labels, where sources are maps of them."""
        if not self.labels or self.given_palette is not None:
            return self.given_palette
        sources = [row[0] for rows in self._split() for row in rows]
        return colours_of(sources)

    @property
    def source_channels(self) -> int:
        """Channels of the sources: of maps one a label."""
        return self.given_channels if self.palette is None else len(self.palette)

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        training, held_out = self._split()
        self.training = self._batches(training, True)
        self.held_out = self._batches(held_out, False)

    def finish(self, batches: Batches) -> tuple[object, ...]:
        return *super().finish(batches), *([] if self.palette is None else [tuple(map(tuple, self.palette))])

    def side(self, pictures: Tensor) -> int:
        is_source = self.scale > 1 and pictures.shape[-1] * self.scale == self.load_size
        return self.image_size // self.scale if is_source else self.image_size

    def on_after_batch_transfer(self, batch: object, dataloader_idx: int) -> object:
        if isinstance(batch, Raw):
            source, target = batch.columns
            if self.palette is not None:
                batch = batch._replace(columns=(labelled(source, self.palette), target))
            if self.scale > 1 and batch.numbers:
                batch = batch._replace(numbers=(batch.numbers[0], self._enlarged(batch.numbers[1])))
        return super().on_after_batch_transfer(batch, dataloader_idx)

    def _enlarged(self, numbers: Tensor) -> Tensor:
        """Numbers by which a target is cropped where these crop its source."""
        places = numbers[:, 1:] * ((self.load_size - self.image_size) // self.scale + 1) >> 24
        steps = self.load_size - self.image_size + 1
        moved = ((self.scale * places << 24) + steps - 1) // steps  # the first number of that place
        return torch.cat([numbers[:, :1], moved], dim=1)

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
        target = self.reader(training, self.channels)
        side = (self.load_size if training else self.image_size) // self.scale
        channels = 3 if self.labels else self.given_channels
        source = replace(target, channels=channels, size=side, exact=self.labels)
        columns, _ = self.read(rows, source, target)
        return Batches(*columns, vary=training and self.vary, seed=self.seed)


class MadePairs(_Folders):
    """Pairs of plain pictures and what is made of them: all pictures below a folder, held out as in `ImageFolder`.

    Batches are `(source, target)`, made of the target on the device after it was cropped and flipped.

    Args:
        root: the folder.
        task: as for `EmojiPairs`; line drawings are made at the size of the pictures.
        hole: as for `EmojiPairs`.
        batch_size, image_size, channels, load_size, flip, held_out_every, background, unreadable, cache, num_workers,
            seed: as for `ImageFolder`; `channels` are the target's.

    Raises:
        FileNotFoundError, ValueError: as `ImageFolder` does; if a size is no multiple of four, where a quarter is made.
    """

    def __init__(
        self,
        root: str | Path,
        task: Task = "grey2colour",
        hole: Hole = "centre",
        batch_size: int = 4,
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
        checks.choice(get_args(Task), task=task)
        checks.choice(get_args(Hole), hole=hole)
        if task in ("small2large", "low2high") and image_size % 4:
            raise ValueError(f"image_size must be a multiple of 4 for {task}, got {image_size}; 64 is one")
        self.root, self.task, self.hole = Path(root), task, hole

    @property
    def source_channels(self) -> int:
        """Channels of the source."""
        return SOURCE_CHANNELS.get(self.task, self.channels)

    @property
    def palette(self) -> Palette | None:
        """The colours of the labels of which sources are maps; None where they are none."""
        return PALETTE if self.task == "labels2colour" else None

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        split = split_folder(self.root, self.every)
        (column,), _ = self.read([(path,) for path in split.training], self.reader(True, self.channels))
        drawn = self.task == "holes" and self.hole == "anywhere"
        self.training = Batches(column, vary=self.vary or drawn, seed=self.seed)
        (column,), kept = self.read([(path,) for path in split.held_out], self.reader(False, self.channels))
        places = [random_numbers(0, torch.arange(len(kept)), 2)] if drawn else []
        self.held_out = Batches(column, *places, seed=self.seed)

    def finish(self, batches: Batches) -> tuple[object, ...]:
        return *super().finish(batches), self.task, self.hole

    def on_after_batch_transfer(self, batch: object, dataloader_idx: int) -> object:
        if isinstance(batch, Raw):
            target, *places = batch.columns
            if batch.numbers:
                target = jittered(target, batch.numbers[0], self.image_size, self.flip)
                places = [batch.numbers[0][:, 1:]] if self.hole == "anywhere" else []
            batch = Raw(tuple(made_of(target, self.task, places[0] if places else None)))
        return super().on_after_batch_transfer(batch, dataloader_idx)
