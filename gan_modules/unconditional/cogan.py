"""Coupled generative adversarial networks (Liu and Tuzel, 2016)."""

from collections.abc import Sequence
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import two_images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import minimax_discriminator, non_saturating_generator


class CoGAN(LatentModule):
    """Two games, one a domain, whose players share weights: pairs of images, learnt from images without partners.

    Each discriminator sees its own domain alone. That the two images of one noise show one thing is due to the layers
    that are shared, which the networks have to bring with them.

    Args:
        generator: maps noise `(n, latent_dim)` to `(x, y)`, images of both domains in [-1, 1]; its first layers are
            shared.
        discriminator: maps images `(x, y)` of both domains to scores `(n,)` of each; its last layers are shared.
        latent_dim: dimensions of the standard normal noise.
        learning_rate, betas, weight_decay: of Adam (authors' code: 2e-4; 0.5 and 0.999; 5e-4 beside one mean over both
            domains, half of our sum).
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 100,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        weight_decay: float = 5e-4,
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.not_negative(weight_decay=weight_decay)
        checks.adam(betas, learning_rate=learning_rate)
        self.discriminator = discriminator
        self.learning_rate, self.betas, self.weight_decay = learning_rate, betas, weight_decay

    def judges(self) -> Sequence[nn.Module]:
        """None: the discriminator is shown images of two domains at once."""
        return ()

    def forward(self, z: Tensor) -> Tensor:
        """Both images of each noise side by side: `(n, c, h, 2w)`."""
        return torch.cat(self.pair(z), dim=3)

    def pair(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Images of both domains, `(n, c, h, w)` each."""
        return self.serving("generator")(z)

    def discriminator_loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Equation 3 for both discriminators, ascended."""
        fake_x, fake_y = self.pair(self.prior(len(x)))
        (real_x, real_y), fakes = self.discriminator(x, y), self.discriminator(fake_x.detach(), fake_y.detach())
        return minimax_discriminator(real_x, fakes[0]) + minimax_discriminator(real_y, fakes[1])

    def generator_loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Equation 3 for both generators, non-saturating as in the authors' code."""
        scores_x, scores_y = self.discriminator(*self.pair(self.prior(len(x))))
        return non_saturating_generator(scores_x) + non_saturating_generator(scores_y)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        x, y = two_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, x, y))
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, x, y))

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, dict[str, Tensor]]:  # type: ignore[override]
        x, y = two_images_of(batch)
        fake_x, fake_y = self.pair(self.prior(len(x)))
        return {"x": {"real": x, "fake": fake_x}, "y": {"real": y, "fake": fake_y}}

    def configure_optimizers(self) -> list[Optimizer]:
        return [
            adam(net.parameters(), self.learning_rate, self.betas, self.weight_decay)
            for net in (self.discriminator, self.generator)
        ]
