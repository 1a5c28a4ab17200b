"""Photo-realistic single image super-resolution using a generative adversarial network (Ledig et al., 2017)."""

from typing import Any, Unpack

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from gan_modules import checks
from gan_modules.adversarial import Mechanics, adam
from gan_modules.batches import two_images_of
from gan_modules.classifiers import frozen
from gan_modules.objectives import minimax_discriminator, non_saturating_generator
from gan_modules.perceptual import feature_distance
from gan_modules.schedules import scheduled, stepwise
from gan_modules.translating import PairedModule


class SRGAN(PairedModule):
    """An enlarging network that is first trained on the squared error alone (SRResNet), then against a discriminator.

    Args:
        generator: maps small images to large ones, around [-1, 1].
        discriminator: maps large images to scores of any shape.
        features: maps images to a list of feature maps, in which the content is compared, as
            `VGGFeatures(["relu5_4"])` (SRGAN-VGG54); it is frozen. None: the pixels are (SRGAN-MSE).
        pretraining_steps: on the squared error alone (section 3.2: 10**6).
        adversarial_weight: weight of the adversarial loss beside the content's (equation 3: 1e-3).
        feature_weight: weight of the feature maps' squared error (section 3.2 divides the maps by 12.75).
        learning_rate, betas: of Adam (section 3.2: 1e-4; 0.9).
        decay_steps: adversarial steps after which the learning rate is a tenth (section 3.2: 10**5).
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    at_rest = ("features",)

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        features: nn.Module | None = None,
        pretraining_steps: int = 1_000_000,
        adversarial_weight: float = 1e-3,
        feature_weight: float = 1 / 12.75**2,
        learning_rate: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.999),
        decay_steps: int = 100_000,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator", "features"])
        checks.whole(0, pretraining_steps=pretraining_steps)
        checks.whole(1, decay_steps=decay_steps)
        checks.not_negative(adversarial_weight=adversarial_weight, feature_weight=feature_weight)
        checks.adam(betas, learning_rate=learning_rate)
        self.generator, self.discriminator = generator, discriminator
        self.features = None if features is None else frozen(features)
        self.pretraining_steps, self.decay_steps = pretraining_steps, decay_steps
        self.adversarial_weight, self.feature_weight = adversarial_weight, feature_weight
        self.learning_rate, self.betas = learning_rate, betas
        self.register_generators("generator")

    def pretraining_loss(self, source: Tensor, target: Tensor) -> Tensor:
        """Equation 4: the squared error of pixels, by which SRResNet is trained."""
        return mse_loss(self.generator(source), target)

    def content_loss(self, fake: Tensor, target: Tensor) -> Tensor:
        """Equation 5 on feature maps, a mean over their channels; equation 4 on pixels where there are none."""
        if self.features is None:
            return mse_loss(fake, target)
        return self.feature_weight * feature_distance(self.features, fake, target)

    def generator_loss(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Equation 3, with equation 6's -log D; beside it the content loss and the images, for the discriminator."""
        fake = self.generator(source)
        content = self.content_loss(fake, target)
        adversarial = non_saturating_generator(self.discriminator(fake))
        return content + self.adversarial_weight * adversarial, content, fake

    def discriminator_loss(self, target: Tensor, fake: Tensor) -> Tensor:
        """Equation 2."""
        return minimax_discriminator(self.discriminator(target), self.discriminator(fake))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        source, target = two_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        if self.batches_seen <= self.pretraining_steps:
            self.record(content=self.descend(generator_optimizer, self.pretraining_loss, source, target))
            return
        loss, content, fake = self.descend(generator_optimizer, self.generator_loss, source, target)
        self.record(generator=loss, content=content)
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, target, fake))

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        ends = (self.discriminator, self.decay_steps), (self.generator, self.pretraining_steps + self.decay_steps)
        return [
            scheduled(adam(network.parameters(), self.learning_rate, self.betas), stepwise(0.1, (end,)), "step")
            for network, end in ends
        ]
