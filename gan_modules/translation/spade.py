"""Semantic image synthesis with spatially-adaptive normalization (Park, Liu, Wang and Zhu, 2019)."""

from typing import Any, Unpack

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.adversarial import Mechanics, adam
from gan_modules.batches import two_images_of
from gan_modules.gaussians import drawn, kl_to_normal
from gan_modules.matching import feature_matching, scores
from gan_modules.objectives import hinge_discriminator, over_scales, wasserstein_generator
from gan_modules.palettes import Palette, check_palette
from gan_modules.schedules import constant_then_linear, scheduled
from gan_modules.translating import CodedModule, PairedModule

_NETWORKS = ("generator", "discriminator", "encoder", "perceptual")


class SPADE(CodedModule):
    """Pictures of maps of labels, which scale and shift what the generator normalises; a code gives their style.

    Args:
        generator: maps maps of labels, and codes `(n, latent_dim)` where there is an encoder, to images in [-1, 1].
        discriminator: maps (images, maps of labels) to a list of lists, for each scale the maps of its layers, the
            last being the scores.
        encoder: maps images to means and log variances of codes, each `(n, latent_dim)`; None: there are no codes.
        perceptual: maps (generated images, real ones) to a scalar and has no parameters, as
            `gan_modules.matching.PerceptualDistance`; None: the term is left out.
        latent_dim: numbers a code (code: 256).
        feature_weight, perceptual_weight, kl_weight: of the distances in the discriminator's and the perceptual
            network's features and of the codes' divergence (appendix A: as pix2pixHD's, 10 and 10, and 0.05; in the
            authors' code the divergence is a sum over the batch, and here its mean).
        generator_rate, discriminator_rate, betas: of Adam (section 4: 1e-4, 4e-4; 0 and 0.999, the code: 0.9).
        constant_epochs, decay_epochs: epochs at the full learning rate, and while it falls to 0 (code: 50, 0).
        palette: colours (red, green, blue) of the labels, from 0 to 255, by which a picture is read as a map where the
            trained model is used; None: there are only maps.
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    style_readers = ("encoder",)

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        encoder: nn.Module | None = None,
        perceptual: nn.Module | None = None,
        latent_dim: int = 256,
        feature_weight: float = 10.0,
        perceptual_weight: float = 10.0,
        kl_weight: float = 0.05,
        generator_rate: float = 1e-4,
        discriminator_rate: float = 4e-4,
        betas: tuple[float, float] = (0.0, 0.9),
        constant_epochs: int = 50,
        decay_epochs: int = 0,
        palette: Palette | None = None,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=[*_NETWORKS])
        checks.not_negative(feature_weight=feature_weight, perceptual_weight=perceptual_weight, kl_weight=kl_weight)
        checks.whole(0, constant_epochs=constant_epochs, decay_epochs=decay_epochs)
        checks.adam(betas, generator_rate=generator_rate, discriminator_rate=discriminator_rate)
        check_palette(palette)
        self.palette = palette
        self.discriminator, self.encoder, self.perceptual = discriminator, encoder, perceptual
        self.feature_weight, self.perceptual_weight, self.kl_weight = feature_weight, perceptual_weight, kl_weight
        self.generator_rate, self.discriminator_rate, self.betas = generator_rate, discriminator_rate, betas
        self.constant_epochs, self.decay_epochs = constant_epochs, decay_epochs
        self.register_generators("generator", *(["encoder"] if encoder else []))

    @property
    def coded(self) -> bool:
        """Whether translations follow a code."""
        return self.encoder is not None

    def forward(self, source: Tensor, code: Tensor | None = None) -> Tensor:
        if self.encoder is None:
            return self.serving("generator")(source)
        return super().forward(source, code)

    def style(self, reference: Tensor) -> Tensor:
        """Codes `(n, latent_dim)` of images, whose style translations by them have.

        Raises:
            ValueError: if there is no encoder.
        """
        if self.encoder is None:
            raise ValueError("this SPADE has no encoder, so that images have no style; give it one, and train it")
        return self.serving("encoder")(reference)[0]

    def generated(self, labels: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Images in the style of their targets, and the divergence of the codes from the prior."""
        if self.encoder is None:
            return self.generator(labels), torch.zeros((), device=labels.device)
        mean, log_variance = self.encoder(target)
        code = drawn(mean, log_variance, self.normal(*mean.shape))
        return self.generator(labels, code), kl_to_normal(mean, log_variance)

    def generator_loss(self, labels: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        """Hinge, feature matching, perceptual and KL terms; beside it the second and the generated images."""
        fake, divergence = self.generated(labels, target)
        judged = self.discriminator(fake, labels)
        with torch.no_grad():
            wanted = self.discriminator(target, labels)
        deceit = over_scales(wasserstein_generator, scores(judged)) / len(judged)
        matching = feature_matching(judged, wanted)
        loss = deceit + self.feature_weight * matching + self.kl_weight * divergence
        if self.perceptual is not None:
            loss = loss + self.perceptual_weight * self.perceptual(fake, target)
        return loss, matching, fake

    def discriminator_loss(self, labels: Tensor, target: Tensor, fake: Tensor) -> Tensor:
        """The hinge, a mean over scales."""
        real, made = self.discriminator(target, labels), self.discriminator(fake, labels)
        return over_scales(hinge_discriminator, scores(real), scores(made)) / len(real)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        labels, target = two_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        loss, matching, fake = self.descend(generator_optimizer, self.generator_loss, labels, target)
        self.record(generator=loss, feature_matching=matching)
        loss = self.descend(discriminator_optimizer, self.discriminator_loss, labels, target, fake)
        self.record(discriminator=loss)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        step = PairedModule.validation_step if self.encoder is None else CodedModule.validation_step
        return step(self, batch, batch_idx)

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        factor = constant_then_linear(self.constant_epochs, self.decay_epochs)
        drawing = [*self.generator.parameters(), *(self.encoder.parameters() if self.encoder else ())]
        return [
            scheduled(adam(self.discriminator.parameters(), self.discriminator_rate, self.betas), factor, "epoch"),
            scheduled(adam(drawing, self.generator_rate, self.betas), factor, "epoch"),
        ]
