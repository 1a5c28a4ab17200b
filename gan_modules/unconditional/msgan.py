"""Mode seeking generative adversarial networks for diverse image synthesis (Mao, Lee, Tseng, Ma and Yang, 2019)."""

from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks, randomness
from gan_modules.adversarial import adam
from gan_modules.batches import images_of, labelled_images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import minimax_discriminator, non_saturating_generator
from gan_modules.penalties import mode_seeking


class MSGAN(LatentModule):
    """A generator that is paid for images which differ as much as the noise behind them does.

    Noise is drawn in pairs, which share their label where there are classes. As in the authors' code the regulariser
    compares means over a batch, so that those of the parts of a batch are not that of the whole.

    Args:
        generator: maps noise `(n, latent_dim)`, and labels `(n,)` where there are classes, to images in [-1, 1].
        discriminator: maps images, and labels where there are classes, to scores `(n,)`.
        num_classes: number of classes; 0 for none.
        latent_dim: dimensions of the standard normal noise.
        mode_seeking_weight: weight of the regulariser (equation 5, lambda_ms: 1).
        learning_rate, betas, weight_decay: of Adam (authors' code: 2e-4; 0.5 and 0.999; 1e-4).
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        num_classes: int = 0,
        latent_dim: int = 100,
        mode_seeking_weight: float = 1.0,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        weight_decay: float = 1e-4,
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.whole(0, num_classes=num_classes)
        checks.not_negative(mode_seeking_weight=mode_seeking_weight, weight_decay=weight_decay)
        checks.adam(betas, learning_rate=learning_rate)
        self.needs_every_label = num_classes > 0
        self.discriminator, self.num_classes, self.mode_seeking_weight = discriminator, num_classes, mode_seeking_weight
        self.learning_rate, self.betas, self.weight_decay = learning_rate, betas, weight_decay

    def forward(self, z: Tensor, *labels: Tensor) -> Tensor:
        return self.serving("generator")(z, *labels)

    def sample(self, n: int, labels: Tensor | None = None) -> Tensor:
        """`n` generated samples, where there are classes of `labels` `(n,)` or of random ones."""
        if self.num_classes and labels is None:
            labels = randomness.labels(n, self.num_classes, self.device)
        return self(self.prior(n), *(() if labels is None else (labels,)))

    def pairs(self, n: int, *labels: Tensor) -> tuple[Tensor, ...]:
        """Generated samples `(2n, ...)` and their noise, i and i + n being a pair; and their labels, if there are."""
        both = tuple(each.repeat(2) for each in labels)
        z = self.prior(2 * n)
        return self(z, *both), z, *both

    def discriminator_loss(self, real: Tensor, *labels: Tensor) -> Tensor:
        """The original objective (equation 5, L_ori) for each of a pair, added up as in the authors' code."""
        fake, _, *both = self.pairs(len(real), *labels)
        return 2 * minimax_discriminator(self.discriminator(real, *labels), self.discriminator(fake.detach(), *both))

    def generator_loss(self, real: Tensor, *labels: Tensor) -> tuple[Tensor, Tensor]:
        """The original objective for each of a pair, and the regulariser (equation 5); beside it the regulariser."""
        fake, z, *both = self.pairs(len(real), *labels)
        seeking = mode_seeking(fake, z)
        adversarial = 2 * non_saturating_generator(self.discriminator(fake, *both))
        return adversarial + self.mode_seeking_weight * seeking, seeking

    def training_step(self, batch: Any, batch_idx: int) -> None:
        inputs = labelled_images_of(batch) if self.num_classes else (images_of(batch),)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, *inputs))
        loss, seeking = self.descend(generator_optimizer, self.generator_loss, *inputs)
        self.record(generator=loss, mode_seeking=seeking)

    def grid_inputs(self, rows: int, columns: int) -> tuple[Tensor, ...]:
        """Inputs of `forward` for a grid: where there are classes one a row, with the same noise in each row."""
        if not self.num_classes:
            return super().grid_inputs(rows, columns)
        labels = torch.arange(rows, device=self.device) % self.num_classes
        return self.prior(columns).repeat(rows, 1), labels.repeat_interleave(columns)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        if not self.num_classes:
            return super().validation_step(batch, batch_idx)
        real, labels = labelled_images_of(batch)
        return {"real": real, "fake": self.sample(len(real), labels), "labels": labels}

    def configure_optimizers(self) -> list[Optimizer]:
        return [
            adam(net.parameters(), self.learning_rate, self.betas, self.weight_decay)
            for net in (self.discriminator, self.generator)
        ]
