"""Two domains of pictures, of which a model is told the labels of one: unsupervised domain adaptation."""

from pathlib import Path
from typing import Literal, cast, get_args

import torch
from torch import Tensor

from datamodules.emoji import SIZE, Drawn, _Emoji, categories, index, pictures, split, without_tones
from datamodules.loading import PictureDataModule
from datamodules.order import Batches, random_numbers
from datamodules.pixels import cropped, in_channels
from datamodules.vision import MNIST
from gan_modules import checks

Only = Literal["source", "target"]
Labelled = tuple[Tensor, Tensor]
"""uint8 pictures (n, c, h, w), and their labels, int64 (n,)."""


def on_patches(drawn: Tensor, identities: Tensor) -> Tensor:
    """Pictures on pieces of Noto's emoji: the absolute difference of each and of its patch, in each channel.

    The recipe of MNIST-M (Ganin and Lempitsky, 2015), whose patches are of photographs.

    Args:
        drawn: uint8 (n, 1 or 3, h, h), of at most 64 pixels.
        identities: which picture each is, int64 (n,); its patch is a function of this alone.

    Returns:
        uint8 (n, 3, h, h).
    """
    emoji, done = pictures("noto"), []
    for part, places in zip(torch.split(drawn, 4096), torch.split(identities, 4096), strict=True):
        numbers = random_numbers(0, places, 3)
        patches = cropped(emoji[numbers[:, 0] * len(emoji) >> 24], numbers[:, 1:], drawn.shape[-1])
        part = in_channels(part, 3)
        done.append(torch.maximum(part, patches) - torch.minimum(part, patches))
    return torch.cat(done)


def _training(source: Labelled, target: Labelled, only: Only | None, vary: bool, seed: int) -> Batches:
    """Both domains with the source's labels, shuffled independently; or one of them with its own."""
    if only is not None:
        drawn, labels = source if only == "source" else target
        return Batches(drawn, labels=labels, vary=vary, seed=seed)
    return Batches(source[0], target[0], labels=source[1], vary=vary, unpaired=True, seed=seed)


def _held_out(source: Tensor, target: Labelled, only: Only | None, seed: int) -> Batches:
    """The same things in both domains, the target's twice, as truths too, with their labels; or in that alone."""
    columns = (source, target[0], target[0]) if only is None else (target[0],)
    return Batches(*columns, labels=target[1], seed=seed)


class EmojiAdaptation(_Emoji):
    """The category of emoji in a style whose labels are not known, from disjoint halves of the training pictures.

    Skin tones, which make more than half of the pictures people, are left out: 861 pictures of the source, as many of
    the target, and 188 held-out ones in both.

    Training batches are `(source, target, category of the source)`, shuffled and flipped independently; held-out
    batches are the same emoji in both styles, and their category: `(source, target, source as target, category)`.

    Args:
        source, target: two of "noto", "twemoji", Noto's pictures as "lines" and in "grey", Twemoji's as "negative".
        only: give `(pictures, category)`, in training of this domain alone and held out of the target: what a
            classifier learns from that does without adaptation, or without the need of it.
        batch_size, image_size, channels, flip, num_workers, seed: as for `Emoji`.

    Raises:
        ValueError: as `Emoji` does, and if source and target are one style.
    """

    def __init__(
        self,
        source: Drawn = "noto",
        target: Drawn = "negative",
        only: Only | None = None,
        batch_size: int = 32,
        image_size: int = 64,
        channels: int = 3,
        flip: bool = True,
        num_workers: int | None = 0,
        seed: int | None = None,
    ) -> None:
        super().__init__(batch_size, image_size, channels, flip, num_workers, seed)
        checks.choice(get_args(Drawn), source=source, target=target)
        checks.choice((*get_args(Only), None), only=only)
        if source == target:
            raise ValueError(f"source and target must be two styles, got {source!r} for both; 'noto' and 'twemoji' are")
        self.source: Drawn = source
        self.target: Drawn = target
        self.only: Only | None = only

    @property
    def class_names(self) -> list[str]:
        return index()["categories"]

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        rest, held_out = map(without_tones, split())
        source, target = self._labelled(self.source, rest[::2]), self._labelled(self.target, rest[1::2])
        self.training = _training(source, target, self.only, self.flip, self.seed)
        shown = self.drawn(self.source, held_out), self._labelled(self.target, held_out)
        self.held_out = _held_out(*shown, self.only, self.seed)

    def _labelled(self, style: Drawn, chosen: Tensor) -> Labelled:
        return self.drawn(style, chosen), categories()[chosen]


class DigitsOnPatches(PictureDataModule):
    """MNIST's digits, and as the target domain digits on patches of emoji, whose labels are not known.

    In the manner of MNIST-M (Ganin and Lempitsky, 2015), but for its photographs: `on_patches`. The
    training digits at even places are the source, those at odd places the target; so no digit is in both. Training
    batches are `(source, target, digit of the source)`, shuffled independently; held-out batches are the test digits
    in both domains, and which they are: `(source, target, source as target, digit)`. The set is always the same.

    Args:
        root: folder that holds, or receives, `MNIST/raw`.
        download: fetch the files if they are not there.
        only: as for `EmojiAdaptation`.
        batch_size: the global batch, shared evenly by all processes.
        image_size: up to 64; 28 as they are, 32 with a margin of two black pixels, anything else resized.
        channels: 1 or 3; the source has three equal ones.
        num_workers: 0 is best, as all lies in memory.
        seed: of the order; None takes the environment's PL_GLOBAL_SEED (`seed_everything`), else 0.

    Raises:
        ValueError: if the files are neither there nor to be had, or for pictures larger than emoji.
    """

    def __init__(
        self,
        root: str | Path = "data",
        download: bool = True,
        only: Only | None = None,
        batch_size: int = 32,
        image_size: int = 32,
        channels: int = 3,
        num_workers: int | None = 0,
        seed: int | None = None,
    ) -> None:
        super().__init__(batch_size, image_size, channels, False, num_workers, seed)
        checks.whole(1, SIZE, image_size=image_size)
        checks.choice((*get_args(Only), None), only=only)
        self.digits = MNIST(root, download, image_size=image_size)
        self.only: Only | None = only

    @property
    def class_names(self) -> list[str]:
        return self.digits.class_names

    def prepare_data(self) -> None:
        self.digits.prepare_data()

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        self.digits.setup(stage)
        digits, labels = cast(Tensor, self.digits.training.columns[0]), cast(Tensor, self.digits.training.labels)
        tests, held_out = cast(Tensor, self.digits.held_out.columns[0]), cast(Tensor, self.digits.held_out.labels)
        places = torch.arange(len(digits) + len(tests))
        source = in_channels(digits[::2], self.channels), labels[::2]
        target = self._on_patches(digits[1::2], places[1 : len(digits) : 2]), labels[1::2]
        self.training = _training(source, target, self.only, False, self.seed)
        shown = in_channels(tests, self.channels), (self._on_patches(tests, places[len(digits) :]), held_out)
        self.held_out = _held_out(*shown, self.only, self.seed)

    def _on_patches(self, digits: Tensor, identities: Tensor) -> Tensor:
        return in_channels(on_patches(digits, identities), self.channels)
