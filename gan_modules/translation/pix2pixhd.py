"""High-resolution image synthesis and semantic manipulation with conditional GANs (Wang, Liu, Zhu et al., 2018)."""

from typing import Any, Unpack

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.adversarial import Mechanics, adam
from gan_modules.batches import two_images_of
from gan_modules.matching import feature_matching, scores
from gan_modules.objectives import least_squares, over_scales
from gan_modules.palettes import Palette, check_palette
from gan_modules.schedules import constant_then_linear, scheduled
from gan_modules.translating import PairedModule


class Pix2PixHD(PairedModule):
    """pix2pix for large pictures: discriminators at several scales, in whose features translations match targets.

    The encoder of instances and their boundaries are left out: they are more channels of the source.

    Args:
        generator: maps source images to target images in [-1, 1]: `LocalEnhancer`, from coarse to fine, in the paper.
        discriminator: maps (images of the target domain, sources) to a list of lists, for each scale the maps of its
            layers, the last being the scores.
        perceptual: maps (translations, targets) to a scalar and has no parameters, as
            `gan_modules.matching.PerceptualDistance`; None: the term is left out.
        feature_weight: of the distance in the discriminator's features (equation 5; code: 10), which is 4 times a mean
            over layers and scales, as in the authors' code: 4 / (n_layers + 1) and 1 / num_D.
        perceptual_weight: of the perceptual term (code: 10).
        learning_rate, betas: of Adam (code: 2e-4; 0.5 and 0.999).
        constant_epochs, decay_epochs: epochs at the full learning rate, and while it falls to 0 (code: 100, 100).
        palette: colours (red, green, blue) of the labels, from 0 to 255, by which a picture is read as a map where the
            trained model is used, if sources are maps; None: they are pictures.
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        perceptual: nn.Module | None = None,
        feature_weight: float = 10.0,
        perceptual_weight: float = 10.0,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        constant_epochs: int = 100,
        decay_epochs: int = 100,
        palette: Palette | None = None,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator", "perceptual"])
        checks.not_negative(feature_weight=feature_weight, perceptual_weight=perceptual_weight)
        checks.whole(0, constant_epochs=constant_epochs, decay_epochs=decay_epochs)
        checks.adam(betas, learning_rate=learning_rate)
        check_palette(palette)
        self.palette = palette
        self.generator, self.discriminator, self.perceptual = generator, discriminator, perceptual
        self.feature_weight, self.perceptual_weight = feature_weight, perceptual_weight
        self.learning_rate, self.betas = learning_rate, betas
        self.constant_epochs, self.decay_epochs = constant_epochs, decay_epochs
        self.register_generators("generator")

    def generator_loss(self, source: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        """Equation 5, with least squares, and the perceptual term; beside it the matching term and translations."""
        fake = self.generator(source)
        judged = self.discriminator(fake, source)
        with torch.no_grad():
            wanted = self.discriminator(target, source)
        matching = 4 / (len(judged[0]) - 1) * feature_matching(judged, wanted)
        loss = over_scales(_real, scores(judged)) + self.feature_weight * matching
        if self.perceptual is not None:
            loss = loss + self.perceptual_weight * self.perceptual(fake, target)
        return loss, matching, fake

    def discriminator_loss(self, source: Tensor, target: Tensor, fake: Tensor) -> Tensor:
        """Equation 3 with least squares, a sum over scales; halved, as in the authors' code."""
        real, made = (scores(self.discriminator(images, source)) for images in (target, fake))
        return 0.5 * over_scales(_judged, real, made)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        source, target = two_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        loss, matching, fake = self.descend(generator_optimizer, self.generator_loss, source, target)
        self.record(generator=loss, feature_matching=matching)
        loss = self.descend(discriminator_optimizer, self.discriminator_loss, source, target, fake)
        self.record(discriminator=loss)

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        factor = constant_then_linear(self.constant_epochs, self.decay_epochs)
        return [
            scheduled(adam(network.parameters(), self.learning_rate, self.betas), factor, "epoch")
            for network in (self.discriminator, self.generator)
        ]


def _real(scores: Tensor) -> Tensor:
    return least_squares(scores, 1)


def _judged(real: Tensor, fake: Tensor) -> Tensor:
    return least_squares(real, 1) + least_squares(fake, 0)
