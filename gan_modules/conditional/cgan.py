"""Conditional generative adversarial nets (Mirza and Osindero, 2014)."""

from typing import Any, Unpack

from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import labelled_images_of
from gan_modules.latent import LabelledModule, LatentMechanics
from gan_modules.objectives import minimax_discriminator, non_saturating_generator


class CGAN(LabelledModule):
    """The game of 2014 played for every class at once: both players are told the class, and neither names it.

    The labels of a batch are those of its data and of the samples beside them, so that only the pictures can tell the
    two apart, however unequal the classes are.

    Args:
        generator: maps noise `(n, latent_dim)` and labels `(n,)` to images in [-1, 1].
        discriminator: maps images and labels `(n,)` to scores `(n,)`, logits of the probability of being real.
        num_classes: number of classes.
        latent_dim: dimensions of the standard normal noise.
        learning_rate, betas: of Adam (DCGAN's; section 4.1 has SGD with momentum, from 0.1 down).
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        num_classes: int = 10,
        latent_dim: int = 100,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, num_classes, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.adam(betas, learning_rate=learning_rate)
        self.discriminator, self.learning_rate, self.betas = discriminator, learning_rate, betas

    def discriminator_loss(self, real: Tensor, labels: Tensor) -> Tensor:
        """Equation 2, ascended: E log D(x | y) + E log(1 - D(G(z | y) | y))."""
        fake = self.sample(len(real), labels).detach()
        return minimax_discriminator(self.discriminator(real, labels), self.discriminator(fake, labels))

    def generator_loss(self, labels: Tensor) -> Tensor:
        """The generator's side of equation 2, non-saturating: -E log D(G(z | y) | y)."""
        return non_saturating_generator(self.discriminator(self.sample(len(labels), labels), labels))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real, labels = labelled_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real, labels))
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, labels))

    def configure_optimizers(self) -> list[Optimizer]:
        return [adam(net.parameters(), self.learning_rate, self.betas) for net in (self.discriminator, self.generator)]
