"""cGANs with projection discriminator (Miyato and Koyama, 2018)."""

from typing import Any, Unpack

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import labelled_images_of
from gan_modules.latent import LabelledModule, LatentMechanics
from gan_modules.objectives import hinge_discriminator, wasserstein_generator
from gan_modules.schedules import linear_to_zero, scheduled


class ProjectionGAN(LabelledModule):
    """The hinge game for every class, against a discriminator that takes the class by an inner product with features.

    The discriminator brings the projection and the spectral norm along, the generator its conditional batch norm:
    `networks.ProjectionDiscriminator` and `networks.ProjectionGenerator`. Generated classes are those of the batch, so
    that p(y) = q(y); the authors' code draws them uniformly, as its data have them.

    Args:
        generator: maps noise `(n, latent_dim)` and labels `(n,)` to images in [-1, 1].
        discriminator: maps images and labels `(n,)` to unbounded scores `(n,)`.
        num_classes: number of classes.
        latent_dim: dimensions of the standard normal noise.
        n_critic: discriminator steps, each on fresh data, for one generator step (the paper's n_dis: 5).
        generator_batch: how many times the discriminator's batch the generator is shown (the authors' code: 128 to 64).
        learning_rate, betas: of Adam (section 6: 2e-4, 0 and 0.9).
        decay_steps: generator steps over which the learning rate falls to 0 (the authors' code for CIFAR-10: 50,000,
            all of them); None: constant.
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        num_classes: int = 10,
        latent_dim: int = 128,
        n_critic: int = 5,
        generator_batch: int = 2,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.0, 0.9),
        decay_steps: int | None = None,
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, num_classes, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.whole(1, n_critic=n_critic, generator_batch=generator_batch)
        checks.whole(1, decay_steps=1 if decay_steps is None else decay_steps)
        checks.adam(betas, learning_rate=learning_rate)
        self.discriminator, self.n_critic, self.generator_batch = discriminator, n_critic, generator_batch
        self.learning_rate, self.betas, self.decay_steps = learning_rate, betas, decay_steps

    def discriminator_loss(self, real: Tensor, labels: Tensor) -> Tensor:
        """The hinge form of equation 1: E max(0, 1 - D(x, y)) + E max(0, 1 + D(G(z, y), y))."""
        fake = self.sample(len(real), labels).detach()
        return hinge_discriminator(self.discriminator(real, labels), self.discriminator(fake, labels))

    def generator_loss(self, labels: Tensor) -> Tensor:
        """-E D(G(z, y), y)."""
        labels = labels.repeat(self.generator_batch)
        return wasserstein_generator(self.discriminator(self.sample(len(labels), labels), labels))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real, labels = labelled_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real, labels))
        if self.batches_seen % self.n_critic == 0:
            self.record(generator=self.descend(generator_optimizer, self.generator_loss, labels))

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        discriminator_steps = self.decay_steps and self.decay_steps * self.n_critic
        return [
            scheduled(adam(network.parameters(), self.learning_rate, self.betas), linear_to_zero(steps), "step")
            for network, steps in ((self.discriminator, discriminator_steps), (self.generator, self.decay_steps))
        ]
