"""GMMN against a loop over pairs, and that it has no adversary."""

import inspect

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

from gan_modules import GMMN, randomness
from variants import loader, trainer


def small(**options: float) -> GMMN:
    torch.manual_seed(0)
    return GMMN(nn.Linear(2, 3), latent_dim=2, **options).double()  # type: ignore[arg-type]


def expected(samples: np.ndarray, data: np.ndarray, variances: tuple[float, ...]) -> float:
    """Equation 3 pair by pair, and its root."""

    def mean(a: np.ndarray, b: np.ndarray) -> float:
        pairs = [np.exp(-((x - y) ** 2).sum() / (2 * v)) for x in a for y in b for v in variances]
        return float(np.sum(pairs)) / (len(a) * len(b))

    return float(np.sqrt(mean(samples, samples) + mean(data, data) - 2 * mean(samples, data)))


def test_the_loss_against_a_loop_in_value_and_gradient() -> None:
    module, real = small(variances=(0.5, 4.0)), torch.randn(5, 3, dtype=torch.float64) + 1  # type: ignore[arg-type]
    randomness.use(randomness.Stream(3))
    z = 2 * randomness.uniform(5, 2, dtype=torch.float64).numpy() - 1
    randomness.use(randomness.Stream(3))
    loss = module.generator_loss(real)
    randomness.use(None)
    loss.backward()
    weight, bias = (each.detach().numpy() for each in module.generator.parameters())
    np.testing.assert_allclose(loss.item(), expected(z @ weight.T + bias, real.numpy(), (0.5, 4.0)), rtol=1e-12)
    for place in range(3):
        step = np.eye(3)[place] * 1e-6
        up, down = (expected(z @ weight.T + bias + shift, real.numpy(), (0.5, 4.0)) for shift in (step, -step))
        assert module.generator.bias.grad[place].item() == pytest.approx((up - down) / 2e-6, rel=1e-6)


def test_pictures_are_compared_as_lists_of_pixels() -> None:
    module, real = small(), torch.randn(4, 3, dtype=torch.float64)
    randomness.use(randomness.Stream(3))
    flat = module.generator_loss(real)
    pictures = GMMN(nn.Sequential(module.generator, nn.Unflatten(1, (3, 1, 1))), latent_dim=2).double()
    randomness.use(randomness.Stream(3))
    assert torch.equal(pictures.generator_loss(real[:, :, None, None]), flat)
    randomness.use(None)


def test_the_prior_is_uniform_in_a_cube() -> None:
    noise = small().prior(2000)
    assert noise.shape == (2000, 2) and -1 <= noise.min() < -0.99 and 0.99 < noise.max() < 1
    assert noise.var().item() == pytest.approx(1 / 3, rel=0.05)


def test_there_is_one_optimizer_and_no_adversary() -> None:
    module = small()
    optimizer = module.configure_optimizers()
    assert isinstance(optimizer, SGD) and (optimizer.defaults["lr"], optimizer.defaults["momentum"]) == (2, 0.9)
    assert {id(p) for p in optimizer.param_groups[0]["params"]} == {id(p) for p in module.parameters()}
    assert isinstance(small(betas=(0.5, 0.9)).configure_optimizers(), Adam)  # type: ignore[arg-type]
    defaults = {name: each.default for name, each in inspect.signature(GMMN).parameters.items()}
    assert defaults["variances"] == (2, 5, 10, 20, 40, 80) and defaults["latent_dim"] == 10


def test_every_batch_is_a_step() -> None:
    module = GMMN(nn.Linear(2, 2), latent_dim=2, learning_rate=0.01)
    trainer().fit(module, loader("gmmn", 5))
    assert module.generator_steps == module.batches_seen == 5
