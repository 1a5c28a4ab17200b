"""DRAGAN against its formulas; that its discriminator learns from data as well as from the penalty."""

import inspect

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adam

from gan_modules import DRAGAN, randomness


class Bend(nn.Module):
    """D(x) = v . tanh(W x) + b."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(3, 4, bias=False), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.first(x))).squeeze(1)


def small(**options: float) -> DRAGAN:
    torch.manual_seed(0)
    return DRAGAN(nn.Linear(2, 3), Bend(), latent_dim=2, **options).double()  # type: ignore[arg-type]


def test_losses_against_numpy() -> None:
    module, real = small(penalty_weight=7.0, spread=0.3, slope=0.8), torch.randn(5, 3, dtype=torch.float64)
    randomness.use(randomness.Stream(3))
    z = randomness.normal(5, 2, dtype=torch.float64).numpy()
    u, alpha = (randomness.uniform(5, size, dtype=torch.float64).numpy() for size in (3, 1))
    weight, bias = (each.detach().numpy() for each in module.generator.parameters())
    first, last, offset = (each.detach().numpy() for each in module.discriminator.parameters())
    x, fake = real.numpy(), z @ weight.T + bias

    def probability(points: np.ndarray, b: float) -> np.ndarray:
        return 1 / (1 + np.exp(-(np.tanh(points @ first.T) @ last[0] + b)))

    around = x + alpha * 0.3 * x.std() * u
    lengths = np.linalg.norm(((1 - np.tanh(around @ first.T) ** 2) * last[0]) @ first, axis=1)
    penalty = ((lengths - 0.8) ** 2).mean()

    def game(b: float) -> float:
        return float(-(np.log(probability(x, b)) + np.log(1 - probability(fake, b))).mean())

    randomness.use(randomness.Stream(3))
    loss, reported = module.discriminator_loss(real)
    loss.backward()
    b = offset.item()
    np.testing.assert_allclose(loss.item(), game(b) + 7 * penalty, rtol=1e-12)
    np.testing.assert_allclose(reported.item(), penalty, rtol=1e-12)
    slope = (game(b + 1e-6) - game(b - 1e-6)) / 2e-6
    np.testing.assert_allclose(module.discriminator.last.bias.grad.item(), slope, rtol=1e-6)
    assert all(each.grad is None for each in module.generator.parameters())

    randomness.use(randomness.Stream(3))
    loss = module.generator_loss(real)
    randomness.use(None)
    loss.backward()
    np.testing.assert_allclose(loss.item(), -np.log(probability(fake, b)).mean(), rtol=1e-12)
    shown = (probability(fake, b) - 1)[:, None] * ((1 - np.tanh(fake @ first.T) ** 2) * last[0]) @ first
    np.testing.assert_allclose(module.generator.bias.grad, shown.mean(0), rtol=1e-10)


def test_the_discriminators_own_loss_is_back_propagated() -> None:
    """A popular copy calls backward on the penalty alone; on the last bias the penalty does not depend."""
    module, real = small(), torch.randn(64, 3, dtype=torch.float64) + 3
    loss, penalty = module.discriminator_loss(real)
    (alone,) = torch.autograd.grad(penalty, module.discriminator.last.bias, retain_graph=True, allow_unused=True)
    assert alone is None
    loss.backward()
    assert module.discriminator.last.bias.grad.abs() > 0.01
    optimizer = Adam(module.discriminator.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        module.discriminator_loss(real)[0].backward()
        optimizer.step()
    fake = module.sample(64)
    correct = (module.discriminator(real) > 0).double().mean() + (module.discriminator(fake) < 0).double().mean()
    assert correct / 2 > 0.85, "it tells data from samples"


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
def test_a_line_of_the_wanted_slope_costs_nothing(slope: float) -> None:
    module = small(slope=slope)
    with torch.no_grad():
        module.discriminator.first.weight.mul_(1e-4)  # almost straight
        steep = float((module.discriminator.last.weight @ module.discriminator.first.weight).norm())
        module.discriminator.last.weight.mul_(slope / steep)
    _, penalty = module.discriminator_loss(torch.randn(6, 3, dtype=torch.float64))
    assert penalty.item() == pytest.approx(0, abs=1e-6)


def test_defaults_are_the_notebooks() -> None:
    defaults = {name: each.default for name, each in inspect.signature(DRAGAN).parameters.items()}
    assert [defaults[name] for name in ("penalty_weight", "spread", "slope")] == [10, 0.5, 1]
    for optimizer in small().configure_optimizers():
        assert (optimizer.defaults["lr"], optimizer.defaults["betas"]) == (1e-4, (0.5, 0.9))
