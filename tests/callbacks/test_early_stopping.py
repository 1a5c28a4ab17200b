"""Runs that end, and checkpoints that are kept, by a metric: in a Trainer and through the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping
from torch import Tensor, nn

from gan_modules.callbacks import FID, SWD, Checkpoints, EarlyStopping
from gan_modules.cli import fit
from gan_modules.mistakes import explained


class Worsening(LightningModule):
    """Images that leave the data further and further from the third epoch on."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return self.weight**2

    def validation_step(self, batch: Tensor, batch_idx: int) -> dict[str, Tensor]:
        return {"real": batch, "fake": batch * (1 - 0.2 * abs(self.current_epoch - 2))}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.parametrize("stopping", [EarlyStopping, LightningEarlyStopping])
def test_a_run_ends_when_fid_no_longer_falls_and_keeps_the_best(
    stopping: Any, trainer: Callable[..., Trainer], loader: Any, pictures: Any, body: Any, tmp_path: Path
) -> None:
    best = Checkpoints(dirpath=tmp_path, monitor="metric/fid_body", mode="min", filename="{epoch}", save_last=False)
    callbacks = [stopping("metric/fid_body", mode="min", patience=2), best, FID(network=body())]
    run = trainer(callbacks=callbacks, enable_checkpointing=True, max_epochs=9)
    run.fit(Worsening(), loader(pictures(8)), loader(pictures(8)))
    assert run.current_epoch == 5
    assert [path.name for path in tmp_path.glob("*.ckpt")] == ["epoch=2.ckpt"] == [Path(best.best_model_path).name]
    assert best.best_model_score == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("stopping", "epochs"), [(EarlyStopping, 5), (LightningEarlyStopping, 2)])
def test_patience_counts_values_not_the_epochs_in_between(
    stopping: Any, epochs: int, trainer: Callable[..., Trainer], loader: Any, pictures: Any
) -> None:
    swd = SWD(every_n_epochs=2)
    run = trainer(callbacks=[swd, stopping("metric/swd", mode="min", patience=1)], max_epochs=9)
    run.fit(Worsening(), loader(pictures(8)), loader(pictures(8)))
    assert run.current_epoch == epochs


def test_a_run_that_ends_before_it_validates_needs_no_value(
    trainer: Callable[..., Trainer], loader: Any, pictures: Any
) -> None:
    run = trainer(callbacks=[SWD(), EarlyStopping("metric/swd")], max_steps=1, max_epochs=-1)
    run.fit(Worsening(), loader(pictures(8)), loader(pictures(8)))
    assert run.global_step == 1


def test_a_value_that_never_comes_is_named(trainer: Callable[..., Trainer], loader: Any, pictures: Any) -> None:
    run = trainer(callbacks=[SWD(), EarlyStopping("metric/sdw")])
    with pytest.raises(RuntimeError, match="metric/sdw") as error:
        run.fit(Worsening(), loader(pictures(8)), loader(pictures(8)))
    said = explained(error.value, "")
    assert said is not None and "`metric/swd`" in said and "add the callback that logs it" in said


def test_best_and_stopping_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(
        [
            *(
                "--model",
                "dcgan",
                "--data.image_size=8",
                "--data.batch_size=4",
                f"--trainer.default_root_dir={tmp_path}",
            ),
            *("--trainer.max_epochs=9", "--trainer.check_val_every_n_epoch=1", "--trainer.accelerator=cpu"),
            *(
                "--trainer.limit_train_batches=2",
                "--trainer.limit_val_batches=2",
                "--trainer.enable_progress_bar=false",
            ),
            *("--checkpoint.monitor=metric/swd", "--samples.rows=1", "--samples.columns=1"),
            *("--trainer.callbacks+=gan_modules.callbacks.EarlyStopping", "--trainer.callbacks.monitor=metric/swd"),
            *("--trainer.callbacks.patience=1", "--trainer.callbacks.min_delta=1e6"),
        ]
    )
    (best,) = tmp_path.glob("dcgan/*/checkpoints/epoch=*.ckpt")
    saved = torch.load(next(tmp_path.glob("dcgan/*/checkpoints/last.ckpt")), weights_only=True)
    assert saved["global_step"] == 4  # no value is a million better than the first
    assert f"checkpoints/{best.name} (the best)" in capsys.readouterr().out
