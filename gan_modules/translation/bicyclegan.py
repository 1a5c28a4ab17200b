"""Toward multimodal image-to-image translation (Zhu, Zhang, Pathak, Darrell, Efros, Wang and Shechtman, 2017)."""

from itertools import chain
from typing import Any, Unpack

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gan_modules import checks
from gan_modules.adversarial import Mechanics, adam, frozen
from gan_modules.batches import two_images_of
from gan_modules.gaussians import drawn, kl_to_normal
from gan_modules.objectives import least_squares, over_scales
from gan_modules.schedules import constant_then_linear, scheduled
from gan_modules.translating import CodedModule

_NETWORKS = ("generator", "encoder", "discriminator_encoded", "discriminator_random")


class BicycleGAN(CodedModule):
    """Codes and images, mapped there and back both ways, so that one source has many translations.

    A target is encoded and drawn again from its source (cVAE-GAN), and a code is drawn with a source and read again
    from the translation (cLR-GAN). As in the authors' code the first half of a batch gives the pairs, and the targets
    of the second half are the real images beside translations by random codes.

    Args:
        generator: maps sources and codes `(n, latent_dim)` to images of the target domain in [-1, 1].
        encoder: maps target images to means and log variances of codes, each `(n, latent_dim)`.
        discriminator_encoded, discriminator_random: map target images, without their sources, to scores or a list of
            scores, one a scale; they judge translations by codes of the encoder, and by random ones.
        latent_dim: numbers a code (code: 8).
        l1_weight, latent_weight, kl_weight: of the distances to target and code, and of the divergence of codes from
            the prior (code: 10, 0.5 and 0.01).
        learning_rate, betas: of Adam (code: 2e-4; 0.5 and 0.999).
        constant_epochs, decay_epochs: epochs at the full learning rate, and while it falls to 0 (code: 100, 100).
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    style_readers = ("encoder",)

    def __init__(
        self,
        generator: nn.Module,
        encoder: nn.Module,
        discriminator_encoded: nn.Module,
        discriminator_random: nn.Module,
        latent_dim: int = 8,
        l1_weight: float = 10.0,
        latent_weight: float = 0.5,
        kl_weight: float = 0.01,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        constant_epochs: int = 100,
        decay_epochs: int = 100,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=[*_NETWORKS])
        checks.not_negative(l1_weight=l1_weight, latent_weight=latent_weight, kl_weight=kl_weight)
        checks.whole(0, constant_epochs=constant_epochs, decay_epochs=decay_epochs)
        checks.adam(betas, learning_rate=learning_rate)
        self.encoder = encoder
        self.discriminator_encoded, self.discriminator_random = discriminator_encoded, discriminator_random
        self.l1_weight, self.latent_weight, self.kl_weight = l1_weight, latent_weight, kl_weight
        self.learning_rate, self.betas = learning_rate, betas
        self.constant_epochs, self.decay_epochs = constant_epochs, decay_epochs
        self.register_generators("generator", "encoder")

    def style(self, reference: Tensor) -> Tensor:
        """Codes `(n, latent_dim)` by which sources are translated in the manner of target images."""
        mean, _ = self.serving("encoder")(reference)
        return mean

    def generator_loss(self, source: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        """All terms of generator and encoder; beside it distances to target and code, and both translations."""
        mean, log_variance = self.encoder(target)
        encoded = drawn(mean, log_variance, self.normal(*mean.shape))
        random = self.codes(len(source))
        fake_encoded, fake_random = self.generator(source, encoded), self.generator(source, random)
        deceit = over_scales(_real, self.discriminator_encoded(fake_encoded))
        deceit = deceit + over_scales(_real, self.discriminator_random(fake_random))
        distance, latent = l1_loss(fake_encoded, target), self.latent_loss(fake_random, random)
        loss = deceit + self.l1_weight * distance + self.latent_weight * latent
        return loss + self.kl_weight * kl_to_normal(mean, log_variance), distance, latent, fake_encoded, fake_random

    def latent_loss(self, fake: Tensor, code: Tensor) -> Tensor:
        """The distance of drawn codes to those read again; it does not train the encoder, which would hide codes."""
        with frozen(self.encoder.parameters()):
            mean, _ = self.encoder(fake)
        return l1_loss(mean, code)

    def discriminator_loss(self, paired: Tensor, unpaired: Tensor, encoded: Tensor, random: Tensor) -> Tensor:
        """Both discriminators' least squares; real images are the targets of the encoded half, and of the other."""
        loss = over_scales(_judged, self.discriminator_encoded(paired), self.discriminator_encoded(encoded))
        return loss + over_scales(_judged, self.discriminator_random(unpaired), self.discriminator_random(random))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        source, target = two_images_of(batch)
        if (half := len(source) // 2) == 0:
            raise ValueError("BicycleGAN halves its batches, got one of 1; give a batch_size of at least 2")
        discriminator_optimizer, generator_optimizer = self.optimizers()
        # the generator first, as in the authors' code, so that its translations serve both players
        loss, distance, latent, *fakes = self.descend(
            generator_optimizer, self.generator_loss, source[:half], target[:half]
        )
        self.record(generator=loss, l1=distance, latent=latent)
        real = target[:half], target[half : 2 * half]
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, *real, *fakes))

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        factor = constant_then_linear(self.constant_epochs, self.decay_epochs)
        players = (self.discriminator_encoded, self.discriminator_random), (self.generator, self.encoder)
        parameters = (chain.from_iterable(network.parameters() for network in player) for player in players)
        return [scheduled(adam(each, self.learning_rate, self.betas), factor, "epoch") for each in parameters]


def _real(scores: Tensor) -> Tensor:
    return least_squares(scores, 1)


def _judged(real: Tensor, fake: Tensor) -> Tensor:
    return least_squares(real, 1) + least_squares(fake, 0)
