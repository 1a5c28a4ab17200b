"""Spectral normalization for generative adversarial networks (Miyato et al., 2018)."""

from typing import Any, Unpack

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import hinge_discriminator, wasserstein_generator
from gan_modules.schedules import linear_to_zero, scheduled


class SNGAN(LatentModule):
    """The hinge game, against a discriminator whose layers are Lipschitz because of their weights' spectral norm.

    The discriminator brings the norm along: `networks.ResNetCritic` with `spectral_norm`, or any network that went
    through `networks.spectrally_normalised`. With attention and the norm in both networks, n_critic 1 and learning
    rates of 1e-4 and 4e-4 this is SAGAN (Zhang et al., 2019, "Self-attention generative adversarial networks").

    Args:
        generator: maps noise `(n, latent_dim)` to images in [-1, 1].
        discriminator: maps images to unbounded scores `(n,)`.
        latent_dim: dimensions of the standard normal noise.
        n_critic: discriminator steps, each on fresh data, for one generator step (the paper's n_dis: 5).
        generator_batch: how many times the discriminator's batch the generator is shown (the authors' code: 128 to 64).
        generator_learning_rate, discriminator_learning_rate, betas: of Adam (the authors' code: 2e-4, 0 and 0.9).
        decay_steps: generator steps over which the learning rates fall to 0 (the authors' code: 50,000, all of them);
            None: constant.
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 128,
        n_critic: int = 5,
        generator_batch: int = 2,
        generator_learning_rate: float = 2e-4,
        discriminator_learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.0, 0.9),
        decay_steps: int | None = None,
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.whole(1, n_critic=n_critic, generator_batch=generator_batch)
        checks.whole(1, decay_steps=1 if decay_steps is None else decay_steps)
        checks.positive(generator_learning_rate=generator_learning_rate)
        checks.adam(betas, discriminator_learning_rate=discriminator_learning_rate)
        self.discriminator, self.n_critic, self.generator_batch = discriminator, n_critic, generator_batch
        self.learning_rates, self.betas = (discriminator_learning_rate, generator_learning_rate), betas
        self.decay_steps = decay_steps

    def discriminator_loss(self, real: Tensor) -> Tensor:
        """The hinge: E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))."""
        fake = self.sample(len(real)).detach()
        return hinge_discriminator(self.discriminator(real), self.discriminator(fake))

    def generator_loss(self, real: Tensor) -> Tensor:
        """-E D(G(z))."""
        return wasserstein_generator(self.discriminator(self.sample(self.generator_batch * len(real))))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real))
        if self.batches_seen % self.n_critic == 0:
            self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        discriminator_steps = self.decay_steps and self.decay_steps * self.n_critic
        networks, steps = (self.discriminator, self.generator), (discriminator_steps, self.decay_steps)
        return [
            scheduled(adam(network.parameters(), rate, self.betas), linear_to_zero(until), "step")
            for network, rate, until in zip(networks, self.learning_rates, steps, strict=True)
        ]
