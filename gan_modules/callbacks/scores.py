"""The callback under all metric callbacks: feeds metrics a direction, and logs what they say."""

import hashlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor
from torch.utils.data import DistributedSampler
from torchmetrics import Metric

from gan_modules.callbacks.views import View, metric_key, views_of
from gan_modules.checks import whole
from gan_modules.metrics import cache as statistics
from gan_modules.metrics.features import FeatureNetwork, Unavailable

BESIDE = ("_std", "_identity", "_real")
"""How names end of values that stand beside another one and have its number of samples."""

Feed = Callable[[Metric, View, bool], None]
"""Updates a metric with what one validation batch showed, of the generated images or (True) of the data."""


def alone(metric: Metric, view: View, real: bool) -> None:
    """Feed a metric of generated images that asks for no data."""
    if not real:
        metric.update(view["fake"], real=False)


def compared(metric: Metric, view: View, real: bool) -> None:
    """Feed a metric that compares generated images with data."""
    metric.update(view["real" if real else "fake"], real=real)


def labelled(metric: Metric, view: View, real: bool) -> None:
    """Feed a metric that compares generated images with data of the same classes; see `labels_of`."""
    metric.update(view["real" if real else "fake"], real=real, labels=labels_of(view, metric))


def labels_of(view: View, metric: Metric) -> Tensor:
    """The labels of a view, which are those of its data and of its generated images: (n,).

    Raises:
        ValueError: if it has none.
    """
    if "labels" not in view:
        raise ValueError(
            f'{type(metric).__name__} needs "labels" in what validation_step returns, got {sorted(view)}; leave it out '
            "for a model without classes"
        )
    return view["labels"]


def to_truth(metric: Metric, view: View, real: bool) -> None:
    """Feed a metric that compares each translation with its truth; without truths it has no value."""
    if not real and "truth" in view:
        metric.update(view["fake"], view["truth"])


class Scorer:
    """Keeps one score of one direction.

    Args:
        name: what the value is called; of a metric that gives (mean, deviation) the second is NAME_std. Of a metric
            that gives values by name they have these names. A network of features adds what it is.
        metric: is computed and begins anew after each validation. Where its `reset` keeps the data, they are taken in
            in the first one alone.
        feed: how the metric is updated.
        once: the value does not change in a run, and is computed in the first validation.
        samples: how many there are, where they are not those of the validation data.
    """

    def __init__(
        self, name: str, metric: Metric, feed: Feed = compared, once: bool = False, samples: int | None = None
    ) -> None:
        self.name, self.metric, self.feed, self.once, self.samples = name, metric, feed, once, samples
        self.values: dict[str, Tensor] = {}
        self.knows_real = False
        self.header: statistics.Header | None = None

    @property
    def network(self) -> FeatureNetwork | None:
        """The network of features, if the metric has one."""
        network = getattr(self.metric, "network", None)
        return network if isinstance(network, FeatureNetwork) else None

    @property
    def settled(self) -> bool:
        """Whether its value is known, and does not change in a run."""
        return self.once and bool(self.values)

    @property
    def better(self) -> str:
        """Whether "higher" or "lower" values are better; empty where the metric does not say."""
        return {True: "higher", False: "lower", None: ""}[self.metric.higher_is_better]

    def compute(self) -> dict[str, Tensor]:
        """Names and values over what was taken in since the last call, the same on every process."""
        if self.metric.update_called and not self.settled:
            value = self.metric.compute()
            self.metric.reset()
            self.knows_real = not getattr(self.metric, "reset_real", True)
            if not isinstance(value, Mapping):
                numbers = value if isinstance(value, Sequence) else (value,)
                value = dict(zip((self.name, f"{self.name}_std"), numbers, strict=False))
            self.values = {self._named(name): number for name, number in value.items()}
        return self.values

    def _named(self, name: str) -> str:
        base, end = (name.removesuffix("_std"), "_std") if name.endswith("_std") else (name, "")
        return f"{self.network.named(base) if self.network else base}{end}"


