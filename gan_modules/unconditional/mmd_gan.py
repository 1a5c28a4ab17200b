"""MMD GAN (Li, Chang, Cheng, Yang and Póczos, 2017) and Demystifying MMD GANs (Bińkowski et al., 2018)."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, ClassVar, Unpack

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, relu
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import AdversarialModule, adam
from gan_modules.batches import images_of
from gan_modules.kernels import rational_quadratic_and_linear, unbiased_mmd, witness
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.penalties import gradient_penalty
from gan_modules.schedules import critic_steps


class MMDGAN(LatentModule):
    """The discrepancy of data and samples by a kernel of features that a critic learns to tell apart.

    The defaults are those of 2018 (the authors' code, `mix_rq_1dot`): rational quadratic kernels, the unbiased
    estimator, a penalty on the slope of the witness. The form of 2017 is a choice of arguments: `kernels.gaussian`,
    `kernels.root_mmd`, a decoder, `ranking_weight` 16, `clip_value` 0.01, no penalties, 100 critic steps before the
    first 25 and every 500th generator step, and `betas` 0 and 0.99, with which Adam is RMSprop but for its first steps.

    The kernel compares all samples of a batch, or of the part of it that a process or a micro-batch is given.

    Args:
        generator: maps noise `(n, latent_dim)` to samples `(n, ...)`: images in [-1, 1], or points.
        critic: maps samples to features `(n, d)` (2018: d = 16); no batch normalisation where there is a penalty.
        decoder: maps features back to samples, so that the critic keeps what they show (2017, section 3.3); None: no.
        latent_dim: dimensions of the standard normal noise.
        kernel: of features `(n, d)` and `(m, d)`, returns `(n, m)`; see `gan_modules.kernels`.
        distance: kernel and two sets of features -> a scalar: `unbiased_mmd`, `biased_mmd` or `root_mmd`.
        penalty_weight: of (|grad witness|_2 - 1)^2 between data and samples (2018: 1).
        feature_weight: of the mean square of the features (2018's code: 1, of all activations of the critic).
        reconstruction_weight: of the decoder's mean square error for data and samples (2017's code: 8).
        ranking_weight: of the feasible set's mean of max(0, E f(G(z)) - E f(x)) (2017's code: 16).
        clip_value: weights of the critic, not the decoder's, are clipped to [-clip_value, clip_value] before each of
            its steps (2017: 0.01); None: not.
        n_critic: critic steps before a generator step (5).
        n_critic_many, many_first, many_every: as many instead before each of the first `many_first` generator steps
            and before every `many_every`-th (2018's code: 10, 20, 500).
        learning_rate, betas: of Adam (2018: 1e-4, 0.5 and 0.9; 2017: 5e-5).
        mechanics: see `gan_modules.latent.LatentMechanics`.

    Attributes:
        critic_steps: since the last generator step.
    """

    persistent: ClassVar[tuple[str, ...]] = (*AdversarialModule.persistent, "critic_steps")

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        decoder: nn.Module | None = None,
        latent_dim: int = 128,
        kernel: Callable[[Tensor, Tensor], Tensor] = rational_quadratic_and_linear,
        distance: Callable[[Callable[[Tensor, Tensor], Tensor], Tensor, Tensor], Tensor] = unbiased_mmd,
        penalty_weight: float = 1.0,
        feature_weight: float = 1.0,
        reconstruction_weight: float = 8.0,
        ranking_weight: float = 0.0,
        clip_value: float | None = None,
        n_critic: int = 5,
        n_critic_many: int = 10,
        many_first: int = 20,
        many_every: int = 500,
        learning_rate: float = 1e-4,
        betas: tuple[float, float] = (0.5, 0.9),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "critic", "decoder", "kernel", "distance"])
        checks.function(kernel=kernel, distance=distance)
        checks.not_negative(penalty_weight=penalty_weight, feature_weight=feature_weight, ranking_weight=ranking_weight)
        checks.not_negative(reconstruction_weight=reconstruction_weight)
        checks.positive(clip_value=1.0 if clip_value is None else clip_value)
        checks.whole(1, n_critic=n_critic, n_critic_many=n_critic_many, many_every=many_every)
        checks.whole(0, many_first=many_first)
        checks.adam(betas, learning_rate=learning_rate)
        self.critic, self.decoder, self.kernel, self.distance = critic, decoder, kernel, distance
        self.penalty_weight, self.feature_weight = penalty_weight, feature_weight
        self.reconstruction_weight, self.ranking_weight = reconstruction_weight, ranking_weight
        self.clip_value, self.schedule = clip_value, (n_critic, n_critic_many, many_first, many_every)
        self.learning_rate, self.betas, self.critic_steps = learning_rate, betas, 0

    def judges(self) -> tuple[nn.Module, ...]:
        """The critic, if images are not compared with what a decoder makes of its features."""
        return (self.critic,) if self.decoder is None else ()

    def features(self, samples: Tensor) -> Tensor:
        """Features `(n, d)` of the critic; a score a sample is one of one dimension."""
        return self.critic(samples).reshape(len(samples), -1)

    def discrepancy(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """What the critic raises and the generator lowers, of features; beside it the distance alone."""
        distance = self.distance(self.kernel, real, fake)
        ranking = relu(fake.mean(0) - real.mean(0)).mean() if self.ranking_weight else 0
        return distance - self.ranking_weight * ranking, distance

    def critic_loss(self, real: Tensor) -> tuple[Tensor, Tensor]:
        """Minus the discrepancy, and what keeps the critic in bounds; beside it the distance."""
        fake = self.sample(len(real)).detach()
        of_real, of_fake = self.features(real), self.features(fake)
        discrepancy, distance = self.discrepancy(of_real, of_fake)
        return sum(self.bounds(real, fake, of_real, of_fake), -discrepancy), distance

    def bounds(self, real: Tensor, fake: Tensor, of_real: Tensor, of_fake: Tensor) -> Iterator[Tensor]:
        """The critic's penalties, weighted."""
        if self.penalty_weight:

            def slope(points: Tensor) -> Tensor:
                return witness(self.kernel, self.features(points), of_real, of_fake)

            yield self.penalty_weight * gradient_penalty(slope, real, fake)
        if self.feature_weight:
            yield self.feature_weight * (of_real.square().mean() + of_fake.square().mean())
        if self.decoder is not None:
            errors = mse_loss(self.decoder(of_real), real) + mse_loss(self.decoder(of_fake), fake)
            yield self.reconstruction_weight * errors

    def generator_loss(self, real: Tensor) -> Tensor:
        """The discrepancy."""
        return self.discrepancy(self.features(real), self.features(self.sample(len(real))))[0]

    @torch.no_grad()
    def clip_critic(self, value: float) -> None:
        """2017, Algorithm 1: w <- clip(w, -c, c)."""
        for parameter in self.critic.parameters():
            parameter.clamp_(-value, value)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real = images_of(batch)
        critic_optimizer, generator_optimizer = self.optimizers()
        if self.clip_value is not None:
            self.clip_critic(self.clip_value)
        loss, distance = self.descend(critic_optimizer, self.critic_loss, real)
        self.record(critic=loss, distance=distance)
        self.critic_steps += 1
        if self.critic_steps >= critic_steps(self.generator_steps, *self.schedule):
            self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))
            self.critic_steps = 0

    def configure_optimizers(self) -> list[Optimizer]:
        learners = [self.critic] if self.decoder is None else [self.critic, self.decoder]
        players = chain.from_iterable(each.parameters() for each in learners), self.generator.parameters()
        return [adam(parameters, self.learning_rate, self.betas) for parameters in players]
