"""The GAN is dead; long live the GAN! A modern baseline GAN (Huang et al., 2024)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Unpack

from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import AdversarialModule, adam
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import relativistic
from gan_modules.penalties import zero_centred
from gan_modules.schedules import cosine


class R3GAN(LatentModule):
    """The game of relativistic pairs with R1 and R2, which converges where R1 alone fails in the paper's experiment.

    Numbers change by half a cosine while the first `burn_in` images are shown, and are the last ones from then on
    (the defaults are those of the authors' train.py for CIFAR-10). The i-th real sample of a batch is
    compared with the i-th generated one, so that samples are coupled in pairs alone.

    Args:
        generator: maps noise `(n, latent_dim)` to images in [-1, 1]; the paper's is `networks.R3GANGenerator`.
        discriminator: maps images to scores `(n,)`, of which only differences count; `networks.R3GANDiscriminator`.
        latent_dim: dimensions of the standard normal noise.
        penalty_weight, last_penalty_weight: gamma of R1 and R2, half of which multiplies both.
        r2: penalise at generated samples too; False is for the paper's ablation (section 2.4), which then fails.
        learning_rate, last_learning_rate, beta2, last_beta2: of Adam, whose beta1 is 0.
        burn_in: images shown until the last numbers hold; 0 for these from the start.
        mechanics: see `gan_modules.latent.LatentMechanics`. The half-life of the average rises from 0 to that of
            `average_decay` (the code: 5 million images, a decay of 0.99993 at its batches of 512).
    """

    persistent: ClassVar[tuple[str, ...]] = (*AdversarialModule.persistent, "images_shown")

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 64,
        penalty_weight: float = 0.05,
        last_penalty_weight: float = 0.005,
        r2: bool = True,
        learning_rate: float = 2e-4,
        last_learning_rate: float = 5e-5,
        beta2: float = 0.9,
        last_beta2: float = 0.99,
        burn_in: int = 20_000_000,
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.not_negative(penalty_weight=penalty_weight, last_penalty_weight=last_penalty_weight)
        checks.switch(r2=r2)
        checks.positive(learning_rate=learning_rate, last_learning_rate=last_learning_rate)
        checks.fraction(beta2=beta2, last_beta2=last_beta2)
        checks.whole(0, burn_in=burn_in)
        self.discriminator, self.r2, self.burn_in, self.images_shown = discriminator, r2, burn_in, 0
        self.penalty_weights = penalty_weight, last_penalty_weight
        self.learning_rates, self.beta2s = (learning_rate, last_learning_rate), (beta2, last_beta2)

    def discriminator_loss(self, real: Tensor, penalty_weight: float) -> Tensor:
        """E softplus(D(G(z)) - D(x)), with gamma / 2 of R1 and R2 (equations 2 and 3; the code's Trainer.py)."""
        fake = self.sample(len(real)).detach()
        loss = relativistic(self.discriminator(real), self.discriminator(fake))
        for points in (real, fake) if self.r2 else (real,):
            loss = loss + penalty_weight / 2 * zero_centred(self.discriminator, points)
        return loss

    def generator_loss(self, real: Tensor) -> Tensor:
        """E softplus(D(x) - D(G(z))). The real samples are the discriminator's, where the code draws others."""
        return relativistic(self.discriminator(self.sample(len(real))), self.discriminator(real))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real, weight = images_of(batch), self.now(self.penalty_weights)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        with self.burning_in():
            self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real, weight))
            self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))
        self.images_shown += len(real) * self.trainer.world_size

    @contextmanager
    def burning_in(self) -> Iterator[None]:
        """Inside, the optimizers have the numbers of now; outside, and in checkpoints, those that they began with."""
        groups = [group for optimizer in self.optimizers() for group in optimizer.param_groups]
        try:
            for group in groups:
                group["lr"], group["betas"] = self.now(self.learning_rates), (0.0, self.now(self.beta2s))
            yield
        finally:
            for group in groups:
                group["lr"], group["betas"] = self.learning_rates[0], (0.0, self.beta2s[0])

    def now(self, numbers: tuple[float, float]) -> float:
        """Where a first and a last number have got to."""
        return cosine(*numbers, self.images_shown / self.burn_in if self.burn_in else 1.0)

    def decay(self, wanted: float) -> float:
        half_lives = self.now((0.0, 1.0))  # as a share of the last one
        return wanted ** (1 / half_lives) if half_lives > 0 else 0.0

    def configure_optimizers(self) -> list[Optimizer]:
        networks = self.discriminator, self.generator
        return [adam(network.parameters(), self.learning_rates[0], (0.0, self.beta2s[0])) for network in networks]
