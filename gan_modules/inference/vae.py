"""Variational autoencoders (Kingma and Welling, 2013), with which GANs are compared."""

from typing import Any, Unpack

from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.gaussians import drawn, half_square, kl_to_normal
from gan_modules.inferring import InferringModule
from gan_modules.latent import LatentMechanics


class VAE(InferringModule):
    """Encoder and decoder raise a lower bound of the data's likelihood; there is no adversary.

    Args:
        encoder: maps images to means and log variances of codes, each `(n, latent_dim)`.
        generator: the decoder, maps codes to the means of images, in [-1, 1].
        latent_dim: dimensions of the standard normal noise.
        variance: of each pixel around the decoder's mean (the paper learns it: appendix C.2). The smaller it is, the
            more reconstructions count against the prior.
        learning_rate, betas: of Adam (paper: Adagrad).
        mechanics: see `gan_modules.latent.LatentMechanics`; without a discriminator, there is nothing to augment.
    """

    def __init__(
        self,
        encoder: nn.Module,
        generator: nn.Module,
        latent_dim: int = 100,
        variance: float = 1.0,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(encoder, generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["encoder", "generator"])
        checks.positive(variance=variance)
        checks.adam(betas, learning_rate=learning_rate)
        self.variance, self.learning_rate, self.betas = variance, learning_rate, betas

    def bound_loss(self, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Minus the bound of equation 10, of one sample an image and but for a constant; beside it both its terms."""
        mean, log_variance = self.gaussian(real)
        codes = drawn(mean, log_variance, self.normal(*mean.shape))
        divergence = kl_to_normal(mean, log_variance)
        error = half_square(real, self(codes)).mean() / self.variance
        return divergence + error, divergence, error

    def training_step(self, batch: Any, batch_idx: int) -> None:
        (optimizer,) = self.optimizers()
        bound, divergence, error = self.descend(optimizer, self.bound_loss, images_of(batch))
        self.record(bound=bound, divergence=divergence, error=error)

    def configure_optimizers(self) -> list[Optimizer]:
        return [adam([*self.encoder.parameters(), *self.generator.parameters()], self.learning_rate, self.betas)]
