"""Ends a run when a metric no longer improves."""

from typing import Any, Literal, get_args

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping

from gan_modules import checks
from gan_modules.callbacks.scores import Scores

Mode = Literal["min", "max"]


class EarlyStopping(LightningEarlyStopping):
    """Lightning's `EarlyStopping`, whose patience counts values: not the validations in between that have none.

    It looks after validation alone. A run that ends before its first validation needs no value.

    Args:
        monitor: as "metric/fid".
        patience: how many values may be no better than the best one so far.
        mode: "min" where less is better, or "max".
        options: of `lightning.pytorch.callbacks.EarlyStopping`.

    Raises:
        ValueError: for other values.
    """

    def __init__(self, monitor: str, patience: int = 3, mode: Mode = "min", **options: Any) -> None:
        if not isinstance(monitor, str) or not monitor:
            raise ValueError(f"monitor must be the name of a metric, as metric/fid, got {monitor!r}")
        checks.whole(0, patience=patience)
        checks.choice(get_args(Mode), mode=mode)
        super().__init__(monitor, patience=patience, mode=mode, check_on_train_epoch_end=False, **options)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        if not any(isinstance(each, Scores) and each.stands(self.monitor) for each in callbacks):
            super().on_validation_end(trainer, pl_module)
