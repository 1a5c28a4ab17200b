"""BEGAN: errors and losses against numpy, and the control that keeps them at a ratio."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn

from gan_modules import BEGAN, randomness
from gan_modules.randomness import Stream
from variants import build, loader, trainer

N, LATENT, SIZE = 6, 3, 5


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    randomness.use(None)


class Scaled(nn.Module):
    """Rebuilds w x; the code is the input."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(SIZE))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.weight * x, x


def began(**arguments: Any) -> Any:
    return BEGAN(nn.Linear(LATENT, SIZE, bias=False), Scaled(), LATENT, **arguments).double()


def generated(module: Any) -> tuple[np.ndarray, np.ndarray]:
    """The next noise, and what the generator makes of it."""
    randomness.use(Stream(5))
    z = 2 * randomness.uniform(N, LATENT, dtype=torch.float64).numpy() - 1
    randomness.use(Stream(5))
    return z, z @ module.generator.weight.detach().numpy().T


def test_the_discriminator_rebuilds_real_images_and_k_times_less_generated_ones() -> None:
    module, real = began(), torch.randn(N, SIZE, dtype=torch.float64)
    module.k.fill_(0.3)
    w, x, (_, fake) = module.discriminator.weight.detach().numpy(), real.numpy(), generated(module)
    loss, real_error = module.discriminator_loss(real)
    expected = np.abs(w * x - x).mean(), np.abs(w * fake - fake).mean()
    assert real_error.item() == pytest.approx(expected[0], rel=1e-12)
    assert loss.item() == pytest.approx(expected[0] - 0.3 * expected[1], rel=1e-12)
    (slope,) = torch.autograd.grad(loss, [module.discriminator.weight])
    # each w is below 1, so that |w x - x| = (1 - w) |x|
    np.testing.assert_allclose(slope, (-np.abs(x).mean(0) + 0.3 * np.abs(fake).mean(0)) / SIZE, rtol=1e-12)


def test_the_generator_moves_images_and_their_reconstructions() -> None:
    module = began()
    w, (z, fake) = module.discriminator.weight.detach().numpy(), generated(module)
    loss = module.generator_loss(torch.zeros(N, SIZE, dtype=torch.float64))
    assert loss.item() == pytest.approx(np.abs(w * fake - fake).mean(), rel=1e-12)
    (slope,) = torch.autograd.grad(loss, [module.generator.weight])
    np.testing.assert_allclose(slope, (1 - w)[:, None] * np.sign(fake).T @ z / (N * SIZE), rtol=1e-12)


def test_the_noise_is_uniform() -> None:
    noise = began().prior(20_000)
    assert -1 <= noise.min() < -0.99 and 0.99 < noise.max() < 1
    assert noise.mean().item() == pytest.approx(0, abs=0.01)
    assert noise.var().item() == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize("control_rate", [0.05, 50.0])
def test_k_follows_the_papers_recursion(control_rate: float) -> None:
    """Errors as the losses had them: L(x) before the discriminator's step, L(G(z)) of fresh noise after it."""
    module: Any = build("began", own=True, control_rate=control_rate, learning_rate=0.02, betas=(0.5, 0.999))
    errors, error = list[float](), module.error
    recorded, record = list[dict[str, float]](), module.record

    def watched(images: Tensor) -> Tensor:
        errors.append(error(images).item())
        return error(images)

    def noted(**values: Tensor) -> None:
        recorded.append({name: value.item() for name, value in values.items()})
        record(**values)

    module.error, module.record = watched, noted
    trainer(precision="64-true").fit(module, loader("began", 12))
    k, seen = 0.0, []
    for (real, fake_before, fake), found in zip(np.reshape(errors, (12, 3)), recorded, strict=True):
        expected = {"discriminator": real - k * fake_before, "generator": fake}
        k = min(1.0, max(0.0, k + control_rate * (0.5 * real - fake)))
        expected |= {"convergence": real + abs(0.5 * real - fake), "k": k}
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)
        seen.append(k)
    assert ({0.0, 1.0} <= set(seen)) == (control_rate == 50) and module.k.item() == pytest.approx(k)


def test_k_is_clipped_at_both_ends() -> None:
    module, fitted = began(control_rate=10.0), trainer()
    module.trainer = fitted
    real, fake = torch.tensor([2.0, 0.1], dtype=torch.float64)
    assert module.control(real, fake).item() == pytest.approx(2 + (0.5 * 2 - 0.1)) and module.k.item() == 1
    assert module.control(fake, real).item() == pytest.approx(0.1 + (2 - 0.05)) and module.k.item() == 0


def test_k_rests_where_the_errors_have_their_ratio() -> None:
    module, fitted = began(diversity=0.25, control_rate=10.0), trainer()
    module.trainer = fitted
    module.k.fill_(0.4)
    assert module.control(*torch.tensor([2.0, 0.5], dtype=torch.float64)).item() == 2
    assert module.k.item() == 0.4


def test_k_survives_a_checkpoint(tmp_path: Path) -> None:
    module: Any = build("began")
    save = ModelCheckpoint(tmp_path, filename="end")
    trainer(enable_checkpointing=True, callbacks=[save]).fit(module, loader("began", 6))
    assert 0 < module.k.item() < 1
    fresh: Any = build("began")
    restored = BEGAN.load_from_checkpoint(
        tmp_path / "end.ckpt", generator=fresh.generator, discriminator=fresh.discriminator
    )
    assert torch.equal(restored.k, module.k)


def test_both_rates_are_halved_together() -> None:
    module, fitted = build("began", halving_steps=2), trainer()
    fitted.fit(module, loader("began", 5))
    assert [each.param_groups[0]["lr"] for each in fitted.optimizers] == [1e-4 / 4] * 2


def test_the_papers_numbers_are_the_defaults() -> None:
    defaults = {name: each.default for name, each in inspect.signature(BEGAN).parameters.items()}
    assert (defaults["diversity"], defaults["control_rate"], defaults["latent_dim"]) == (0.5, 1e-3, 64)
    assert defaults["learning_rate"] == 1e-4
