"""Generative moment matching networks (Li, Swersky and Zemel, 2015)."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Unpack, cast

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from gan_modules import checks, randomness
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.kernels import gaussian, root_mmd
from gan_modules.latent import LatentMechanics, LatentModule


class GMMN(LatentModule):
    """A generator without an adversary: it makes a batch of samples like a batch of data, by a fixed kernel.

    The kernel compares all samples of a batch, or of the part of it that a process or a micro-batch is given, so that
    large batches are part of the method (section 4: 1000). This is the network of the data space.

    Args:
        generator: maps noise `(n, latent_dim)` to samples `(n, ...)`: images in [-1, 1], or points.
        latent_dim: dimensions of the noise, uniform in [-1, 1] (the authors' code: 10).
        variances: of the Gaussian kernels that are summed, in squared units of the data (the code's sigma; for digits
            of 784 pixels in [0, 1]: 2, 5, 10, 20, 40, 80).
        learning_rate, momentum: of stochastic gradient descent (the code: 2 and 0.9 for the first quarter, then 0.2
            and 0.99).
        betas: of Adam, which is used instead where they are given.
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        latent_dim: int = 10,
        variances: Sequence[float] = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0),
        learning_rate: float = 2.0,
        momentum: float = 0.9,
        betas: tuple[float, float] | None = None,
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator"])
        checks.scales(variances=variances)
        checks.adam((0.9, 0.999) if betas is None else betas, learning_rate=learning_rate)
        checks.fraction(momentum=momentum)
        self.kernel = partial(gaussian, variances=variances)
        self.learning_rate, self.momentum, self.betas = learning_rate, momentum, betas

    def prior(self, n: int) -> Tensor:
        """Noise `(n, latent_dim)`, uniform in [-1, 1)."""
        dtype = cast(torch.dtype, self.dtype)
        return 2 * randomness.uniform(n, self.latent_dim, device=self.device, dtype=dtype) - 1

    def generator_loss(self, real: Tensor) -> Tensor:
        """The root of the biased MMD^2 of equation 3, of samples as they are (section 4: the root does better)."""
        return root_mmd(self.kernel, self.sample(len(real)).flatten(1), real.flatten(1))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        (optimizer,) = self.optimizers()
        self.record(generator=self.descend(optimizer, self.generator_loss, images_of(batch)))

    def configure_optimizers(self) -> Optimizer:
        if self.betas is not None:
            return adam(self.generator.parameters(), self.learning_rate, self.betas)
        return SGD(self.generator.parameters(), lr=self.learning_rate, momentum=self.momentum)
