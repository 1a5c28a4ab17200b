"""Improved training of Wasserstein GANs (Gulrajani et al., 2017)."""

from typing import Any, Unpack

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import wasserstein_critic, wasserstein_generator
from gan_modules.penalties import gradient_penalty
from gan_modules.schedules import linear_to_zero, scheduled


class WGANGP(LatentModule):
    """A critic held near the 1-Lipschitz functions by the norm of its gradient.

    Args:
        generator: maps noise `(n, latent_dim)` to images in [-1, 1].
        critic: maps images to unbounded scores `(n,)`; no batch normalisation, which would couple the samples.
        latent_dim: dimensions of the standard normal noise.
        n_critic: critic steps, each on fresh data, for one generator step (section 4: 5).
        penalty_weight: weight of the gradient penalty (the paper's lambda: 10).
        generator_batch: how many times the critic's batch the generator is shown (the CIFAR-10 code: 2).
        learning_rate, betas: of Adam (Algorithm 1: 1e-4, 0 and 0.9).
        decay_steps: generator steps over which the learning rate falls to 0 (None: constant).
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        latent_dim: int = 128,
        n_critic: int = 5,
        penalty_weight: float = 10.0,
        generator_batch: int = 1,
        learning_rate: float = 1e-4,
        betas: tuple[float, float] = (0.0, 0.9),
        decay_steps: int | None = None,
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "critic"])
        checks.whole(1, n_critic=n_critic, generator_batch=generator_batch)
        checks.whole(1, decay_steps=1 if decay_steps is None else decay_steps)
        checks.not_negative(penalty_weight=penalty_weight)
        checks.adam(betas, learning_rate=learning_rate)
        self.critic, self.n_critic, self.generator_batch = critic, n_critic, generator_batch
        self.penalty_weight, self.learning_rate, self.betas = penalty_weight, learning_rate, betas
        self.decay_steps = decay_steps

    def critic_loss(self, real: Tensor) -> tuple[Tensor, Tensor]:
        """Algorithm 1, lines 4 to 8; beside it the estimate of the Wasserstein distance."""
        fake = self.sample(len(real)).detach()
        negative_distance = wasserstein_critic(self.critic(real), self.critic(fake))
        loss = negative_distance
        if self.penalty_weight > 0:
            loss = loss + self.penalty_weight * gradient_penalty(self.critic, real, fake)
        return loss, -negative_distance

    def generator_loss(self, real: Tensor) -> Tensor:
        """Algorithm 1, lines 11 and 12."""
        return wasserstein_generator(self.critic(self.sample(self.generator_batch * len(real))))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        critic_optimizer, generator_optimizer = self.optimizers()
        loss, distance = self.descend(critic_optimizer, self.critic_loss, real)
        self.record(critic=loss, distance=distance)
        if self.batches_seen % self.n_critic == 0:
            self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        critic_steps = self.decay_steps and self.decay_steps * self.n_critic
        return [
            scheduled(adam(network.parameters(), self.learning_rate, self.betas), linear_to_zero(steps), "step")
            for network, steps in ((self.critic, critic_steps), (self.generator, self.decay_steps))
        ]
