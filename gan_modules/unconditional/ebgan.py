"""Energy-based generative adversarial networks (Zhao et al., 2017)."""

from typing import Any, Unpack, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule


class EBGAN(LatentModule):
    """An autoencoder learns to rebuild real images and no others; what it cannot rebuild has a high energy.

    The pulling-away term compares the samples of a batch: of a process's part of it, or of a micro-batch.

    Args:
        generator: maps noise `(n, latent_dim)` to images in [-1, 1].
        discriminator: maps images to `(reconstructions of the same shape, codes (n, ...))`.
        latent_dim: dimensions of the standard normal noise.
        margin: the energy, a Euclidean distance, to which each generated image is pushed, and no further (the paper's
            m: 10 for MNIST, 20 for CelebA at 64 pixels, 80 for LSUN).
        pulling_weight: weight of the pulling-away term (the paper: 0.1); 0 leaves it out.
        generator_learning_rate, discriminator_learning_rate, betas: of Adam (table 1, for MNIST: 1e-3; betas: DCGAN's).
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 100,
        margin: float = 20.0,
        pulling_weight: float = 0.1,
        generator_learning_rate: float = 1e-3,
        discriminator_learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.5, 0.999),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.positive(margin=margin, generator_learning_rate=generator_learning_rate)
        checks.not_negative(pulling_weight=pulling_weight)
        checks.adam(betas, discriminator_learning_rate=discriminator_learning_rate)
        self.discriminator, self.margin, self.pulling_weight = discriminator, margin, pulling_weight
        self.learning_rates, self.betas = (discriminator_learning_rate, generator_learning_rate), betas

    def judges(self) -> tuple[nn.Module, ...]:
        """None. Images are compared with what the discriminator makes of them."""
        return ()

    def energy(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """D(x) = |Dec(Enc(x)) - x|_2 for each image, `(n,)` (section 2.3); beside it Enc(x)."""
        reconstructions, codes = self.discriminator(images)
        errors = reconstructions.to(cast(torch.dtype, self.dtype)) - images
        return errors.flatten(1).norm(dim=1), codes

    def discriminator_loss(self, real: Tensor) -> Tensor:
        """Equation 1: E D(x) + E max(0, m - D(G(z))), the margin for each image."""
        fake = self.sample(len(real)).detach()
        return self.energy(real)[0].mean() + relu(self.margin - self.energy(fake)[0]).mean()

    def generator_loss(self, real: Tensor) -> Tensor:
        """Equation 2, E D(G(z)), with the pulling-away term; images are pulled to their reconstructions as well."""
        energies, codes = self.energy(self.sample(len(real)))
        return energies.mean() + self.pulling_weight * pulling_away(codes)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real))
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))

    def configure_optimizers(self) -> list[Optimizer]:
        networks = self.discriminator, self.generator
        return [
            adam(net.parameters(), rate, self.betas) for net, rate in zip(networks, self.learning_rates, strict=True)
        ]


def pulling_away(codes: Tensor) -> Tensor:
    """The mean squared cosine between codes `(n, ...)` of different samples (section 2.4), in [0, 1]; 0 if n is 1.

    >>> pulling_away(torch.eye(3)), pulling_away(torch.ones(3, 2))
    (tensor(0.), tensor(1.0000))
    """
    directions = normalize(codes.flatten(1), dim=1)
    cosines = (directions @ directions.T).square()
    return (cosines.sum() - cosines.trace()) / max(1, len(codes) * (len(codes) - 1))
