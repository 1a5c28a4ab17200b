"""BEGAN: boundary equilibrium generative adversarial networks (Berthelot et al., 2017)."""

from typing import Any, Unpack, cast

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from gan_modules import checks, randomness, strategies
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.schedules import halving, scheduled


class BEGAN(LatentModule):
    """An autoencoder's reconstruction errors, real and generated, kept at a ratio by proportional control.

    Args:
        generator: maps noise `(n, latent_dim)` to images in [-1, 1].
        discriminator: maps images to `(reconstructions of the same shape, codes)`; codes are not used.
        latent_dim: dimensions of the noise, uniform in [-1, 1].
        diversity: the ratio of errors, generated to real, that is kept: the higher, the more diverse and the less
            sharp (the paper's gamma, in [0, 1]; its best known copy: 0.5).
        control_rate: how fast it is enforced (the paper's lambda_k: 0.001).
        learning_rate, betas: of Adam (the paper begins at 1e-4; the copy trains with TensorFlow's 0.9 and 0.999, though
            its settings name 0.5).
        halving_steps: the learning rate is halved every so many batches (None: constant). The paper halves it when the
            convergence measure stalls, its best known copy every 100,000 batches.
        mechanics: see `gan_modules.latent.LatentMechanics`.

    Attributes:
        k: the weight of the generated images' error, in [0, 1]; a buffer, the same on all processes.
    """

    k: Tensor

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 64,
        diversity: float = 0.5,
        control_rate: float = 1e-3,
        learning_rate: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.999),
        halving_steps: int | None = None,
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.positive(diversity=diversity, control_rate=control_rate)
        checks.whole(1, halving_steps=1 if halving_steps is None else halving_steps)
        checks.adam(betas, learning_rate=learning_rate)
        self.discriminator, self.diversity, self.control_rate = discriminator, diversity, control_rate
        self.learning_rate, self.betas, self.halving_steps = learning_rate, betas, halving_steps
        self.register_buffer("k", torch.zeros(()))

    def judges(self) -> tuple[nn.Module, ...]:
        """None. Images are compared with what the discriminator makes of them."""
        return ()

    def prior(self, n: int) -> Tensor:
        """Noise `(n, latent_dim)`, uniform in [-1, 1]."""
        uniform = randomness.uniform(n, self.latent_dim, device=self.device, dtype=cast(torch.dtype, self.dtype))
        return 2 * uniform - 1

    def error(self, images: Tensor) -> Tensor:
        """L(v) = |v - D(v)|, the mean over pixels and images."""
        reconstructions, _ = self.discriminator(images)
        return (reconstructions.to(cast(torch.dtype, self.dtype)) - images).abs().mean()

    def discriminator_loss(self, real: Tensor) -> tuple[Tensor, Tensor]:
        """L_D = L(x) - k L(G(z_D)); beside it L(x)."""
        fake = self.sample(len(real)).detach()
        real_error = self.error(real)
        return real_error - self.k * self.error(fake), real_error

    def generator_loss(self, real: Tensor) -> Tensor:
        """L_G = L(G(z_G))."""
        return self.error(self.sample(len(real)))

    @torch.no_grad()
    def control(self, real_error: Tensor, fake_error: Tensor) -> Tensor:
        """Move k by lambda_k (gamma L(x) - L(G(z_G))); returns M = L(x) + |gamma L(x) - L(G(z_G))|."""
        errors = torch.stack([real_error, fake_error])
        if self.trainer.world_size > 1:
            strategies.average([errors])
        excess = self.diversity * errors[0] - errors[1]
        self.k.add_(self.control_rate * excess).clamp_(0, 1)
        return errors[0] + excess.abs()

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        loss, real_error = self.descend(discriminator_optimizer, self.discriminator_loss, real)
        fake_error = self.descend(generator_optimizer, self.generator_loss, real)
        convergence = self.control(real_error, fake_error)
        self.record(discriminator=loss, generator=fake_error, convergence=convergence, k=self.k)

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        return [
            scheduled(adam(network.parameters(), self.learning_rate, self.betas), halving(self.halving_steps), "step")
            for network in (self.discriminator, self.generator)
        ]
