"""Boundary-seeking generative adversarial networks (Hjelm et al., 2018; first of 2017), for continuous data."""

from typing import Any, Unpack

from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import boundary_seeking_generator, minimax_discriminator


class BGAN(LatentModule):
    """The generator seeks the discriminator's decision boundary, where it cannot tell, and does not go past it.

    The generator of a `GAN` wants ever higher scores; here those above 0 are as bad as those below. (The authors' code
    leaves out the half, and can move the boundary to an estimate of log Z, which is 0 at the optimum.) For discrete
    samples the generator's objective is `gan_modules.objectives.boundary_seeking_discrete`.

    Args:
        generator: maps noise `(n, latent_dim)` to samples `(n, ...)`: images in [-1, 1], or points.
        discriminator: maps samples to scores `(n,)`, logits of the probability of being real.
        latent_dim: dimensions of the standard normal noise (the authors' main_continuous.py: 128).
        learning_rate, betas: of Adam for both networks (the same: 1e-4, 0.5, and Lasagne's 0.999).
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 128,
        learning_rate: float = 1e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.adam(betas, learning_rate=learning_rate)
        self.discriminator, self.learning_rate, self.betas = discriminator, learning_rate, betas

    def discriminator_loss(self, real: Tensor) -> Tensor:
        """-E log D(x) - E log(1 - D(G(z)))."""
        fake = self.sample(len(real)).detach()
        return minimax_discriminator(self.discriminator(real), self.discriminator(fake))

    def generator_loss(self, real: Tensor) -> Tensor:
        """1/2 E (log D(G(z)) - log(1 - D(G(z))))^2."""
        return boundary_seeking_generator(self.discriminator(self.sample(len(real))))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real))
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def configure_optimizers(self) -> list[Optimizer]:
        networks = self.discriminator, self.generator
        return [adam(network.parameters(), self.learning_rate, self.betas) for network in networks]
