"""The relativistic discriminator (Jolicoeur-Martineau, 2018)."""

from collections.abc import Callable
from typing import Any, Unpack

from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import logistic_margin, relativistic_average
from gan_modules.penalties import gradient_penalty

Margin = Callable[[Tensor], Tensor]
Comparison = Callable[[Tensor, Tensor, Margin], Tensor]


class RelativisticGAN(LatentModule):
    """The discriminator says how much more real the real samples are than the generated ones, not how real each is.

    RSGAN compares with `relativistic` and the logistic margin, RpGAN with any; RaSGAN, RaLSGAN and RaHingeGAN with
    `relativistic_average` and the logistic, least squares and hinge margin. Averages are over the scores of a process's
    micro-batch; pairs do not couple the samples.

    Args:
        generator: maps noise `(n, latent_dim)` to samples `(n, ...)`: images in [-1, 1], or points.
        discriminator: maps samples to unbounded scores `(n,)`, of which only differences count, so that a bias of its
            last layer is of no use.
        latent_dim: dimensions of the standard normal noise (the authors' code: 128).
        comparison: `relativistic_average` or `relativistic` of `gan_modules.objectives`:
            better scores, worse scores and a margin -> a scalar.
        margin: `logistic_margin`, `least_squares_margin` or `hinge_margin` of `gan_modules.objectives`: what a
            difference of scores costs.
        n_discriminator: discriminator steps, each on fresh data, for one generator step (the paper's n_D: 1, or 5).
        penalty_weight: weight of the gradient penalty (RSGAN-GP: 10; RaSGAN-GP: 10 beside half of our loss; it wants a
            discriminator without batch normalisation).
        learning_rate, betas: of Adam for both networks (the authors' stable.sh: 2e-4, 0.5 and 0.999 for n_D = 1;
            1e-4, 0.5 and 0.9 for n_D = 5).
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 128,
        comparison: Comparison = relativistic_average,
        margin: Margin = logistic_margin,
        n_discriminator: int = 1,
        penalty_weight: float = 0.0,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator", "comparison", "margin"])
        checks.function(comparison=comparison, margin=margin)
        checks.whole(1, n_discriminator=n_discriminator)
        checks.not_negative(penalty_weight=penalty_weight)
        checks.adam(betas, learning_rate=learning_rate)
        self.discriminator, self.comparison, self.margin = discriminator, comparison, margin
        self.n_discriminator, self.penalty_weight = n_discriminator, penalty_weight
        self.learning_rate, self.betas = learning_rate, betas

    def discriminator_loss(self, real: Tensor) -> Tensor:
        """Real samples are to be more real than generated ones."""
        fake = self.sample(len(real)).detach()
        loss = self.comparison(self.discriminator(real), self.discriminator(fake), self.margin)
        if self.penalty_weight > 0:
            loss = loss + self.penalty_weight * gradient_penalty(self.discriminator, real, fake)
        return loss

    def generator_loss(self, real: Tensor) -> Tensor:
        """Generated samples are to be more real than real ones.

        The real ones are those of the last discriminator step, where the paper draws others.
        """
        return self.comparison(self.discriminator(self.sample(len(real))), self.discriminator(real), self.margin)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real))
        if self.batches_seen % self.n_discriminator == 0:
            self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def configure_optimizers(self) -> list[Optimizer]:
        networks = self.discriminator, self.generator
        return [adam(network.parameters(), self.learning_rate, self.betas) for network in networks]
