"""Semi-supervised learning with context-conditional generative adversarial networks (Denton, Gross, Fergus, 2016)."""

from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from gan_modules import checks, randomness
from gan_modules.adversarial import Mechanics, adam
from gan_modules.batches import labelled_images_of
from gan_modules.holes import centred, squares
from gan_modules.objectives import cross_entropy_to
from gan_modules.translating import PairedModule


class CCGAN(PairedModule):
    """Fills random squares of pictures, and learns classes from a few labels with what tells filled from whole.

    Labels of -1 are unknown: data modules give them with `labels_per_class`. The mean over known labels is over each
    process's part and each micro-batch.

    Args:
        generator: maps images with holes of 0 to whole images in [-1, 1], of which only the hole is used.
        discriminator: maps images to `(scores (n,), class logits (n, k))`. It classifies in evaluation mode.
        hole_size: side of the square that is cut out of each picture (the authors' code: 32 of 64 pixels).
        class_weight: weight of the classes' cross-entropy (lambda_c: 1).
        real_label: what the discriminator is to say of real pictures (the authors' code: 0.9).
        learning_rate, betas: of Adam (the authors' code: 2e-4; 0.5 and 0.999).
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        hole_size: int = 32,
        class_weight: float = 1.0,
        real_label: float = 0.9,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.whole(1, hole_size=hole_size)
        checks.not_negative(class_weight=class_weight)
        checks.portion(real_label=real_label)
        checks.adam(betas, learning_rate=learning_rate)
        self.generator, self.discriminator = generator, discriminator
        self.hole_size, self.class_weight, self.real_label = hole_size, class_weight, real_label
        self.learning_rate, self.betas = learning_rate, betas
        self.register_generators("generator")

    def holes(self, images: Tensor) -> Tensor:
        """A square in each image, anywhere with equal probability: 1 inside and 0 elsewhere, `(n, 1, h, w)`."""
        n, _, height, width = images.shape
        if self.hole_size > min(height, width):
            raise ValueError(
                f"hole_size must be at most the pictures' side, {min(height, width)}, got {self.hole_size}; lower it"
            )
        places = torch.tensor([height, width], device=images.device) - self.hole_size + 1
        corners = (randomness.uniform(n, 2, device=images.device, dtype=torch.float64) * places).long()
        return squares(corners, self.hole_size, height, width).to(images.dtype)

    def filled(self, images: Tensor, hole: Tensor) -> Tensor:
        """x_I of section 3: the images, with what the generator makes of their surroundings in their holes."""
        return (1 - hole) * images + hole * self((1 - hole) * images)

    def trained_hole(self, images: Tensor) -> Tensor:
        """A square of the size that was cut out in training, in the middle: `(n, 1, h, w)`, 1 inside."""
        return centred(images, self.hole_size)

    def discriminator_loss(self, real: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Section 3's combined objective: whole against filled, and classes where they are known; beside it these."""
        fake_scores, _ = self.discriminator(self.filled(real, self.holes(real)).detach())
        scores, logits = self.discriminator(real)
        known = labels >= 0
        each = cross_entropy(logits, labels.clamp(min=0), reduction="none")
        supervised = (each * known).sum() / known.sum().clamp(min=1)
        adversarial = cross_entropy_to(scores, self.real_label) + cross_entropy_to(fake_scores, 0.0)
        return adversarial + self.class_weight * supervised, supervised

    def generator_loss(self, real: Tensor) -> Tensor:
        """The discriminator is to say of filled pictures what it says of real ones."""
        scores, _ = self.discriminator(self.filled(real, self.holes(real)))
        return cross_entropy_to(scores, self.real_label)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real, labels = labelled_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        loss, supervised = self.descend(discriminator_optimizer, self.discriminator_loss, real, labels)
        self.record(discriminator=loss, supervised=supervised)
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        real, labels = labelled_images_of(batch)
        hole = self.holes(real)
        shown = {"source": (1 - hole) * real, "fake": self.filled(real, hole), "real": real, "truth": real}
        _, logits = self.discriminator(real)
        return {**shown, "hole": hole, "classes": labels, "predicted": logits.argmax(1)}

    def configure_optimizers(self) -> list[Optimizer]:
        return [adam(net.parameters(), self.learning_rate, self.betas) for net in (self.discriminator, self.generator)]
