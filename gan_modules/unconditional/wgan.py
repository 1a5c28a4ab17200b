"""Wasserstein GAN (Arjovsky, Chintala and Bottou, 2017)."""

from typing import Any, ClassVar, Unpack

import torch
from torch import Tensor, nn
from torch.optim import Optimizer, RMSprop

from gan_modules import checks
from gan_modules.adversarial import AdversarialModule
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import wasserstein_critic, wasserstein_generator
from gan_modules.schedules import critic_steps


class WGAN(LatentModule):
    """A critic whose weights are clipped, so that its values differ by an estimate of the Wasserstein distance.

    Every batch is a critic step, and after as many of them as the schedule says the generator makes one as well. Unlike
    in the authors' `main.py`, from which the numbers are, the end of an epoch does not end a series of critic steps.

    Args:
        generator: maps noise `(n, latent_dim)` to samples `(n, ...)`: images in [-1, 1], or points.
        critic: maps samples to unbounded scores `(n,)`.
        latent_dim: dimensions of the standard normal noise.
        clip_value: all weights of the critic are clipped to [-clip_value, clip_value] before each of its steps (the
            paper's c: 0.01).
        n_critic: critic steps before a generator step (5).
        n_critic_many, many_first, many_every: `n_critic_many` critic steps (100) instead before each of the first
            `many_first` generator steps (25) and before every `many_every`-th (500).
        learning_rate: of RMSprop (5e-5); momentum, and so Adam, makes the training unstable (section 4.2).
        mechanics: see `gan_modules.latent.LatentMechanics`.

    Attributes:
        critic_steps: since the last generator step.
    """

    persistent: ClassVar[tuple[str, ...]] = (*AdversarialModule.persistent, "critic_steps")

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        latent_dim: int = 100,
        clip_value: float = 0.01,
        n_critic: int = 5,
        n_critic_many: int = 100,
        many_first: int = 25,
        many_every: int = 500,
        learning_rate: float = 5e-5,
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "critic"])
        checks.whole(1, n_critic=n_critic, n_critic_many=n_critic_many, many_every=many_every)
        checks.whole(0, many_first=many_first)
        checks.positive(clip_value=clip_value, learning_rate=learning_rate)
        self.critic, self.clip_value, self.learning_rate = critic, clip_value, learning_rate
        self.schedule = n_critic, n_critic_many, many_first, many_every
        self.critic_steps = 0

    @torch.no_grad()
    def clip_critic(self) -> None:
        """Algorithm 1, line 7: w <- clip(w, -c, c)."""
        for parameter in self.critic.parameters():
            parameter.clamp_(-self.clip_value, self.clip_value)

    def critic_loss(self, real: Tensor) -> Tensor:
        """Algorithm 1, line 5: the negative of the estimated distance, up to the critic's Lipschitz constant."""
        fake = self.sample(len(real)).detach()
        return wasserstein_critic(self.critic(real), self.critic(fake))

    def generator_loss(self, real: Tensor) -> Tensor:
        """Algorithm 1, line 10."""
        return wasserstein_generator(self.critic(self.sample(len(real))))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        critic_optimizer, generator_optimizer = self.optimizers()
        self.clip_critic()
        loss = self.descend(critic_optimizer, self.critic_loss, real)
        self.record(critic=loss, distance=-loss)
        self.critic_steps += 1
        if self.critic_steps >= critic_steps(self.generator_steps, *self.schedule):
            self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))
            self.critic_steps = 0

    def configure_optimizers(self) -> list[Optimizer]:
        return [RMSprop(network.parameters(), lr=self.learning_rate) for network in (self.critic, self.generator)]
