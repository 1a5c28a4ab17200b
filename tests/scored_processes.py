"""A process of several, started by callbacks/test_processes.py: validates in all ways and writes what came out.

Arguments: rank, number of processes, port, the folder to write to.
"""

import os
import sys
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from datamodules.loading import PictureDataModule
from datamodules.order import Batches
from gan_modules.callbacks import FID, KID, SWD, InceptionScore, SampleGrid, TranslationScores, image_metrics
from gan_modules.metrics import FeatureNetwork, Unavailable
from gan_modules.strategies import AdversarialDDP
from variants import SIZE, build, trainer, whole_state

PROCESSES, ITEMS, BATCH = 3, 37, 6  # the last batch has an item too many
LIMITS = (2, 7, 12, 100)  # fewer than processes; a whole batch and one more; two batches; more than there are


class Features(nn.Module):
    """A tiny network in the place of Inception: byte images to eight numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[int] = []
        generator = torch.Generator().manual_seed(3)
        self.register_buffer("weight", torch.randn(3 * SIZE**2, 8, generator=generator, dtype=torch.float64) / 20)

    def forward(self, images: Tensor) -> Tensor:
        self.passes.append(len(images))
        return torch.tanh((images.double() / 127.5 - 1).flatten(1) @ self.weight)


def network() -> FeatureNetwork:
    """The network of all metrics; its last layer knows five classes."""
    last = nn.Linear(8, 5, bias=False)
    last.weight.data = torch.randn(5, 8, generator=torch.Generator().manual_seed(6))
    return FeatureNetwork(Features(), "", last=last)


class Pictures(PictureDataModule):
    """Random pictures, as many columns of them as asked for; training and held-out ones are the same."""

    def __init__(self, columns: int) -> None:
        super().__init__(BATCH, SIZE, channels=3, flip=False, num_workers=0, seed=0)
        self.columns = columns

    def setup(self, stage: str) -> None:
        shape = self.columns, ITEMS, 3, SIZE, SIZE
        pictures = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
        self.training = self.held_out = Batches(*pictures)


class Known(LightningModule):
    """A user's module whose fakes are a function of the data."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return self.weight**2

    def validation_step(self, batch: Tensor, batch_idx: int) -> dict[str, Tensor]:
        return {"real": batch, "fake": -(batch**3)}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.0)


class Values(Callback):
    """Keeps the metrics of each validation."""

    def __init__(self) -> None:
        self.found: list[dict[str, float]] = []

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        logged = trainer.callback_metrics.items()
        self.found.append({key: value.item() for key, value in logged if key.startswith("metric/")})


def inception_scores(limit: int | None = None) -> list[Callback]:
    """The metrics of generated images; subsets and splits are of a part of the samples."""
    networks = FID(None, limit), KID(None, limit, 1, 5, 4), InceptionScore(None, limit, 1, 3)
    return [*networks, SWD(limit)]


class Runs:
    """Runs on one of several processes, or on one alone."""

    def __init__(self, rank: int, processes: int, folder: Path) -> None:
        self.rank, self.processes, self.folder = rank, processes, folder

    def trainer(self, *callbacks: Callback, **options: Any) -> Trainer:
        several = {"strategy": AdversarialDDP(), "devices": self.processes} if self.processes > 1 else {}
        return trainer(precision="64-true", max_epochs=2, callbacks=list(callbacks), **several, **options)

    def fitted(self, name: str, *callbacks: Callback) -> dict[str, Any]:
        """The metrics of two validations, the final state and what was monitored; without callbacks no validation."""
        module, values = build(name, own=True, average_decay=0.9), Values()
        module.seed = 5
        saves = any(isinstance(each, ModelCheckpoint) for each in callbacks)
        limit = None if callbacks else 0
        fit = self.trainer(*callbacks, values, enable_checkpointing=saves, limit_val_batches=limit)
        fit.fit(module, datamodule=Pictures(1 if name == "wgan_gp" else 4))
        state = {key: whole_state(module, fit)[key] for key in ("module", "optimizers")}
        best = [c.best_score.item() for c in callbacks if isinstance(c, EarlyStopping)]
        best += [c.best_model_score.item() for c in callbacks if isinstance(c, ModelCheckpoint)]
        return {"values": values.found, "state": state, "best": best}

    def again(self) -> dict[str, Any]:
        """Two validations of a model that was not trained, the second with what the first has kept of the data."""
        values, passes = Values(), []
        for _ in range(2):
            shared = network()
            with mock.patch.object(image_metrics, "inception", lambda *_: shared):  # noqa: B023
                run = self.trainer(FID(), KID(subsets=5, subset_size=4), values)
                run.validate(build("wgan_gp", own=True), datamodule=Pictures(1), verbose=False)
            passes.append(sum(shared.body.passes))
        return {"values": values.found, "passes": passes}

    def limited(self, limit: int) -> list[dict[str, float]]:
        """The metrics of a generator that was not trained."""
        values = Values()
        run = self.trainer(*inception_scores(limit), values)
        run.validate(build("wgan_gp", own=True), datamodule=Pictures(1), verbose=False)
        return values.found

    def unavailable(self) -> list[dict[str, float]]:
        """The metrics where the last process lacks the weights of one."""
        values, fid = Values(), FID()
        if self.rank == self.processes - 1:
            fid.scorers = mock.Mock(side_effect=Unavailable("no weights"))
        run = self.trainer(fid, SWD(), values)
        run.validate(build("wgan_gp", own=True), datamodule=Pictures(1), verbose=False)
        return values.found

    def padded(self) -> list[dict[str, float]]:
        """The metrics over a user's loader, into which Lightning puts a sampler that repeats items."""
        pictures = 2 * torch.rand(ITEMS, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(4)) - 1
        loader = DataLoader(pictures, batch_size=BATCH // self.processes)  # type: ignore[arg-type]
        values = Values()
        fit = self.trainer(*inception_scores(), values, use_distributed_sampler=True)
        fit.fit(Known(), loader, loader)
        return values.found

    def results(self) -> dict[str, Any]:
        """Of all runs."""
        grids = [SampleGrid(5, 2, 2, self.folder / f"{name}-{self.processes}-{self.rank}") for name in ("gan", "pair")]
        followers = (
            EarlyStopping("metric/fid", 9),
            ModelCheckpoint(self.folder / str(self.processes), monitor="metric/swd"),
        )
        again = self.again()  # first, while nothing is kept
        return {
            "again": again,
            "generator": self.fitted("wgan_gp", *inception_scores(), grids[0], *followers),
            "undisturbed": self.fitted("wgan_gp"),
            "translator": self.fitted("cyclegan", TranslationScores(), grids[1]),
            "limited": {limit: self.limited(limit) for limit in LIMITS},
            "padded": self.padded(),
            "unavailable": self.unavailable(),
        }


def results(rank: int, processes: int, folder: Path) -> dict[str, Any]:
    """What one process found."""
    shared, cache = network(), {"GAN_MODULES_CACHE": str(folder / f"cache{processes}")}
    patches = mock.patch.object(image_metrics, "inception", lambda *_: shared), mock.patch.dict(os.environ, cache)
    with patches[0], patches[1], warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Runs(rank, processes, folder).results()


def main(rank: int, processes: int, port: str, folder: Path) -> None:
    """Join the others and write the results to `folder`."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    torch.set_num_threads(1)
    torch.save(results(rank, processes, folder), folder / f"{rank}.pt")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
