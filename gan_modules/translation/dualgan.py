"""DualGAN: unsupervised dual learning for image-to-image translation (Yi, Zhang, Tan and Gong, 2017)."""

from itertools import chain
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torch.optim import Optimizer, RMSprop

from gan_modules import checks
from gan_modules.adversarial import Mechanics
from gan_modules.batches import two_images_of
from gan_modules.objectives import wasserstein_critic, wasserstein_generator
from gan_modules.translating import TwoWayModule


class DualGAN(TwoWayModule):
    """A primal and a dual translator, each undoing the other, against critics whose weights are clipped.

    Written as the paper has it. The authors' code, of which the defaults are as first published, was changed soon
    after: to the cross-entropy of discriminators with no clipping and two generator steps a batch, with weights of 20,
    and later to a gradient penalty; copies have Adam and a cycle weight of 10.

    Args:
        generator_g, generator_f: map images of X to Y, and of Y to X, all in [-1, 1]. The noise z is their dropout, at
            test time as well: `UNetGenerator` with its `dropout_in_eval`.
        critic_x, critic_y: map images of their domain to unbounded scores of any shape.
        cycle_weight_x, cycle_weight_y: weights of the L1 between images of X, or of Y, and what comes back of them (the
            paper's lambda_U and lambda_V; code: 200).
        clip_value: the critics' weights are clipped to [-clip_value, clip_value] (the paper's c; code: 0.01).
        n_critic: critics' steps, each on fresh images, for one of the generators (code: 3).
        learning_rate, smoothing: of RMSprop, and of its mean square (code: 5e-5 and 0.9).
        mechanics: see `gan_modules.adversarial.Mechanics`.
    """

    def __init__(
        self,
        generator_g: nn.Module,
        generator_f: nn.Module,
        critic_x: nn.Module,
        critic_y: nn.Module,
        cycle_weight_x: float = 200.0,
        cycle_weight_y: float = 200.0,
        clip_value: float = 0.01,
        n_critic: int = 3,
        learning_rate: float = 5e-5,
        smoothing: float = 0.9,
        **mechanics: Unpack[Mechanics],
    ) -> None:
        super().__init__(**mechanics)
        self.save_hyperparameters(ignore=["generator_g", "generator_f", "critic_x", "critic_y"])
        checks.not_negative(cycle_weight_x=cycle_weight_x, cycle_weight_y=cycle_weight_y)
        checks.positive(clip_value=clip_value, learning_rate=learning_rate)
        checks.whole(1, n_critic=n_critic)
        checks.fraction(smoothing=smoothing)
        self.generator_g, self.generator_f = generator_g, generator_f
        self.critic_x, self.critic_y = critic_x, critic_y
        self.cycle_weight_x, self.cycle_weight_y, self.clip_value = cycle_weight_x, cycle_weight_y, clip_value
        self.n_critic, self.learning_rate, self.smoothing = n_critic, learning_rate, smoothing
        self.register_generators("generator_g", "generator_f")

    @torch.no_grad()
    def clip_critics(self) -> None:
        """Every weight into [-c, c]."""
        for parameter in chain(self.critic_x.parameters(), self.critic_y.parameters()):
            parameter.clamp_(-self.clip_value, self.clip_value)

    def critic_loss(self, x: Tensor, y: Tensor) -> Tensor:
        """The negative of both estimated distances."""
        fake_x, fake_y = self.generator_f(y).detach(), self.generator_g(x).detach()
        of_x = wasserstein_critic(self.critic_x(x), self.critic_x(fake_x))
        return of_x + wasserstein_critic(self.critic_y(y), self.critic_y(fake_y))

    def generator_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """All terms of the translators; beside it what is lost on the way there and back, of X and of Y."""
        fake_x, fake_y = self.generator_f(y), self.generator_g(x)
        deceit = wasserstein_generator(self.critic_x(fake_x)) + wasserstein_generator(self.critic_y(fake_y))
        lost_x, lost_y = l1_loss(self.generator_f(fake_y), x), l1_loss(self.generator_g(fake_x), y)
        return deceit + self.cycle_weight_x * lost_x + self.cycle_weight_y * lost_y, lost_x, lost_y

    def training_step(self, batch: Any, batch_idx: int) -> None:
        x, y = two_images_of(batch)
        critic_optimizer, generator_optimizer = self.optimizers()
        loss = self.descend(critic_optimizer, self.critic_loss, x, y)
        self.clip_critics()
        self.record(critic=loss, distance=-loss)
        if self.batches_seen % self.n_critic == 0:
            loss, lost_x, lost_y = self.descend(generator_optimizer, self.generator_loss, x, y)
            self.record(generator=loss, cycle_x=lost_x, cycle_y=lost_y)

    def configure_optimizers(self) -> list[Optimizer]:
        players = (self.critic_x, self.critic_y), (self.generator_g, self.generator_f)
        parameters = (chain.from_iterable(network.parameters() for network in player) for player in players)
        return [RMSprop(each, lr=self.learning_rate, alpha=self.smoothing) for each in parameters]
