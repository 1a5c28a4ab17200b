"""The one base class: the mechanics that every adversarial network shares, and no algorithm."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple, Self, TypedDict, Unpack, cast

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.model_helpers import _restricted_classmethod
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from gan_modules import checks, execution, randomness, sharding, strategies, vetting
from gan_modules.averaging import Averages
from gan_modules.batches import check_known, size_of
from gan_modules.randomness import Stream, mix
from gan_modules.reading import checked_path, contents

Loss = Callable[..., Any]


class Mechanics(TypedDict, total=False):
    """What every module's constructor takes beside its paper's arguments.

    Args:
        average_decay: decay, per generator step, of the exponential moving average of the generator that samples and
            metrics use; None keeps no average.
        clip_norm: the largest norm that the gradients of one optimizer may have together; None does not clip.
        micro_batches: into how many equal parts a batch is cut, their gradients being accumulated, so that a batch
            that does not fit into memory trains as if it did.
        compile: train networks compiled by `torch.compile`; penalties (`gan_modules.penalties` says why) and samples
            are computed as without it.
        channels_last: train with convolutions' weights, hence activations, in torch's channels_last memory format.
        check_finite: stop at the step whose gradient is not finite, before it changes a weight.
    """

    average_decay: float | None
    clip_norm: float | None
    micro_batches: int
    compile: bool
    channels_last: bool
    check_finite: bool


class AdversarialModule(LightningModule):
    """Manual optimization done right, once.

    A subclass gives its networks, `configure_optimizers`, losses as methods that return a scalar, and a
    `training_step` that calls `descend`. It calls `register_generators` with the names of its generators at the end of
    its constructor.

    Attributes:
        batches_seen: training batches, the current one included, over epochs and restarts.
        generator_steps: optimizer steps of the generator, over epochs and restarts.
        generators: names of the generators.
        compiled: whether the networks are compiled, as they are from the first fit on if so wanted.

    Lightning's `global_step`, and with it `max_steps`, checkpoint intervals and loggers' x-axes, counts batches.
    """

    persistent: ClassVar[tuple[str, ...]] = ("batches_seen", "generator_steps", "seed")
    """Names of the attributes that a checkpoint carries beside the state dict."""

    at_rest: ClassVar[tuple[str, ...]] = ()
    """Names of networks, or of None, that stay in evaluation mode while the others train."""

    needs_every_label = False
    """Whether it cannot be trained where labels are unknown, -1."""

    def __init__(self, **mechanics: Unpack[Mechanics]) -> None:
        super().__init__()
        self.automatic_optimization = False
        if unknown := mechanics.keys() - Mechanics.__annotations__.keys():
            raise ValueError(f"expected the arguments of {type(self).__name__}, got {min(unknown)}; correct its name")
        self.average_decay = mechanics.get("average_decay")
        self.clip_norm = mechanics.get("clip_norm")
        self.micro_batches = mechanics.get("micro_batches", 1)
        self.check_finite = mechanics.get("check_finite", True)
        self.channels_last = mechanics.get("channels_last", False)
        self.wants_compiled, self.compiled = mechanics.get("compile", False), False
        checks.switch(check_finite=self.check_finite, compile=self.wants_compiled, channels_last=self.channels_last)
        if self.average_decay is not None:
            checks.fraction(average_decay=self.average_decay)
        if self.clip_norm is not None:
            checks.positive(clip_norm=self.clip_norm)
        checks.whole(1, micro_batches=self.micro_batches)
        self.batches_seen = 0
        self.generator_steps = 0
        self.seed: int | None = None
        self.averages = Averages()
        self.generators: tuple[str, ...] = ()
        self._counted = False
        self._recorded: dict[str, tuple[Tensor, int]] = {}
        self._divisions: dict[int, _Division] = {}
        self._descending = "a gradient"
        self._unread: list[tuple[int, str, Tensor, torch.cuda.Event]] = []

    def train(self, mode: bool = True) -> Self:
        """As torch's, but for the networks of `at_rest`."""
        super().train(mode)
        for network in (getattr(self, name) for name in self.at_rest):
            if network is not None:
                network.eval()
        return self

    def register_generators(self, *names: str) -> None:
        """Say which attributes are generators: their optimizer's steps are counted and their averages kept."""
        self.generators = names
        if self.average_decay is not None:
            self.averages = Averages({name: getattr(self, name) for name in names})

    def serving(self, name: str) -> nn.Module:
        """The network `name` in training mode; in evaluation mode its average, where one is kept."""
        if self.training:
            return getattr(self, name)
        if name in self.averages:
            return self.averages[name]
        return execution.Eager(getattr(self, name)) if self.compiled else getattr(self, name)

    def optimizers(self, use_pl_optimizer: bool = True) -> list[LightningOptimizer]:  # type: ignore[override]
        """The optimizers in the order of `configure_optimizers`, always as a list."""
        optimizers: Any = super().optimizers(use_pl_optimizer)
        return optimizers if isinstance(optimizers, list) else [optimizers]

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers of this step, on the module's device and in its dtype; the batch comes first."""
        return randomness.normal(*shape, device=self.device, dtype=cast(torch.dtype, self.dtype))

    def descend(self, optimizer: LightningOptimizer, loss: Loss, *inputs: Any) -> Any:
        """Step `optimizer` once down the gradient of `loss(*inputs)`, every other parameter being frozen meanwhile.

        A step that a GradScaler leaves out, its gradients having overflowed, counts like any other for averages and
        schedules: to know of it would wait for the device in every step, for the few at the start of a run.

        Args:
            optimizer: one of `self.optimizers()`.
            loss: returns a scalar, the mean over the batch; or a tuple of it and by-products that are wanted again.
            inputs: tensors, whose first dimension is the batch, and anything else, which is passed on as it is.

        Returns:
            What `loss` returned, detached; over micro-batches scalars are averaged and by-products joined.

        Raises:
            ValueError: if the batch does not divide into `micro_batches`.
            FloatingPointError: if a gradient is not finite; no weight was changed by it.
        """
        division = self._division(optimizer)
        parameters = [parameter for parameter in division.own if parameter.requires_grad]
        leaves = None if sharding.is_sharded(parameters) else parameters
        self._descending = f"the gradient of {getattr(loss, '__name__', 'the loss')} for {division.networks}"
        returned = []
        optimizer.zero_grad()
        with frozen(division.others):
            for part in self._micro_batches(inputs):
                outcome = loss(*part)
                outcome = outcome if isinstance(outcome, tuple) else (outcome,)
                # autocast would lower the second derivatives of a penalty
                with torch.autocast(self.device.type, enabled=False):
                    self.manual_backward(outcome[0] / self.micro_batches, inputs=leaves)
                returned.append([each.detach() for each in outcome])
        self._count_once_a_batch(optimizer)
        optimizer.step()
        self._step_schedulers("step", optimizer)
        if division.generates:
            self._follow_generators()
        joined = tuple(_joined(each) for each in zip(*returned, strict=True))
        return joined if len(joined) > 1 else joined[0]

    def record(self, **losses: Tensor) -> None:
        """Log `loss/<name>` for each of `losses`: the mean since the last log, on the steps at which the trainer logs.

        The numbers are gathered on the device, so that no step waits for them, and a loss that is not computed on
        every batch appears beside those that are.
        """
        for name, value in losses.items():
            total, count = self._recorded.get(f"loss/{name}", (torch.zeros_like(value), 0))
            self._recorded[f"loss/{name}"] = (total + value, count + 1)

    def _division(self, optimizer: LightningOptimizer) -> "_Division":
        """What an optimizer steps and what it does not; found once a fit."""
        key = id(optimizer.optimizer)
        if key not in self._divisions:
            own = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            kept = set(own)
            others = [parameter for parameter in self.parameters() if parameter not in kept]
            generates = any(p in kept for name in self.generators for p in getattr(self, name).parameters())
            networks = [name for name, child in self.named_children() if any(p in kept for p in child.parameters())]
            self._divisions[key] = _Division(own, others, generates, " and ".join(networks))
        return self._divisions[key]

    def _micro_batches(self, inputs: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        if self.micro_batches == 1:
            yield inputs
            return
        if bad := [len(each) for each in inputs if isinstance(each, Tensor) and len(each) % self.micro_batches]:
            raise ValueError(
                f"a batch of {bad[0]} does not divide into {self.micro_batches} micro-batches; "
                "choose a batch_size that is a multiple of micro_batches"
            )
        stream = randomness.current() or Stream(0)
        for index in range(self.micro_batches):
            with stream.cut(index, self.micro_batches):
                yield tuple(each[index :: self.micro_batches] if isinstance(each, Tensor) else each for each in inputs)

    def _count_once_a_batch(self, optimizer: LightningOptimizer) -> None:
        # Lightning counts every optimizer's step; private names, held by tests/test_adversarial.py.
        if self._counted:
            optimizer._on_before_step = optimizer._on_after_step = _nothing
        self._counted = True

    def _step_schedulers(self, interval: str, optimizer: LightningOptimizer | None = None) -> None:
        for config in self.trainer.lr_scheduler_configs:
            if config.interval == interval and (optimizer is None or config.scheduler.optimizer is optimizer.optimizer):
                config.scheduler.step()  # type: ignore[call-arg]

    def _follow_generators(self) -> None:
        self.generator_steps += 1
        if self.average_decay is not None:
            self.averages.follow(
                {name: getattr(self, name) for name in self.generators}, self.decay(self.average_decay)
            )

    def decay(self, wanted: float) -> float:
        """The decay of the averages in this step: `wanted`, but less at first, when a new network changes fast."""
        return min(wanted, (1 + self.generator_steps) / (10 + self.generator_steps))

    def setup(self, stage: str) -> None:
        if stage == "fit":
            strategies.check(self.trainer.strategy)
            if self.needs_every_label:
                check_known(getattr(self.trainer, "datamodule", None), type(self).__name__)

    def configure_model(self) -> None:
        if self.device_mesh is not None:
            sharding.shard(self)

    def on_fit_start(self) -> None:
        if self.seed is None:
            seed = int(os.environ.get("PL_GLOBAL_SEED", torch.initial_seed()))
            self.seed = self.trainer.strategy.broadcast(mix(seed))
        self._recorded.clear()
        self._divisions.clear()
        networks = [child for child in self.children() if any(True for _ in child.parameters())]
        if self.channels_last:
            execution.channels_last(networks)
        self.compiled = self.wants_compiled
        if self.compiled:
            execution.compile(network for network in networks if network is not self.averages)
        if not self.training:  # left in evaluation mode after sampling, it would train its averages
            self.train()

    def on_train_start(self) -> None:
        execution.follow_layout(self.trainer.optimizers)
        if self.trainer.strategy.broadcast(self.batches_seen) != self.batches_seen:
            raise ValueError(
                f"process {self.global_rank} goes on from batch {self.batches_seen}, the first one from another; give "
                "all of them the same checkpoint"
            )
        # resumed from the checkpoint of an epoch's last batch, Lightning never ends that epoch
        for config in self.trainer.lr_scheduler_configs:
            scheduler: Any = config.scheduler
            if config.interval == "epoch" and scheduler.last_epoch < self.current_epoch:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step\\(\\)` before")
                    scheduler.step()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self.batches_seen += 1
        self._counted = False
        self._start_stream(self.batches_seen)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        randomness.use(None)
        if self._recorded and self.batches_seen % max(cast(Any, self.trainer).log_every_n_steps, 1) == 0:
            means = {name: total / count for name, (total, count) in self._recorded.items()}
            self.log_dict(means, prog_bar=True, sync_dist=self.trainer.world_size > 1)
            self._recorded.clear()
        self._read_checks(self.batches_seen)

    def on_train_epoch_end(self) -> None:
        self._read_checks(self.batches_seen + 1)
        if self.batches_seen == 0:
            raise ValueError(_NO_BATCH)
        self._step_schedulers("epoch")

    def on_fit_end(self) -> None:
        wanted = self.trainer.max_steps != 0 and self.trainer.max_epochs != 0
        if wanted and (self.trainer.num_training_batches == 0 or self.trainer.limit_train_batches == 0):
            raise ValueError(_NO_BATCH)

    def on_validation_batch_start(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._start_stream(-1 - batch_idx, self._shares(size_of(batch)))

    def on_validation_batch_end(self, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        randomness.use(None)

    def _shares(self, items: int) -> tuple[int, int] | None:
        """How many items this process and all together have; None where each has as many."""
        if self.trainer.world_size == 1 or not items:
            return None
        return items, int(self.trainer.strategy.reduce(torch.tensor(items, device=self.device), reduce_op="sum"))

    def _start_stream(self, step: int, items: tuple[int, int] | None = None) -> None:
        seed, rank = mix(self.seed or 0, step), self.global_rank
        randomness.use(Stream(seed, rank, self.trainer.world_size, items))
        # For networks that draw from torch's global generators; torch.manual_seed formats a traceback for every kind of
        # device that is not in use.
        torch.default_generator.manual_seed(mix(seed, rank))
        if self.device.type != "cpu":
            torch.get_device_module(self.device).manual_seed(mix(seed, rank))

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        check = self.check_finite and scaler is None  # a scaler expects overflows, and leaves such a step out itself
        if not check and self.clip_norm is None:
            return
        fused = getattr(optimizer, "_step_supports_amp_scaling", False)
        if scaler is not None and fused:
            scaler.unscale_(optimizer)  # Lightning leaves it to the step of fused optimizers, too late for a norm
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = sharding.whole(nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None]))
        if check:
            self._check_finite(optimizer, norm, fused)
        if self.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(parameters, self.clip_norm, norm)

    def _check_finite(self, optimizer: Optimizer, norm: Tensor, fused: bool) -> None:
        """Stop before a step whose gradient has a `norm` that is not finite.

        On a GPU, reading the norm would wait for the gradient. There a fused optimizer leaves out the step by itself
        (as it does for a GradScaler), and the norm is read a batch later.
        """
        if not (norm.is_cuda and fused):
            _raise_unless(bool(norm.isfinite()), self._descending, self.batches_seen)
            return
        optimizer.found_inf = (~norm.isfinite()).float()  # type: ignore[attr-defined]
        event = torch.cuda.Event()
        finite = norm.isfinite().to("cpu", non_blocking=True)
        event.record()
        self._unread.append((self.batches_seen, self._descending, finite, event))

    def _read_checks(self, before: int) -> None:
        """Look at the checks of all batches before this one."""
        while self._unread and self._unread[0][0] < before:
            batch, gradient, finite, event = self._unread.pop(0)
            event.synchronize()
            _raise_unless(bool(finite), gradient, batch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["adversarial"] = self._counters()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        vetting.check(checkpoint, self, self._counters())
        if self._trainer is not None:  # Lightning converts only what it has loaded, float64 rounded to float32
            self.trainer.precision_plugin.convert_module(self)
            if self.trainer.max_steps != -1:
                _back_to_last_batch(checkpoint.get("loops", {}).get("fit_loop", {}))
        for name in self.persistent:
            setattr(self, name, checkpoint["adversarial"][name])

    def _counters(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.persistent}

    @_restricted_classmethod
    def load_from_checkpoint(
        cls,
        checkpoint_path: str | Path | IO[bytes],
        map_location: Any = None,
        hparams_file: str | Path | None = None,
        strict: bool | None = None,
        weights_only: bool | None = None,
        **kwargs: Any,
    ) -> Self:
        """As Lightning's, of local files, of which nothing is executed unless `weights_only` is False.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: for a URL, and if the file does not hold what such a module saves.
        """
        if isinstance(checkpoint_path, (str, Path)):
            checked_path(checkpoint_path)
        if weights_only is not False:
            vetting.check_arguments(contents(checkpoint_path, mapped=True))
        return super().load_from_checkpoint(
            checkpoint_path, map_location, hparams_file, strict, weights_only is not False, **kwargs
        )


class _Division(NamedTuple):
    """The parameters of an optimizer, all others, whether it steps a generator, and the networks it steps, by name."""

    own: list[nn.Parameter]
    others: list[nn.Parameter]
    generates: bool
    networks: str


_NO_BATCH = (
    "no step was taken, because the training data gave no batch; give more data, a smaller batch_size, or a larger "
    "limit_train_batches"
)


def adam(
    parameters: Iterable[nn.Parameter], learning_rate: float, betas: tuple[float, float], weight_decay: float = 0.0
) -> Adam:
    """Fused Adam, 2.6 to 5.9 times as fast as the default one on the CPU; the decay is added to the gradient."""
    return Adam(parameters, lr=learning_rate, betas=betas, weight_decay=weight_decay, fused=True)


def _joined(parts: tuple[Tensor, ...]) -> Tensor:
    if len(parts) == 1:
        return parts[0]
    return torch.stack(parts).mean(0) if parts[0].ndim == 0 else torch.stack(parts, dim=1).flatten(0, 1)


def _back_to_last_batch(progress: dict[str, Any]) -> None:
    """Make a checkpoint of the end of an epoch one of the end of its last batch.

    Where `max_steps` is given, Lightning 2.6 goes on from the former by training on one batch too many in that epoch.
    """
    if (
        not progress
        or progress["epoch_progress"]["current"]["processed"] < progress["epoch_progress"]["current"]["ready"]
    ):
        return
    for scope in ("total", "current"):
        epochs, batches = progress["epoch_progress"][scope], progress["epoch_loop.batch_progress"][scope]
        epochs["processed"] -= 1
        epochs["completed"] = min(epochs["completed"], epochs["processed"])
        batches["completed"] = batches["ready"] - 1
    progress["epoch_loop.state_dict"]["_batches_that_stepped"] -= 1


def _raise_unless(finite: bool, gradient: str, batch: int) -> None:
    if not finite:
        raise FloatingPointError(
            f"{gradient} is not finite at batch {batch}, so that step was not made and weights are finite; lower the "
            "learning rate, set clip_norm, or train at a higher precision"
        )


@contextmanager
def frozen(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Inside, what is computed gives these parameters no gradient."""
    free = [parameter for parameter in parameters if parameter.requires_grad]
    for parameter in free:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in free:
            parameter.requires_grad_(True)


def _nothing() -> None:
    pass
