"""Mode seeking generative adversarial networks for diverse image synthesis (Mao et al., 2019), of pix2pix."""

from typing import Any, Unpack

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gan_modules import checks
from gan_modules.adversarial import Mechanics, adam
from gan_modules.batches import two_images_of
from gan_modules.objectives import least_squares, over_scales
from gan_modules.penalties import mode_seeking
from gan_modules.schedules import constant_then_linear, scheduled
from gan_modules.translating import CodedModule


class ModeSeekingPix2Pix(CodedModule):
    """pix2pix of a source and a code, paid for translations of one source that differ as much as their codes do.

    Each source is translated by two codes. As in the authors' code (`Pix2Pix-Mode-Seeking`) the first translation alone
    is drawn to the target, and the regulariser compares means over a batch, so that those of the parts of a batch are
    not that of the whole. Without the regulariser this is pix2pix with noise at its input, which learns to ignore it.

    Args:
        generator: maps sources and codes `(n, latent_dim)` to images of the target domain in [-1, 1].
        discriminator: maps (images of the target domain, sources) to scores, or a list of scores, one a scale.
        latent_dim: numbers a code (code: 8).
        l1_weight: weight of the distance to the target (code: 10).
        mode_seeking_weight: weight of the regulariser (the paper's lambda_ms: 1); 0 for none.
        learning_rate, betas: of Adam (code: 2e-4, 0.5 and 0.999).
        constant_epochs, decay_epochs: epochs at the full learning rate, and while it falls to 0 (code: 100, 100).
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 8,
        l1_weight: float = 10.0,
        mode_seeking_weight: float = 1.0,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        constant_epochs: int = 100,
        decay_epochs: int = 100,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.not_negative(l1_weight=l1_weight, mode_seeking_weight=mode_seeking_weight)
        checks.whole(0, constant_epochs=constant_epochs, decay_epochs=decay_epochs)
        checks.adam(betas, learning_rate=learning_rate)
        self.discriminator = discriminator
        self.l1_weight, self.mode_seeking_weight = l1_weight, mode_seeking_weight
        self.learning_rate, self.betas = learning_rate, betas
        self.constant_epochs, self.decay_epochs = constant_epochs, decay_epochs
        self.register_generators("generator")

    def generator_loss(self, source: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        """Least squares of both translations, L1 of the first, and the regulariser; beside it the last two and both."""
        code, twice = self.codes(2 * len(source)), torch.cat([source, source])
        fakes = self.generator(twice, code)
        fake, other = fakes.chunk(2)
        deceit = 2 * over_scales(_real, self.discriminator(fakes, twice))
        distance, seeking = l1_loss(fake, target), mode_seeking(fakes, code)
        loss = deceit + self.l1_weight * distance + self.mode_seeking_weight * seeking
        return loss, distance, seeking, fake, other

    def discriminator_loss(self, source: Tensor, target: Tensor, fake: Tensor, other: Tensor) -> Tensor:
        """Least squares: the target counts once for each translation of its source."""
        real = over_scales(_real, self.discriminator(target, source))
        fakes = torch.cat([fake, other])
        return 2 * (real + over_scales(_fake, self.discriminator(fakes, torch.cat([source, source]))))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        source, target = two_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        loss, distance, seeking, *fakes = self.descend(generator_optimizer, self.generator_loss, source, target)
        self.record(generator=loss, l1=distance, mode_seeking=seeking)
        loss = self.descend(discriminator_optimizer, self.discriminator_loss, source, target, *fakes)
        self.record(discriminator=loss)

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        factor = constant_then_linear(self.constant_epochs, self.decay_epochs)
        return [
            scheduled(adam(network.parameters(), self.learning_rate, self.betas), factor, "epoch")
            for network in (self.discriminator, self.generator)
        ]


def _real(scores: Tensor) -> Tensor:
    return least_squares(scores, 1)


def _fake(scores: Tensor) -> Tensor:
    return least_squares(scores, 0)
