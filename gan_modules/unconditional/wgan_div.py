"""Wasserstein divergence for GANs (Wu, Huang, Thoma, Acharya and Van Gool, 2018)."""

from typing import Any, Unpack

from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import wasserstein_critic, wasserstein_generator
from gan_modules.penalties import divergence_penalty


class WGANDiv(LatentModule):
    """A critic whose best value is a divergence by itself: a high power of its slope instead of a Lipschitz constraint.

    Args:
        generator: maps noise `(n, latent_dim)` to samples `(n, ...)`: images in [-1, 1], or points.
        critic: maps samples to unbounded scores `(n,)`; no batch normalisation, which would couple the samples.
        latent_dim: dimensions of the standard normal noise.
        penalty_weight, power: the paper's k and p (section 4: 2 and 6; the authors' `wgan_div.py` weighs by 10).
        n_critic: critic steps, each on fresh data, for one generator step (the code: 4).
        learning_rate, betas: of Adam (the code: 2e-4, 0 and 0.9).
        mechanics: see `gan_modules.latent.LatentMechanics`.

    Raises:
        ValueError: also for a power of at most 1, of which the paper proves nothing.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        latent_dim: int = 128,
        penalty_weight: float = 2.0,
        power: float = 6.0,
        n_critic: int = 4,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.0, 0.9),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "critic"])
        checks.whole(1, n_critic=n_critic)
        checks.positive(penalty_weight=penalty_weight, power=power)
        if power <= 1:
            raise ValueError(f"power must be above 1, got {power!r}; 6 is the paper's")
        checks.adam(betas, learning_rate=learning_rate)
        self.critic, self.penalty_weight, self.power = critic, penalty_weight, power
        self.n_critic, self.learning_rate, self.betas = n_critic, learning_rate, betas

    def critic_loss(self, real: Tensor) -> tuple[Tensor, Tensor]:
        """Algorithm 1: E f(G(z)) - E f(x) + k E |grad f|^p; beside it the estimate of the distance."""
        fake = self.sample(len(real)).detach()
        negative_distance = wasserstein_critic(self.critic(real), self.critic(fake))
        penalty = divergence_penalty(self.critic, real, fake, self.power)
        return negative_distance + self.penalty_weight * penalty, -negative_distance

    def generator_loss(self, real: Tensor) -> Tensor:
        """-E f(G(z)): the generator's part of the divergence."""
        return wasserstein_generator(self.critic(self.sample(len(real))))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        critic_optimizer, generator_optimizer = self.optimizers()
        loss, distance = self.descend(critic_optimizer, self.critic_loss, real)
        self.record(critic=loss, distance=distance)
        if self.batches_seen % self.n_critic == 0:
            self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def configure_optimizers(self) -> list[Optimizer]:
        return [adam(net.parameters(), self.learning_rate, self.betas) for net in (self.critic, self.generator)]
