"""The emoji that ship with the package: 3,786 pictures of 64 pixels, each drawn by Noto and by Twemoji.

The split is fixed: pictures are sorted by their code points and every tenth, beginning with the first, is held out
(379 of them), so that 3,407 are for training. Unpaired domains take disjoint halves of the training pictures: the first
domain those at even places (1,704), the second those at odd places (1,703). Skin tones are pictures of their own, so a
held-out picture may have a relative in training that differs by its tone.

Noto Emoji: Google LLC and contributors, Apache-2.0. Twemoji: Twitter, Inc. and other contributors, CC BY 4.0.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from datamodules.few_labels import check_labels_per_class, partly_labelled
from datamodules.loading import PictureDataModule
from datamodules.making import PALETTE, SOURCE_CHANNELS, Hole, Task, line_drawings, made_of
from datamodules.order import Batches, Raw, held_out_every, random_numbers
from datamodules.pixels import in_channels, jittered, to_bytes
from gan_modules import checks
from gan_modules.palettes import Palette
from gan_modules.texts import encoded

SIZE = 64
Style = Literal["noto", "twemoji"]
Domains = Literal["lines2colour", "noto2twemoji"]
Drawn = Literal["noto", "twemoji", "lines", "grey", "negative"]


@cache
def index() -> dict[str, Any]:
    """`categories` (sorted) and `pictures`: code points, name, short name and category of each."""
    return json.loads(files("datamodules").joinpath("assets/emoji.json").read_text())


@cache
def pictures(style: Style) -> Tensor:
    """All pictures of one style on white: uint8 (3786, 3, 64, 64). Decoded once in a process and kept."""
    with files("datamodules").joinpath(f"assets/{style}.webp").open("rb") as file, Image.open(file) as opened:
        sheet = torch.from_numpy(np.array(opened.convert("RGB")))
    columns, count = index()["columns"], len(index()["pictures"])
    cells = sheet.reshape(-1, SIZE, columns, SIZE, 3).permute(0, 2, 4, 1, 3)
    return cells.reshape(-1, 3, SIZE, SIZE)[:count].contiguous()


@cache
def categories() -> Tensor:
    """The category of each picture, as a place in `index()["categories"]`: int64 (3786,)."""
    places = {name: place for place, name in enumerate(index()["categories"])}
    return torch.tensor([places[picture["category"]] for picture in index()["pictures"]])


@cache
def names() -> Tensor:
    """The name of each picture as codes of its characters: int64 (3786, 48)."""
    return encoded([picture["name"] for picture in index()["pictures"]])


def split() -> tuple[Tensor, Tensor]:
    """Places of the training pictures, in order, and of the held-out ones, mixed so that the first are of all kinds."""
    rest, held_out = held_out_every(len(index()["pictures"]))
    return rest, held_out[torch.arange(len(held_out)) * 144 % len(held_out)]  # 379 is a prime number


def without_tones(places: Tensor) -> Tensor:
    """Of the pictures at `places` (n,) the first ones of their names, which skin tones share: 1,910 of all 3,786."""
    first = {picture["name"]: place for place, picture in reversed(list(enumerate(index()["pictures"])))}
    return places[torch.isin(places, torch.tensor(list(first.values())))]


def shrunk(pictures: Tensor, size: int) -> Tensor:
    """uint8 pictures (n, c, 64, 64) at `size`, a divisor of 64, by averaging areas."""
    if pictures.shape[-1] == size:
        return pictures
    parts = torch.split(pictures, 512)
    return torch.cat([to_bytes(functional.avg_pool2d(part.float(), SIZE // size)) for part in parts])


class _Emoji(PictureDataModule):
    """What the three below share: the sizes, and the split."""

    def __init__(
        self, batch_size: int, image_size: int, channels: int, flip: bool, num_workers: int | None, seed: int | None
    ) -> None:
        super().__init__(batch_size, image_size, channels, flip, num_workers, seed)
        checks.choice((8, 16, 32, 64), image_size=image_size)

    def side(self, pictures: Tensor) -> int:
        """Emoji are never cropped, and a source may be smaller than its target."""
        return pictures.shape[-1]

    def coloured(self, style: Style) -> Tensor:
        """All pictures in the size and channels asked for: uint8 (3786, channels, image_size, image_size)."""
        return in_channels(shrunk(pictures(style), self.image_size), self.channels)

    def drawn(self, style: Drawn, chosen: Tensor) -> Tensor:
        """The pictures at the places `chosen` (n,), in the size and channels asked for: uint8 (n, channels, h, h)."""
        shown = pictures("twemoji" if style in ("twemoji", "negative") else "noto")[chosen]
        shown = line_drawings(shown, self.image_size) if style == "lines" else shrunk(shown, self.image_size)
        shown = in_channels(shown, 1) if style == "grey" else shown
        shown = 255 - shown if style == "negative" else shown
        return in_channels(shown, self.channels)


class Emoji(_Emoji):
    """Pictures alone, with their category as label, or with their name as text.

    Args:
        style: whose drawings.
        labels: give `(pictures, category)`; there are nine categories.
        names: give `(pictures, texts)`, the names as `gan_modules.texts` encodes them: int64 (n, 48). Skin tones share
            one name.
        batch_size, num_workers, seed: as for `BatchedDataModule`.
        image_size: 8, 16, 32 or 64.
        channels: 1 or 3.
        flip: mirror half of the training pictures.
        labels_per_class: so many training labels of each category are known and come once more for each picture without
            its label, which is -1 then (`datamodules.few_labels`); None: all are known.

    Raises:
        ValueError: for another size or number of channels, a batch that is not positive, or both labels and names.
    """

    def __init__(
        self,
        style: Style = "noto",
        labels: bool = False,
        batch_size: int = 64,
        image_size: int = 64,
        channels: int = 3,
        flip: bool = False,
        num_workers: int | None = 0,
        seed: int | None = None,
        names: bool = False,
        labels_per_class: int | None = None,
    ) -> None:
        super().__init__(batch_size, image_size, channels, flip, num_workers, seed)
        checks.choice(get_args(Style), style=style)
        checks.switch(labels=labels, names=names)
        if labels and names:
            raise ValueError("labels and names cannot both be given with the pictures; leave one of them out")
        check_labels_per_class(labels_per_class, labels)
        self.style, self.labels, self.names, self.labels_per_class = style, labels, names, labels_per_class

    @property
    def class_names(self) -> list[str]:
        return index()["categories"] if self.labels else []

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        drawn, said = self.coloured(self.style), names() if self.names else categories() if self.labels else None
        training, held_out = ((drawn[chosen], None if said is None else said[chosen]) for chosen in split())
        self.training = partly_labelled(*training, self.labels_per_class, vary=self.flip, seed=self.seed)
        self.held_out = Batches(held_out[0], labels=held_out[1], seed=self.seed)


class EmojiUnpaired(_Emoji):
    """Two domains from disjoint halves of the training pictures; the held-out pictures have both.

    Training batches are `(x, y)`, shuffled and flipped independently; held-out batches are
    `(x, y, x_as_y, y_as_x)`, where x and y show the same emoji.

    Args:
        domains: "lines2colour": x holds line drawings (of equal channels), y coloured pictures, both Noto's;
            "noto2twemoji": x is drawn by Noto, y by Twemoji.
        batch_size, image_size, channels, flip, num_workers, seed: as for `Emoji`.

    Raises:
        ValueError: as `Emoji` does.
    """

    def __init__(
        self,
        domains: Domains = "lines2colour",
        batch_size: int = 4,
        image_size: int = 64,
        channels: int = 3,
        flip: bool = True,
        num_workers: int | None = 0,
        seed: int | None = None,
    ) -> None:
        super().__init__(batch_size, image_size, channels, flip, num_workers, seed)
        checks.choice(get_args(Domains), domains=domains)
        self.domains = domains

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        rest, held_out = split()
        self.training = Batches(self._x(rest[::2]), self._y(rest[1::2]), vary=self.flip, unpaired=True, seed=self.seed)
        x, y = self._x(held_out), self._y(held_out)
        self.held_out = Batches(x, y, y, x, seed=self.seed)

    def _x(self, chosen: Tensor) -> Tensor:
        if self.domains == "lines2colour":
            return in_channels(line_drawings(pictures("noto")[chosen], self.image_size), self.channels)
        return self.coloured("noto")[chosen]

    def _y(self, chosen: Tensor) -> Tensor:
        return self.coloured("noto" if self.domains == "lines2colour" else "twemoji")[chosen]


class EmojiStyles(_Emoji):
    """One domain a style, from disjoint parts of the training pictures; the held-out pictures have all styles.

    Training batches are `(pictures, style)`, where a picture is in one style only: of k styles, the i-th has every k-th
    training picture from the i-th on. Held-out batches are the same emoji in each: `(in style 0, in style 1, ...)`.

    Args:
        styles: at least two of "noto", "twemoji", Noto's pictures as "lines" and in "grey", Twemoji's as "negative".
        batch_size, image_size, channels, flip, num_workers, seed: as for `Emoji`.

    Raises:
        ValueError: as `Emoji` does, and for a style that is unknown or given twice.
    """

    def __init__(
        self,
        styles: tuple[Drawn, ...] = ("noto", "twemoji", "lines", "grey"),
        batch_size: int = 16,
        image_size: int = 64,
        channels: int = 3,
        flip: bool = True,
        num_workers: int | None = 0,
        seed: int | None = None,
    ) -> None:
        super().__init__(batch_size, image_size, channels, flip, num_workers, seed)
        checks.words(styles=styles)
        for style in styles:
            checks.choice(get_args(Drawn), styles=style)
        if len(set(styles)) < max(2, len(styles)):
            raise ValueError(f"styles must be at least two, each once, got {styles!r}; ('noto', 'twemoji') are two")
        self.styles = tuple(styles)

    @property
    def class_names(self) -> list[str]:
        return list(self.styles)

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        rest, held_out = split()
        parts = [rest[place :: len(self.styles)] for place in range(len(self.styles))]
        drawn = torch.cat([self.drawn(style, part) for style, part in zip(self.styles, parts, strict=True)])
        labels = torch.cat([torch.full((len(part),), place) for place, part in enumerate(parts)])
        self.training = Batches(drawn, labels=labels, vary=self.flip, seed=self.seed)
        self.held_out = Batches(*(self.drawn(style, held_out) for style in self.styles), seed=self.seed)


class EmojiPairs(_Emoji):
    """Pairs `(source, target)` of one emoji, flipped alike.

    Args:
        task: "grey2colour" and "lines2colour" have a source of one channel; "small2large" has the target at a quarter
            of its size (area averages), enlarged again bicubically, so that source and target have equal shapes;
            "low2high" has the target at a quarter of its size (bicubic, antialiased) and leaves it so; "holes" has the
            target with a grey square in place of a quarter of it, in batches `(source, target, hole)` whose third part
            `(n, 1, h, w)` is 1 inside the square and -1 elsewhere; "labels2colour" has a map of labels for a source:
            eight channels, one for each colour of `PALETTE`, that are 1 where it is the nearest to the target's (in
            RGB; of equally near ones the first) and -1 elsewhere.
        hole: where that square is: in the "centre", or "anywhere", drawn anew for each training picture of each epoch
            and fixed for each held-out one.
        style: whose drawings.
        batch_size, image_size, channels, flip, num_workers, seed: as for `Emoji`; `channels` are the target's.

    Raises:
        ValueError: as `Emoji` does.
    """

    def __init__(
        self,
        task: Task = "grey2colour",
        style: Style = "noto",
        batch_size: int = 4,
        image_size: int = 64,
        channels: int = 3,
        flip: bool = True,
        num_workers: int | None = 0,
        seed: int | None = None,
        hole: Hole = "centre",
    ) -> None:
        super().__init__(batch_size, image_size, channels, flip, num_workers, seed)
        checks.choice(get_args(Task), task=task)
        checks.choice(get_args(Style), style=style)
        checks.choice(get_args(Hole), hole=hole)
        self.task, self.style, self.hole = task, style, hole

    @property
    def source_channels(self) -> int:
        """Channels of the source."""
        return SOURCE_CHANNELS.get(self.task, self.channels)

    @property
    def palette(self) -> Palette | None:
        """The colours of the labels of which sources are maps; None where they are none."""
        return PALETTE if self.task == "labels2colour" else None

    @property
    def cuts_anew(self) -> bool:
        """Whether a training picture has another hole in each epoch."""
        return self.task == "holes" and self.hole == "anywhere"

    def finish(self, batches: Batches) -> tuple[object, ...]:
        return *super().finish(batches), *(["cut anew"] if len(batches.columns) == 1 else [])

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        target = self.coloured(self.style)
        rest, held_out = split()
        given = [target] if self.cuts_anew else self._given(target)
        shown = self._given(target) if self.cuts_anew else given
        self.training = Batches(*(each[rest] for each in given), vary=self.flip or self.cuts_anew, seed=self.seed)
        self.held_out = Batches(*(each[held_out] for each in shown), seed=self.seed)

    def on_after_batch_transfer(self, batch: object, dataloader_idx: int) -> object:
        if isinstance(batch, Raw) and len(batch.columns) == 1:
            target = jittered(batch.columns[0], batch.numbers[0], self.image_size, self.flip)
            batch = Raw(tuple(made_of(target, self.task, batch.numbers[0][:, 1:])))
        return super().on_after_batch_transfer(batch, dataloader_idx)

    def _given(self, target: Tensor) -> list[Tensor]:
        """What a batch has of all pictures."""
        if self.task == "lines2colour":
            return [line_drawings(pictures(self.style), self.image_size), target]
        anywhere = random_numbers(0, torch.arange(len(target)), 2) if self.hole == "anywhere" else None
        return made_of(target, self.task, anywhere)
