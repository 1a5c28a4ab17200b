"""A run that was ended anywhere and goes on is the run that was not, bit for bit."""

from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback, LightningModule, Trainer

from datamodules import Emoji, EmojiUnpaired
from variants import build, same, trainer, whole_state

BATCHES, EPOCHS = 5, 3
IN_STEPS = {"max_epochs": -1, "max_steps": BATCHES * EPOCHS}
MODES: dict[str, dict[str, Any]] = {
    "validation at the end of epochs": {},
    "validation inside epochs": {"val_check_interval": 2},
    "validation across epochs": {"check_val_every_n_epoch": None, "val_check_interval": 4},
    "no validation": {"limit_val_batches": 0},
    "validation every other epoch": {"check_val_every_n_epoch": 2},
    "max_steps": IN_STEPS,
    "max_steps, validation every other epoch": {**IN_STEPS, "check_val_every_n_epoch": 2},
}


class Everywhere(Callback):
    """Writes a checkpoint wherever a run may be ended: after batches, in and after validation, after epochs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, trainer: Trainer, where: str) -> None:
        if not trainer.sanity_checking:
            trainer.save_checkpoint(self.folder / f"{trainer.global_step:02d} {where}.ckpt")

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self.save(trainer, "batch")

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self.save(trainer, "validation batch")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.save(trainer, "validation")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.save(trainer, "epoch")


def fit(name: str, start: Path | None = None, workers: int = 0, **options: Any) -> dict[str, Any]:
    """All that a run has at its end, begun anew or gone on from the checkpoint `start`."""
    module = build(name, seed=0 if start is None else 1, average_decay=0.9)
    module.seed = 7 if start is None else None
    kind = EmojiUnpaired if name == "cyclegan" else Emoji
    data = kind(batch_size=8, image_size=8, flip=True, num_workers=workers, seed=3)
    fitted = trainer(limit_train_batches=BATCHES, **{"max_epochs": EPOCHS, "limit_val_batches": 2, **options})
    fitted.fit(module, datamodule=data, ckpt_path=None if start is None else str(start))
    assert module.batches_seen == BATCHES * EPOCHS
    return whole_state(module, fitted)


def assert_exact(name: str, folder: Path, every: int, workers: int = 0, **options: Any) -> None:
    whole = fit(name, callbacks=[Everywhere(folder)], **options)
    places = sorted(folder.iterdir())
    assert len(places) >= BATCHES * EPOCHS + EPOCHS
    for start in places[::every]:
        assert same(fit(name, start, workers, **options), whole), start.name


def test_a_run_goes_on_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    assert_exact("wgan_gp", tmp_path, 3)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_a_run_goes_on_wherever_it_was_ended(mode: str, tmp_path: Path) -> None:
    assert_exact("wgan_gp", tmp_path, 1, **MODES[mode])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cyclegan", "pggan"])
def test_other_variants_go_on_too(name: str, tmp_path: Path) -> None:
    assert_exact(name, tmp_path, 4, val_check_interval=2)


@pytest.mark.slow
def test_workers_change_nothing(tmp_path: Path) -> None:
    assert_exact("wgan_gp", tmp_path, 5, workers=2)


def test_double_precision_is_not_rounded(tmp_path: Path) -> None:
    assert_exact("wgan_gp", tmp_path, 9, precision="64-true")
