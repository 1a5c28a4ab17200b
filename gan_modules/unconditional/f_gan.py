"""f-GAN: training by variational divergence minimisation (Nowozin, Cseke and Tomioka, 2016)."""

from collections.abc import Callable
from typing import Any, Unpack

from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam, frozen
from gan_modules.batches import images_of
from gan_modules.divergences import Divergence, jensen_shannon
from gan_modules.latent import LatentMechanics, LatentModule


class FGAN(LatentModule):
    """The discriminator raises a lower bound of an f-divergence of data and samples, which the generator lowers.

    Args:
        generator: maps noise `(n, latent_dim)` to samples `(n, ...)`: images in [-1, 1], or points.
        discriminator: the paper's V: maps samples to unbounded scores `(n,)`, or to maps of them.
        latent_dim: dimensions of the standard normal noise.
        divergence: a function of `gan_modules.divergences`, or the `Divergence` that it returns. In YAML its path, with
            arguments as in `{class_path: gan_modules.divergences.alpha, init_args: {alpha: 0.5}}`.
        non_saturating: the generator raises E g_f(V(G(z))) instead of lowering the bound (section 3.2).
        single_step: both networks step at once, from where both are, by one backward pass (Algorithm 1); otherwise the
            discriminator steps first.
        learning_rate, betas: of Adam for both networks (those of DCGAN).
        mechanics: see `gan_modules.latent.LatentMechanics`.

    Raises:
        ValueError: if `divergence` gives no `Divergence`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 100,
        divergence: Callable[[], Divergence] | Divergence = jensen_shannon,
        non_saturating: bool = False,
        single_step: bool = False,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator", "divergence"])
        checks.switch(non_saturating=non_saturating, single_step=single_step)
        checks.adam(betas, learning_rate=learning_rate)
        self.discriminator, self.divergence = discriminator, _given(divergence)
        self.non_saturating, self.single_step = non_saturating, single_step
        self.learning_rate, self.betas = learning_rate, betas

    def discriminator_loss(self, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Minus the bound; beside it how often T is right about real and about generated samples."""
        return self._against(real, self.sample(len(real)).detach())

    def generator_loss(self, real: Tensor) -> Tensor:
        """What of the bound depends on the generator, or section 3.2's form."""
        return self._deceiving(self.sample(len(real)))

    def single_step_loss(self, real: Tensor) -> tuple[Tensor, ...]:
        """Algorithm 1: the sum of both losses on the same samples, each of which reaches its player alone."""
        fake = self.sample(len(real))
        against, *rates = self._against(real, fake.detach())
        with frozen(self.discriminator.parameters()):
            deceiving = self._deceiving(fake)
        return against + deceiving, against, deceiving, *rates

    def _against(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scores = self.discriminator(real), self.discriminator(fake)
        t_real, t_fake = (self.divergence.activation(each.detach()) for each in scores)
        hits, rejections = t_real > self.divergence.threshold, t_fake < self.divergence.threshold  # section 3.2
        return -self.divergence.bound(*scores), hits.to(t_real.dtype).mean(), rejections.to(t_fake.dtype).mean()

    def _deceiving(self, fake: Tensor) -> Tensor:
        scores = self.discriminator(fake)
        raised = self.divergence.activation if self.non_saturating else self.divergence.conjugate_of_activation
        return -raised(scores).mean()

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real, optimizers = images_of(batch), self.optimizers()
        if self.single_step:
            _, against, deceiving, hits, rejections = self.descend(optimizers[0], self.single_step_loss, real)
        else:
            against, hits, rejections = self.descend(optimizers[0], self.discriminator_loss, real)
            deceiving = self.descend(optimizers[1], self.generator_loss, real)
        self.record(discriminator=against, generator=deceiving, true_positives=hits, true_negatives=rejections)

    def configure_optimizers(self) -> list[Optimizer]:
        parameters = [list(network.parameters()) for network in (self.discriminator, self.generator)]
        players = [parameters[0] + parameters[1]] if self.single_step else parameters
        return [adam(player, self.learning_rate, self.betas) for player in players]


def _given(divergence: Any) -> Divergence:
    if not isinstance(divergence, Divergence):
        checks.function(divergence=divergence)
        divergence = divergence()
    if not isinstance(divergence, Divergence):
        raise ValueError(
            f"divergence must be a function that returns a Divergence, got one that returns {divergence!r}; "
            "gan_modules.divergences has eleven"
        )
    return divergence
