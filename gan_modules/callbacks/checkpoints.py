"""Checkpoints that a run can go on from, whatever ends it."""

import os
import signal
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_warn

from gan_modules import checks


class Checkpoints(ModelCheckpoint):
    """Lightning's `ModelCheckpoint`, and a `last.ckpt` that is there when it is needed.

    With `save_last`, `last.ckpt` is also written every so many minutes, every `every_n_epochs` epochs where that is
    given, and at the end, and

    - SIGINT (Ctrl-C) or SIGTERM to any process lets all of them finish their batch, write `last.ckpt` and end with exit
      code 128 + signal (130, 143). A second Ctrl-C ends the process at once, without writing anything;
    - with `save_on_exception`, an error between two batches, as one in the data, leaves `last.ckpt` (where several
      processes run: if it met all of them);
    - likewise an error in the middle of a batch leaves `stopped.ckpt`: the networks as they then were, to look at and
      to sample from. The optimizers are in the middle of a batch too, so that no run should go on from it.

    Args:
        every_n_minutes: between two writings of `last.ckpt`; None: only when `options` say.
        options: of `lightning.pytorch.callbacks.ModelCheckpoint`.

    Raises:
        ValueError: if `every_n_minutes` is not above 0.
    """

    def __init__(self, every_n_minutes: float | None = 2.0, **options: Any) -> None:
        super().__init__(**options)
        checks.positive(every_n_minutes=1 if every_n_minutes is None else every_n_minutes)
        self.every_n_minutes, self.each_epochs = every_n_minutes, options.get("every_n_epochs")
        self._signal = 0
        self._handlers: dict[int, Any] = {}
        self._saved, self._saved_at = 0.0, 0
        self._training = self._in_batch = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self._training, self._in_batch, self._saved_at = True, False, trainer.global_step
        self._signal, self._saved = 0, time.monotonic()
        if threading.current_thread() is threading.main_thread():
            # Lightning's own handler of SIGTERM talks to processes that do not listen, and so waits for ever
            self._handlers = {number: signal.signal(number, self._told) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_train_batch_start(self, *_: Any) -> None:
        self._in_batch = True

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *arguments: Any) -> None:
        self._in_batch = False
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*manual optimization.*pre-optimization state")
            super().on_train_batch_end(trainer, pl_module, *arguments)
        if arguments[-1] + 1 < trainer.num_training_batches and self._ends(trainer):
            self._save(trainer, "last.ckpt")  # Lightning ends the epoch then, so that no later one is from its middle
        self._stop_or_save(trainer)

    def on_validation_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if self._training:
            self._stop_or_save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        due = self.each_epochs and (trainer.current_epoch + 1) % self.each_epochs == 0
        if (due or self._ends(trainer)) and self._saved_at != trainer.global_step:
            self._save(trainer, "last.ckpt")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop_listening()
        if self._saved_at != trainer.global_step:
            self._save(trainer, "last.ckpt")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        training = self._training
        self._stop_listening()
        # of several processes, the others may be elsewhere, or gone
        met_by_all = trainer.world_size == 1 or isinstance(exception, (SystemExit, FloatingPointError))
        wanted = isinstance(exception, SystemExit) or self.save_on_exception
        if training and met_by_all and wanted and not isinstance(exception, KeyboardInterrupt):
            try:
                amid = self._in_batch or isinstance(exception, FloatingPointError)
                self._save(trainer, "stopped.ckpt" if amid else "last.ckpt")
            except OSError as error:
                rank_zero_warn(f"The end of the run could not be saved ({error}); older checkpoints are as they were.")

    def _told(self, number: int, frame: Any) -> None:
        if self._signal and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._signal = number
        os.write(2, b"\nending after this batch; Ctrl-C ends at once, without a checkpoint\n")  # print may be at work

    def _stop_or_save(self, trainer: Trainer) -> None:
        interval = None if self.every_n_minutes is None else 60 * self.every_n_minutes
        due = interval is not None and time.monotonic() - self._saved >= interval
        told, due = self._agreed(trainer, self._signal, due)
        if told:
            # a launcher kills the whole job when another process than the first ends in an error
            raise SystemExit(128 + told if trainer.is_global_zero else 0)
        if due:
            self._save(trainer, "last.ckpt")

    def _agreed(self, trainer: Trainer, told: int, due: bool) -> tuple[int, bool]:
        if trainer.world_size == 1:
            return told, due
        any_of = torch.tensor([told, int(due)], device=trainer.strategy.root_device)
        told, soon = trainer.strategy.reduce(any_of, reduce_op="max").tolist()
        return told, bool(soon)

    def _save(self, trainer: Trainer, name: str) -> None:
        self._saved, self._saved_at = time.monotonic(), trainer.global_step
        if self.save_last and self.dirpath is not None:
            trainer.save_checkpoint(Path(self.dirpath) / name, self.save_weights_only)

    @staticmethod
    def _ends(trainer: Trainer) -> bool:
        """Whether no batch comes after this one, nor, at the end of an epoch, another epoch."""
        is_last_epoch = trainer.current_epoch + 1 == trainer.max_epochs
        is_last_batch = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        return trainer.global_step == trainer.max_steps or trainer.should_stop or (is_last_epoch and is_last_batch)

    def _stop_listening(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers, self._training = {}, False
