"""Generative adversarial text to image synthesis (Reed, Akata, Yan, Logeswaran, Schiele and Lee, 2016)."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks, randomness
from gan_modules.adversarial import adam
from gan_modules.batches import captioned_images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import minimax_discriminator, non_saturating_generator
from gan_modules.texts import decoded, encoded


class TextGAN(LatentModule):
    """GAN-CLS: a discriminator that must also tell a picture beside its own text from one beside another's.

    The wrong text of a picture is that of the picture half a batch further on, whereby processes and micro-batches of
    even size have the pairs of the whole batch. The paper's encoder of texts is trained before, to be faster (section
    5); ours is trained in place, as a part of the discriminator, whose loss asks it what a text shows.

    Args:
        generator: maps noise `(n, latent_dim)` and embeddings `(n, d)` to images in [-1, 1].
        discriminator: maps images and embeddings to scores `(n,)`.
        encoder: maps texts, int64 `(n, length)`, to embeddings `(n, d)`.
        latent_dim: dimensions of the standard normal noise.
        texts: of samples for which none are given; an underscore is a space.
        interpolation_weight: weight of the generator's loss on means of two embeddings (GAN-INT, equation 5, with
            beta = 1/2; 0 turns it off; the authors' code has 1 in one mean over both kinds, which is 0.5 here).
        learning_rate, betas: of Adam (section 5: 2e-4 and 0.5).
        mechanics: see `gan_modules.latent.LatentMechanics`.

    Raises:
        ValueError: from the losses, for a batch of one, which has no wrong text.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        encoder: nn.Module,
        latent_dim: int = 100,
        texts: tuple[str, ...] = ("red_apple", "smiling_face"),
        interpolation_weight: float = 0.0,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator", "encoder"])
        checks.words(texts=texts)
        checks.not_negative(interpolation_weight=interpolation_weight)
        checks.adam(betas, learning_rate=learning_rate)
        self.discriminator, self.encoder, self.texts = discriminator, encoder, tuple(texts)
        self.interpolation_weight, self.learning_rate, self.betas = interpolation_weight, learning_rate, betas

    def judges(self) -> Sequence[nn.Module]:
        """The discriminator; the encoder is shown texts."""
        return (self.discriminator,)

    def forward(self, z: Tensor, texts: Tensor) -> Tensor:  # type: ignore[override]
        return self.serving("generator")(z, self.encoder(texts))

    def sample(self, n: int, texts: Tensor | None = None) -> Tensor:
        """`n` generated images, of `texts` `(n, length)` or of random ones of the module's own."""
        if texts is None:
            texts = self.known()[randomness.labels(n, len(self.texts), self.device)]
        return self(self.prior(n), texts)

    def known(self) -> Tensor:
        """The module's own texts as codes."""
        return encoded(self.texts).to(self.device)

    def grid_inputs(self, rows: int, columns: int) -> tuple[Tensor, ...]:
        """Inputs of `forward` for a grid with one of the module's own texts a row; the same noise in each row."""
        texts = self.known()[torch.arange(rows) % len(self.texts)]
        return self.prior(columns).repeat(rows, 1), texts.repeat_interleave(columns, 0)

    def grid_titles(self, rows: int) -> list[str]:
        """The text of each row of that grid."""
        return [decoded(self.known())[row % len(self.texts)] for row in range(rows)]

    def discriminator_loss(self, real: Tensor, texts: Tensor) -> Tensor:
        """Algorithm 1, lines 3 to 9: right, wrong and generated pairs; for the encoder as well."""
        if len(real) < 2:
            raise ValueError(f"a batch of {len(real)} has no wrong text for a picture; choose a larger batch_size")
        right = self.encoder(texts)
        wrong = right.roll(len(right) // 2, 0)
        fake = self.generator(self.prior(len(real)), right.detach()).detach()
        real_scores = self.discriminator(real, right)
        wrong_scores, fake_scores = self.discriminator(real, wrong), self.discriminator(fake, right)
        # half of each is -log s_r - (log(1 - s_w) + log(1 - s_f)) / 2
        return (minimax_discriminator(real_scores, wrong_scores) + minimax_discriminator(real_scores, fake_scores)) / 2

    def generator_loss(self, real: Tensor, texts: Tensor) -> Tensor:
        """Algorithm 1, line 11, and where wanted equation 5, both non-saturating."""
        embeddings = self.encoder(texts)
        loss = self.deceit(embeddings)
        if self.interpolation_weight > 0:
            half = len(embeddings) // 2
            between = (embeddings[:half] + embeddings[half : 2 * half]) / 2
            loss = loss + self.interpolation_weight * self.deceit(between)
        return loss

    def deceit(self, embeddings: Tensor) -> Tensor:
        """How little generated images pass for real ones of these embeddings."""
        fake = self.generator(self.prior(len(embeddings)), embeddings)
        return non_saturating_generator(self.discriminator(fake, embeddings))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        inputs = captioned_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, *inputs))
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, *inputs))

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        real, texts = captioned_images_of(batch)
        return {"real": real, "fake": self.sample(len(real), texts)}

    def configure_optimizers(self) -> list[Optimizer]:
        judges = chain(self.discriminator.parameters(), self.encoder.parameters())
        return [adam(each, self.learning_rate, self.betas) for each in (judges, self.generator.parameters())]
