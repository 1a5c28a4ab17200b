"""SNGAN: the hinge game against numpy, its schedule, and the norm that makes the discriminator Lipschitz."""

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan_modules import SNGAN, randomness
from gan_modules.networks import spectrally_normalised
from gan_modules.randomness import Stream
from variants import build, loader, trainer

N, LATENT, SIZE = 6, 3, 4


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    randomness.use(None)


def sngan(**arguments: Any) -> SNGAN:
    """Linear players, of which every gradient is known: G(z) = A z and D(x) = w x + b."""
    generator = nn.Linear(LATENT, SIZE, bias=False)
    discriminator = nn.Sequential(nn.Linear(SIZE, 1), nn.Flatten(0))
    return SNGAN(generator, discriminator, LATENT, **arguments).double()


def players(module: SNGAN) -> tuple[np.ndarray, np.ndarray, float]:
    weight, bias = module.discriminator.parameters()
    return module.generator.weight.detach().numpy(), weight.detach().numpy()[0], bias.item()  # type: ignore[operator,union-attr]


def noise(count: int) -> np.ndarray:
    """What the module's next draw will be."""
    randomness.use(Stream(5))
    drawn = randomness.normal(count, LATENT, dtype=torch.float64).numpy()
    randomness.use(Stream(5))
    return drawn


def test_the_discriminators_hinges_and_their_gradient() -> None:
    module, real = sngan(), 6 * torch.randn(N, SIZE, dtype=torch.float64)
    a, w, b = players(module)
    x, fake = real.numpy(), noise(N) @ a.T
    below, above = 1 - (x @ w + b), 1 + (fake @ w + b)
    assert 0 < (below > 0).sum() < N, "some real scores are beyond the margin"
    loss = module.discriminator_loss(real)
    assert loss.item() == pytest.approx(np.maximum(below, 0).mean() + np.maximum(above, 0).mean(), rel=1e-12)
    (slope,) = torch.autograd.grad(loss, [module.discriminator[0].weight])  # type: ignore[index]
    expected = ((above > 0)[:, None] * fake).mean(0) - ((below > 0)[:, None] * x).mean(0)
    np.testing.assert_allclose(slope[0], expected, rtol=1e-12)


def test_the_generator_climbs_the_score_of_twice_the_batch() -> None:
    module, real = sngan(), torch.zeros(N, SIZE, dtype=torch.float64)
    a, w, b = players(module)
    z = noise(2 * N)
    loss = module.generator_loss(real)
    assert loss.item() == pytest.approx(-(z @ a.T @ w + b).mean(), rel=1e-12)
    (slope,) = torch.autograd.grad(loss, [module.generator.weight])
    np.testing.assert_allclose(slope, -np.outer(w, z.mean(0)), rtol=1e-12)


def test_the_authors_numbers_are_the_defaults() -> None:
    defaults = {name: each.default for name, each in inspect.signature(SNGAN).parameters.items()}
    assert (defaults["n_critic"], defaults["generator_batch"]) == (5, 2)
    assert defaults["generator_learning_rate"] == defaults["discriminator_learning_rate"] == 2e-4
    assert defaults["betas"] == (0.0, 0.9)


def test_five_steps_to_one_and_both_rates_fall_to_zero_together() -> None:
    module: Any = build("sngan", n_critic=5, decay_steps=4)
    calls = list[str]()
    for name in ("discriminator_loss", "generator_loss"):
        loss = getattr(module, name)
        setattr(module, name, lambda real, name=name, loss=loss: (calls.append(name), loss(real))[1])
    fitted = trainer(max_epochs=3)
    fitted.fit(module, loader("sngan", 5))
    assert calls == (["discriminator_loss"] * 5 + ["generator_loss"]) * 3
    rates = [optimizer.param_groups[0]["lr"] for optimizer in fitted.optimizers]
    assert rates == pytest.approx([2e-4 / 4] * 2), "after three of four steps a quarter is left"


def vectors(network: nn.Module) -> dict[str, Tensor]:
    return {name: buffer.clone() for name, buffer in network.named_buffers() if name.endswith(("._u", "._v"))}


def test_one_power_iteration_a_forward_against_numpy() -> None:
    layer: Any = spectrally_normalised(nn.Conv2d(3, 4, 2).double())
    matrix = layer.parametrizations.weight.original.detach().numpy().reshape(4, -1)
    v = layer.parametrizations.weight[0]._v.numpy().copy()
    for _ in range(3):
        layer(torch.randn(1, 3, 2, 2, dtype=torch.float64))
        u = matrix @ v / np.linalg.norm(matrix @ v)
        v = matrix.T @ u / np.linalg.norm(matrix.T @ u)
        np.testing.assert_allclose(layer.parametrizations.weight[0]._v, v, rtol=1e-10)
    np.testing.assert_allclose(layer.eval().weight.detach().reshape(4, -1), matrix / (u @ matrix @ v), rtol=1e-10)


def test_a_normalised_network_is_one_lipschitz() -> None:
    """Layers of norm 1 with slopes of at most 1 between them: |f(x) - f(y)| <= |x - y| (the paper's inequality 8)."""
    network = nn.Sequential(nn.Linear(4, 9), nn.LeakyReLU(0.1), nn.Linear(9, 9), nn.ReLU(), nn.Linear(9, 1)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(10)
    x, y = torch.randn(2, 500, 4, dtype=torch.float64)

    def steepest() -> float:
        return ((network(x) - network(y)).abs().squeeze(1) / (x - y).norm(dim=1)).max().item()

    assert steepest() > 2
    spectrally_normalised(network)
    for _ in range(100):
        network(x)
    assert 0.01 < steepest() <= 1


def test_all_weights_are_normalised_and_once() -> None:
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ConvTranspose2d(5, 2, 3), nn.Flatten(), nn.Linear(2 * 8 * 8, 3))
    assert spectrally_normalised(spectrally_normalised(network)) is network
    assert len(vectors(network)) == 2 * 3
    for _ in range(100):
        network(torch.randn(1, 3, 8, 8))
    convolution, transposed, _, linear = network
    for matrix in (convolution.weight.flatten(1), transposed.weight.transpose(0, 1).flatten(1), linear.weight):
        assert torch.linalg.matrix_norm(matrix.detach(), 2).item() == pytest.approx(1, abs=1e-3)


def test_the_vectors_follow_the_weights_alone_and_rest_in_eval_mode() -> None:
    module: Any = build("sngan")
    twin: Any = build("sngan")
    critic, other = module.discriminator, twin.discriminator
    start = vectors(critic)
    assert start.keys() <= critic.state_dict().keys() and len(start) == 2 * 8
    critic(torch.randn(4, 3, 8, 8))
    other(torch.randn(2, 3, 8, 8))
    moved = vectors(critic)
    assert all(torch.equal(moved[name], vectors(other)[name]) for name in start), "processes keep the same ones"
    assert not all(torch.equal(moved[name], start[name]) for name in start)
    critic.eval()(torch.randn(4, 3, 8, 8))
    assert all(torch.equal(vectors(critic)[name], moved[name]) for name in start)
