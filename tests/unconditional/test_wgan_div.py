"""WGAN-div against a transcription of its Algorithm 1, and what its optimum is."""

import inspect
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adam

from gan_modules import WGANDiv, randomness
from gan_modules.objectives import wasserstein_critic
from gan_modules.penalties import divergence_penalty


class Bowl(nn.Module):
    """f(x) = w.x + x'Ax / 2 + b, whose slope is w + Ax."""

    def __init__(self) -> None:
        super().__init__()
        half = torch.randn(3, 3, dtype=torch.float64)
        self.w, self.a = nn.Parameter(torch.randn(3, dtype=torch.float64)), nn.Parameter(half + half.T)
        self.b = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.w + (x @ self.a * x).sum(1) / 2 + self.b


def small(**options: float) -> WGANDiv:
    torch.manual_seed(0)
    return WGANDiv(nn.Linear(2, 3).double(), Bowl(), latent_dim=2, **options).double()  # type: ignore[arg-type]


def slopes(function: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-6) -> np.ndarray:
    found = np.zeros_like(at)
    for index in np.ndindex(*at.shape):
        shift = np.zeros_like(at)
        shift[index] = step
        found[index] = (function(at + shift) - function(at - shift)) / (2 * step)
    return found


@pytest.mark.parametrize(("k", "p"), [(2.0, 6.0), (0.5, 2.0), (1.5, 3.0)])
def test_losses_against_numpy(k: float, p: float) -> None:
    module, real = small(penalty_weight=k, power=p), torch.randn(5, 3, dtype=torch.float64)
    randomness.use(randomness.Stream(3))
    z, mu = randomness.normal(5, 2, dtype=torch.float64), randomness.uniform(5, 1, dtype=torch.float64).numpy()
    weight, bias = (each.detach().numpy() for each in module.generator.parameters())
    x, fake = real.numpy(), z.numpy() @ weight.T + bias
    mixed = (1 - mu) * x + mu * fake
    w, a = module.critic.w.detach().numpy(), module.critic.a.detach().numpy()

    def value(points: np.ndarray, w: np.ndarray) -> np.ndarray:
        return points @ w + (points @ a * points).sum(1) / 2

    def expected(w: np.ndarray) -> float:
        power = ((w + mixed @ a) ** 2).sum(1) ** (p / 2)
        return float((value(fake, w) - value(x, w) + k * power).mean())

    randomness.use(randomness.Stream(3))
    loss, distance = module.critic_loss(real)
    loss.backward()
    np.testing.assert_allclose(loss.item(), expected(w), rtol=1e-12)
    np.testing.assert_allclose(distance.item(), (value(x, w) - value(fake, w)).mean(), rtol=1e-12)
    np.testing.assert_allclose(module.critic.w.grad, slopes(expected, w), rtol=1e-5)
    assert all(each.grad is None for each in module.generator.parameters())

    randomness.use(randomness.Stream(3))
    loss = module.generator_loss(real)
    randomness.use(None)
    loss.backward()
    np.testing.assert_allclose(loss.item(), -(value(fake, w) + 1).mean(), rtol=1e-12)
    np.testing.assert_allclose(module.generator.bias.grad, -(w + fake @ a).mean(0), rtol=1e-12)


@pytest.mark.parametrize("distance", [0.1, 1.0, 30.0])
def test_the_best_slope_follows_the_distance(distance: float) -> None:
    """For two points and a linear critic -d w + k w^p is least at w = (d / (k p))^(1 / (p - 1)): no constraint to 1."""
    k, p = 2.0, 6.0
    w = torch.ones(1, dtype=torch.float64, requires_grad=True)
    real, fake = torch.full((4, 1), distance, dtype=torch.float64), torch.zeros(4, 1, dtype=torch.float64)
    optimizer = torch.optim.LBFGS([w], max_iter=200, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        penalty = divergence_penalty(lambda x: x @ w, real, fake, p)
        total = wasserstein_critic(real @ w, fake @ w) + k * penalty
        total.backward()
        return total

    optimizer.step(loss)
    assert w.item() == pytest.approx((distance / (k * p)) ** (1 / (p - 1)), rel=1e-4)


def test_the_divergence_is_zero_only_for_equal_distributions() -> None:
    """The greatest E f(x) - E f(G(z)) - k E |grad f|^p over the slopes of a line."""
    real = torch.tensor([[0.0], [1.0]], dtype=torch.float64)

    def value(slope: Tensor, fake: Tensor) -> Tensor:
        penalty = divergence_penalty(lambda x: slope * x, real, fake)
        return -wasserstein_critic(slope * real, slope * fake) - 2 * penalty

    def divergence(fake: Tensor) -> float:
        return max(value(slope, fake).item() for slope in torch.linspace(-1, 1, 201, dtype=torch.float64))

    assert divergence(real) == pytest.approx(0, abs=1e-15)
    assert divergence(real + 0.1) == pytest.approx(divergence(real - 0.1)) and divergence(real + 0.1) > 0


def test_defaults_are_the_papers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(WGANDiv).parameters.items()}
    assert (defaults["penalty_weight"], defaults["power"], defaults["n_critic"]) == (2, 6, 4)
    for optimizer in small().configure_optimizers():
        assert isinstance(optimizer, Adam)
        assert (optimizer.defaults["lr"], optimizer.defaults["betas"]) == (2e-4, (0.0, 0.9))


def test_a_power_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="power must be above 1, got 1"):
        small(power=1.0)
