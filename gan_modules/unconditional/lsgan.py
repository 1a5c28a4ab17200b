"""Least squares generative adversarial networks (Mao et al., 2017)."""

from typing import Any, Unpack

from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import least_squares


class LSGAN(LatentModule):
    """Scores are drawn to targets, so that samples far on the right side of the decision have a gradient too.

    With targets -1, 1, 0 the generator descends Pearson's chi-square divergence of p + q from 2 q.

    Args:
        generator: maps noise `(n, latent_dim)` to samples `(n, ...)`: images in [-1, 1], or points.
        discriminator: maps samples to unbounded scores `(n,)`, or to maps of them.
        latent_dim: dimensions of the standard normal noise.
        targets: the paper's a, b and c: the discriminator's for generated and for real samples, and the generator's for
            generated ones (the authors' code: 0, 1, 1).
        learning_rate, betas: of Adam for both networks (the authors' train_lsun.py: 1e-3 and 0.5, with TensorFlow's
            0.999).
        n_discriminator: discriminator steps, each on fresh data, for one generator step (the authors' code: 1).
        mechanics: see `gan_modules.latent.LatentMechanics`.

    Raises:
        ValueError: if a and b are equal.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 1024,
        targets: tuple[float, float, float] = (0.0, 1.0, 1.0),
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.5, 0.999),
        n_discriminator: int = 1,
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.numbers(3, targets=targets)
        checks.whole(1, n_discriminator=n_discriminator)
        checks.adam(betas, learning_rate=learning_rate)
        self.a, self.b, self.c = targets
        if self.a == self.b:
            raise ValueError(f"targets must tell real from generated samples, got a = b = {self.a}; give 0, 1, 1")
        self.discriminator, self.n_discriminator = discriminator, n_discriminator
        self.learning_rate, self.betas = learning_rate, betas

    def discriminator_loss(self, real: Tensor) -> Tensor:
        """1/2 E (D(x) - b)^2 + 1/2 E (D(G(z)) - a)^2."""
        fake = self.sample(len(real)).detach()
        return (least_squares(self.discriminator(real), self.b) + least_squares(self.discriminator(fake), self.a)) / 2

    def generator_loss(self, real: Tensor) -> Tensor:
        """1/2 E (D(G(z)) - c)^2."""
        return least_squares(self.discriminator(self.sample(len(real))), self.c) / 2

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real))
        if self.batches_seen % self.n_discriminator == 0:
            self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def configure_optimizers(self) -> list[Optimizer]:
        networks = self.discriminator, self.generator
        return [adam(network.parameters(), self.learning_rate, self.betas) for network in networks]
