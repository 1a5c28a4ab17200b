"""A run that would take no step is an error, also with a user's own data loader in a plain Trainer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from variants import build, loader, trainer


class Nothing(IterableDataset[Tensor]):
    """Ends before it begins, and does not say its length."""

    def __iter__(self) -> Iterator[Tensor]:
        return iter(())


def points(count: int) -> DataLoader[Any]:
    return DataLoader(TensorDataset(torch.zeros(count, 2)), batch_size=4, drop_last=True)


SILENT = {
    "empty": (lambda: points(0), {}),
    "smaller than a batch": (lambda: points(3), {}),
    "smaller than a batch, for steps": (lambda: points(3), {"max_epochs": -1, "max_steps": 5}),
    "no length": (lambda: DataLoader(Nothing(), batch_size=4), {}),
    "no length, without end": (lambda: DataLoader(Nothing(), batch_size=4), {"max_epochs": -1}),
    "limited to nothing": (lambda: points(8), {"limit_train_batches": 0}),
}


@pytest.mark.parametrize(("data", "options"), SILENT.values(), ids=SILENT)
@pytest.mark.filterwarnings("ignore")
def test_no_step_is_an_error(data: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no step was taken"):
        trainer(**options).fit(build("gan on points"), data())


@pytest.mark.parametrize("options", [{"max_steps": 0}, {"max_epochs": 0}])
def test_no_step_that_was_asked_for_is_none(options: dict[str, Any]) -> None:
    module = build("gan on points")
    trainer(**options).fit(module, points(8))
    assert module.batches_seen == 0


def test_a_run_that_is_over_stays_over(tmp_path: Path) -> None:
    save = ModelCheckpoint(tmp_path, save_last=True)
    first = trainer(enable_checkpointing=True, callbacks=[save])
    first.fit(build("gan on points"), loader("gan on points", 3))
    module = build("gan on points")
    trainer().fit(module, loader("gan on points", 3), ckpt_path=tmp_path / "last.ckpt")
    assert module.batches_seen == 3
