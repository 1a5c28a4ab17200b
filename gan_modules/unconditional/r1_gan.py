"""Which training methods for GANs do actually converge? (Mescheder, Geiger and Nowozin, 2018.)"""

from typing import Any, Unpack

from torch import Tensor, nn
from torch.optim import Optimizer, RMSprop

from gan_modules import checks
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import minimax_discriminator, non_saturating_generator
from gan_modules.penalties import zero_centred


class R1GAN(LatentModule):
    """The non-saturating game, made convergent by the gradient of the discriminator at the data.

    Args:
        generator: maps noise `(n, latent_dim)` to samples `(n, ...)`: images in [-1, 1], or points.
        discriminator: maps samples to scores `(n,)`; no batch normalisation, which would couple the samples.
        latent_dim: dimensions of the standard normal noise (the code: 256).
        r1_weight: gamma of R1, half of which multiplies E |grad D(x)|^2 (section 4.1, equation 9; section 6: 10, which
            the authors' code multiplies without the half).
        r2_weight: gamma of R2, the same at generated samples (equation 10), for use instead of R1 or beside it.
        penalty_every: discriminator steps from one penalty to the next, each with so many times the weight: the lazy
            regularisation of StyleGAN2 (Karras et al., 2020: 16), in one step with the game's loss.
        learning_rate, smoothing: of RMSprop (the code: 1e-4 and 0.99).
        mechanics: see `gan_modules.latent.LatentMechanics`; the code's average of the generator decays by 0.999.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 256,
        r1_weight: float = 10.0,
        r2_weight: float = 0.0,
        penalty_every: int = 1,
        learning_rate: float = 1e-4,
        smoothing: float = 0.99,
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.not_negative(r1_weight=r1_weight, r2_weight=r2_weight)
        checks.whole(1, penalty_every=penalty_every)
        checks.positive(learning_rate=learning_rate)
        checks.fraction(smoothing=smoothing)
        self.discriminator, self.penalty_every = discriminator, penalty_every
        self.r1_weight, self.r2_weight = r1_weight, r2_weight
        self.learning_rate, self.smoothing = learning_rate, smoothing

    def discriminator_loss(self, real: Tensor, penalised: bool = True) -> Tensor:
        """Equation 1 with f(t) = -log(1 + exp(-t)), and in `penalised` steps equations 9 and 10."""
        fake = self.sample(len(real)).detach()
        loss = minimax_discriminator(self.discriminator(real), self.discriminator(fake))
        for weight, points in ((self.r1_weight, real), (self.r2_weight, fake)):
            if penalised and weight > 0:
                loss = loss + self.penalty_every * weight / 2 * zero_centred(self.discriminator, points)
        return loss

    def generator_loss(self, real: Tensor) -> Tensor:
        """-E log D(G(z)), the non-saturating form."""
        return non_saturating_generator(self.discriminator(self.sample(len(real))))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        penalised = (self.batches_seen - 1) % self.penalty_every == 0
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real, penalised))
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def configure_optimizers(self) -> list[Optimizer]:
        networks = self.discriminator, self.generator
        return [RMSprop(net.parameters(), lr=self.learning_rate, alpha=self.smoothing) for net in networks]
