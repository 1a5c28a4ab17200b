"""One picture, translated by any of the translators, in any of the ways that it has.

What a module can do, it says itself:

- `readers`: the names of the networks that see a source first, one for each direction, the second being that of
  `inverse`. A network says what it takes by its attributes `in_channels` or `channels`, `image_size` (which divides the
  sides, unless it says otherwise as `multiple`), `fixed` (whether that is the one size it takes) and `scale` (by which
  it enlarges).
- `coded`: whether `forward` and `inverse` take a `code`, of which `codes(n)` draws some.
- `style_readers`, with `style` and `inverse_style`: the networks that read a code off pictures of the domain that is
  translated to, for each direction.
- `domains`: the names of the domains of which `forward` takes the place as `domain`.
- `filled(images, hole)` and `trained_hole(images)`: holes are filled, and what it was trained on is where no hole is
  given.
- `palette`: the colours of the labels of which sources are maps.
- `reconstruct(images)`: in place of a translation, of models with inference.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from datamodules.pixels import in_channels, scaled
from gan_modules import checkpoints, checks, randomness
from gan_modules.adversarial import AdversarialModule
from gan_modules.palettes import labelled
from gan_modules.randomness import Stream, mix
from gan_modules.tiles import tiled

_MULTIPLE = 32  # that sides are padded to, unless the network names a size; few networks halve more often


class Manner(NamedTuple):
    """One of the ways in which a model translates pictures.

    Attributes:
        name: what tells it from the others, as a sample's number or a domain; empty for the only one.
        arguments: of the module's `forward` or `inverse`, beside the picture: `code` (1, d) or `domain`.
        seed: of dropout, where it is the noise.
    """

    name: str = ""
    arguments: dict[str, Any] = {}
    seed: int = 0


_PLAIN = Manner()


class Translator:
    """Translates pictures of any size by a trained module.

    Pictures keep their proportions: their shorter side becomes `size`. Networks that take one size alone see longer
    pictures in overlapping tiles; of holes the square around them; models with inference the middle square.

    Args:
        module: in evaluation mode, as `checkpoints.load` returns it.
        trained_at: side of the pictures that it was trained on; None: unknown.
        inverse: translate from the second domain to the first.
        size: what the shorter side becomes; None: `trained_at`, but where pictures are enlarged by the model or cut
            into tiles, they are taken as they are.
        tile: side of tiles, for pictures that do not fit into memory; rounded up to what the network can take.

    Raises:
        ValueError: if the module makes pictures of noise alone, or translates one way, or takes one size alone.
    """

    def __init__(
        self,
        module: AdversarialModule,
        trained_at: int | None = None,
        inverse: bool = False,
        size: int | None = None,
        tile: int | None = None,
    ) -> None:
        checks.whole(1, size=1 if size is None else size, tile=1 if tile is None else tile)
        self.module = cast(Any, module)
        self.name = type(module).__name__
        if not hasattr(module, "readers"):
            raise ValueError(f"{self.name} makes pictures from noise: leave --input out")
        if hasattr(module, "predict"):
            raise ValueError(f"{self.name} predicts films and translates no single picture: give a .gif as --out")
        if inverse and not hasattr(module, "inverse"):
            raise ValueError(f"{self.name} translates in one direction: leave --inverse out")
        self.inverse, self.trained_at = inverse, trained_at
        self.reader: Any = module.serving(self.module.readers[1 if inverse else 0])
        self.channels = channels_of(self.reader)
        self.palette = getattr(module, "palette", None)
        self.fixed = getattr(self.reader, "image_size", None) if getattr(self.reader, "fixed", False) else None
        self.multiple = getattr(self.reader, "multiple", getattr(self.reader, "image_size", _MULTIPLE))
        self.reconstructs, self.fills = hasattr(module, "reconstruct"), hasattr(module, "filled")
        if self.fixed and tile is not None:
            raise ValueError(f"{self.name} takes {self.fixed} pixels alone, as its tiles have: leave --tile out")
        if self.reconstructs and (size or tile):
            raise ValueError(f"{self.name} reconstructs squares as in training: leave --size and --tile out")
        self.tile = self.fixed if tile is None else tile + -tile % self.multiple
        as_they_are = tile is not None or getattr(self.reader, "scale", 1) > 1
        self.size = size or (None if as_they_are else trained_at or self.fixed)

    @property
    def coded(self) -> bool:
        """Whether translations follow a code."""
        return getattr(self.module, "coded", False)

    @property
    def varies(self) -> bool:
        """Whether a picture has several translations, by codes or by dropout."""
        dropped = (getattr(part, "in_eval", False) and part.p > 0 for part in self.reader.modules())
        return self.coded or any(dropped)

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains of which one is chosen; empty where there are not several."""
        return getattr(self.module, "domains", ())

    @torch.no_grad()
    def style(self, reference: Tensor) -> Tensor:
        """The code (1, d) of a picture, uint8 (1 or 3, h, w), of which the middle square is looked at.

        Raises:
            ValueError: if the model has none.
        """
        if not hasattr(self.module, "style_readers"):
            raise ValueError(f"{self.name} takes no style from a picture: leave --reference out")
        side = min(reference.shape[-2:])
        side = self.trained_at or max(_MULTIPLE, side - side % _MULTIPLE)
        encoder = getattr(self.module, self.module.style_readers[1 if self.inverse else 0])
        square = self._prepared(_squared(reference), side, 3 if encoder is None else channels_of(encoder))
        return cast(Tensor, self.module.inverse_style(square) if self.inverse else self.module.style(square))

    def manners(
        self,
        samples: int | None = None,
        references: Sequence[tuple[str, Tensor]] = (),
        domain: str | int | None = None,
        seed: int = 0,
    ) -> list[Manner]:
        """The ways in which pictures are to be translated: one, or several with a name each.

        Args:
            samples: so many translations of each picture, which are the same for the same seed.
            references: names and pictures, uint8 (1 or 3, h, w), in whose styles pictures are translated.
            domain: name or number of the domain that is translated to; None: each of them.
            seed: of codes and dropout.

        Raises:
            ValueError: for what the model cannot do, and for samples in the style of a reference.
        """
        checks.whole(1, samples=1 if samples is None else samples)
        checks.seed(seed=seed)
        if references and samples is not None:
            raise ValueError("a reference gives one style: leave --samples or --reference out")
        if samples is not None and samples > 1 and not self.varies:
            raise ValueError(f"{self.name} has one translation of a picture: leave --samples out")
        if references:
            return [Manner(name, {"code": self.style(picture)}, seed) for name, picture in references]
        if domain is not None or self.domains:
            chosen = self._places(domain)
            return [Manner("" if domain is not None else self.domains[place], {"domain": place}) for place in chosen]
        with randomness.using(Stream(mix(seed))):
            codes = self.module.codes(samples or 1) if self.coded else None
        return [
            Manner(
                "" if samples is None else str(number + 1),
                {} if codes is None else {"code": codes[number : number + 1]},
                mix(seed, number),
            )
            for number in range(samples or 1)
        ]

    @torch.no_grad()
    def __call__(self, picture: Tensor, manner: Manner = _PLAIN, mask: Tensor | None = None) -> Tensor:
        """The translation (c, h, w), in [-1, 1], of a picture uint8 (1 or 3, h, w).

        Args:
            picture: of any size, in one or three channels.
            manner: one of `manners`.
            mask: for models that fill holes: uint8 (1, h, w), above 127 inside the hole; None: the hole in the middle
                that they were trained on.

        Raises:
            ValueError: for a mask without holes, or that the network cannot see at once, or a model that fills none.
        """
        if mask is not None and not self.fills:
            raise ValueError(f"{self.name} fills no holes: leave --mask out")
        source = self.source(picture)
        with isolate_rng(), randomness.using(Stream(mix(manner.seed))):
            torch.manual_seed(manner.seed)  # for dropout of a user's networks
            if self.fills:
                return self._filled(source, mask)[0]
            return tiled(lambda images: self._translate(images, manner), source, self.multiple, self.tile)[0]

    def source(self, picture: Tensor) -> Tensor:
        """A picture uint8 (1 or 3, h, w) as the model sees it: (1, c, h', w') in [-1, 1], of maps a channel a label."""
        if self.reconstructs:
            picture = _squared(picture)
        factor = 1 if self.size is None else self.size / min(picture.shape[-2:])
        height, width = (max(1, round(side * factor)) for side in picture.shape[-2:])
        if self.palette is not None:
            coloured = interpolate(in_channels(picture[None], 3), (height, width), mode="nearest-exact")
            return scaled(labelled(coloured, self.palette).to(self.module.device))
        if self.channels not in (1, 3):
            raise ValueError(f"{self.name} sees maps of {self.channels} labels, and has no palette of their colours")
        return self._prepared(picture, (height, width), self.channels)

    def _prepared(self, picture: Tensor, size: int | tuple[int, int], channels: int) -> Tensor:
        pixels = scaled(in_channels(picture[None], channels)).to(self.module.device)
        return interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False)

    def _translate(self, images: Tensor, manner: Manner) -> Tensor:
        if self.reconstructs:
            return cast(Tensor, self.module.reconstruct(images))
        run: Callable[..., Tensor] = self.module.inverse if self.inverse else self.module
        return run(images, **manner.arguments)

    def _places(self, domain: str | int | None) -> Sequence[int]:
        if not self.domains:
            raise ValueError(f"{self.name} has no domains to choose from: leave --domain out")
        numbers = range(len(self.domains))
        if domain is None:
            return numbers
        known = {str(place): place for place in numbers} | {name: place for place, name in enumerate(self.domains)}
        if str(domain) not in known:
            raise ValueError(f"domain must be one of {', '.join(self.domains)} or its number, got {domain}")
        return [known[str(domain)]]

    def _filled(self, source: Tensor, mask: Tensor | None) -> Tensor:
        """A picture with its hole filled, of which a network of one size sees the square around the hole."""
        height, width = source.shape[-2:]
        window = self.fixed or max(side + -side % self.multiple for side in (height, width))
        beyond = 0, max(window - width, 0), 0, max(window - height, 0)
        top, left, hole = max(0, (height - window) // 2), max(0, (width - window) // 2), None
        if mask is not None:
            hole = (interpolate(mask[None].float(), (height, width), mode="nearest-exact") > 127).to(source)
            top, left = (_corner(hole[0, 0].any(1 - axis), window, self.name) for axis in range(2))
        place = (..., slice(top, top + window), slice(left, left + window))
        filled = pad(source, beyond, mode="replicate")
        seen = filled[place]
        inside = self.module.trained_hole(seen) if hole is None else pad(hole, beyond)[place]
        filled[place] = self.module.filled(seen, inside)
        return filled[..., :height, :width]


def channels_of(network: nn.Module) -> int:
    """Of the pictures that a network takes; 3 if it does not say."""
    return getattr(network, "in_channels", getattr(network, "channels", 3))


def load(
    checkpoint: Path,
    trust: tuple[str, ...] = (),
    inverse: bool = False,
    size: int | None = None,
    tile: int | None = None,
) -> Translator:
    """The translator of a checkpoint that `scripts/fit.py` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no checkpoint (see `checkpoints.load`), or its model does not translate.
    """
    saved = checkpoints.read(checkpoint)
    side = trained_at(saved["config"])
    return Translator(checkpoints.rebuilt(saved, checkpoint, trust), side, inverse, size, tile)


def trained_at(config: Any) -> int | None:
    """The side of the pictures that a model was trained on, as its checkpoint's configuration has it; None: unknown.

    Raises:
        ValueError: if it is no number of pixels.
    """
    for key in ("data", "init_args", "image_size"):
        config = config.get(key) if isinstance(config, dict) else None
    checks.whole(1, 2**14, image_size=1 if config is None else config)
    return config


def _squared(picture: Tensor) -> Tensor:
    """The middle square of a picture (c, h, w)."""
    height, width = picture.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[..., top : top + side, left : left + side]


def _corner(there: Tensor, window: int, name: str) -> int:
    """Where a window begins that has a hole in its middle, as far as the picture goes."""
    places = there.nonzero().flatten().tolist()
    if not places:
        raise ValueError("the mask has no hole: paint it white where the picture is to be filled")
    first, last = places[0], places[-1]
    if last - first >= window:
        raise ValueError(f"{name} sees {window} pixels, and the hole has {last - first + 1}: lower --size, or the hole")
    return int(min(max(0, (first + last + 1 - window) // 2), max(0, len(there) - window)))
