"""DiscoGAN: its losses, the matched features, the schedule of steps and of rates."""

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adam

from gan_modules import DiscoGAN
from gan_modules.translation.discogan import feature_matching
from transcribed import assert_same, unreached

N = 4


class Judge(nn.Module):
    """Pictures of 3 x 3 -> scores, and two layers of features."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(9, 5), nn.Linear(5, 4), nn.Linear(4, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        first = torch.tanh(self.first(images.flatten(1)))
        second = torch.tanh(self.second(first))
        return self.last(second).squeeze(1), first, second


def translator() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Tanh(), nn.Conv2d(2, 1, 1), nn.Tanh())


def discogan(**options: Any) -> DiscoGAN:
    return DiscoGAN(translator(), translator(), Judge(), Judge(), **options).double()


def domains() -> tuple[Tensor, Tensor]:
    x, y = 2 * torch.rand(2, N, 1, 3, 3, dtype=torch.float64) - 1
    return x, y


def test_the_losses() -> None:
    module, (x, y) = discogan(feature_weight=0.7), domains()
    g, f, d_x, d_y = module.generator_g, module.generator_f, module.discriminator_x, module.discriminator_y

    def of_discriminators() -> Tensor:
        total = torch.zeros(())
        for judge, real, fake in ((d_x, x, f(y).detach()), (d_y, y, g(x).detach())):
            true, false = torch.sigmoid(judge(real)[0]), torch.sigmoid(judge(fake)[0])
            total = total - 0.5 * true.log().mean() - 0.5 * (1 - false).log().mean()
        return total

    def of_generators() -> Tensor:
        fooled = matched = rebuilt = torch.zeros(())
        for judge, real, fake in ((d_x, x, f(y)), (d_y, y, g(x))):
            fooled = fooled - torch.sigmoid(judge(fake)[0]).log().mean()
            for one, other in zip(judge(real)[1:], judge(fake)[1:], strict=True):
                matched = matched + ((one.sum(0) - other.sum(0)) / N).pow(2).sum() / one.shape[1]
        for image, again in ((x, f(g(x))), (y, g(f(y)))):
            rebuilt = rebuilt + (((image + 1) / 2 - (again + 1) / 2) ** 2).mean()
        return (1 - 0.2) * (0.3 * fooled + 0.7 * matched) + 0.2 * rebuilt

    assert_same(lambda: module.discriminator_loss(x, y), of_discriminators, d_x, d_y)
    assert_same(lambda: module.generator_loss(x, y, 0.2)[0], of_generators, g, f)
    assert unreached(module.discriminator_loss(x, y), g) and unreached(module.discriminator_loss(x, y), f)
    assert unreached(module.generator_loss(x, y, 0.2)[1], d_x), "a reconstruction is not judged"


def test_features_are_matched_on_the_average_and_not_picture_by_picture() -> None:
    real, fake = np.random.default_rng(0).normal(size=(2, N, 3, 2))
    given = torch.tensor(fake, requires_grad=True)
    value = feature_matching([torch.tensor(real)], [given])
    difference = fake.mean(0) - real.mean(0)
    assert value.item() == pytest.approx((difference**2).mean(), rel=1e-12)
    slope = np.broadcast_to(2 * difference / (N * 6), (N, 3, 2))
    np.testing.assert_allclose(torch.autograd.grad(value, given)[0].numpy(), slope, rtol=1e-10)
    order = torch.randperm(N)
    assert feature_matching([torch.tensor(real)[order]], [torch.tensor(real)]).item() < 1e-30, "in any order"


def authors_loop(batches: int, curriculum: int, interval: int) -> list[tuple[str, float]]:
    """Who steps, and at which rate, as in the loop of `image_translation.py`."""
    made, iters = [], 0
    while iters < batches:
        rate = 0.01 if iters < curriculum else 0.5
        made.append(("discriminators", 0.0) if iters % interval == 0 else ("generators", rate))
        iters += 1
    return made


@pytest.mark.parametrize(("early", "interval"), [(7, 3), (5, 3), (4, 2), (0, 4)])
def test_the_schedule_is_the_authors(early: int, interval: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module, made = discogan(early_batches=early, update_interval=interval), list[tuple[str, float]]()
    monkeypatch.setattr(module, "optimizers", lambda: ["discriminators", "generators"])

    def descend(optimizer: str, loss: Any, x: Tensor, y: Tensor, rate: float = 0.0) -> Any:
        made.append((optimizer, rate))
        return torch.zeros(()) if optimizer == "discriminators" else (torch.zeros(()), torch.zeros(()))

    monkeypatch.setattr(module, "descend", descend)
    batches = early + 9
    for batch in range(1, batches + 1):
        module.batches_seen = batch
        module.training_step((torch.zeros(1, 1, 3, 3), torch.zeros(1, 1, 3, 3)), 0)
    assert made == authors_loop(batches, early, interval)


def test_defaults_are_those_of_the_authors() -> None:
    defaults = {name: each.default for name, each in inspect.signature(DiscoGAN).parameters.items()}
    numbers = {"feature_weight": 0.9, "early_rate": 0.01, "rate": 0.5, "early_batches": 10_000, "update_interval": 3}
    assert {name: defaults[name] for name in numbers} == numbers
    for optimizer in discogan().configure_optimizers():
        assert isinstance(optimizer, Adam)
        chosen = {key: optimizer.defaults[key] for key in ("lr", "betas", "weight_decay")}
        assert chosen == {"lr": 2e-4, "betas": (0.5, 0.999), "weight_decay": 1e-5}
