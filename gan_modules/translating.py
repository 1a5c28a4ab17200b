"""What all image-to-image variants do alike: translations, and what validation shows. No algorithm."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Unpack

import torch
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.adversarial import AdversarialModule, Mechanics
from gan_modules.batches import two_images_of

FURTHER = 3
"""How many further translations of each source validation shows of a model that has many."""


def several(translate: Callable[[Tensor], Tensor], source: Tensor) -> Tensor:
    """`FURTHER` translations of each source, with codes of their own: (n, FURTHER, c, h, w), a view's "samples"."""
    return torch.stack([translate(source) for _ in range(FURTHER)], dim=1)


class Way(NamedTuple):
    """A direction in which a model translates.

    there: maps sources to translations.
    back: maps translations and their sources to what the model makes of the sources again, None where it has no way
        back. All that it takes of the sources themselves is their style, where the model has styles.
    """

    there: Callable[[Tensor], Tensor]
    back: Callable[[Tensor, Tensor], Tensor] | None = None


class PairedModule(AdversarialModule):
    """Translates images whose translations the data know.

    A subclass gives what `AdversarialModule` asks for, and other methods than these where its paper has them.

    Attributes:
        generator: maps source images to images of the target domain, in [-1, 1].
    """

    readers: ClassVar[tuple[str, ...]] = ("generator",)
    """Networks that see a source first, one for each direction (`gan_modules.translators` lists what it asks for)."""

    generator: nn.Module

    def forward(self, source: Tensor) -> Tensor:
        return self.serving("generator")(source)

    def ways(self) -> dict[str, Way]:
        """The one way, under the key of what validation shows of it."""
        return {"": Way(self)}

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        source, target = two_images_of(batch)
        return {"source": source, "fake": self(source), "real": target, "truth": target}


class CodedModule(PairedModule):
    """Translates each image in many ways, one for each code.

    A subclass gives what `AdversarialModule` asks for, and other methods than these where its paper has them.

    Args:
        generator: maps source images and codes `(n, latent_dim)` to images of the target domain, in [-1, 1].
        latent_dim: numbers a code.
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    def __init__(self, generator: nn.Module, latent_dim: int, **mechanics: Unpack[Mechanics]) -> None:
        super().__init__(**mechanics)
        checks.whole(1, latent_dim=latent_dim)
        self.generator, self.latent_dim = generator, latent_dim

    @property
    def coded(self) -> bool:
        """Whether translations follow a code."""
        return True

    def codes(self, n: int) -> Tensor:
        """Codes `(n, latent_dim)`, drawn from a standard normal distribution."""
        return self.normal(n, self.latent_dim)

    def forward(self, source: Tensor, code: Tensor | None = None) -> Tensor:
        """Translations by the given codes, or by drawn ones."""
        return self.serving("generator")(source, self.codes(len(source)) if code is None else code)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        shown = super().validation_step(batch, batch_idx)
        return {**shown, "samples": several(self, shown["source"])}


class TwoWayModule(AdversarialModule):
    """Translates between two domains, X and Y, of which the data have no pairs.

    A subclass gives what `AdversarialModule` asks for, and other methods than these where its paper has them.

    Attributes:
        generator_g, generator_f: map images of X to Y, and of Y to X, all in [-1, 1].
    """

    readers: ClassVar[tuple[str, ...]] = ("generator_g", "generator_f")
    """Networks that see a source first, in either direction."""

    generator_g: nn.Module
    generator_f: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        """Images of X as images of Y."""
        return self.serving("generator_g")(x)

    def inverse(self, y: Tensor) -> Tensor:
        """Images of Y as images of X."""
        return self.serving("generator_f")(y)

    def ways(self) -> dict[str, Way]:
        """Both directions, each of which is the other's way back."""
        return {
            "x_to_y": Way(self, lambda fake, x: self.inverse(fake)),
            "y_to_x": Way(self.inverse, lambda fake, y: self(fake)),
        }

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, dict[str, Tensor]]:
        """Both directions. Where the batch is `(x, y, x_as_y, y_as_x)`, each has its truth."""
        x, y = two_images_of(batch)
        views = {
            "x_to_y": {"source": x, "fake": self(x), "real": y},
            "y_to_x": {"source": y, "fake": self.inverse(y), "real": x},
        }
        if len(batch) == 4:
            views["x_to_y"]["truth"], views["y_to_x"]["truth"] = batch[2], batch[3]
        return views


class CodedTwoWayModule(TwoWayModule):
    """Translates between two domains, each image in many ways, one for each code of the other domain's style.

    A subclass gives what `AdversarialModule` asks for, and other methods than these where its paper has them.
    """

    coded: ClassVar[bool] = True
    """Whether translations follow a code."""

    @abstractmethod
    def codes(self, n: int) -> Tensor:
        """`n` codes drawn from their prior: `(n, d)`."""

    @abstractmethod
    def style(self, reference: Tensor) -> Tensor:
        """The codes of images of Y."""

    @abstractmethod
    def inverse_style(self, reference: Tensor) -> Tensor:
        """The codes of images of X."""

    @abstractmethod
    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """Images of X as images of Y, by the given codes or by drawn ones."""

    @abstractmethod
    def inverse(self, y: Tensor, code: Tensor | None = None) -> Tensor:
        """Images of Y as images of X, by the given codes or by drawn ones."""

    def ways(self) -> dict[str, Way]:
        """Both directions, there by drawn codes, and back by those of the sources."""
        return {
            "x_to_y": Way(self, lambda fake, x: self.inverse(fake, self.inverse_style(x))),
            "y_to_x": Way(self.inverse, lambda fake, y: self(fake, self.style(y))),
        }

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, dict[str, Tensor]]:
        """Both directions, with further translations of each source by codes of their own."""
        views, (x, y) = super().validation_step(batch, batch_idx), two_images_of(batch)
        views["x_to_y"]["samples"], views["y_to_x"]["samples"] = several(self, x), several(self.inverse, y)
        return views
