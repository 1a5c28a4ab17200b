"""The callback under all metric callbacks: feeds one scorer a direction, and logs what it says."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor
from torch.utils.data import DistributedSampler

from gan_modules.callbacks.views import View, metric_key, views_of
from gan_modules.checks import whole
from gan_modules.metrics.features import Unavailable


class Scorer(Protocol):
    """What keeps the score of one direction."""

    def to(self, device: torch.device) -> Any:
        """Move to a device, in place."""

    def update(self, view: View) -> None:
        """Take in what one validation batch showed; of a view without samples, what kind they would be of."""

    def compute(self) -> dict[str, Tensor]:
        """Names and values over what was taken in since the last call, the same on every process."""


class Scores(Callback):
    """Logs `metric/NAME` for every value of its scorers, and beside them `metric/NAME_samples`, after validation.

    The scorers are held here and not by the module, so that networks of metrics stay out of checkpoints and out of
    half precision. The sanity check is not scored. Random numbers of training are left alone.

    Several processes, among which the samples are dealt in turn, score what one process would: the same samples, each
    once, and log one value. What torch's `DistributedSampler` repeats at the end of a data set is left out while
    fitting; in `Trainer.validate` Lightning itself advises against that sampler.

    Args:
        names: of the values beside which the number of samples is logged, where the scorers have them.
        prepare: called once a fit; returns what makes one scorer. Where it raises `Unavailable` the run says so once
            and goes on without the metric.
        every_n_epochs: score the validations of every n-th epoch, beginning with the first one that is seen.
        num_samples: score the first so many samples at most, over all processes; None: all.
    """

    def __init__(
        self,
        names: Sequence[str],
        prepare: Callable[[], Callable[[], Scorer]],
        every_n_epochs: int,
        num_samples: int | None,
    ) -> None:
        whole(1, every_n_epochs=every_n_epochs)
        if num_samples is not None:
            whole(2, num_samples=num_samples)
        self.names, self.prepare = names, prepare
        self.every_n_epochs, self.num_samples = every_n_epochs, num_samples
        self._make: Callable[[], Scorer] | None = None
        self._scorers: dict[str, Scorer] = {}
        self._seen: dict[str, int] = {}
        self._scoring = False
        self._share = 0

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
        elif make is not None:
            rank_zero_warn(f"metric/{self.names[0]} is left out: another process cannot have what it needs.")

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        due = not self._scorers or trainer.current_epoch % self.every_n_epochs == 0
        self._scoring = due and self._make is not None and not trainer.sanity_checking
        self._seen = {}
        limit = min(self.num_samples or sys.maxsize, _items(trainer))
        self._share = len(range(trainer.global_rank, limit, trainer.world_size))

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
            taken = min(len(view["fake"]), self._share - seen)
            if taken or direction not in self._seen:  # scorers join in what all processes do, with or without samples
                self._scorers[direction].update({key: part[:taken] for key, part in view.items()})
            self._seen[direction] = seen + taken

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for direction, seen in self._seen.items():
            samples = trainer.strategy.reduce(torch.tensor(float(seen), device=pl_module.device), reduce_op="sum")
            if samples < 2:
                raise ValueError(
                    f"metric/{self.names[0]} needs at least 2 validation samples, got 1; give it more data"
                )
            with isolate_rng():
                torch.manual_seed(0)
                values = self._scorers[direction].compute()
            values |= {f"{name}_samples": samples for name in self.names if name in values}
            for name, value in values.items():
                # The processes agree already; sync_dist keeps Lightning from warning that they might not.
                pl_module.log(metric_key(name, direction), value.float(), sync_dist=trainer.world_size > 1)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._scorers, self._make = {}, None


def _items(trainer: Trainer) -> int:
    """How many items the validation data have, where a distributed sampler would go on; else any number."""
    loader = trainer.val_dataloaders if trainer.state.fn == TrainerFn.FITTING else None
    sampler = getattr(loader, "sampler", None)
    if isinstance(sampler, DistributedSampler) and getattr(loader, "batch_size", None):
        return len(sampler.dataset)  # type: ignore[arg-type]
    return sys.maxsize
