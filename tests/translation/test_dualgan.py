"""DualGAN: its losses, the clipping and when it happens, dropout as noise, and what a well-known copy has instead."""

import inspect
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from torch import Tensor, nn
from torch.optim import RMSprop

from gan_modules import DualGAN
from gan_modules.networks import UNetGenerator
from transcribed import assert_same, unreached
from variants import loader, trainer

N = 4


class Critic(nn.Module):
    """Pictures of 3 x 3 -> scores."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(9, 5), nn.Tanh(), nn.Linear(5, 1, bias=False))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images.flatten(1)).squeeze(1)


def translator() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Tanh(), nn.Conv2d(2, 1, 1), nn.Tanh())


def dualgan(**options: Any) -> DualGAN:
    return DualGAN(translator(), translator(), Critic(), Critic(), **options).double()


def test_the_losses() -> None:
    module = dualgan(cycle_weight_x=30.0, cycle_weight_y=70.0)
    x, y = 2 * torch.rand(2, N, 1, 3, 3, dtype=torch.float64) - 1
    g, f, d_x, d_y = module.generator_g, module.generator_f, module.critic_x, module.critic_y

    def of_critics() -> Tensor:
        return (d_y(g(x).detach()) - d_y(y)).sum() / N + (d_x(f(y).detach()) - d_x(x)).sum() / N

    def of_generators() -> Tensor:
        lost_x, lost_y = (x - f(g(x))).abs().sum() / (9 * N), (y - g(f(y))).abs().sum() / (9 * N)
        return 30 * lost_x + 70 * lost_y - d_y(g(x)).sum() / N - d_x(f(y)).sum() / N

    assert_same(lambda: module.critic_loss(x, y), of_critics, d_x, d_y)
    assert_same(lambda: module.generator_loss(x, y)[0], of_generators, g, f)
    assert unreached(module.critic_loss(x, y), g) and unreached(module.critic_loss(x, y), f)
    assert unreached(sum(module.generator_loss(x, y)[1:], torch.zeros(())), d_x), "the way back is not judged"


class Weights(Callback):
    """After every batch: the generator's steps so far, and the largest weight of each critic."""

    def __init__(self) -> None:
        self.steps, self.largest = list[int](), list[float]()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        self.steps.append(pl_module.generator_steps)
        critics = [*pl_module.critic_x.parameters(), *pl_module.critic_y.parameters()]
        self.largest.append(max(float(parameter.detach().abs().max()) for parameter in critics))


def test_critics_are_clipped_after_each_step_and_generators_follow_every_third() -> None:
    nets = [nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh()) for _ in range(2)]
    critics = [nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 1, 3, bias=False)) for _ in range(2)]
    module, seen = DualGAN(*nets, *critics, clip_value=0.02, learning_rate=0.01), Weights()
    trainer(callbacks=[seen], max_epochs=2).fit(module, loader("cyclegan", 5))
    assert seen.steps == [batch // 3 for batch in range(1, 11)]
    assert all(largest == pytest.approx(0.02) for largest in seen.largest), "some weight is always at the bound"
    assert max(float(p.detach().abs().max()) for net in nets for p in net.parameters()) > 0.1, (
        "generators are not clipped"
    )


def test_dropout_is_the_noise_at_test_time_too() -> None:
    module = DualGAN(UNetGenerator(image_size=16, width=4), UNetGenerator(image_size=16, width=4), Critic(), Critic())
    source = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        one, other = module.eval()(source), module(source)
    assert not torch.equal(one, other)


def test_defaults_are_the_papers_and_not_those_of_a_copy() -> None:
    """The copy has Adam, a gradient penalty and a cycle weight of 10."""
    defaults = {name: each.default for name, each in inspect.signature(DualGAN).parameters.items()}
    assert 100 <= defaults["cycle_weight_x"] == defaults["cycle_weight_y"] <= 1000
    assert defaults["clip_value"] == 0.01 and defaults["n_critic"] in (2, 3, 4) and "penalty_weight" not in defaults
    for optimizer in dualgan().configure_optimizers():
        assert isinstance(optimizer, RMSprop)
        assert (optimizer.defaults["lr"], optimizer.defaults["alpha"], optimizer.defaults["momentum"]) == (5e-5, 0.9, 0)
