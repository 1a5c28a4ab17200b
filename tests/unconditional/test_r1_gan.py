"""Mescheder et al. (2018): zero-centred penalties, lazily or not, and the Dirac-GAN that they make converge."""

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import RMSprop

from gan_modules import R1GAN, randomness
from tiny import Array, Scores, arrays, assert_gradient, scores_and_slopes
from variants import build, loader, trainer

N = 6


def discriminators_loss(parameters: list[Array], real: Array, fake: Array, r1: float, r2: float) -> float:
    real_scores, real_slopes = scores_and_slopes(parameters, real)
    fake_scores, fake_slopes = scores_and_slopes(parameters, fake)
    game = np.log1p(np.exp(-real_scores)).mean() + np.log1p(np.exp(fake_scores)).mean()
    r1_penalty, r2_penalty = ((slopes**2).sum(1).mean() for slopes in (real_slopes, fake_slopes))
    return float(game + r1 / 2 * r1_penalty + r2 / 2 * r2_penalty)


def module_of(**options: Any) -> R1GAN:
    return R1GAN(nn.Linear(2, 3), Scores(), latent_dim=2, **options).double()


@pytest.fixture(autouse=True)
def _streamed() -> Iterator[None]:
    randomness.use(randomness.Stream(5))
    yield
    randomness.use(None)


def fake_of(module: R1GAN) -> Array:
    randomness.use(randomness.Stream(5))
    return module.generator(randomness.normal(N, 2, dtype=torch.float64)).detach().numpy()


@pytest.mark.parametrize(
    ("options", "penalised", "r1", "r2"),
    [
        ({}, True, 10, 0),
        ({"r1_weight": 3.0, "r2_weight": 0.7}, True, 3, 0.7),
        ({"r1_weight": 0.0, "r2_weight": 2.0}, True, 0, 2),
        ({"r1_weight": 3.0, "r2_weight": 0.5, "penalty_every": 16}, True, 48, 8),
        ({"r1_weight": 3.0, "r2_weight": 0.5, "penalty_every": 16}, False, 0, 0),
    ],
)
def test_discriminators_loss_and_its_gradient(options: Any, penalised: bool, r1: float, r2: float) -> None:
    module, real = module_of(**options), torch.randn(N, 3, dtype=torch.float64)
    loss = module.discriminator_loss(real, penalised)
    gradients = torch.autograd.grad(loss, list(module.discriminator.parameters()))
    weights, fake = arrays(module.discriminator.parameters()), fake_of(module)

    def expected() -> float:
        return discriminators_loss(weights, real.numpy(), fake, r1, r2)

    assert loss.item() == pytest.approx(expected(), rel=1e-12)
    assert_gradient(expected, weights, gradients)


def test_generators_loss_reaches_it_through_the_scores() -> None:
    module = module_of()
    module.generator_loss(torch.empty(N, 3)).backward()
    scores, slopes = scores_and_slopes(arrays(module.discriminator.parameters()), fake_of(module))
    expected = (-1 / (1 + np.exp(scores)))[:, None] * slopes / N
    np.testing.assert_allclose(module.generator.bias.grad.numpy(), expected.sum(0), rtol=1e-10)


def test_the_penalty_does_not_reach_the_generator() -> None:
    module = module_of(r2_weight=1.0)
    module.discriminator_loss(torch.randn(N, 3, dtype=torch.float64)).backward()
    assert all(parameter.grad is None for parameter in module.generator.parameters())
    assert all(parameter.grad is not None for parameter in module.discriminator.parameters())


def test_lazy_steps_are_every_so_many_th_also_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    penalised = list[bool]()
    loss = R1GAN.discriminator_loss

    def watched(self: R1GAN, real: Tensor, now: bool = True) -> Tensor:
        penalised.append(now)
        return loss(self, real, now)

    monkeypatch.setattr(R1GAN, "discriminator_loss", watched)
    module: Any = build("r1_gan", penalty_every=3)
    trainer(max_epochs=2).fit(module, loader("r1_gan", 4))
    trainer().fit(module, loader("r1_gan", 4))
    assert penalised == [batch % 3 == 0 for batch in range(12)]


