"""Conditional image synthesis with auxiliary classifier GANs (Odena et al., 2017)."""

from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from gan_modules import checks, randomness
from gan_modules.adversarial import AdversarialModule, Mechanics, adam
from gan_modules.batches import labelled_images_of
from gan_modules.objectives import minimax_discriminator, non_saturating_generator


class ACGAN(AdversarialModule):
    """A discriminator that also names the class, and a generator that wants it named right.

    Args:
        generator: maps noise `(n, latent_dim)` and labels `(n,)` to images in [-1, 1].
        discriminator: maps images to `(scores (n,), class logits (n, num_classes))`; no softmax at its end.
        num_classes: number of classes.
        latent_dim: dimensions of the standard normal noise.
        class_weight: weight of L_C beside L_S (the paper: 1).
        learning_rate, betas: of Adam (appendix A: 2e-4, 0.5 and 0.999).
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        num_classes: int = 10,
        latent_dim: int = 100,
        class_weight: float = 1.0,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.whole(1, num_classes=num_classes, latent_dim=latent_dim)
        checks.not_negative(class_weight=class_weight)
        checks.adam(betas, learning_rate=learning_rate)
        self.generator, self.discriminator = generator, discriminator
        self.num_classes, self.latent_dim, self.class_weight = num_classes, latent_dim, class_weight
        self.learning_rate, self.betas = learning_rate, betas
        self.register_generators("generator")

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.serving("generator")(z, labels)

    def prior(self, n: int) -> Tensor:
        """Noise `(n, latent_dim)`."""
        return self.normal(n, self.latent_dim)

    def sample(self, n: int, labels: Tensor | None = None) -> Tensor:
        """`n` generated images, of the classes `labels` `(n,)` or of random ones."""
        labels = randomness.labels(n, self.num_classes, self.device) if labels is None else labels
        return self(self.prior(n), labels)

    def grid_inputs(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Inputs of `forward` for a grid with a class a row; the same noise in each row."""
        labels = torch.arange(rows, device=self.device) % self.num_classes
        return self.prior(columns).repeat(rows, 1), labels.repeat_interleave(columns)

    def discriminator_loss(self, real: Tensor, labels: Tensor) -> Tensor:
        """-(L_S + L_C): equations 2 and 3, for real and generated images."""
        fake_labels = randomness.labels(len(real), self.num_classes, self.device)
        fake = self.sample(len(real), fake_labels).detach()
        real_scores, real_classes = self.discriminator(real)
        fake_scores, fake_classes = self.discriminator(fake)
        classes = cross_entropy(real_classes, labels) + cross_entropy(fake_classes, fake_labels)
        return minimax_discriminator(real_scores, fake_scores) + self.class_weight * classes

    def generator_loss(self, real: Tensor) -> Tensor:
        """L_S - L_C for generated images, L_S in its non-saturating form."""
        labels = randomness.labels(len(real), self.num_classes, self.device)
        scores, classes = self.discriminator(self.sample(len(real), labels))
        return non_saturating_generator(scores) + self.class_weight * cross_entropy(classes, labels)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real, labels = labelled_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real, labels))
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        real, labels = labelled_images_of(batch)
        return {"real": real, "fake": self.sample(len(real), labels), "labels": labels}

    def configure_optimizers(self) -> list[Optimizer]:
        return [adam(net.parameters(), self.learning_rate, self.betas) for net in (self.discriminator, self.generator)]