class Scores(Callback, ABC):
    """Logs `metric/NAME` for every value of its `scorers`, and beside them `metric/NAME_samples`, after validation.

    The scorers are held here and not by the module, so that networks of metrics stay out of checkpoints and out of
    half precision. The sanity check is not scored. Random numbers of training are left alone. A metric that there are
    too few samples for is left out, with a warning.

    What a metric's network makes of the data is kept on the disk, where the data are the held-out part of one of our
    data modules: the next run of the same data, size, network and number of samples starts with it.

    Several processes, among which the samples are dealt in turn, score what one process would: the same samples, each
    once, and log one value. What torch's `DistributedSampler` repeats at the end of a data set is left out while
    fitting; in `Trainer.validate` Lightning itself advises against that sampler.

    Args:
        every_n_epochs: score the validations of every n-th epoch, beginning with the first one that is seen.
        num_samples: score the first so many samples at most, over all processes; None: all.
        cache: keep what the network makes of the data on the disk, in the folder given, or (True) in the user's; see
            `gan_modules.metrics.cache`.
    """

    least = 2
    """The samples that the metric needs."""

    def __init__(self, every_n_epochs: int, num_samples: int | None, cache: bool | str | Path = False) -> None:
        whole(1, every_n_epochs=every_n_epochs)
        if num_samples is not None:
            whole(self.least, num_samples=num_samples)
        self.folder = statistics.folder_of(cache)
        self.every_n_epochs, self.num_samples = every_n_epochs, num_samples
        self.better: dict[str, str] = {}
        self._keys: set[str] = set()
        self._available = False
        self._scorers: dict[str, list[Scorer]] = {}
        self._seen: dict[str, int] = {}
        self._scoring = False
        self._share = 0

    @abstractmethod
    def scorers(self) -> list[Scorer]:
        """New scorers, for one direction.

        Raises:
            Unavailable: if they cannot be had here; the run says so once and goes on without them.
        """

    def stands(self, key: str) -> bool:
        """Whether the value with this key, as `metric/fid`, is its own and older than the last validation."""
        return key in self._keys and not self._scoring

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage not in ("fit", "validate"):
            return
        self._scorers, available = {}, True
        try:
            with isolate_rng():
                self.scorers()
        except Unavailable as reason:
            rank_zero_warn(f"{type(self).__name__} is left out: {reason}")
            available = False
        self._available = trainer.strategy.reduce_boolean_decision(available, all=True)
        if available and not self._available:
            rank_zero_warn(f"{type(self).__name__} is left out: another process cannot have what it needs.")

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        due = not self._scorers or trainer.current_epoch % self.every_n_epochs == 0
        self._scoring = due and self._available and not trainer.sanity_checking
        self._seen = {}
        limit = min(self.num_samples or sys.maxsize, _items(trainer))
        self._share = len(range(trainer.global_rank, limit, trainer.world_size))

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        if not self._scoring:
            return
        for direction, view in views_of(outputs).items():
            if direction not in self._scorers:
                self._scorers[direction] = self.scorers()
                for scorer in self._scorers[direction]:
                    scorer.metric.to(pl_module.device)
            seen = self._seen.get(direction, 0)
            taken = min(len(view["fake"]), self._share - seen)
            if taken or direction not in self._seen:  # metrics join in what all processes do, with or without samples
                self._update(trainer, direction, {key: part[:taken] for key, part in view.items()})
            self._seen[direction] = seen + taken

    def _update(self, trainer: Trainer, direction: str, view: View) -> None:
        for scorer in self._scorers[direction]:
            if scorer.settled:
                continue
            scorer.feed(scorer.metric, view, False)
            if direction not in self._seen and not scorer.knows_real:
                self._recall(trainer, direction, view, scorer)
            if not scorer.knows_real:
                scorer.feed(scorer.metric, view, True)

    def _recall(self, trainer: Trainer, direction: str, view: View, scorer: Scorer) -> None:
        """Start with what an earlier run has kept of the data; all processes do, or none."""
        network = scorer.network
        if self.folder is None or network is None or not statistics.real_states(scorer.metric):
            return
        data = _held_out(trainer) if trainer.is_global_zero else None
        header, samples = None, self.num_samples or sys.maxsize
        if data is not None:
            header = data | _described(view["real"][:1], network)
            header |= {"samples": min(samples, int(data["samples"])), "direction": direction}
            header |= {"states": " ".join(statistics.real_states(scorer.metric))}
        scorer.header = header = trainer.strategy.broadcast(header)
        if header is None:
            return
        known = statistics.load(self.folder, header, scorer.metric)
        if trainer.strategy.reduce_boolean_decision(known is not None, all=True) and known is not None:
            statistics.take(known, header, scorer.metric, trainer.global_rank, trainer.world_size)
            scorer.knows_real = True

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for direction, seen in self._seen.items():
            samples = trainer.strategy.reduce(torch.tensor(float(seen), device=pl_module.device), reduce_op="sum")
            if samples < self.least:
                rank_zero_warn(
                    f"{type(self).__name__} needs at least {self.least} validation samples, got {samples:.0f}, and is "
                    "left out; give it more data."
                )
                self._scorers, self._available = {}, False
                break
            for scorer in self._scorers[direction]:
                self._keep(trainer, scorer, int(samples))
                with isolate_rng():
                    torch.manual_seed(0)
                    values = scorer.compute()
                alone = [name for name in values if not name.endswith(BESIDE)]
                self.better |= dict.fromkeys(alone, scorer.better)
                counted = samples if scorer.samples is None else torch.tensor(float(scorer.samples))
                values = values | {f"{name}_samples": counted for name in alone}
                self._keys |= {metric_key(name, direction) for name in values}
                for name, value in values.items():
                    # The processes agree already; sync_dist keeps Lightning from warning that they might not.
                    pl_module.log(
                        metric_key(name, direction),
                        value.float().to(pl_module.device),
                        sync_dist=trainer.world_size > 1,
                    )
                if scorer.network:
                    scorer.network.forget()

    def _keep(self, trainer: Trainer, scorer: Scorer, samples: int) -> None:
        """Keep on the disk what the first validation made of the data, where that is all of it."""
        header, scorer.header = scorer.header, None
        if self.folder is None or header is None or scorer.knows_real or header["samples"] != samples:
            return
        with scorer.metric.sync_context(dist_sync_fn=scorer.metric.dist_sync_fn):
            if trainer.is_global_zero:
                statistics.keep(self.folder, header, scorer.metric)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._scorers, self._available = {}, False
        vars(self).pop("network", None)  # a cached one: between runs no copy is kept


