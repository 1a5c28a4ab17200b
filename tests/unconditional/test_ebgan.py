"""EBGAN: energies, margin and pulling-away term against numpy, for linear networks, whose gradients are known."""

import inspect
from collections.abc import Iterator
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan_modules import EBGAN, randomness
from gan_modules.randomness import Stream
from gan_modules.unconditional.ebgan import pulling_away

N, LATENT, SIZE, CODE = 6, 3, 5, 2


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    randomness.use(None)


class Linear(nn.Module):
    """Enc(x) = E x, Dec(h) = F h."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(SIZE, CODE, bias=False), nn.Linear(CODE, SIZE, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.decoder(self.encoder(x)), self.encoder(x)


def ebgan(**arguments: Any) -> Any:
    return EBGAN(nn.Linear(LATENT, SIZE, bias=False), Linear(), LATENT, **arguments).double()


def matrices(module: Any) -> tuple[np.ndarray, ...]:
    """G, E and F."""
    layers = module.generator, module.discriminator.encoder, module.discriminator.decoder
    return tuple(layer.weight.detach().numpy().copy() for layer in layers)


def noise(count: int) -> np.ndarray:
    """What the module's next draw will be."""
    randomness.use(Stream(5))
    drawn = randomness.normal(count, LATENT, dtype=torch.float64).numpy()
    randomness.use(Stream(5))
    return drawn


def energies(x: np.ndarray, e: np.ndarray, f: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x @ e.T @ f.T - x, axis=1)


def repulsion(codes: np.ndarray) -> float:
    """The pulling-away term, pair by pair."""
    pairs = list(permutations(codes, 2))
    return sum((a @ b / np.linalg.norm(a) / np.linalg.norm(b)) ** 2 for a, b in pairs) / len(pairs)


def test_the_discriminators_margin_is_for_each_image() -> None:
    module, real = ebgan(), torch.randn(N, SIZE, dtype=torch.float64)
    g, e, f = matrices(module)
    x, fake = real.numpy(), noise(N) @ g.T
    of_fake = energies(fake, e, f)
    module.margin = float(np.median(of_fake))
    short = of_fake < module.margin
    loss = module.discriminator_loss(real)
    expected = energies(x, e, f).mean() + np.maximum(module.margin - of_fake, 0).mean()
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    assert expected > energies(x, e, f).mean() + max(module.margin - of_fake.mean(), 0) + 1e-3, "not of the mean"
    (slope,) = torch.autograd.grad(loss, [module.discriminator.decoder.weight])

    def pull(points: np.ndarray) -> np.ndarray:
        """The derivative of each energy by F."""
        residuals = points @ e.T @ f.T - points
        return np.einsum("no,nc->noc", residuals / np.linalg.norm(residuals, axis=1, keepdims=True), points @ e.T)

    np.testing.assert_allclose(slope, pull(x).mean(0) - (short[:, None, None] * pull(fake)).mean(0), rtol=1e-10)


def test_the_generator_moves_images_and_their_reconstructions() -> None:
    """The gradient of |(F E - I) G z|: with the target detached, as in a popular copy, it would be that of F E G z."""
    module = ebgan(pulling_weight=0.0)
    g, e, f = matrices(module)
    z = noise(N)
    loss = module.generator_loss(torch.zeros(N, SIZE, dtype=torch.float64))
    residuals = z @ g.T @ (f @ e - np.eye(SIZE)).T
    assert loss.item() == pytest.approx(np.linalg.norm(residuals, axis=1).mean(), rel=1e-12)
    (slope,) = torch.autograd.grad(loss, [module.generator.weight])
    unit = residuals / np.linalg.norm(residuals, axis=1, keepdims=True)
    np.testing.assert_allclose(slope, (f @ e - np.eye(SIZE)).T @ unit.T @ z / N, rtol=1e-10)
    assert not np.allclose(slope, (f @ e).T @ unit.T @ z / N, rtol=0.1)


def test_the_generators_loss_holds_the_pulling_away_term_by_finite_differences() -> None:
    module = ebgan(pulling_weight=0.4)
    g, e, f = matrices(module)
    z = noise(N)

    def formula(weights: np.ndarray) -> float:
        fake = z @ weights.T
        return energies(fake, e, f).mean() + 0.4 * repulsion(fake @ e.T)

    loss = module.generator_loss(torch.zeros(N, SIZE, dtype=torch.float64))
    assert loss.item() == pytest.approx(formula(g), rel=1e-12)
    (slope,) = torch.autograd.grad(loss, [module.generator.weight])
    for index in np.ndindex(g.shape):
        step = np.zeros_like(g)
        step[index] = 1e-6
        assert slope[index].item() == pytest.approx((formula(g + step) - formula(g - step)) / 2e-6, rel=1e-5, abs=1e-8)


def test_pulling_away_is_a_mean_over_pairs_of_directions() -> None:
    codes = torch.randn(7, 2, 3, 2, dtype=torch.float64)
    assert pulling_away(codes).item() == pytest.approx(repulsion(codes.flatten(1).numpy()), rel=1e-12)
    torch.testing.assert_close(pulling_away(codes), pulling_away(codes * torch.logspace(-3, 3, 7)[:, None, None, None]))
    assert pulling_away(torch.eye(4)).item() == 0
    assert pulling_away(torch.tensor([[1.0, 2.0], [-2.0, -4.0]])).item() == pytest.approx(1)
    assert pulling_away(torch.ones(1, 3)).item() == 0


def test_the_papers_numbers_are_the_defaults() -> None:
    defaults = {name: each.default for name, each in inspect.signature(EBGAN).parameters.items()}
    assert (defaults["margin"], defaults["pulling_weight"]) == (20, 0.1)
    assert defaults["generator_learning_rate"] == defaults["discriminator_learning_rate"] == 1e-3
