"""Ends a run when a metric no longer improves."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping

from gan_modules.callbacks.scores import Scores


class EarlyStopping(LightningEarlyStopping):
    """Lightning's `EarlyStopping`, whose patience counts values: not the validations in between that have none.

    It looks after validation alone. A run that ends before its first validation needs no value.

    Args:
        monitor: as "metric/fid".
        patience: how many values may be no better than the best one so far.
        mode: "min" where less is better, or "max".
        options: of `lightning.pytorch.callbacks.EarlyStopping`.
    """

    def __init__(self, monitor: str, patience: int = 3, mode: str = "min", **options: Any) -> None:
        super().__init__(monitor, patience=patience, mode=mode, check_on_train_epoch_end=False, **options)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        if not any(isinstance(each, Scores) and each.stands(self.monitor) for each in callbacks):
            super().on_validation_end(trainer, pl_module)
