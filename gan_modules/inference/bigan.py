"""BiGAN, adversarial feature learning (Donahue et al.), and ALI, adversarially learned inference (Dumoulin et al.)."""

from itertools import chain
from typing import Any, Unpack

from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import adam, frozen
from gan_modules.batches import images_of
from gan_modules.inferring import InferringModule
from gan_modules.latent import LatentMechanics
from gan_modules.objectives import minimax_discriminator


class BiGAN(InferringModule):
    """The discriminator sees pairs: images with their codes, and what is generated with its noise.

    Where it is deceived, the encoder inverts the generator (BiGAN's theorem), which no reconstruction error asks for.
    Both papers are of 2016 (ICLR 2017), and one game; the encoder is a function in the first, a distribution in ALI.

    Args:
        encoder: maps images to codes `(n, latent_dim)` (BiGAN), or to means and log variances of these (ALI).
        generator: maps codes to images in [-1, 1].
        discriminator: maps images and codes to scores `(n,)`.
        latent_dim: dimensions of the standard normal noise (BiGAN: uniform noise).
        learning_rate, betas: of Adam (train_gan.py of BiGAN's authors: 2e-4; 0.5; experiments/ali_*.py: 1e-4; 0.5).
        weight_decay: added to the gradient (train_gan.py: 2.5e-5; ALI: 0).
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        encoder: nn.Module,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 50,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        weight_decay: float = 2.5e-5,
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(encoder, generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["encoder", "generator", "discriminator"])
        checks.adam(betas, learning_rate=learning_rate)
        checks.not_negative(weight_decay=weight_decay)
        self.discriminator = discriminator
        self.learning_rate, self.betas, self.weight_decay = learning_rate, betas, weight_decay

    def players_loss(self, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Algorithm 1 of ALI: both players' losses on the same pairs, each of which reaches its player alone.

        The second is that of encoder and generator: the discriminator's with the sides exchanged, as in the code of
        both papers.
        """
        codes, z = self.inferred(real), self.prior(len(real))
        fake = self(z)
        against = minimax_discriminator(self.discriminator(real, codes.detach()), self.discriminator(fake.detach(), z))
        with frozen(self.discriminator.parameters()):
            deceiving = minimax_discriminator(self.discriminator(fake, z), self.discriminator(real, codes))
        return against + deceiving, against, deceiving

    def training_step(self, batch: Any, batch_idx: int) -> None:
        (optimizer,) = self.optimizers()
        _, against, deceiving = self.descend(optimizer, self.players_loss, images_of(batch))
        self.record(discriminator=against, generator=deceiving)

    def configure_optimizers(self) -> list[Optimizer]:
        networks = self.discriminator, self.encoder, self.generator
        parameters = list(chain.from_iterable(network.parameters() for network in networks))
        return [adam(parameters, self.learning_rate, self.betas, self.weight_decay)]
