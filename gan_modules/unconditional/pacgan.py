"""PacGAN: the power of two samples in generative adversarial networks (Lin, Khetan, Fanti and Oh, 2018)."""

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import minimax_discriminator, non_saturating_generator
from gan_modules.penalties import Network


class PacGAN(LatentModule):
    """A discriminator that judges m samples of one kind at once, and so sees that they lack variety.

    Only the width of the discriminator's input differs from the game that is packed (section 2.2), so that the
    objectives, a penalty and the schedule are arguments: packed WGAN-GP has `wasserstein_critic`,
    `wasserstein_generator`, `gradient_penalty` and five discriminator steps. A batch of n samples is dealt to n / m
    packs at strides of n / m, whereby processes and micro-batches have the packs of the whole batch. In the authors'
    code both players step at once, from one noise, and a batch of n has n packs; here the discriminator steps first,
    each player draws its own noise, and n is a number of samples.

    Args:
        generator: maps noise `(n, latent_dim)` to samples `(n, c, ...)`: images in [-1, 1], or points.
        discriminator: maps packs `(n / m, m c, ...)`, joined along channels or coordinates, to scores `(n / m,)`.
        latent_dim: dimensions of the standard normal noise.
        packing: samples a pack (the paper's m: 2 to 4).
        discriminator_objective: scores of real and of generated packs -> the discriminator's loss.
        generator_objective: scores of generated packs -> the generator's loss; or scores of generated and of real
            packs, as `relativistic` has it.
        penalty: discriminator, real and generated packs -> a further term of the discriminator's loss, such as
            `gradient_penalty` or `divergence_penalty` of `gan_modules.penalties`; None: no.
        penalty_weight: its weight (WGAN-GP: 10).
        n_discriminator: discriminator steps, each on fresh data, for those of the generator (WGAN-GP: 5).
        n_generator: generator steps, each on fresh noise, after the discriminator's (section 4.2: 2).
        learning_rate, betas: of Adam (authors' mixtures: 1e-4, 0.8 and 0.999; stacked digits: 2e-4, 0.5 and 0.999).
        mechanics: see `gan_modules.latent.LatentMechanics`.

    Raises:
        ValueError: from the losses, if a batch does not divide into packs.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 2,
        packing: int = 2,
        discriminator_objective: Callable[[Tensor, Tensor], Tensor] = minimax_discriminator,
        generator_objective: Callable[..., Tensor] = non_saturating_generator,
        penalty: Callable[[Network, Tensor, Tensor], Tensor] | None = None,
        penalty_weight: float = 10.0,
        n_discriminator: int = 1,
        n_generator: int = 1,
        learning_rate: float = 1e-4,
        betas: tuple[float, float] = (0.8, 0.999),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(
            ignore=["generator", "discriminator", "discriminator_objective", "generator_objective", "penalty"]
        )
        checks.whole(1, packing=packing, n_discriminator=n_discriminator, n_generator=n_generator)
        checks.not_negative(penalty_weight=penalty_weight)
        checks.function(discriminator_objective=discriminator_objective, generator_objective=generator_objective)
        checks.function(**({} if penalty is None else {"penalty": penalty}))
        checks.adam(betas, learning_rate=learning_rate)
        self.discriminator, self.packing = discriminator, packing
        self.n_discriminator, self.n_generator = n_discriminator, n_generator
        self.discriminator_objective, self.generator_objective = discriminator_objective, generator_objective
        self.compares = _compares(generator_objective)
        self.penalty, self.penalty_weight = penalty, penalty_weight
        self.learning_rate, self.betas = learning_rate, betas

    def judges(self) -> Sequence[nn.Module]:
        """None: what the discriminator is shown is no single image."""
        return ()

    def packed(self, samples: Tensor) -> Tensor:
        """Samples `(n, c, ...)` as packs `(n / m, m c, ...)`; pack i has the samples i, i + n / m, i + 2 n / m, ..."""
        if len(samples) % self.packing:
            raise ValueError(
                f"a batch of {len(samples)} does not divide into packs of {self.packing}; choose a batch_size whose "
                "share for each process and micro-batch is a multiple of packing"
            )
        return torch.cat(samples.chunk(self.packing), dim=1)

    def discriminator_loss(self, real: Tensor) -> Tensor:
        """The discriminator's objective on packs (equation 2), and the penalty."""
        packs = self.packed(real), self.packed(self.sample(len(real)).detach())
        loss = self.discriminator_objective(*map(self.discriminator, packs))
        if self.penalty is not None and self.penalty_weight > 0:
            loss = loss + self.penalty_weight * self.penalty(self.discriminator, *packs)
        return loss

    def generator_loss(self, real: Tensor) -> Tensor:
        """The generator's objective on packs of its samples, and of the last real ones where it compares the two."""
        shown = [self.sample(len(real)), *([real] if self.compares else [])]
        return self.generator_objective(*(self.discriminator(self.packed(samples)) for samples in shown))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real))
        if self.batches_seen % self.n_discriminator:
            return
        for _ in range(self.n_generator):
            self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def configure_optimizers(self) -> list[Optimizer]:
        return [adam(net.parameters(), self.learning_rate, self.betas) for net in (self.discriminator, self.generator)]


def _compares(objective: Callable[..., Tensor]) -> bool:
    """Whether an objective needs scores of the real side too."""
    try:
        signature(objective).bind(None)
    except TypeError:
        return True
    return False
