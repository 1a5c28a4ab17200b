"""Several processes are one."""

from collections.abc import Iterable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.distributed import GradBucket  # type: ignore[attr-defined]
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.futures import Future
from torch.nn.functional import group_norm
from torch.nn.parallel import DistributedDataParallel

from proofs.cases import Case, Outcome
from proofs.jobs import FORK, Job, giving
from proofs.states import distance, final, flat, same_bits, state

DOUBLE = "--trainer.precision=64-true"


def by_sample() -> Iterable[Callback]:
    """Let batch norm normalise each sample by itself: its own statistics are those of a process's part of the batch."""

    def forward(self: Any, features: Tensor) -> Tensor:
        return group_norm(features, 1, self.weight, self.bias, self.eps)

    nn.modules.batchnorm._BatchNorm.forward = forward
    return ()


def two_processes_equal_one(case: Case) -> Outcome:
    """Two processes end in the weights of one: in float64, to 1e-12."""
    one = case.expected(DOUBLE, prepare=by_sample)
    two = case.expected(DOUBLE, processes=2, prepare=by_sample)
    difference = distance(one, two)
    return Outcome(1, f"largest relative difference {difference:.1e}", difference <= 1e-12)


def two_processes_equal_one_in_float32(case: Case) -> Outcome:
    """Two processes end in the bits of one that sums in the same order (two micro-batches): in float32."""
    one = state(final(case.run("--model.micro_batches=2", prepare=by_sample)))
    same_bits(one, case.expected(processes=2, prepare=by_sample))
    return Outcome(1, "equal bit for bit")


class Keep(Callback):
    """Writes what this process ends with."""

    def __init__(self, folder: Any) -> None:
        self.folder = folder

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        optimizers = [optimizer.state_dict() for optimizer in trainer.optimizers]
        torch.save([pl_module.state_dict(), optimizers], self.folder / f"rank-{trainer.global_rank}.pt")


def processes_end_identical(case: Case) -> Outcome:
    """Both of two processes end in the same bits."""
    folder = case.new_folder()
    case.job(folder, processes=2, prepare=giving(Keep(folder))).succeed()
    first, second = (torch.load(folder / f"rank-{rank}.pt", weights_only=True) for rank in range(2))
    same_bits(flat(first), flat(second))
    return Outcome(1, "equal bit for bit")


class Traffic(Callback):
    """In a process of several: bytes reduced, bytes of the gradients that steps were made with, seconds a batch.

    Args:
        found: where the first process leaves these three, each a mean over batches.
        skip: batches at the start that are not timed.
    """

    def __init__(self, found: Any, skip: int) -> None:
        self.found, self.skip = found, skip
        self.reduced = self.needed = 0
        self.begun: list[float] = []

    def count(self, tensor: Tensor) -> None:
        """Count a reduction, once training has begun."""
        self.reduced += tensor.numel() * tensor.element_size() if self.begun else 0

    def on_train_batch_start(self, *_: Any) -> None:
        self.begun.append(perf_counter())

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        self.needed += sum(gradient.numel() * gradient.element_size() for gradient in gradients)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            batches, timed = len(self.begun), self.begun[self.skip :]
            self.found[:] = [
                self.reduced / batches,
                self.needed / batches,
                (timed[-1] - timed[0]) / (len(timed) - 1),
            ]


def counted(traffic: Traffic) -> list[Callback]:
    """Let `traffic` see every reduction: those that Python asks for, and the buckets of DistributedDataParallel."""
    all_reduce, wrap = torch.distributed.all_reduce, DistributedDataParallel.__init__

    def counting(tensor: Tensor, *arguments: Any, **options: Any) -> Any:
        traffic.count(tensor)
        return all_reduce(tensor, *arguments, **options)

    def reduced(group: Any, bucket: GradBucket) -> Future[Tensor]:
        traffic.count(bucket.buffer())
        return allreduce_hook(group, bucket)

    def wrapping(self: Any, *arguments: Any, **options: Any) -> None:
        wrap(self, *arguments, **options)
        self.register_comm_hook(None, reduced)

    torch.distributed.all_reduce = counting
    DistributedDataParallel.__init__ = wrapping  # type: ignore[method-assign]
    return [traffic]


ONE_WRAPPER = "--trainer.strategy=ddp_find_unused_parameters_true"


def measured(case: Case, *options: str, count: bool = True) -> tuple[Path, list[float]]:
    """Thirty batches of the preset on two processes: the folder; bytes reduced, bytes needed and seconds, a batch."""
    folder, found = case.new_folder(), FORK.RawArray("d", 3)
    traffic = Traffic(found, skip=10)
    command = case.preset(folder, "--trainer.max_steps=30", *options)

    def prepare() -> Iterable[Callback]:
        return [*by_sample(), *(counted(traffic) if count else [traffic])]

    Job(command, folder / "log.txt", 2, prepare).succeed()
    return folder, list(found)


def bytes_reduced(case: Case) -> Outcome:
    """On two processes, bytes reduced by bytes of the gradients that steps were made with: 1.00."""
    results, holds = [], True
    kinds = [f"n_critic={n}" for n in (1, 5)] if case.model.startswith("wgan_gp") else [""]
    for kind in kinds:
        options = [f"--model.{kind}"] if kind else []
        ours, (reduced, needed, _) = measured(case, *options)
        theirs, (wrapped, _, _) = measured(case, *options, ONE_WRAPPER)
        same_bits(state(final(ours)), state(final(theirs)))
        holds = holds and f"{reduced / needed:.2f}" == "1.00"
        results.append(f"{kind} {reduced / needed:.2f} (one wrapper {wrapped / needed:.2f})".strip())
    return Outcome(2 * len(kinds), "ratio " + ", ".join(results) + "; weights equal bit for bit", holds)


def no_slower_than_one_wrapper(case: Case) -> Outcome:
    """On two processes, a batch takes no longer than under one DistributedDataParallel, in turns."""
    times: dict[str, list[float]] = {"": [], ONE_WRAPPER: []}
    turns = case.tries(6)
    for turn in range(turns):
        for strategy in sorted(times, reverse=turn % 2 == 1):
            options = [strategy] if strategy else []
            times[strategy].append(measured(case, *options, count=False)[1][2])
    ours, theirs = times[""], times[ONE_WRAPPER]
    ratio = median(one / other for one, other in zip(ours, theirs, strict=True))
    result = f"{1e3 * median(ours):.1f} ms a batch, one wrapper {1e3 * median(theirs):.1f}: ratio {ratio:.2f}"
    return Outcome(2 * turns, result, ratio <= 1.02)
