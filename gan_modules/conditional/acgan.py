"""Conditional image synthesis with auxiliary classifier GANs (Odena et al., 2017)."""

from typing import Any, Unpack

from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import labelled_images_of
from gan_modules.latent import LabelledModule, LatentMechanics
from gan_modules.objectives import minimax_discriminator, non_saturating_generator


class ACGAN(LabelledModule):
    """A discriminator that also names the class, and a generator that wants it named right.

    Args:
        generator: maps noise `(n, latent_dim)` and labels `(n,)` to images in [-1, 1].
        discriminator: maps images to `(scores (n,), class logits (n, num_classes))`; no softmax at its end.
        num_classes: number of classes.
        latent_dim: dimensions of the standard normal noise.
        class_weight: weight of L_C beside L_S (the paper: 1).
        learning_rate, betas: of Adam (appendix A: 2e-4, 0.5 and 0.999).
        mechanics: see `gan_modules.latent.LatentMechanics`.
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
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, num_classes, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.not_negative(class_weight=class_weight)
        checks.adam(betas, learning_rate=learning_rate)
        self.discriminator, self.class_weight = discriminator, class_weight
        self.learning_rate, self.betas = learning_rate, betas

    def discriminator_loss(self, real: Tensor, labels: Tensor) -> Tensor:
        """-(L_S + L_C): equations 2 and 3, for real and generated images."""
        fake_labels = self.labels(len(real))
        fake = self.sample(len(real), fake_labels).detach()
        real_scores, real_classes = self.discriminator(real)
        fake_scores, fake_classes = self.discriminator(fake)
        classes = cross_entropy(real_classes, labels) + cross_entropy(fake_classes, fake_labels)
        return minimax_discriminator(real_scores, fake_scores) + self.class_weight * classes

    def generator_loss(self, real: Tensor) -> Tensor:
        """L_S - L_C for generated images, L_S in its non-saturating form."""
        labels = self.labels(len(real))
        scores, classes = self.discriminator(self.sample(len(real), labels))
        return non_saturating_generator(scores) + self.class_weight * cross_entropy(classes, labels)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real, labels = labelled_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real, labels))
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def configure_optimizers(self) -> list[Optimizer]:
        return [adam(net.parameters(), self.learning_rate, self.betas) for net in (self.discriminator, self.generator)]