def test_defaults_are_the_authors() -> None:
    defaults = {name: each.default for name, each in inspect.signature(R1GAN).parameters.items()}
    assert (defaults["r1_weight"], defaults["r2_weight"], defaults["latent_dim"]) == (10, 0, 256)
    for optimizer in module_of().configure_optimizers():
        assert isinstance(optimizer, RMSprop)
        assert optimizer.defaults["lr"] == 1e-4 and optimizer.defaults["alpha"] == 0.99
        assert optimizer.defaults["momentum"] == 0


# the Dirac-GAN (section 2.2): data at 0, a generator at theta, and the discriminator D(x) = psi x


class Dirac(nn.Module):
    def __init__(self, theta: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta))

    def forward(self, z: Tensor) -> Tensor:
        return self.theta.expand(len(z), 1)


def dirac_gan(theta: float, psi: float, **weights: float) -> R1GAN:
    module = R1GAN(Dirac(theta), nn.Sequential(nn.Linear(1, 1, bias=False), nn.Flatten(0)), 1, **weights).double()
    nn.init.constant_(module.discriminator[0].weight, psi)  # type: ignore[index]
    return module


def velocity(module: R1GAN) -> tuple[Tensor, Tensor]:
    """How gradient descent moves theta and psi."""
    real = torch.zeros(1, 1, dtype=torch.float64)
    theta, psi = module.generator.theta, module.discriminator[0].weight  # type: ignore[index]
    (of_theta,) = torch.autograd.grad(module.generator_loss(real), theta)
    (of_psi,) = torch.autograd.grad(module.discriminator_loss(real), psi)
    return -of_theta, -of_psi.squeeze()


def jacobian(module: R1GAN) -> Array:
    """Of the velocities with respect to theta and psi."""
    rows, step = [], 1e-6
    for parameter in (module.generator.theta, module.discriminator[0].weight):  # type: ignore[index]
        sides = []
        for shift in (step, -2 * step):
            parameter.data += shift
            sides.append(torch.stack(velocity(module)).numpy())
        parameter.data += step
        rows.append((sides[0] - sides[1]) / (2 * step))
    return np.array(rows).T


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 3.0])
def test_eigenvalues_at_the_equilibrium_are_the_papers(gamma: float) -> None:
    """-gamma/2 +- sqrt(gamma^2/4 - f'(0)^2), with f'(0) = 1/2; +-f'(0) i without the penalty."""
    found = np.linalg.eigvals(jacobian(dirac_gan(0.0, 0.0, r1_weight=gamma)))
    root = np.emath.sqrt(gamma**2 / 4 - 0.25)
    expected = np.array([-gamma / 2 + root, -gamma / 2 - root])
    np.testing.assert_allclose(np.sort_complex(found), np.sort_complex(expected), atol=1e-6)


def distances(module: R1GAN, alternating: bool, steps: int = 60, rate: float = 0.5) -> Array:
    """From the equilibrium, over steps of gradient descent."""
    theta, psi = module.generator.theta, module.discriminator[0].weight  # type: ignore[index]
    found = []
    for _ in range(steps):
        of_theta, of_psi = velocity(module)
        theta.data += rate * of_theta
        psi.data += rate * (velocity(module)[1] if alternating else of_psi)
        found.append(float((theta.detach() ** 2 + psi.detach().squeeze() ** 2).sqrt()))
    return np.array(found)


@pytest.mark.parametrize("alternating", [False, True], ids=["simultaneous", "alternating"])
def test_only_the_penalty_makes_the_dirac_gan_converge(alternating: bool) -> None:
    plain = distances(dirac_gan(0.5, 0.5, r1_weight=0.0), alternating)
    assert plain.min() > 0.25, "it circles"
    assert alternating or plain[-1] > plain[0] > 0.5**0.5, "it spirals outwards"
    for r1, r2 in ((1.0, 0.0), (0.0, 1.0)):
        assert distances(dirac_gan(0.5, 0.5, r1_weight=r1, r2_weight=r2), alternating)[-1] < 1e-3
