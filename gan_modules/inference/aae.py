"""Adversarial autoencoders (Makhzani et al., 2015)."""

from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks, randomness
from gan_modules.adversarial import adam
from gan_modules.batches import images_of, labelled_images_of
from gan_modules.gaussians import petals
from gan_modules.inferring import InferringModule
from gan_modules.latent import LatentMechanics
from gan_modules.objectives import minimax_discriminator, non_saturating_generator


class AAE(InferringModule):
    """An autoencoder whose codes are made to follow the prior by a discriminator of codes, in place of a divergence.

    Args:
        encoder: maps images to codes `(n, latent_dim)`, or to means and log variances of these; the paper has both.
        generator: the decoder, maps codes to images in [-1, 1].
        discriminator: maps codes to scores `(n,)`; those of the prior are the real ones. Where there are classes, maps
            codes and labels `(n,)`, -1 being no label.
        latent_dim: dimensions of the prior: standard normal noise, or where there are classes `gaussians.petals`.
        num_classes: of the data, for section 2.3: the prior has a mode for each class, and the discriminator is told
            the class, so that codes follow the mode of theirs; codes of images without a label (-1) follow the whole
            prior. 0: neither.
        reconstruction_learning_rate, regularisation_learning_rate, betas: of Adam, of both phases.
        mechanics: see `gan_modules.latent.LatentMechanics`; no discriminator is shown images, so there is nothing to
            augment.
    """

    def __init__(
        self,
        encoder: nn.Module,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 8,
        num_classes: int = 0,
        reconstruction_learning_rate: float = 1e-3,
        regularisation_learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(encoder, generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["encoder", "generator", "discriminator"])
        checks.whole(0, num_classes=num_classes)
        if num_classes and latent_dim % 2:
            raise ValueError(f"a prior of classes has planes, so latent_dim must be even, got {latent_dim}; add one")
        checks.positive(reconstruction_learning_rate=reconstruction_learning_rate)
        checks.adam(betas, regularisation_learning_rate=regularisation_learning_rate)
        self.discriminator, self.num_classes, self.betas = discriminator, num_classes, betas
        self.learning_rates = reconstruction_learning_rate, regularisation_learning_rate

    def judges(self) -> list[nn.Module]:
        """None: the discriminator is shown codes."""
        return []

    def prior(self, n: int, labels: Tensor | None = None) -> Tensor:
        """Codes `(n, latent_dim)`; where there are classes of those in `labels` `(n,)`, or at -1 and without of any."""
        if not self.num_classes:
            return super().prior(n)
        classes = randomness.labels(n, self.num_classes, self.device)
        if labels is not None:
            classes = labels.where(labels >= 0, classes)
        return petals(self.normal(n, self.latent_dim), classes, self.num_classes)

    def grid_inputs(self, rows: int, columns: int) -> tuple[Tensor, ...]:
        """Inputs of `forward` for a grid: where there are classes one a row, with the same noise in each row."""
        if not self.num_classes:
            return super().grid_inputs(rows, columns)
        classes = torch.arange(rows, device=self.device) % self.num_classes
        noise = self.normal(columns, self.latent_dim).repeat(rows, 1)
        return (petals(noise, classes.repeat_interleave(columns), self.num_classes),)

    def reconstruction_loss(self, real: Tensor) -> Tensor:
        """The mean squared error of the autoencoder: the reconstruction phase."""
        return (self(self.inferred(real)) - real).square().mean()

    def discriminator_loss(self, real: Tensor, *labels: Tensor) -> Tensor:
        """Samples of the prior against codes, of the same classes: the first half of the regularisation phase."""
        drawn = self.discriminator(self.prior(len(real), *labels), *labels)
        return minimax_discriminator(drawn, self.discriminator(self.inferred(real).detach(), *labels))

    def encoder_loss(self, real: Tensor, *labels: Tensor) -> Tensor:
        """Codes that pass for samples of the prior: the second half of the regularisation phase."""
        return non_saturating_generator(self.discriminator(self.inferred(real), *labels))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        inputs = labelled_images_of(batch) if self.num_classes else (images_of(batch),)
        autoencoder, discriminator, encoder = self.optimizers()
        self.record(reconstruction=self.descend(autoencoder, self.reconstruction_loss, inputs[0]))
        self.record(discriminator=self.descend(discriminator, self.discriminator_loss, *inputs))
        self.record(encoder=self.descend(encoder, self.encoder_loss, *inputs))

    def configure_optimizers(self) -> list[Optimizer]:
        """The encoder is stepped by two optimizers, once in each phase."""
        reconstruction, regularisation = self.learning_rates
        autoencoder = [*self.encoder.parameters(), *self.generator.parameters()]
        adversaries = [
            adam(network.parameters(), regularisation, self.betas) for network in (self.discriminator, self.encoder)
        ]
        return [adam(autoencoder, reconstruction, self.betas), *adversaries]