def _items(trainer: Trainer) -> int:
    """How many items the validation data have, where a distributed sampler would go on; else any number."""
    loader = trainer.val_dataloaders if trainer.state.fn == TrainerFn.FITTING else None
    sampler = getattr(loader, "sampler", None)
    if isinstance(sampler, DistributedSampler) and getattr(loader, "batch_size", None):
        return len(sampler.dataset)  # type: ignore[arg-type]
    return sys.maxsize


def _held_out(trainer: Trainer) -> statistics.Header | None:
    """What is validated with, where it is the held-out part of a data module that knows its contents."""
    data: Any = getattr(trainer, "datamodule", None)
    loader = trainer.val_dataloaders or ()
    fingerprint, dataset = getattr(data, "fingerprint", None), getattr(loader, "dataset", None)
    if fingerprint is None or dataset is None or dataset is not getattr(data, "held_out", None):
        return None
    found, batches = fingerprint("held_out"), trainer.num_val_batches[0]
    if found is None:
        return None
    samples = len(data.held_out) if batches >= len(loader) else int(batches) * data.batch_size
    return {"data": f"{type(data).__name__}, held out", "fingerprint": found, "samples": samples}


def _described(first: Tensor, network: FeatureNetwork) -> statistics.Header:
    """The first real picture as the network sees it, in which it would show that a model alters the data."""
    pixels = first.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
    return {
        "picture": f"{first.dtype} {tuple(first.shape)} {hashlib.sha256(pixels).hexdigest()}",
        "network": f"{type(network.body).__name__}{network.label}",
        "weights": network.fingerprint,
        "device": first.device.type,
    }
