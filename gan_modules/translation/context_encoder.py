"""Context encoders: feature learning by inpainting (Pathak, Krähenbühl, Donahue, Darrell and Efros, 2016)."""

from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import Mechanics, adam
from gan_modules.batches import holed_images_of
from gan_modules.holes import GREY, around, centred
from gan_modules.objectives import minimax_discriminator, non_saturating_generator
from gan_modules.translating import PairedModule


class ContextEncoder(PairedModule):
    """Fills holes by their surroundings: mostly by the squared error, a little by a discriminator.

    The generator predicts the hole and a border around it. What it draws beyond is ignored; the discriminator sees the
    prediction in its picture (the authors' code shows it the predicted square alone).

    Args:
        generator: maps images whose holes hold a constant to whole images in [-1, 1].
        discriminator: maps images to scores of any shape. As in the paper it is not told the hole.
        reconstruction_weight: the paper's lambda_rec (the authors' README: 0.999); lambda_adv is what is left of 1.
        overlap: pixels around a hole that are predicted as well (the authors' README: 4 at 128 pixels); None: all
            of the picture, as in the code for holes of any shape (`train_random.lua`).
        overlap_weight: weight of the border's squared error relative to the hole's (the code: 10).
        learning_rate, betas: of the discriminator's Adam (the code: 2e-4; 0.5 and 0.999).
        generator_rate: of the generator's, ten times as high (the paper; the code).
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        reconstruction_weight: float = 0.999,
        overlap: int | None = 4,
        overlap_weight: float = 10.0,
        learning_rate: float = 2e-4,
        generator_rate: float = 2e-3,
        betas: tuple[float, float] = (0.5, 0.999),
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.portion(reconstruction_weight=reconstruction_weight)
        checks.whole(0, overlap=0 if overlap is None else overlap)
        checks.not_negative(overlap_weight=overlap_weight)
        checks.adam(betas, learning_rate=learning_rate, generator_rate=generator_rate)
        self.generator, self.discriminator = generator, discriminator
        self.reconstruction_weight, self.overlap, self.overlap_weight = reconstruction_weight, overlap, overlap_weight
        self.learning_rate, self.generator_rate, self.betas = learning_rate, generator_rate, betas
        self.register_generators("generator")

    def filled(self, images: Tensor, hole: Tensor) -> Tensor:
        """Images with what the generator makes of their surroundings in their holes, `(n, 1, h, w)`, 1 inside."""
        grey = torch.full_like(images, GREY / 127.5 - 1)
        return images.where(hole == 0, self(images.where(hole == 0, grey)))

    def trained_hole(self, images: Tensor) -> Tensor:
        """The square in the middle, of half the side, that the data modules cut out of square images: 1 inside."""
        return centred(images, images.shape[-1] // 2)

    def reconstruction_loss(self, fake: Tensor, target: Tensor, hole: Tensor) -> Tensor:
        """Equation 1, a mean over what is predicted: the hole, and with a larger weight its border."""
        predicted = around(hole, self.overlap)
        weight = self.overlap_weight - (self.overlap_weight - 1) * hole
        errors = predicted * weight * (fake - target).square()
        return (errors.flatten(1).sum(1) / (predicted.flatten(1).sum(1) * fake.shape[1])).mean()

    def generator_loss(self, source: Tensor, target: Tensor, hole: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Equation 3, non-saturating; beside it the reconstruction loss and the pictures, for the discriminator."""
        fake = self.generator(source)
        reconstruction = self.reconstruction_loss(fake, target, hole)
        pasted = target + around(hole, self.overlap) * (fake - target)
        adversarial = non_saturating_generator(self.discriminator(pasted))
        weight = self.reconstruction_weight
        return weight * reconstruction + (1 - weight) * adversarial, reconstruction, pasted

    def discriminator_loss(self, target: Tensor, pasted: Tensor) -> Tensor:
        """Equation 2."""
        return minimax_discriminator(self.discriminator(target), self.discriminator(pasted))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        source, target, hole = holed_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        loss, reconstruction, pasted = self.descend(generator_optimizer, self.generator_loss, source, target, hole)
        self.record(generator=loss, reconstruction=reconstruction)
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, target, pasted))

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        source, target, hole = holed_images_of(batch)
        filled = source + hole * (self(source) - source)
        return {"source": source, "fake": filled, "real": target, "truth": target, "hole": hole}

    def configure_optimizers(self) -> list[Optimizer]:
        rates = (self.discriminator, self.learning_rate), (self.generator, self.generator_rate)
        return [adam(network.parameters(), rate, self.betas) for network, rate in rates]
