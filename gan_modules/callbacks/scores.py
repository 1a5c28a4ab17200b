"""The callback under all metric callbacks: feeds one scorer a direction, and logs what it says."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor

from gan_modules.callbacks.views import View, metric_key, views_of
from gan_modules.checks import whole


class Scorer(Protocol):
    """What keeps the score of one direction."""

    def to(self, device: torch.device) -> Any:
        """Move to a device, in place."""

    def update(self, view: View) -> None:
        """Take in what one validation batch showed."""

    def compute(self) -> dict[str, Tensor]:
        """Names and values over what was taken in since the last call, the same on every process."""


class Unavailable(Exception):
    """Why a metric cannot be had here, in one sentence."""


class Scores(Callback):
    """Logs `metric/NAME` for every value of its scorers, and beside them `metric/NAME_samples`, after validation.

    The scorers are held here and not by the module, so that networks of metrics stay out of checkpoints and out of
    half precision. The sanity check is not scored. Random numbers of training are left alone.

    Args:
        name: under which the number of samples is logged.
        prepare: called once a fit; returns what makes one scorer. Where it raises `Unavailable` the run says so once
            and goes on without the metric.
        every_n_epochs: score the validations of every n-th epoch, beginning with the first one that is seen.
        num_samples: score at most so many samples, over all processes; None: all.
    """

    def __init__(
        self, name: str, prepare: Callable[[], Callable[[], Scorer]], every_n_epochs: int, num_samples: int | None
    ) -> None:
        whole(1, every_n_epochs=every_n_epochs)
        if num_samples is not None:
            whole(2, num_samples=num_samples)
        self.name, self.prepare = name, prepare
        self.every_n_epochs, self.num_samples = every_n_epochs, num_samples
        self._make: Callable[[], Scorer] | None = None
        self._scorers: dict[str, Scorer] = {}
        self._seen: dict[str, int] = {}
        self._scoring = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage not in ("fit", "validate"):
            return
        self._scorers, self._make = {}, None
        try:
            with isolate_rng():
                make = self.prepare()
        except Unavailable as reason:
            rank_zero_warn(str(reason))
            make = None
        if trainer.strategy.reduce_boolean_decision(make is not None, all=True):
            self._make = make

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        due = not self._scorers or trainer.current_epoch % self.every_n_epochs == 0
        self._scoring = due and self._make is not None and not trainer.sanity_checking
        self._seen = {}

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        if not self._scoring or self._make is None:
            return
        for direction, view in views_of(outputs).items():
            if direction not in self._scorers:
                self._scorers[direction] = self._make()
                self._scorers[direction].to(pl_module.device)
            seen = self._seen.get(direction, 0)
            left = len(view["fake"]) if self.num_samples is None else self._share(trainer) - seen
            if left > 0:
                self._scorers[direction].update({key: part[:left] for key, part in view.items()})
                self._seen[direction] = seen + min(left, len(view["fake"]))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for direction, seen in self._seen.items():
            samples = trainer.strategy.reduce(torch.tensor(float(seen), device=pl_module.device), reduce_op="sum")
            if samples < 2:
                raise ValueError(f"metric/{self.name} needs at least 2 validation samples, got 1; give it more data")
            with isolate_rng():
                torch.manual_seed(0)
                values = self._scorers[direction].compute()
            values = {**values, f"{self.name}_samples": samples}
            for name, value in values.items():
                # The processes agree already; sync_dist keeps Lightning from warning that they might not.
                pl_module.log(metric_key(name, direction), value.float(), sync_dist=trainer.world_size > 1)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._scorers, self._make = {}, None

    def _share(self, trainer: Trainer) -> int:
        """How many of the samples this process scores."""
        share, rest = divmod(self.num_samples or 0, trainer.world_size)
        return share + (trainer.global_rank < rest)
