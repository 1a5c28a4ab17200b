"""VAE/GAN: autoencoding beyond pixels using a learned similarity metric (Larsen et al., 2016)."""

from collections.abc import Callable
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.optim import Optimizer, RMSprop

from gan_modules import checks
from gan_modules.batches import images_of
from gan_modules.gaussians import drawn, half_square, kl_to_normal
from gan_modules.inferring import InferringModule
from gan_modules.latent import LatentMechanics
from gan_modules.objectives import minimax_discriminator, minimax_generator


class VAEGAN(InferringModule):
    """A variational autoencoder whose decoder is a GAN's generator, and whose errors are those of D's features.

    Of the three losses of Algorithm 1 each network gets its own: the encoder prior and likelihood, the decoder
    likelihood and game, the discriminator the game alone. The three steps are made one after the other, each on fresh
    noise; Algorithm 1 takes their gradients at once.

    Args:
        encoder: maps images to means and log variances of codes, each `(n, latent_dim)`.
        generator: the decoder, maps codes to images in [-1, 1].
        discriminator: maps images to scores `(n,)` and to the features `(n, ...)` of one of its hidden layers.
        latent_dim: dimensions of the standard normal noise (authors' code: 128).
        likelihood_weight: of the likelihood against the game, for the decoder alone (the paper's gamma; in the
            authors' celeba_aegan.py 1e-5, or 1e-6 where the game is without rebuilt images), a sum over features being
            weighed against a score.
        generator_objective: scores of generated samples -> the decoder's part of the game; the paper's is
            `minimax_generator`.
        learning_rate: of RMSprop (the authors' aegan.py: 0.02 / 64, which is 3e-4, and falls).
        mechanics: see `gan_modules.latent.LatentMechanics`; augmentations, which would change an image and its
            reconstruction differently, are refused.
    """

    def __init__(
        self,
        encoder: nn.Module,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 128,
        likelihood_weight: float = 1e-5,
        generator_objective: Callable[[Tensor], Tensor] = minimax_generator,
        learning_rate: float = 3e-4,
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(encoder, generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["encoder", "generator", "discriminator", "generator_objective"])
        checks.not_negative(likelihood_weight=likelihood_weight)
        checks.function(generator_objective=generator_objective)
        checks.positive(learning_rate=learning_rate)
        self.discriminator, self.generator_objective = discriminator, generator_objective
        self.likelihood_weight, self.learning_rate = likelihood_weight, learning_rate

    def judges(self) -> list[nn.Module]:
        """None that may be shown altered images."""
        return []

    def likelihood(self, real: Tensor, rebuilt: Tensor) -> tuple[Tensor, Tensor]:
        """L_llike, of a hidden layer, the mean over images, and the scores of the rebuilt ones.

        Both sides are one batch for the discriminator, as in the authors' code.
        """
        scores, features = self.discriminator(torch.cat([rebuilt, real]))
        of_rebuilt, of_real = features.chunk(2)
        return half_square(of_real, of_rebuilt).mean(), scores[: len(real)]

    def encoder_loss(self, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """L_prior + L_llike, and both of them."""
        mean, log_variance = self.gaussian(real)
        rebuilt = self(drawn(mean, log_variance, self.normal(*mean.shape)))
        prior, likelihood = kl_to_normal(mean, log_variance), self.likelihood(real, rebuilt)[0]
        return prior + likelihood, prior, likelihood

    def decoder_loss(self, real: Tensor) -> Tensor:
        """gamma L_llike + L_GAN (Algorithm 1 has a minus), of which the codes have no gradient."""
        likelihood, of_rebuilt = self.likelihood(real, self(self.inferred(real).detach()))
        of_drawn, _ = self.discriminator(self.sample(len(real)))
        game = self.generator_objective(of_rebuilt) + self.generator_objective(of_drawn)
        return self.likelihood_weight * likelihood + game

    def discriminator_loss(self, real: Tensor) -> Tensor:
        """-L_GAN: against samples of the posterior, rebuilt images, and against those of the prior."""
        of_rebuilt, _ = self.discriminator(self(self.inferred(real)).detach())
        of_drawn, _ = self.discriminator(self.sample(len(real)).detach())
        return minimax_discriminator(self.discriminator(real)[0], of_rebuilt) - minimax_generator(of_drawn)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real, (encoder, decoder, discriminator) = images_of(batch), self.optimizers()
        loss, prior, likelihood = self.descend(encoder, self.encoder_loss, real)
        self.record(encoder=loss, prior=prior, likelihood=likelihood)
        self.record(decoder=self.descend(decoder, self.decoder_loss, real))
        self.record(discriminator=self.descend(discriminator, self.discriminator_loss, real))

    def configure_optimizers(self) -> list[Optimizer]:
        networks = self.encoder, self.generator, self.discriminator
        return [RMSprop(network.parameters(), lr=self.learning_rate) for network in networks]
