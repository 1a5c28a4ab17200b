"""Tiny models that obey the protocol of `validation_step`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gan_modules import randomness
from gan_modules.metrics import FeatureNetwork


class Body(nn.Module):
    """Eight numbers of each picture; counts the pictures it sees."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(3 * 8 * 8, 8, generator=generator) / 20)
        self.passes: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.passes.append(len(images))
        return torch.tanh((images.float() / 127.5 - 1).flatten(1) @ self.weight)


class TinyGAN(LightningModule):
    """Noise -> images (n, 3, 8, 8), with dropout and batch normalisation, and two optimizers."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.save_hyperparameters()
        self.channels = channels
        self.generator = nn.Sequential(nn.Linear(4, channels * 64), nn.BatchNorm1d(channels * 64), nn.Dropout(0.1))
        self.critic = nn.Linear(channels * 64, 1)

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z).reshape(-1, self.channels, 8, 8).tanh()

    def sample(self, n: int) -> Tensor:
        return self(randomness.normal(n, 4, device=self.device))

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        losses = {}
        for name, sign, optimizer in zip(("critic", "generator"), (1, -1), self.optimizers(), strict=True):
            loss = sign * self.critic(self.sample(len(batch)).flatten(1)).mean() + 0 * batch.mean()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            losses[f"loss/{name}"] = loss.detach()
        self.log_dict(losses, prog_bar=True)

    def validation_step(self, batch: Tensor, batch_idx: int) -> dict[str, Tensor]:
        return {"real": batch, "fake": self.sample(len(batch))}

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.SGD(net.parameters(), 0.1) for net in (self.critic, self.generator)]


class TinyCodes(TinyGAN):
    """The same with a grid of its own: row r is made from code r / 4."""

    def grid_inputs(self, rows: int, columns: int) -> tuple[Tensor]:
        noise = randomness.normal(columns, 4).repeat(rows, 1)
        noise[:, 0] = torch.arange(rows).repeat_interleave(columns) / 4
        return (noise,)


class TinyPoints(TinyGAN):
    """Noise -> points (n, 2)."""

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)[:, :2]

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        for optimizer in self.optimizers():
            optimizer.zero_grad()
            self.manual_backward(self(torch.randn(4, 4)).mean() + 0 * self.critic.weight.sum())
            optimizer.step()


class TinyTranslator(LightningModule):
    """x (1 channel) <-> y (3 channels): shifts by a learnt number; knows the truth."""

    def __init__(self, directions: int = 2) -> None:
        super().__init__()
        self.directions = directions
        self.shift = nn.Parameter(torch.zeros(()))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return (self.shift - 0.5) ** 2

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        x, y, x_as_y, y_as_x = batch
        to_y = {"source": x, "fake": x.expand(-1, 3, -1, -1) * 0.9 + self.shift, "real": y, "truth": x_as_y}
        to_x = {"source": y, "fake": y.mean(1, keepdim=True) - self.shift, "real": x, "truth": y_as_x}
        return to_y if self.directions == 1 else {"x_to_y": to_y, "y_to_x": to_x}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.fixture
def models() -> Any:
    """The models by name."""

    class Models:
        GAN, Codes, Points, Translator = TinyGAN, TinyCodes, TinyPoints, TinyTranslator

    return Models


@pytest.fixture
def body() -> Callable[..., FeatureNetwork]:
    """A tiny network of features, made from a seed; with `classes`, one that knows so many."""

    def made(seed: int = 0, classes: int = 0) -> FeatureNetwork:
        return FeatureNetwork(Body(seed), "_body", last=nn.Linear(8, classes, bias=False) if classes else None)

    return made


@pytest.fixture
def pictures() -> Callable[..., Tensor]:
    """Smooth random images in [-1, 1]: (count, channels, size, size) from a seed."""

    def drawn(count: int, channels: int = 3, size: int = 8, seed: int = 0) -> Tensor:
        noise = torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(seed))
        return torch.nn.functional.avg_pool2d(noise, 3, 1, 1).mul(2).tanh()

    return drawn


@pytest.fixture
def domains(pictures: Callable[..., Tensor]) -> list[tuple[Tensor, ...]]:
    """What a loader of two domains holds, with the truths: grey x, coloured y."""
    x, y = pictures(12, 1, 16, 0), pictures(12, 3, 16, 1)
    colour = torch.tensor([0.9, 0.5, 0.1]).reshape(3, 1, 1)
    return list(zip(x, y, x * colour, y.mean(1, keepdim=True), strict=True))


@pytest.fixture
def loader() -> Callable[..., DataLoader[Any]]:
    """A loader without shuffling."""
    return lambda data, batch_size=4: DataLoader(data, batch_size=batch_size)


@pytest.fixture
def trainer(tmp_path: Path) -> Callable[..., Trainer]:
    """A quiet trainer on the CPU that writes into the test's folder."""

    def made(**options: Any) -> Trainer:
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        defaults: dict[str, Any] = {**quiet, "enable_model_summary": False, "accelerator": "cpu", "max_epochs": 1}
        return Trainer(default_root_dir=tmp_path, **{**defaults, **options})

    return made
