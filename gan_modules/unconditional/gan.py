"""Generative adversarial networks (Goodfellow et al., 2014), and with other networks DCGAN (Radford et al., 2016)."""

from collections.abc import Callable
from typing import Any, Unpack

from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import minimax_discriminator, non_saturating_generator


class GAN(LatentModule):
    """The minimax game of 2014, its non-saturating form, and the maximum-likelihood one of the 2016 tutorial.

    Args:
        generator: maps noise `(n, latent_dim)` to samples `(n, ...)`: images in [-1, 1], or points.
        discriminator: maps samples to scores `(n,)`, logits of the probability of being real.
        latent_dim: dimensions of the standard normal noise.
        generator_objective: scores of generated samples -> the generator's loss: `minimax_generator`,
            `non_saturating_generator` or `maximum_likelihood_generator` of `gan_modules.objectives`.
        generator_learning_rate, discriminator_learning_rate, betas: of Adam (the defaults are DCGAN's, section 4).
        n_discriminator: discriminator steps, each on fresh data, for one turn of the generator (Algorithm 1's k: 1).
        n_generator: generator steps a turn, each on fresh noise (2014: 1; the stacked digits of
            VEEGAN and PacGAN: 2).
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 100,
        generator_objective: Callable[[Tensor], Tensor] = non_saturating_generator,
        generator_learning_rate: float = 2e-4,
        discriminator_learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        n_discriminator: int = 1,
        n_generator: int = 1,
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator", "generator_objective"])
        checks.whole(1, n_discriminator=n_discriminator, n_generator=n_generator)
        checks.function(generator_objective=generator_objective)
        checks.positive(generator_learning_rate=generator_learning_rate)
        checks.adam(betas, discriminator_learning_rate=discriminator_learning_rate)
        self.discriminator, self.generator_objective = discriminator, generator_objective
        self.learning_rates, self.betas = (discriminator_learning_rate, generator_learning_rate), betas
        self.n_discriminator, self.n_generator = n_discriminator, n_generator

    def discriminator_loss(self, real: Tensor) -> Tensor:
        """Algorithm 1, line 4: log D(x) + log(1 - D(G(z))), ascended."""
        fake = self.sample(len(real)).detach()
        return minimax_discriminator(self.discriminator(real), self.discriminator(fake))

    def generator_loss(self, real: Tensor) -> Tensor:
        """Algorithm 1, line 6, or one of its two other forms."""
        return self.generator_objective(self.discriminator(self.sample(len(real))))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real))
        if self.batches_seen % self.n_discriminator == 0:
            for _ in range(self.n_generator):
                self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def configure_optimizers(self) -> list[Optimizer]:
        networks = self.discriminator, self.generator
        return [
            adam(net.parameters(), rate, self.betas) for net, rate in zip(networks, self.learning_rates, strict=True)
        ]
