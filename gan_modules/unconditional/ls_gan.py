"""Loss-sensitive generative adversarial networks (Qi, 2017), and their generalised form."""

from collections.abc import Callable
from typing import Any, Unpack

from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import l1_distance, loss_sensitive
from gan_modules.penalties import gradient_norm


class LossSensitiveGAN(LatentModule):
    """A loss that is smaller for a real sample than for a generated one, by a margin that is their distance.

    Pairs that are that far apart are left alone, so that the loss works on samples that are still poor. With a slope
    above 0 it is GLS-GAN, which at 1 is Wasserstein GAN: there the margin is a constant, and only the penalty holds the
    loss.

    Args:
        generator: maps noise `(n, latent_dim)` to samples `(n, ...)`: images in [-1, 1], or points.
        loss_network: the paper's L: maps samples to losses `(n,)`, low for real ones (the authors' lsgan.lua ends it in
            a ReLU, which keeps them from falling below 0). Unless `loss_weight` is above 0 only differences count.
        latent_dim: dimensions of the standard normal noise.
        distance: real and generated samples of the same shape -> distances `(n,)`, pair by pair.
        distance_weight: weight of the distance in the margin (lsgan.lua: 2e-4 at 64 pixels, where it is called lambda).
        slope: of the cost of pairs beyond their margin, in [0, 1]: 0 for LS-GAN, 1 for Wasserstein GAN.
        loss_weight: weight of the real samples' own loss (lsgan.lua's gamma: 0, a small one for stability).
        penalty_weight: weight of the norm of the loss's gradient at real samples, over all numbers of a sample (the
            authors' lsgan-gp.py, without batch normalisation: 10, of a norm over channels, a mean over pixels, which is
            smaller by at least the side of a picture).
        learning_rate, betas: of Adam for both networks (lsgan.lua: 1e-4 and 0.5, with Torch's 0.999).
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        loss_network: nn.Module,
        latent_dim: int = 100,
        distance: Callable[[Tensor, Tensor], Tensor] = l1_distance,
        distance_weight: float = 2e-4,
        slope: float = 0.0,
        loss_weight: float = 0.0,
        penalty_weight: float = 0.0,
        learning_rate: float = 1e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "loss_network", "distance"])
        checks.function(distance=distance)
        checks.portion(slope=slope)
        checks.not_negative(distance_weight=distance_weight, loss_weight=loss_weight, penalty_weight=penalty_weight)
        checks.adam(betas, learning_rate=learning_rate)
        self.loss_network, self.distance = loss_network, distance
        self.distance_weight, self.slope = distance_weight, slope
        self.loss_weight, self.penalty_weight = loss_weight, penalty_weight
        self.learning_rate, self.betas = learning_rate, betas

    def discriminator_loss(self, real: Tensor) -> Tensor:
        """gamma E L(x) + E C(d(x, G(z)) + L(x) - L(G(z))), with C(a) = max(a, slope a)."""
        fake = self.sample(len(real)).detach()
        margin = self.distance_weight * self.distance(real, fake)
        real_loss = self.loss_network(real)
        loss = loss_sensitive(real_loss, self.loss_network(fake), margin, self.slope)
        if self.loss_weight > 0:
            loss = loss + self.loss_weight * real_loss.mean()
        if self.penalty_weight > 0:
            loss = loss + self.penalty_weight * gradient_norm(self.loss_network, real).mean()
        return loss

    def generator_loss(self, real: Tensor) -> Tensor:
        """E L(G(z))."""
        return self.loss_network(self.sample(len(real))).mean()

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        loss_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(loss_optimizer, self.discriminator_loss, real))
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def configure_optimizers(self) -> list[Optimizer]:
        networks = self.loss_network, self.generator
        return [adam(network.parameters(), self.learning_rate, self.betas) for network in networks]
