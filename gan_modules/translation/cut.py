"""Contrastive learning for unpaired image-to-image translation (Park, Efros, Zhang and Zhu, 2020)."""

from itertools import chain
from typing import Any, Unpack

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from gan_modules import checks, randomness
from gan_modules.adversarial import AdversarialModule, Mechanics, adam
from gan_modules.batches import two_images_of
from gan_modules.objectives import least_squares, patch_nce
from gan_modules.schedules import constant_then_linear, scheduled
from gan_modules.translating import Way


class CUT(AdversarialModule):
    """X -> Y in one direction: a patch of a translation is to be told from other patches by that of its source.

    FastCUT is `identity=False, contrast_weight=10, flip=True`, for 150 and 50 epochs. The authors draw patches and
    flips once a batch, here each image has its own.

    Args:
        generator: maps images of X to images of Y in [-1, 1], and images of both, with `encode=True`, to a sequence of
            maps of features `(n, width, h, w)`: `ResNetTranslator`.
        discriminator: maps images of Y to scores of any shape.
        heads: map such maps, and places of patches in them, to embeddings of length 1: `PatchHeads`.
        contrast_weight: weight of the contrastive loss (the paper's lambda_X: 1; FastCUT: 10).
        identity: whether images of Y, translated, are to keep their patches too (lambda_Y = 1; FastCUT: not).
        patches: of an image that are drawn from each layer, or all where there are fewer (code: 256).
        temperature: of the contrastive loss (code: 0.07).
        flip: mirror half of the images before they are translated, not knowing which (FastCUT).
        learning_rate, betas: of Adam (code: 2e-4; 0.5 and 0.999).
        constant_epochs, decay_epochs: epochs at the full learning rate, and while it falls to 0 (code: 200 and 200).
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    readers = ("generator",)

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        heads: nn.Module,
        contrast_weight: float = 1.0,
        identity: bool = True,
        patches: int = 256,
        temperature: float = 0.07,
        flip: bool = False,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        constant_epochs: int = 200,
        decay_epochs: int = 200,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator", "heads"])
        checks.not_negative(contrast_weight=contrast_weight)
        checks.switch(identity=identity, flip=flip)
        checks.positive(temperature=temperature)
        checks.whole(1, patches=patches)
        checks.whole(0, constant_epochs=constant_epochs, decay_epochs=decay_epochs)
        checks.adam(betas, learning_rate=learning_rate)
        self.generator, self.discriminator, self.heads = generator, discriminator, heads
        self.contrast_weight, self.identity, self.flip = contrast_weight, identity, flip
        self.patches, self.temperature = patches, temperature
        self.learning_rate, self.betas = learning_rate, betas
        self.constant_epochs, self.decay_epochs = constant_epochs, decay_epochs
        self.register_generators("generator")

    def forward(self, x: Tensor) -> Tensor:
        """Images of X as images of Y."""
        return self.serving("generator")(x)

    def places(self, n: int, pixels: int) -> Tensor:
        """Different places in [0, pixels), drawn for each of n images: int64 (n, s)."""
        return randomness.uniform(n, pixels, device=self.device).argsort(1)[:, : self.patches]

    def flips(self, images: Tensor) -> Tensor:
        """Which of the images are mirrored: bool (n, 1, 1, 1)."""
        return randomness.uniform(len(images), 1, 1, 1, device=images.device) < 0.5 * self.flip

    def contrast(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """PatchNCE, the mean over layers (the paper: the sum); beside it the translations of the sources."""
        mirrored = self.flips(source)
        fake = self.generator(torch.where(mirrored, source.flip(3), source))
        queries = [torch.where(mirrored, each.flip(3), each) for each in self.generator(fake, encode=True)]
        places = [self.places(len(each), each[0, 0].numel()) for each in queries]
        with torch.no_grad():  # no gradient goes through the keys
            keys = self.heads(self.generator(source, encode=True), places)
        losses = [patch_nce(*pair, self.temperature) for pair in zip(self.heads(queries, places), keys, strict=True)]
        return torch.stack(losses).mean(), fake

    def generator_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """All terms, the two contrasts' mean as in the code; beside it that and the translations."""
        contrast, fake = self.contrast(x)
        if self.identity:
            contrast = 0.5 * (contrast + self.contrast(y)[0])
        return least_squares(self.discriminator(fake), 1) + self.contrast_weight * contrast, contrast, fake

    def discriminator_loss(self, y: Tensor, fake: Tensor) -> Tensor:
        """The least squares, divided by 2, as in the code."""
        return 0.5 * (least_squares(self.discriminator(y), 1) + least_squares(self.discriminator(fake), 0))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        x, y = two_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        # G first, so that one translation serves both players; the order of the alternating steps is the same
        loss, contrast, fake = self.descend(generator_optimizer, self.generator_loss, x, y)
        self.record(generator=loss, contrast=contrast)
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, y, fake))

    def ways(self) -> dict[str, Way]:
        """The one direction, from which there is no way back."""
        return {"x_to_y": Way(self)}

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, dict[str, Tensor]]:
        """One direction; where the batch is `(x, y, x_as_y, ...)`, it has its truth."""
        x, y = two_images_of(batch)
        view = {"source": x, "fake": self(x), "real": y}
        return {"x_to_y": {**view, "truth": batch[2]} if len(batch) > 2 else view}

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        factor = constant_then_linear(self.constant_epochs, self.decay_epochs)
        translation = chain(self.generator.parameters(), self.heads.parameters())
        players = (self.discriminator.parameters(), translation)
        return [scheduled(adam(each, self.learning_rate, self.betas), factor, "epoch") for each in players]
