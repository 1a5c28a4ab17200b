"""Unpaired image-to-image translation using cycle-consistent adversarial networks (Zhu et al., 2017)."""

from itertools import chain
from typing import Any, Unpack, cast

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gan_modules import checks
from gan_modules.adversarial import Mechanics, adam
from gan_modules.batches import two_images_of
from gan_modules.objectives import least_squares
from gan_modules.replay import ImageHistory
from gan_modules.schedules import constant_then_linear, scheduled
from gan_modules.translating import TwoWayModule


class CycleGAN(TwoWayModule):
    """G: X -> Y and F: Y -> X, each fooling a discriminator and undoing the other.

    Args:
        generator_g, generator_f: map images of X to Y, and of Y to X, all in [-1, 1].
        discriminator_x, discriminator_y: map images of their domain to scores of any shape.
        cycle_weight: weight of the cycle-consistency loss (the paper's lambda: 10).
        identity_weight: weight of the identity loss relative to the cycle's (section 5.2: 0.5; 0 turns it off).
        history_size: number of generated images kept for each discriminator (section 4: 50; 0 for none).
        learning_rate, betas: of Adam (section 4: 2e-4; code: 0.5 and 0.999).
        constant_epochs, decay_epochs: epochs at the full learning rate, and while it falls to 0 (section 4: 100, 100).
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    def __init__(
        self,
        generator_g: nn.Module,
        generator_f: nn.Module,
        discriminator_x: nn.Module,
        discriminator_y: nn.Module,
        cycle_weight: float = 10.0,
        identity_weight: float = 0.5,
        history_size: int = 50,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        constant_epochs: int = 100,
        decay_epochs: int = 100,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=["generator_g", "generator_f", "discriminator_x", "discriminator_y"])
        checks.not_negative(cycle_weight=cycle_weight, identity_weight=identity_weight)
        checks.whole(0, history_size=history_size, constant_epochs=constant_epochs, decay_epochs=decay_epochs)
        checks.adam(betas, learning_rate=learning_rate)
        self.generator_g, self.generator_f = generator_g, generator_f
        self.discriminator_x, self.discriminator_y = discriminator_x, discriminator_y
        self.history_x, self.history_y = ImageHistory(history_size), ImageHistory(history_size)
        self.cycle_weight, self.identity_weight = cycle_weight, identity_weight
        self.learning_rate, self.betas = learning_rate, betas
        self.constant_epochs, self.decay_epochs = constant_epochs, decay_epochs
        self.register_generators("generator_g", "generator_f")

    def generator_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Equation 3 for G and F, with section 5.2's identity; beside it the cycle's loss and the translations."""
        fake_x, fake_y = self.generator_f(y), self.generator_g(x)
        adversarial = least_squares(self.discriminator_x(fake_x), 1) + least_squares(self.discriminator_y(fake_y), 1)
        cycle = l1_loss(self.generator_f(fake_y), x) + l1_loss(self.generator_g(fake_x), y)
        loss = adversarial + self.cycle_weight * cycle
        if self.identity_weight > 0:
            identity = l1_loss(self.generator_f(x), x) + l1_loss(self.generator_g(y), y)
            loss = loss + self.cycle_weight * self.identity_weight * identity
        return loss, cycle, fake_x, fake_y

    def discriminator_loss(self, x: Tensor, y: Tensor, old_x: Tensor, old_y: Tensor) -> Tensor:
        """Section 4's least squares for both discriminators, each divided by 2."""
        real = least_squares(self.discriminator_x(x), 1) + least_squares(self.discriminator_y(y), 1)
        fake = least_squares(self.discriminator_x(old_x), 0) + least_squares(self.discriminator_y(old_y), 0)
        return 0.5 * (real + fake)

    def remembered(self, history: ImageHistory, images: Tensor) -> Tensor:
        """This process's share of what the history returns for the images of all processes."""
        if self.trainer.world_size == 1:
            return history(images)
        everyone = cast(Tensor, self.all_gather(images)).transpose(0, 1).flatten(0, 1)
        return history(everyone)[self.global_rank :: self.trainer.world_size]

    def training_step(self, batch: Any, batch_idx: int) -> None:
        x, y = two_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        loss, cycle, fake_x, fake_y = self.descend(generator_optimizer, self.generator_loss, x, y)
        self.record(generator=loss, cycle=cycle)
        old = self.remembered(self.history_x, fake_x), self.remembered(self.history_y, fake_y)
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, x, y, *old))

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        factor = constant_then_linear(self.constant_epochs, self.decay_epochs)
        players = (self.discriminator_x, self.discriminator_y), (self.generator_g, self.generator_f)
        parameters = (chain.from_iterable(network.parameters() for network in player) for player in players)
        return [scheduled(adam(each, self.learning_rate, self.betas), factor, "epoch") for each in parameters]
