"""InfoGAN: interpretable representation learning by information maximizing GANs (Chen et al., 2016)."""

from itertools import chain
from typing import Any, Unpack, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.codes import draw_codes, negative_log_likelihood
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import minimax_discriminator, non_saturating_generator


class InfoGAN(LatentModule):
    """Codes in the noise that a third head must read off the picture.

    The bound on the mutual information is maximised by the generator and by Q, which shares all but its head with D
    and is stepped by D's optimizer, as in the authors' code; D's real/fake head is no part of it.

    Args:
        generator: maps `(n, noise_dim + categories + continuous)`, noise, one-hot category and numbers in [-1, 1], to
            images in [-1, 1].
        trunk: maps images to features, shared by D and Q.
        discriminator_head: maps features to scores `(n,)`.
        recognition_head: maps features to `(category logits (n, categories), means (n, continuous))`.
        noise_dim: dimensions of the incompressible, standard normal noise.
        categories, continuous: the size of the categorical code and the number of continuous ones.
        information_weight: weight of the bound L_I (the paper's lambda: 1).
        generator_learning_rate, discriminator_learning_rate, betas: of Adam (appendix C.1: 1e-3, 2e-4; 0.5).
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        trunk: nn.Module,
        discriminator_head: nn.Module,
        recognition_head: nn.Module,
        noise_dim: int = 62,
        categories: int = 10,
        continuous: int = 2,
        information_weight: float = 1.0,
        generator_learning_rate: float = 1e-3,
        discriminator_learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        checks.whole(0, noise_dim=noise_dim, continuous=continuous)
        checks.whole(1, categories=categories)
        super().__init__(generator, noise_dim + categories + continuous, **mechanics)
        self.save_hyperparameters(ignore=["generator", "trunk", "discriminator_head", "recognition_head"])
        checks.not_negative(information_weight=information_weight)
        checks.positive(generator_learning_rate=generator_learning_rate)
        checks.adam(betas, discriminator_learning_rate=discriminator_learning_rate)
        self.trunk, self.discriminator_head, self.recognition_head = trunk, discriminator_head, recognition_head
        self.noise_dim, self.categories, self.continuous = noise_dim, categories, continuous
        self.information_weight, self.betas = information_weight, betas
        self.learning_rates = discriminator_learning_rate, generator_learning_rate

    def judges(self) -> list[nn.Module]:
        """The trunk; the heads are shown its features."""
        return [self.trunk]

    def codes(self, n: int) -> Tensor:
        """Codes `(n, categories + continuous)`."""
        return draw_codes(n, self.categories, self.continuous, self.device, cast(torch.dtype, self.dtype))

    def noise(self, n: int) -> Tensor:
        """Incompressible noise `(n, noise_dim)`."""
        return self.normal(n, self.noise_dim)

    def prior(self, n: int) -> Tensor:
        """Noise and codes `(n, noise_dim + categories + continuous)`."""
        return torch.cat([self.noise(n), self.codes(n)], dim=1)

    def grid_inputs(self, rows: int, columns: int) -> tuple[Tensor]:
        """Inputs of `forward` for a grid: one noise, a category a row, the first continuous code from -1 to 1.

        Rows beyond the categories vary one continuous code each, from -2 to 2 as in the paper's figure 2.
        """
        z = self.prior(1).repeat(rows, columns, 1)
        codes = z[..., self.noise_dim :]
        for row in range(rows):
            if row < self.categories:
                codes[row, :, : self.categories] = 0
                codes[row, :, row] = 1
            if self.continuous:
                reach, code = (1, 0) if row < self.categories else (2, (row - self.categories) % self.continuous)
                codes[row, :, self.categories + code] = torch.linspace(-reach, reach, columns)
        return (z.flatten(0, 1),)

    def discriminator_loss(self, real: Tensor) -> tuple[Tensor, Tensor]:
        """V(D, G) - lambda L_I (equation 6), for D and Q; beside it the part of L_I that is learnt."""
        z = self.prior(len(real))
        features = self.trunk(self(z).detach())
        scores = self.discriminator_head(self.trunk(real)), self.discriminator_head(features)
        information = self.information(z, features)
        return minimax_discriminator(*scores) - self.information_weight * information, information

    def generator_loss(self, real: Tensor) -> Tensor:
        """The generator's side of equation 6, non-saturating."""
        z = self.prior(len(real))
        features = self.trunk(self(z))
        adversarial = non_saturating_generator(self.discriminator_head(features))
        return adversarial - self.information_weight * self.information(z, features)

    def information(self, z: Tensor, features: Tensor) -> Tensor:
        """L_I without the constant entropy of the codes (equation 5): E log Q(c | x)."""
        return -negative_log_likelihood(z[:, self.noise_dim :], *self.recognition_head(features))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        loss, information = self.descend(discriminator_optimizer, self.discriminator_loss, real)
        self.record(discriminator=loss, information=information)
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def configure_optimizers(self) -> list[Optimizer]:
        networks = (self.trunk, self.discriminator_head, self.recognition_head), (self.generator,)
        return [
            adam(chain.from_iterable(net.parameters() for net in player), rate, self.betas)
            for player, rate in zip(networks, self.learning_rates, strict=True)
        ]
