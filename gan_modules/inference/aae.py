"""Adversarial autoencoders (Makhzani et al., 2015)."""

from typing import Any, Unpack

from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.inferring import InferringModule
from gan_modules.latent import LatentMechanics
from gan_modules.objectives import minimax_discriminator, non_saturating_generator


class AAE(InferringModule):
    """An autoencoder whose codes are made to follow the prior by a discriminator of codes, in place of a divergence.

    Args:
        encoder: maps images to codes `(n, latent_dim)`, or to means and log variances of these; the paper has both.
        generator: the decoder, maps codes to images in [-1, 1].
        discriminator: maps codes to scores `(n,)`; those of the prior are the real ones.
        latent_dim: dimensions of the standard normal noise.
        reconstruction_learning_rate, regularisation_learning_rate, betas: of Adam, of both phases.
        mechanics: see `gan_modules.latent.LatentMechanics`; no discriminator is shown images, so there is nothing to
            augment.
    """

    def __init__(
        self,
        encoder: nn.Module,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 8,
        reconstruction_learning_rate: float = 1e-3,
        regularisation_learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(encoder, generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["encoder", "generator", "discriminator"])
        checks.positive(reconstruction_learning_rate=reconstruction_learning_rate)
        checks.adam(betas, regularisation_learning_rate=regularisation_learning_rate)
        self.discriminator, self.betas = discriminator, betas
        self.learning_rates = reconstruction_learning_rate, regularisation_learning_rate

    def judges(self) -> list[nn.Module]:
        """None: the discriminator is shown codes."""
        return []

    def reconstruction_loss(self, real: Tensor) -> Tensor:
        """The mean squared error of the autoencoder: the reconstruction phase."""
        return (self(self.inferred(real)) - real).square().mean()

    def discriminator_loss(self, real: Tensor) -> Tensor:
        """Samples of the prior against codes: the first half of the regularisation phase."""
        return minimax_discriminator(
            self.discriminator(self.prior(len(real))), self.discriminator(self.inferred(real).detach())
        )

    def encoder_loss(self, real: Tensor) -> Tensor:
        """Codes that pass for samples of the prior: the second half of the regularisation phase."""
        return non_saturating_generator(self.discriminator(self.inferred(real)))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real, (autoencoder, discriminator, encoder) = images_of(batch), self.optimizers()
        self.record(reconstruction=self.descend(autoencoder, self.reconstruction_loss, real))
        self.record(discriminator=self.descend(discriminator, self.discriminator_loss, real))
        self.record(encoder=self.descend(encoder, self.encoder_loss, real))

    def configure_optimizers(self) -> list[Optimizer]:
        """The encoder is stepped by two optimizers, once in each phase."""
        reconstruction, regularisation = self.learning_rates
        autoencoder = [*self.encoder.parameters(), *self.generator.parameters()]
        adversaries = [
            adam(network.parameters(), regularisation, self.betas) for network in (self.discriminator, self.encoder)
        ]
        return [adam(autoencoder, reconstruction, self.betas), *adversaries]
