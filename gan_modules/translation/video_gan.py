"""Deep multi-scale video prediction beyond mean square error (Mathieu, Couprie and LeCun, 2016)."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Unpack

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d
from torch.optim import SGD, Optimizer

from gan_modules import checks
from gan_modules.adversarial import AdversarialModule, Mechanics, adam
from gan_modules.batches import frames_of
from gan_modules.differences import gradient_difference, lp_distance
from gan_modules.objectives import minimax_discriminator, non_saturating_generator, over_scales
from gan_modules.schedules import linear_to_zero, scheduled


class VideoGAN(AdversarialModule):
    """Predicts the next frame of a film at several scales, from coarse to fine, each against a discriminator.

    Differences between a prediction and the truth are counted by pixels and by slopes, as errors of pixels alone are
    smallest for a blur. Both players see one batch a step, where algorithm 1 draws a second one for the generator.

    Args:
        generator: maps the frames of a history, joined along the channels, to a list of predictions in [-1, 1], from
            coarse to fine, the last in full size.
        discriminator: maps (such a list, histories) to a list of scores, one tensor a scale. It sees the history, as in
            the paper and the authors' code (another known code shows it the last frame alone).
        adversarial_weight, distance_weight, gradient_weight: the paper's lambda_adv (0.05), lambda_lp (1) and
            lambda_gdl (1); with an adversarial_weight of 0 the discriminator is not trained.
        p: of the distance of pixels: 1, as the authors' published model with the gradient difference, or 2.
        power: of the gradient difference (the paper's alpha: 1).
        generator_rate, discriminator_rate: the paper's learning rates (0.04, which it lowers later, and
            0.02).
        betas: of Adam; None for the paper's plain stochastic gradient descent.
        decay_steps: steps over which both rates fall to 0, along a line; None: constant.
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    readers: ClassVar[tuple[str, ...]] = ("generator",)

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        adversarial_weight: float = 0.05,
        distance_weight: float = 1.0,
        gradient_weight: float = 1.0,
        p: float = 1.0,
        power: float = 1.0,
        generator_rate: float = 0.04,
        discriminator_rate: float = 0.02,
        betas: tuple[float, float] | None = None,
        decay_steps: int | None = None,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        checks.not_negative(adversarial_weight=adversarial_weight, distance_weight=distance_weight)
        checks.not_negative(gradient_weight=gradient_weight)
        checks.positive(p=p, power=power)
        checks.adam((0.5, 0.999) if betas is None else betas, generator_rate=generator_rate)
        checks.positive(discriminator_rate=discriminator_rate)
        checks.whole(1, decay_steps=1 if decay_steps is None else decay_steps)
        self.generator, self.discriminator = generator, discriminator
        self.adversarial_weight, self.distance_weight = adversarial_weight, distance_weight
        self.gradient_weight, self.p, self.power = gradient_weight, p, power
        self.generator_rate, self.discriminator_rate, self.betas = generator_rate, discriminator_rate, betas
        self.decay_steps = decay_steps
        self.register_generators("generator")

    def forward(self, source: Tensor) -> Tensor:
        """The frames after histories (n, t * c, h, w): (n, c, h, w)."""
        return self.serving("generator")(source)[-1]

    def predict(self, frames: Tensor, steps: int) -> Tensor:
        """What follows frames (n, t, c, h, w), each prediction being seen for the next one: (n, steps, c, h, w)."""
        checks.whole(1, steps=steps)
        seen = frames
        for _ in range(steps):
            following = self(seen[:, -frames.shape[1] :].flatten(1, 2))
            seen = torch.cat([seen, following[:, None]], dim=1)
        return seen[:, frames.shape[1] :]

    def distances(self, made: Sequence[Tensor], target: Tensor) -> tuple[Tensor, Tensor]:
        """The lp distance and the gradient difference, sums over scales of means over pixels."""
        truths = scaled_like(made, target)
        pixels = over_scales(partial(lp_distance, p=self.p), made, truths)
        return pixels, over_scales(partial(gradient_difference, power=self.power), made, truths)

    def generator_loss(self, source: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        """The paper's combined loss; beside it both distances, and the predictions, for the discriminator."""
        made = self.generator(source)
        pixels, slopes = self.distances(made, target)
        loss = self.distance_weight * pixels + self.gradient_weight * slopes
        if self.adversarial_weight > 0:
            fooled = over_scales(non_saturating_generator, self.discriminator(made, source))
            loss = loss + self.adversarial_weight * fooled
        return loss, pixels, slopes, *made

    def discriminator_loss(self, source: Tensor, target: Tensor, *made: Tensor) -> Tensor:
        """The cross-entropies of true and predicted frames, a sum over scales."""
        real = self.discriminator(scaled_like(made, target), source)
        return over_scales(minimax_discriminator, real, self.discriminator(made, source))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        history, future = frames_of(batch)
        source, target = history.flatten(1, 2), future[:, 0]
        discriminator_optimizer, generator_optimizer = self.optimizers()
        # G first, so that one prediction serves both players
        loss, pixels, slopes, *made = self.descend(generator_optimizer, self.generator_loss, source, target)
        self.record(generator=loss, distance=pixels, gradient_difference=slopes)
        if self.adversarial_weight > 0:
            loss = self.descend(discriminator_optimizer, self.discriminator_loss, source, target, *made)
            self.record(discriminator=loss)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """The next frame, whose "source" is the last one seen, and the roll-out over all frames that are known."""
        history, future = frames_of(batch)
        rollout = self.predict(history, future.shape[1])
        shown = {"source": history[:, -1], "fake": rollout[:, 0], "real": future[:, 0], "truth": future[:, 0]}
        return {**shown, "history": history, "rollout": rollout, "future": future}

    def configure_optimizers(self) -> list[OptimizerLRSchedulerConfig]:
        rates = (self.discriminator, self.discriminator_rate), (self.generator, self.generator_rate)
        factor = linear_to_zero(self.decay_steps)
        return [scheduled(self._optimizer(network, rate), factor, "step") for network, rate in rates]

    def _optimizer(self, network: nn.Module, rate: float) -> Optimizer:
        return (
            SGD(network.parameters(), lr=rate) if self.betas is None else adam(network.parameters(), rate, self.betas)
        )


def scaled_like(made: Sequence[Tensor], target: Tensor) -> list[Tensor]:
    """The true frame (n, c, h, w) in the size of each prediction, by averaging areas."""
    return [adaptive_avg_pool2d(target, (each.shape[-2], each.shape[-1])) for each in made]
