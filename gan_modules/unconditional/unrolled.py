"""Unrolled generative adversarial networks (Metz, Poole, Pfau and Sohl-Dickstein, 2017)."""

from functools import partial
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import SGD, Optimizer

from gan_modules import checks, sharding
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import minimax_discriminator
from gan_modules.unrolling import Values, look_ahead


class UnrolledGAN(LatentModule):
    """A generator that knows how the discriminator will answer, for some steps.

    The look-ahead is a process's own, on its micro-batch: gradients of the discriminator that other processes would add
    to it are not part of it.

    Args:
        generator: maps noise `(n, latent_dim)` to samples `(n, ...)`: images in [-1, 1], or points.
        discriminator: maps samples to scores `(n,)`, logits of the probability of being real; twice differentiable.
        latent_dim: dimensions of the standard normal noise (the authors' notebook: 256).
        unrolling_steps: discriminator steps that the generator looks ahead (the paper's K: 0 to 10; the notebook: 5).
        generator_learning_rate, discriminator_learning_rate, betas: of Adam (the notebook: 1e-3, 1e-4, 0.5 and 0.999).
        sgd: step the discriminator, and look ahead, by plain gradient descent instead of Adam.
        mechanics: see `gan_modules.latent.LatentMechanics`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 256,
        unrolling_steps: int = 5,
        generator_learning_rate: float = 1e-3,
        discriminator_learning_rate: float = 1e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        sgd: bool = False,
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.whole(0, unrolling_steps=unrolling_steps)
        checks.positive(generator_learning_rate=generator_learning_rate)
        checks.adam(betas, discriminator_learning_rate=discriminator_learning_rate)
        checks.switch(sgd=sgd)
        self.discriminator, self.unrolling_steps = discriminator, unrolling_steps
        self.learning_rates, self.betas = (discriminator_learning_rate, generator_learning_rate), betas
        self.sgd = sgd

    def discriminator_loss(self, real: Tensor) -> Tensor:
        """-f (equation 2), at the present parameters (equation 11)."""
        fake = self.sample(len(real)).detach()
        return minimax_discriminator(self.discriminator(real), self.discriminator(fake))

    def generator_loss(self, real: Tensor, discriminator_optimizer: Optimizer) -> Tensor:
        """f_K = f at the parameters that the discriminator would have K steps from now (equations 7 to 10).

        Both terms of f depend on the generator through them. All steps are on this batch and these samples.
        """
        fake = self.sample(len(real)).to(real.dtype)
        parameters = dict(self.discriminator.named_parameters())
        if sharding.is_sharded(list(parameters.values())):
            raise ValueError("a look-ahead needs whole parameters, and these are shared out; use the strategy ddp")
        loss = partial(self._loss_at, real, fake, {name: b.clone() for name, b in self.discriminator.named_buffers()})
        # a compiled graph cannot be differentiated twice, and autocast would lower second derivatives
        with torch.compiler.set_stance("force_eager"), torch.autocast(self.device.type, enabled=False):
            return -loss(look_ahead(discriminator_optimizer, parameters, loss, self.unrolling_steps))

    def _loss_at(self, real: Tensor, fake: Tensor, buffers: Values, parameters: Values) -> Tensor:
        judge = partial(functional_call, self.discriminator, {**buffers, **parameters})
        return minimax_discriminator(judge(real), judge(fake))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, real))
        ahead = discriminator_optimizer.optimizer
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, real, ahead))

    def configure_optimizers(self) -> list[Optimizer]:
        rate, generators_rate = self.learning_rates
        own = self.discriminator.parameters()
        first = SGD(own, lr=rate) if self.sgd else adam(own, rate, self.betas)
        return [first, adam(self.generator.parameters(), generators_rate, self.betas)]
