"""Learning to discover cross-domain relations with generative adversarial networks (Kim et al., 2017)."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import Mechanics, adam
from gan_modules.batches import two_images_of
from gan_modules.objectives import minimax_discriminator, non_saturating_generator
from gan_modules.translating import TwoWayModule


class DiscoGAN(TwoWayModule):
    """G: X -> Y and F: Y -> X reconstruct each other's inputs; discriminators' features are matched on the average.

    The weights and the schedule are those of the authors' `image_translation.py`; the paper weighs its terms alike
    and does not mention the features. A batch is a step of the discriminators or of the generators. The mean features
    are over each process's part and each micro-batch.

    Args:
        generator_g, generator_f: map images of X to Y, and of Y to X, all in [-1, 1].
        discriminator_x, discriminator_y: map images of their domain to `(scores, features, ...)` of any shapes.
        feature_weight: weight of the matched features, that of the adversarial term being what is left to 1 (0.9).
        early_rate, rate: weight of the reconstruction, that of the other two being what is left to 1: for the first
            `early_batches` (0.01), and after them (0.5).
        early_batches: while the adversarial loss is strong (10,000).
        update_interval: every so many-th batch, the first one included, is a step of the discriminators (3).
        learning_rate, betas, weight_decay: of Adam (2e-4, 0.5 and 0.999, 1e-5).
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    def __init__(
        self,
        generator_g: nn.Module,
        generator_f: nn.Module,
        discriminator_x: nn.Module,
        discriminator_y: nn.Module,
        feature_weight: float = 0.9,
        early_rate: float = 0.01,
        rate: float = 0.5,
        early_batches: int = 10_000,
        update_interval: int = 3,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        weight_decay: float = 1e-5,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=["generator_g", "generator_f", "discriminator_x", "discriminator_y"])
        checks.portion(feature_weight=feature_weight, early_rate=early_rate, rate=rate)
        checks.whole(0, early_batches=early_batches)
        checks.whole(2, update_interval=update_interval)
        checks.adam(betas, learning_rate=learning_rate)
        checks.not_negative(weight_decay=weight_decay)
        self.generator_g, self.generator_f = generator_g, generator_f
        self.discriminator_x, self.discriminator_y = discriminator_x, discriminator_y
        self.feature_weight, self.early_rate, self.rate = feature_weight, early_rate, rate
        self.early_batches, self.update_interval = early_batches, update_interval
        self.learning_rate, self.betas, self.weight_decay = learning_rate, betas, weight_decay
        self.register_generators("generator_g", "generator_f")

    def discriminator_loss(self, x: Tensor, y: Tensor) -> Tensor:
        """The minimax objective, of both discriminators, each divided by 2 as in the code."""
        fake_x, fake_y = self.generator_f(y).detach(), self.generator_g(x).detach()
        of_x = minimax_discriminator(self.discriminator_x(x)[0], self.discriminator_x(fake_x)[0])
        of_y = minimax_discriminator(self.discriminator_y(y)[0], self.discriminator_y(fake_y)[0])
        return 0.5 * (of_x + of_y)

    def generator_loss(self, x: Tensor, y: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        """All terms, with matched features, as the code weighs them; beside it the reconstruction."""
        fake_x, fake_y = self.generator_f(y), self.generator_g(x)
        reconstruction = _distance(self.generator_f(fake_y), x) + _distance(self.generator_g(fake_x), y)
        deceit = self.deceit(self.discriminator_x, x, fake_x) + self.deceit(self.discriminator_y, y, fake_y)
        return (1 - rate) * deceit + rate * reconstruction, reconstruction

    def deceit(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """The adversarial term of one generator, and its matched features."""
        _, *real_features = discriminator(real)
        scores, *features = discriminator(fake)
        matched = feature_matching(real_features, features)
        return (1 - self.feature_weight) * non_saturating_generator(scores) + self.feature_weight * matched

    def training_step(self, batch: Any, batch_idx: int) -> None:
        x, y = two_images_of(batch)
        discriminator_optimizer, generator_optimizer = self.optimizers()
        done = self.batches_seen - 1
        if done % self.update_interval == 0:
            self.record(discriminator=self.descend(discriminator_optimizer, self.discriminator_loss, x, y))
            return
        rate = self.early_rate if done < self.early_batches else self.rate
        loss, reconstruction = self.descend(generator_optimizer, self.generator_loss, x, y, rate)
        self.record(generator=loss, reconstruction=reconstruction)

    def configure_optimizers(self) -> list[Optimizer]:
        players = (self.discriminator_x, self.discriminator_y), (self.generator_g, self.generator_f)
        parameters = (chain.from_iterable(network.parameters() for network in player) for player in players)
        return [adam(each, self.learning_rate, self.betas, self.weight_decay) for each in parameters]


def feature_matching(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """The sum over layers of the mean squared difference of the batches' mean features `(n, ...)`; of no layer 0.

    >>> feature_matching([torch.tensor([[0.0], [2.0]])], [torch.tensor([[3.0], [5.0]])])  # means of 1 and 4
    tensor(9.)
    """
    return sum((mse_loss(f.mean(0), r.mean(0)) for r, f in zip(real, fake, strict=True)), torch.zeros(()))


def _distance(images: Tensor, truth: Tensor) -> Tensor:
    """The mean squared error of images in [0, 1], which the authors' are: a quarter of ours."""
    return mse_loss(images, truth) / 4
