"""Image-to-image translation with conditional adversarial networks (Isola et al., 2017)."""

from collections.abc import Callable
from typing import Any, Unpack

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gan_modules import checks
from gan_modules.adversarial import Mechanics, adam
from gan_modules.batches import two_images_of
from gan_modules.objectives import minimax_discriminator, non_saturating_generator
from gan_modules.schedules import constant_then_linear, scheduled
from gan_modules.translating import PairedModule


class Pix2Pix(PairedModule):
    """A discriminator of patches that sees source and target, and an L1 term; dropout in the generator is the noise.

    Args:
        generator: maps source images to target images in [-1, 1]. Whether its dropout is active at test time too, as
            in the paper (section 3.3), is the network's argument `dropout_in_eval`.
        discriminator: maps (images of the target domain, sources) to a map of scores.
        l1_weight: weight of the L1 term (the paper's lambda: 100).
        distance: of translations and targets, the L1 term itself; with `torch.nn.functional.mse_loss` it is L2.
        adversarial_weight: weight of the adversarial term; with 0 the distance is alone (section 4.2's L1), and the
            discriminator is not trained.
        learning_rate, betas: of Adam (section 3.3: 2e-4, 0.5 and 0.999).
        constant_epochs, decay_epochs: epochs at the full learning rate, and while it falls to 0 (code: 100, 100).
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        l1_weight: float = 100.0,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        constant_epochs: int = 100,
        decay_epochs: int = 100,
        distance: Callable[[Tensor, Tensor], Tensor] = l1_loss,
        adversarial_weight: float = 1.0,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator", "distance"])
        checks.not_negative(l1_weight=l1_weight, adversarial_weight=adversarial_weight)
        checks.function(distance=distance)
        checks.whole(0, constant_epochs=constant_epochs, decay_epochs=decay_epochs)
        checks.adam(betas, learning_rate=learning_rate)
        self.generator, self.discriminator = generator, discriminator
        self.l1_weight, self.distance, self.adversarial_weight = l1_weight, distance, adversarial_weight
        self.learning_rate, self.betas = learning_rate, betas
        self.constant_epochs, self.decay_epochs = constant_epochs, decay_epochs
        self.register_generators("generator")

    def generator_loss(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Equation 4, non-saturating; beside it the L1 term and the translations, for the discriminator."""
        fake = self.generator(source)
        distance = self.distance(fake, target)
        if self.adversarial_weight == 0:
            return self.l1_weight * distance, distance, fake
        adversarial = non_saturating_generator(self.discriminator(fake, source))
        return self.adversarial_weight * adversarial + self.l1_weight * distance, distance, fake

    def discriminator_loss(self, source: Tensor, target: Tensor, fake: Tensor) -> Tensor:
        """Equation 1, divided by 2 as section 3.3 has it."""
        scores = self.discriminator(target, source), self.discriminator(fake, source)
        return 0.5 * minimax_discriminator(*scores)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        source, target = two_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        # G first, so that one translation serves both players; the order of the alternating steps is the same
        loss, distance, fake = self.descend(generator_optimizer, self.generator_loss, source, target)
        self.record(generator=loss, l1=distance)
        if self.adversarial_weight > 0:
            loss = self.descend(discriminator_optimizer, self.discriminator_loss, source, target, fake)
            self.record(discriminator=loss)

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        factor = constant_then_linear(self.constant_epochs, self.decay_epochs)
        return [
            scheduled(adam(network.parameters(), self.learning_rate, self.betas), factor, "epoch")
            for network in (self.discriminator, self.generator)
        ]
