"""DRAGAN: how to train your DRAGAN, later on convergence and stability of GANs (Kodali et al., 2017)."""

from typing import Any, Unpack

from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import minimax_discriminator, non_saturating_generator
from gan_modules.penalties import perturbed_penalty


class DRAGAN(LatentModule):
    """The game of 2014 with a discriminator of even slope around the data, against sharp gradients and mode collapse.

    The neighbours of a sample are as far away as the batch is wide: of the batch's part that a process, or a
    micro-batch, is given.

    Args:
        generator: maps noise `(n, latent_dim)` to samples `(n, ...)`: images in [-1, 1], or points.
        discriminator: maps samples to scores `(n,)`, logits of the probability of being real; no batch normalisation,
            which would couple the samples.
        latent_dim: dimensions of the standard normal noise.
        penalty_weight: the paper's lambda (10).
        spread: how far the neighbours are, in deviations of the batch (the authors' notebook: 0.5).
        slope: the norm of the gradient that costs nothing (the paper's k: 1).
        learning_rate, betas: of Adam (the notebook: 1e-4, 0.5 and 0.9).
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 100,
        penalty_weight: float = 10.0,
        spread: float = 0.5,
        slope: float = 1.0,
        learning_rate: float = 1e-4,
        betas: tuple[float, float] = (0.5, 0.9),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.not_negative(penalty_weight=penalty_weight, slope=slope)
        checks.positive(spread=spread)
        checks.adam(betas, learning_rate=learning_rate)
        self.discriminator, self.penalty_weight = discriminator, penalty_weight
        self.spread, self.slope, self.learning_rate, self.betas = spread, slope, learning_rate, betas

    def discriminator_loss(self, real: Tensor) -> tuple[Tensor, Tensor]:
        """-E log D(x) - E log(1 - D(G(z))) + lambda E (|grad D| - k)^2; beside it the penalty."""
        fake = self.sample(len(real)).detach()
        game = minimax_discriminator(self.discriminator(real), self.discriminator(fake))
        penalty = perturbed_penalty(self.discriminator, real, self.spread, self.slope)
        return game + self.penalty_weight * penalty, penalty

    def generator_loss(self, real: Tensor) -> Tensor:
        """-E log D(G(z)), as in the notebook."""
        return non_saturating_generator(self.discriminator(self.sample(len(real))))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        loss, penalty = self.descend(discriminator_optimizer, self.discriminator_loss, real)
        self.record(discriminator=loss, penalty=penalty)
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def configure_optimizers(self) -> list[Optimizer]:
        return [adam(net.parameters(), self.learning_rate, self.betas) for net in (self.discriminator, self.generator)]
