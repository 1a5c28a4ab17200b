"""What a trained model has that a person can play with, and pictures by their wishes: what `scripts/demo.py` shows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning.pytorch.utilities.seed import isolate_rng
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, one_hot

from gan_modules import checks, randomness, translators
from gan_modules.adversarial import AdversarialModule
from gan_modules.callbacks import drawing
from gan_modules.evaluation import comparison, sides
from gan_modules.randomness import ItemStream, mix
from gan_modules.reading import shown
from gan_modules.texts import decoded, encoded
from gan_modules.translators import Manner, Translator

LATENTS = 8
"""How many of its latents a person moves at most: the first."""
_LARGEST = 256  # pixels of the shorter side of a picture that no training set the size of
_LINE = 1.2  # pixels: strokes so broad have the ink of `datamodules.emoji.line_drawings` at 32 and 64 pixels
_NORMAL, _OWN = 3.0, 1.0  # bounds of normal noise, and a model's own truncation, from which on nothing is cut


class Trained(NamedTuple):
    """What a checkpoint says of the training.

    Attributes:
        sentence: how long it was, and on which data.
        classes: the names of the data's classes, where they are known.
        domains: the names of the two domains, where the data have such.
        side: of the pictures, in pixels, where it is known.
    """

    sentence: str
    classes: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    side: int | None = None


def told(saved: dict[str, Any], trust: tuple[str, ...] = ()) -> Trained:
    """What a checkpoint, as `checkpoints.read` returns it, says of the training.

    Raises:
        ValueError: if the side of its pictures is no number of pixels.
    """
    data = saved["config"].get("data")
    name = data.get("class_path") if isinstance(data, dict) else None
    options = (data.get("init_args") if name else None) or {}
    side = translators.trained_at(saved["config"])
    on = f" on {shown(str(name).rpartition('.')[2])}" if name else ""
    sentence = f"Trained for {saved.get('global_step', 0):,} batches{on}{f', {side} pixels' if side else ''}."
    try:
        classes = getattr(comparison.data_module("", [], data, {}, trust)[0], "class_names", ())
    except (ValueError, OSError):  # data that are not trusted, or no longer there
        classes = ()
    domains = str(options.get("domains") or options.get("task") or "").split("2")
    return Trained(sentence, tuple(classes), tuple(map(shown, domains)) if len(domains) == 2 else (), side)


@dataclass(frozen=True)
class Noise:
    """A model of noise, and what of its samples can be chosen.

    Attributes:
        module: in evaluation mode.
        shape: of a sample: (c, h, w), or (2,) of a point.
        latents: how many latents can be moved.
        codes: how many continuous codes are given in place of drawn ones.
        classes: the names of the classes, or numbers; empty for a model that is told none.
        texts: what a model of texts draws unless it is told.
        bound: the largest truncation, which cuts nothing; None for a model whose noise cannot be truncated.
    """

    module: Any
    shape: tuple[int, ...]
    latents: int
    codes: int
    classes: tuple[str, ...]
    texts: tuple[str, ...]
    bound: float | None

    @classmethod
    def of(cls, module: AdversarialModule, names: Sequence[str] = ()) -> "Noise":
        """What this module has; `names` are those of its classes, where they are known."""
        own: Any = module
        with isolate_rng(), torch.no_grad(), randomness.using(stream := ItemStream(0, 0, 1)):
            shape, normal = tuple(own.sample(1).shape[1:]), stream.normals > 0
        number = getattr(own, "categories", 0) or (own.num_classes if sides.takes_labels(module) else 0)
        is_own = "truncation" in signature(own.forward).parameters
        return cls(
            module,
            shape,
            min(getattr(own, "noise_dim", own.latent_dim), LATENTS),
            getattr(own, "continuous", 0),
            tuple(names) if len(names) == number else tuple(map(str, range(number))),
            getattr(own, "texts", ()),
            _OWN if is_own else _NORMAL if normal else None,
        )

    def titles(self, chosen: int | None = None, texts: Sequence[str] = ()) -> Sequence[str]:
        """What the rows of a picture show: texts, classes, or nothing in particular."""
        if self.texts:
            return decoded(encoded(texts or self.texts))
        return self.classes if chosen is None else self.classes[chosen : chosen + 1]

    @torch.no_grad()
    def samples(
        self,
        n: int = 36,
        seed: int = 0,
        truncation: float | None = None,
        moved: Sequence[float] = (),
        codes: Sequence[float] = (),
        chosen: int | None = None,
        texts: Sequence[str] = (),
    ) -> Tensor:
        """Some `n` samples (rows x columns, ...), a row for each of `titles`; the noise is the same in every row.

        Args:
            n: how many, at least one a row.
            seed: of the noise, which without further wishes is that of the files of `scripts/sample.py`.
            truncation: see `bound`.
            moved: what is added to the first latents.
            codes: the continuous codes; those that are left out are 0.
            chosen: the place of one class in `classes`; None: all.
            texts: of a model of texts.

        Raises:
            ValueError: for a number, seed or truncation that is none, or a text without letters and digits.
        """
        checks.whole(1, n=n)
        checks.seed(seed=seed)
        rows = len(self.titles(chosen, texts)) or 1
        columns = math.ceil(n / rows)
        own = {} if truncation is None or self.bound != _OWN else {"truncation": truncation}
        with isolate_rng(), randomness.using(ItemStream(mix(seed, 0), 0, columns, None if own else truncation)):
            torch.manual_seed(mix(seed, 0))  # for networks that draw from torch's global generator
            z = self._noise(columns)
            z[:, : len(moved)] += torch.tensor(moved, dtype=z.dtype)
            return self.module(*self._inputs(z.repeat(rows, 1), columns, codes, chosen, texts), **own)

    def _noise(self, n: int) -> Tensor:
        return self.module.noise(n) if hasattr(self.module, "noise") else self.module.prior(n)

    def _inputs(
        self, z: Tensor, columns: int, codes: Sequence[float], chosen: int | None, texts: Sequence[str]
    ) -> tuple[Tensor, ...]:
        if self.texts:
            return z, encoded(self.titles(None, texts)).repeat_interleave(columns, 0)
        if not self.classes:
            return (z,)
        labels = torch.arange(len(self.classes)) if chosen is None else torch.tensor([chosen])
        labels = labels.repeat_interleave(columns)
        if not hasattr(self.module, "categories"):
            return z, labels
        given = torch.zeros(self.codes, dtype=z.dtype)
        given[: len(codes)] = torch.tensor(codes, dtype=z.dtype)
        return (torch.cat([z, one_hot(labels, len(self.classes)).to(z), given.expand(len(z), -1)], dim=1),)

    def picture(self, chosen: int | None = None, texts: Sequence[str] = (), **wishes: Any) -> Image.Image:
        """A grid of `samples`, with titles where rows differ; of points a scatter plot."""
        made = self.samples(chosen=chosen, texts=texts, **wishes)
        if made.ndim == 2:
            return drawing.scatter(None, made)
        titles = self.titles(chosen, texts)
        if len(titles) < 2:
            return drawing.grid(made, math.ceil(math.sqrt(len(made))))
        return drawing.grid(made, len(made) // len(titles), titles=titles)


class Shown(NamedTuple):
    """What became of a picture: as the model saw it, and as the model has it, both enlarged."""

    seen: Image.Image
    made: Image.Image


@dataclass(frozen=True)
class Pictures:
    """A model that makes pictures of pictures, and what of these can be chosen.

    Attributes:
        module: in evaluation mode.
        trained_at: side of the pictures that it was trained on; None: unknown.
        directions: what it translates, one name for each way; empty where there is but one.
        varies: whether a picture has several translations.
        coded: whether by codes.
        styled: for each direction, whether it translates in the style of a reference.
        domains: those of which one is chosen.
        fills: whether it fills holes.
        side: to which the shorter side of a picture is brought where training does not say it, as of a model that
            enlarges pictures; None: to that of the training.
        palette: the colours of the labels that it sees, of which a picture should be drawn.
    """

    module: Any
    trained_at: int | None
    directions: tuple[str, ...]
    varies: bool
    coded: bool
    styled: tuple[bool, ...]
    domains: tuple[str, ...]
    fills: bool
    side: int | None
    palette: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, module: AdversarialModule, trained_at: int | None = None, domains: Sequence[str] = ()) -> "Pictures":
        """What this module has; `domains` are the names of its two domains, where they are known.

        Raises:
            ValueError: if it makes pictures of noise alone, or films.
        """
        if hasattr(module, "predict"):
            raise ValueError(
                f"{type(module).__name__} predicts films, which the page does not show; give the checkpoint to "
                "scripts/sample.py --out film.gif"
            )
        ways = [Translator(module, trained_at, bool(way)) for way in range(2 if hasattr(module, "inverse") else 1)]
        first, second = domains if len(domains) == 2 else ("first domain", "second domain")
        free = ways[0].size is None and not ways[0].reconstructs
        side = (trained_at or _LARGEST) // getattr(ways[0].reader, "scale", 1)
        styles = len(getattr(module, "style_readers", ())) if ways[0].coded else 0
        return cls(
            module,
            trained_at,
            (f"{first} to {second}", f"{second} to {first}") if len(ways) == 2 else (),
            any(way.varies for way in ways),
            ways[0].coded,
            tuple(way < styles for way in range(len(ways))),
            ways[0].domains,
            ways[0].fills,
            side if free else None,
            tuple(map(tuple, ways[0].palette or ())),
        )

    @property
    def pen(self) -> float:
        """The width of a line, of a picture whose side is 1, that is as dark and broad as those of line drawings."""
        return _LINE / (self.trained_at or 64)

    def translated(
        self,
        picture: Image.Image,
        painted: Image.Image | None = None,
        direction: int = 0,
        seed: int = 0,
        samples: int = 1,
        reference: Image.Image | None = None,
        domain: int | None = None,
        side: int | None = None,
    ) -> Shown:
        """What the model makes of a picture.

        Args:
            picture: of any size and mode; transparent parts are white.
            painted: of the same size, and of the mode RGBA: for a model that fills holes, the hole is the smallest
                rectangle around what is not transparent. Where all is, or None: the hole of the training.
            direction: the place of the way in `directions`.
            seed: of codes and dropout.
            samples: how many translations, of a model whose translations vary.
            reference: picture in whose style there is one translation; None: as many as `samples`.
            domain: the place of one in `domains`; None: all of them.
            side: in place of the module's.

        Raises:
            ValueError: for what is no number, and for a hole that the model cannot see at once.
        """
        translator = Translator(self.module, self.trained_at, bool(direction), side or self.side)
        pixels, hole = pixels_of(picture), None if painted is None else hole_of(painted)
        references = [("", pixels_of(reference))] if reference is not None and self.styled[direction] else []
        manners = translator.manners(samples if self.varies and not references else None, references, domain, seed)
        made = torch.stack([translator(pixels, manner, hole) for manner in manners])
        seen = translator.source(pixels)
        if self.fills:
            seen = seen.where(self._hole(seen, hole) == 0, 0)
        return Shown(drawing.grid(self._coloured(seen), 1), _sheet(made, manners))

    def _hole(self, seen: Tensor, hole: Tensor | None) -> Tensor:
        return self.module.trained_hole(seen) if hole is None else interpolate(hole[None].float(), seen.shape[-2:])

    def _coloured(self, source: Tensor) -> Tensor:
        """What the model sees, as a picture."""
        if not self.palette:
            return source
        return (torch.tensor(self.palette) / 127.5 - 1)[source.argmax(1)].permute(0, 3, 1, 2)


def pixels_of(picture: Image.Image) -> Tensor:
    """A picture of any mode on white: uint8 (3, h, w)."""
    coloured = picture.convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured).convert("RGB")
    return torch.from_numpy(np.array(flat)).permute(2, 0, 1)


def hole_of(painted: Image.Image) -> Tensor | None:
    """The smallest rectangle around what is not transparent: uint8 (1, h, w), 255 inside; None where all is."""
    box = painted.getchannel("A").getbbox()
    if box is None:
        return None
    left, top, right, bottom = box
    hole = torch.zeros(1, painted.height, painted.width, dtype=torch.uint8)
    hole[:, top:bottom, left:right] = 255
    return hole


def together(layers: Sequence[Image.Image]) -> Image.Image | None:
    """All that is painted on the layers of a canvas, RGBA; None without any."""
    painted = None
    for layer in layers:
        painted = layer.convert("RGBA") if painted is None else Image.alpha_composite(painted, layer.convert("RGBA"))
    return painted


def _sheet(made: Tensor, manners: Sequence[Manner]) -> Image.Image:
    columns = math.ceil(math.sqrt(len(made)))
    if len(made) == 1 or all(manner.name.isdigit() for manner in manners):
        return drawing.grid(made, columns)
    return drawing.titled_columns([("", [(m.name, each[None]) for m, each in zip(manners, made, strict=True)])])
