"""What all noise-to-image variants do alike: a prior, samples, and what validation shows. No algorithm."""

import inspect
from collections.abc import Sequence
from types import FrameType
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from gan_modules import checks, randomness
from gan_modules.adversarial import AdversarialModule, Mechanics
from gan_modules.augmentation import Augmentation
from gan_modules.batches import images_of, labelled_images_of


class LatentMechanics(Mechanics, total=False):
    """What the constructor of every model of noise takes beside its paper's arguments.

    Args:
        augmentation: functions of `gan_modules.augmentation`, or others of that kind, that change in turn every image
            which a discriminator is trained on, real or generated. They are no part of a checkpoint's arguments.
    """

    augmentation: tuple[Augmentation, ...]


class LatentModule(AdversarialModule):
    """A generator of noise.

    A subclass gives what `AdversarialModule` asks for, and other methods than these where its paper has them: labels
    beside the noise, say, or another prior.

    Args:
        generator: maps noise `(n, latent_dim)` to samples `(n, ...)`: images in [-1, 1], or points.
        latent_dim: dimensions of the standard normal noise.
        augmentation: see `LatentMechanics`.
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        latent_dim: int,
        augmentation: tuple[Augmentation, ...] = (),
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        checks.whole(1, latent_dim=latent_dim)
        checks.functions(augmentation=augmentation)
        self.generator, self.latent_dim = generator, latent_dim
        self.augmentation = tuple(augmentation)
        self._augmented: list[RemovableHandle] = []
        self.register_generators("generator")

    def judges(self) -> Sequence[nn.Module]:
        """The networks that are shown images: here all but the generator."""
        own = {*self.generators, "averages"}
        return [net for name, net in self.named_children() if name not in own and any(True for _ in net.parameters())]

    def on_fit_start(self) -> None:
        super().on_fit_start()
        while self._augmented:
            self._augmented.pop().remove()
        judges = self.judges() if self.augmentation else ()
        if self.augmentation and not judges:
            raise ValueError(f"{type(self).__name__} has no network that judges single images; leave augmentation out")
        self._augmented = [judge.register_forward_pre_hook(self._augment) for judge in judges]

    def _augment(self, judge: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        images, *rest = inputs
        if judge.training:
            for augment in self.augmentation:
                images = augment(images)
        return images, *rest

    def save_hyperparameters(
        self, *names: Any, ignore: Sequence[str] | str | None = None, frame: FrameType | None = None, **options: Any
    ) -> None:
        """As Lightning's, without functions: of a checkpoint nothing is executed."""
        caller = frame or getattr(inspect.currentframe(), "f_back", None)
        ignored = [ignore] if isinstance(ignore, str) else list(ignore or ())
        super().save_hyperparameters(*names, ignore=[*ignored, "augmentation"], frame=caller, **options)

    def forward(self, z: Tensor) -> Tensor:
        return self.serving("generator")(z)

    def prior(self, n: int) -> Tensor:
        """Noise `(n, latent_dim)`."""
        return self.normal(n, self.latent_dim)

    def sample(self, n: int) -> Tensor:
        """`n` generated samples."""
        return self(self.prior(n))

    def grid_inputs(self, rows: int, columns: int) -> tuple[Tensor, ...]:
        """Inputs of `forward` for a grid of samples."""
        return (self.prior(rows * columns),)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        real = images_of(batch)
        return {"real": real, "fake": self.sample(len(real))}


class LabelledModule(LatentModule):
    """A generator of noise and a class.

    Args:
        generator: maps noise `(n, latent_dim)` and labels `(n,)` to images in [-1, 1].
        num_classes: number of classes.
        latent_dim: dimensions of the standard normal noise.
        mechanics: see `LatentMechanics`.
    """

    needs_every_label = True

    def __init__(
        self, generator: nn.Module, num_classes: int, latent_dim: int, **mechanics: Unpack[LatentMechanics]
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        checks.whole(1, num_classes=num_classes)
        self.num_classes = num_classes

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:  # type: ignore[override]
        return self.serving("generator")(z, labels)

    def labels(self, n: int) -> Tensor:
        """Classes `(n,)`, each as likely as the others."""
        return randomness.labels(n, self.num_classes, self.device)

    def sample(self, n: int, labels: Tensor | None = None) -> Tensor:
        """`n` generated images, of the classes `labels` `(n,)` or of random ones."""
        labels = self.labels(n) if labels is None else labels
        return self(self.prior(n), labels)

    def grid_inputs(self, rows: int, columns: int) -> tuple[Tensor, ...]:
        """Inputs of `forward` for a grid with a class a row; the same noise in each row."""
        labels = torch.arange(rows, device=self.device) % self.num_classes
        return self.prior(columns).repeat(rows, 1), labels.repeat_interleave(columns)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        real, labels = labelled_images_of(batch)
        return {"real": real, "fake": self.sample(len(real), labels), "labels": labels}
