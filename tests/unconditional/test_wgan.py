"""WGAN against its formulas and the authors' schedule."""

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import RMSprop
from torch.utils.data import DataLoader

from gan_modules import WGAN, randomness
from variants import build, loader, trainer


class Linear(nn.Module):
    """f(x) = w.x + b."""

    def __init__(self, size: int = 3) -> None:
        super().__init__()
        self.layer = nn.Linear(size, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).squeeze(1)


def small(**options: Any) -> WGAN:
    torch.manual_seed(0)
    return WGAN(nn.Linear(2, 3), Linear(), latent_dim=2, **options).double()


def test_losses_against_numpy() -> None:
    """E f(G(z)) - E f(x) and -E f(G(z)); of a linear critic the slopes are differences of means."""
    module, real, z = small(), torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    module.prior = lambda n: z  # type: ignore[method-assign]
    w, b = (p.detach().numpy() for p in module.critic.parameters())
    weight, bias = (p.detach().numpy() for p in module.generator.parameters())
    fake = z.numpy() @ weight.T + bias
    scores = {name: (x * w).sum(1) + b for name, x in (("real", real.numpy()), ("fake", fake))}

    loss = module.critic_loss(real)
    loss.backward()
    np.testing.assert_allclose(loss.item(), scores["fake"].mean() - scores["real"].mean(), rtol=1e-12)
    slope, offset = (p.grad for p in module.critic.parameters())
    np.testing.assert_allclose(slope[0], fake.mean(0) - real.numpy().mean(0), rtol=1e-12)
    assert offset.abs().max() < 1e-15, "only differences count"
    assert all(p.grad is None for p in module.generator.parameters())

    loss = module.generator_loss(real)
    loss.backward()
    np.testing.assert_allclose(loss.item(), -scores["fake"].mean(), rtol=1e-12)
    np.testing.assert_allclose(module.generator.weight.grad, -np.outer(w, z.numpy().mean(0)), rtol=1e-12)


def test_all_weights_are_clipped_before_each_critic_step_and_not_after() -> None:
    module: Any = build("wgan", clip_value=0.02, learning_rate=0.01)
    descend, largest = module.descend, []

    def largest_weight() -> float:
        return max(float(p.detach().abs().max()) for p in module.critic.parameters())

    def watched(optimizer: Any, loss: Any, *inputs: Any) -> Any:
        before = largest_weight()
        returned = descend(optimizer, loss, *inputs)
        if loss == module.critic_loss:
            largest.append((before, largest_weight()))
        return returned

    module.descend = watched
    assert largest_weight() > 0.02
    trainer().fit(module, loader("wgan", 6))
    before, after = zip(*largest, strict=True)
    assert max(before) == pytest.approx(0.02) and len(before) == 6
    assert min(after) > 0.02, "the generator sees the step as it was made"


def authors_batches(total: int, usual: int, many: int, first: int, every: int) -> list[int]:
    """The batches after which `main.py` steps the generator, in an epoch without end."""
    batch, steps, found = 0, 0, []
    while batch < total:
        iterations = many if steps < first or steps % every == 0 else usual
        batch += iterations
        steps += 1
        found.append(batch)
    return [each for each in found if each <= total]


@pytest.mark.parametrize("schedule", [(5, 100, 25, 500), (2, 7, 3, 4), (1, 1, 0, 1), (3, 4, 0, 5)])
def test_the_schedule_is_the_authors(schedule: tuple[int, int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("n_critic", "n_critic_many", "many_first", "many_every")
    module, stepped = small(**dict(zip(names, schedule, strict=True))), list[int]()
    monkeypatch.setattr(module, "optimizers", lambda: ["critic", "generator"])

    def descend(optimizer: str, *_: Any) -> Tensor:
        if optimizer == "generator":
            module.generator_steps += 1
            stepped.append(module.batches_seen)
        return torch.zeros(())

    monkeypatch.setattr(module, "descend", descend)
    batches = 5100 if schedule[1] == 100 else 300
    for batch in range(1, batches + 1):
        module.batches_seen = batch
        module.training_step(torch.zeros(1, 3), 0)
    assert stepped == authors_batches(batches, *schedule)


def test_defaults_are_the_papers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(WGAN).parameters.items()}
    numbers = {"clip_value": 0.01, "n_critic": 5, "n_critic_many": 100, "many_first": 25, "many_every": 500}
    assert {name: defaults[name] for name in numbers} == numbers
    for optimizer in small().configure_optimizers():
        assert isinstance(optimizer, RMSprop) and optimizer.defaults["lr"] == 5e-5


def test_a_clipped_linear_critic_finds_the_greatest_difference() -> None:
    """Over |w_i| <= c, E f(x) - E f(G(z)) has the maximum c |E x - E G(z)|_1, and the log shows it."""
    module = small(clip_value=0.1, learning_rate=0.01, n_critic_many=1000).float()
    real = torch.tensor([[1.0, -2.0, 0.5], [2.0, -1.0, 0.0]])
    fake = torch.tensor([0.0, 3.0, 0.25])
    with torch.no_grad():
        module.generator.weight.zero_()
        module.generator.bias.copy_(fake)
    fitted = trainer(max_epochs=30, log_every_n_steps=30)
    fitted.fit(module, DataLoader(real, batch_size=2))
    randomness.use(None)
    module.clip_critic()
    assert module.generator_steps == 0
    best = 0.1 * float((real.mean(0) - fake).abs().sum())
    assert -module.critic_loss(real).item() == pytest.approx(best, rel=1e-5)
    assert 0.5 * best < fitted.callback_metrics["loss/distance"] < 1.2 * best
