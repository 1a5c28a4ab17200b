"""The progress bar: losses and images a second."""

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from gan_modules import checks
from gan_modules.batches import size_of


class ProgressBar(TQDMProgressBar):
    """Lightning's bar with the images a second beside what the module logs for it (`prog_bar=True`: the losses).

    The images are those of all processes, and validation's time does not count. Numbers are read from the device when
    the bar is refreshed, and at no other time.

    Args:
        refresh_rate: batches between two refreshes; 0 turns the bar off.
        leave: whether an epoch's bar stays.
    """

    def __init__(self, refresh_rate: int = 10, leave: bool = False) -> None:
        checks.whole(0, refresh_rate=refresh_rate)
        checks.switch(leave=leave)
        super().__init__(refresh_rate=refresh_rate, leave=leave)
        self._shown = False
        self._images = 0
        self._since = time.perf_counter()
        self._rate: float | None = None
        self._validating_since: float | None = None

    def on_train_start(self, *args: Any) -> None:
        super().on_train_start(*args)
        self._shown = True

    def on_exception(self, *args: Any) -> None:
        if self._shown:  # so that what is said about the error stands on a line of its own
            self.train_progress_bar.close()

    def on_train_epoch_start(self, trainer: Trainer, *args: Any) -> None:
        super().on_train_epoch_start(trainer, *args)
        self._images, self._since = 0, time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._images += size_of(batch) * trainer.world_size
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_validation_start(trainer, pl_module)
        self._validating_since = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._validating_since is not None:
            self._since += time.perf_counter() - self._validating_since
            self._validating_since = None
        super().on_validation_end(trainer, pl_module)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        items = super().get_metrics(trainer, pl_module)
        items.pop("v_num", None)
        now = time.perf_counter()
        if self._images:
            self._rate = self._images / max(now - self._since, 1e-9)
            self._images, self._since = 0, now
        rate = {} if self._rate is None else {"images/s": f"{self._rate:.4g}"}
        return items | rate
