"""ESRGAN: enhanced super-resolution generative adversarial networks (Wang et al., 2018)."""

import copy
from typing import Any, Unpack

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gan_modules import checks
from gan_modules.adversarial import Mechanics, adam
from gan_modules.averaging import interpolated
from gan_modules.batches import two_images_of
from gan_modules.classifiers import frozen
from gan_modules.objectives import relativistic_average
from gan_modules.perceptual import feature_distance
from gan_modules.schedules import scheduled, stepwise
from gan_modules.translating import PairedModule


class ESRGAN(PairedModule):
    """An enlarging network that is first trained on L1 alone, then against a relativistic average discriminator.

    The network that L1 alone gave is kept, so that its weights and the final ones can be interpolated (section 3.4).
    The relativistic means are over each process's part of the batch and each micro-batch.

    Args:
        generator: maps small images to large ones, around [-1, 1].
        discriminator: maps large images to scores of any shape.
        features: maps images to a list of feature maps, as `VGGFeatures(["conv5_4"])`, of which the L1 distance is the
            perceptual loss; it is frozen. None: there is none, and `l1_weight` should be larger.
        pretraining_steps: on L1 alone (the authors' options: 10**6).
        adversarial_weight: the paper's lambda (5e-3).
        l1_weight: the paper's eta (1e-2).
        interpolation: the paper's alpha: in evaluation mode images are those of the network with the weights
            (1 - alpha) PSNR + alpha GAN; 1 is the GAN's alone. It may be set at any time.
        learning_rate, betas: of Adam (section 4.1: 1e-4, 0.9 and 0.999; in the authors' options 0.99).
        pretraining_rate, pretraining_halving: the generator's learning rate in pretraining, and the steps after each
            of which it is halved (section 4.1: 2e-4, 2 * 10**5).
        halvings: adversarial steps at which the learning rate is halved (section 4.1: 50k, 100k, 200k, 300k).
        mechanics: see `gan_modules.adversarial.Mechanics`.

    Attributes:
        psnr_generator: the generator as pretraining left it; its weights are buffers.
    """

    at_rest = ("features", "psnr_generator")

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        features: nn.Module | None = None,
        pretraining_steps: int = 1_000_000,
        adversarial_weight: float = 5e-3,
        l1_weight: float = 1e-2,
        interpolation: float = 1.0,
        learning_rate: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        pretraining_rate: float = 2e-4,
        pretraining_halving: int = 200_000,
        halvings: tuple[int, ...] = (50_000, 100_000, 200_000, 300_000),
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator", "features"])
        checks.whole(0, pretraining_steps=pretraining_steps)
        checks.whole(1, pretraining_halving=pretraining_halving)
        checks.not_negative(adversarial_weight=adversarial_weight, l1_weight=l1_weight)
        checks.portion(interpolation=interpolation)
        checks.adam(betas, learning_rate=learning_rate, pretraining_rate=pretraining_rate)
        checks.sizes(halvings=halvings)
        self.generator, self.discriminator = generator, discriminator
        self.features = None if features is None else frozen(features)
        self.psnr_generator = frozen(generator)
        self.pretraining_steps, self.interpolation = pretraining_steps, interpolation
        self.adversarial_weight, self.l1_weight = adversarial_weight, l1_weight
        self.learning_rate, self.betas, self.halvings = learning_rate, betas, tuple(halvings)
        self.pretraining_rate, self.pretraining_halving = pretraining_rate, pretraining_halving
        self.register_generators("generator")

    def serving(self, name: str) -> nn.Module:
        """As ever, but in evaluation mode, once L1 has had its steps, the generator is the interpolated network."""
        both = 0 < self.pretraining_steps <= self.batches_seen
        if self.training or name != "generator" or self.interpolation == 1 or not both:
            return super().serving(name)
        trained = getattr(self.averages, name, self.generator).state_dict()
        network = copy.deepcopy(self.psnr_generator)
        network.load_state_dict(interpolated(self.psnr_generator.state_dict(), trained, self.interpolation))
        return network

    def pretraining_loss(self, source: Tensor, target: Tensor) -> Tensor:
        """L1, by which the PSNR-oriented network is trained (section 4.1)."""
        return l1_loss(self.generator(source), target)

    def generator_loss(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Equation 3; beside it L1 and the images, for the discriminator."""
        fake = self.generator(source)
        distance = l1_loss(fake, target)
        # equation 2: the generator's gradient goes through its own images alone, but through both terms
        adversarial = relativistic_average(self.discriminator(fake), self.discriminator(target).detach())
        loss = self.adversarial_weight * adversarial + self.l1_weight * distance
        if self.features is not None:
            loss = loss + feature_distance(self.features, fake, target, l1_loss)
        return loss, distance, fake

    def discriminator_loss(self, target: Tensor, fake: Tensor) -> Tensor:
        """Equation 1."""
        return relativistic_average(self.discriminator(target), self.discriminator(fake))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        source, target = two_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        if self.batches_seen <= self.pretraining_steps:
            self.record(l1=self.descend(generator_optimizer, self.pretraining_loss, source, target))
            if self.batches_seen == self.pretraining_steps:
                self.psnr_generator.load_state_dict(self.generator.state_dict())
            return
        loss, distance, fake = self.descend(generator_optimizer, self.generator_loss, source, target)
        self.record(generator=loss, l1=distance)
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, target, fake))

    def generator_rate(self, step: int) -> float:
        """The generator's learning rate after so many of its steps, in units of `learning_rate`."""
        if step < self.pretraining_steps:
            return self.pretraining_rate / self.learning_rate * 0.5 ** (step // self.pretraining_halving)
        return stepwise(0.5, self.halvings)(step - self.pretraining_steps)

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        rates = (self.discriminator, stepwise(0.5, self.halvings)), (self.generator, self.generator_rate)
        return [
            scheduled(adam(network.parameters(), self.learning_rate, self.betas), rate, "step")
            for network, rate in rates
        ]
