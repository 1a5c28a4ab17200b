"""Runs of the command line in forked processes: they need no start of an interpreter, and can be killed at any moment.

The process that forks must have started no threads: call `ready_to_fork` before anything else of torch's.
"""

import multiprocessing
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from gan_modules import cli

FORK = multiprocessing.get_context("fork")
PATIENCE = 120.0
"""Seconds after which a job counts as hanging."""

Prepare = Callable[[], Iterable[Callback]]
"""What a process does before it runs the command: patches, and callbacks that the trainer gets beside its own."""


class Failed(Exception):
    """A claim does not hold; the message says what happened instead."""


def ready_to_fork() -> None:
    """Keep torch from starting threads here, and from looking for a GPU in a way that forked processes inherit."""
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
    torch.set_num_threads(1)


def nothing() -> Iterable[Callback]:
    """Prepare nothing."""
    return ()


def giving(*callbacks: Callback) -> Prepare:
    """Prepare nothing but these callbacks."""
    return lambda: callbacks


class Progress(Callback):
    """Writes the number of the batch that is running where the parent sees it."""

    def __init__(self, batches: Any, rank: int) -> None:
        self.batches, self.rank = batches, rank

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.batches[self.rank] = trainer.global_step

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        self.batches[self.rank] = trainer.global_step + 1


class Job:
    """A command line, on one process or on several that a launcher like torchrun would start.

    Args:
        arguments: those of `scripts/fit.py`.
        log: file to which all processes append what they print.
        processes: how many; the arguments for several are added.
        prepare: done in each process first.
        command: what to run, as `gan_modules.cli.fit`.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        processes: int = 1,
        prepare: Prepare = nothing,
        command: Callable[[Sequence[str]], None] = cli.fit,
    ) -> None:
        self.log, self.began = log, time.monotonic()
        self.batches = FORK.RawArray("i", [-1] * processes)
        arguments = [*arguments, f"--trainer.devices={processes}"]
        chosen = any(argument.startswith("--trainer.strategy") for argument in arguments)
        arguments += ["--trainer.strategy=ddp"] if processes > 1 and not chosen else []
        port = _free_port()
        sys.stdout.flush()
        sys.stderr.flush()
        self.members = [
            FORK.Process(target=self._run, args=(command, arguments, prepare, rank, processes, port))
            for rank in range(processes)
        ]
        for member in self.members:
            member.start()

    def _run(
        self,
        command: Callable[[Sequence[str]], None],
        arguments: list[str],
        prepare: Prepare,
        rank: int,
        processes: int,
        port: int,
    ) -> None:
        """In the forked process: run the command as a new interpreter would."""
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with self.log.open("a", buffering=1) as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            sys.stdout = sys.stderr = log
            if processes > 1:
                os.environ |= _torchrun(rank, processes, port)
            _added_to_trainers([Progress(self.batches, rank), *prepare()])
            try:
                cli.main(command, arguments)
            except KeyboardInterrupt:  # a new interpreter says it and ends with 130
                raise SystemExit(128 + signal.SIGINT) from None

    @property
    def codes(self) -> list[int | None]:
        """Exit codes, the first process's first; None of one that runs, -9 of one that was killed."""
        return [member.exitcode for member in self.members]

    @property
    def running(self) -> bool:
        """Whether any process runs."""
        return None in self.codes

    def train(self, batches: int = 0) -> "Job":
        """Wait until every process trains, and the first has begun so many batches (or has ended)."""
        while self.running and (min(self.batches) < 0 or self.batches[0] < batches):
            self._check_time("reaches its first batches")
            time.sleep(0.001)
        return self

    def send(self, number: int, *ranks: int) -> None:
        """Send a signal to processes, to all where none are named."""
        for rank in ranks or range(len(self.members)):
            member = self.members[rank]
            if member.exitcode is None and member.pid is not None:
                os.kill(member.pid, number)

    def kill(self) -> None:
        """SIGKILL, to all processes at once and to the workers that they started."""
        self.send(signal.SIGKILL)
        for member in self.members:
            member.join()
            if member.pid is not None:
                _kill_group(member.pid)

    def wait(self) -> list[int]:
        """The exit codes, when all have ended.

        Raises:
            Failed: if they have not after `PATIENCE` seconds; they are killed.
        """
        for member in self.members:
            while member.exitcode is None:
                self._check_time("ends")
                member.join(0.05)
        return [member.exitcode or 0 for member in self.members]

    def succeed(self) -> "Job":
        """Wait for the end.

        Raises:
            Failed: if a process ends in an error; the message has the end of the log.
        """
        if any(codes := self.wait()):
            raise Failed(f"exit codes {codes}: {self.said()}")
        return self

    def said(self) -> str:
        """The last line of the log that says anything."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        wrong = [line for line in lines if "rror" in line]
        return (wrong or lines or ["nothing was printed"])[-1][:300]

    def _check_time(self, what: str) -> None:
        if time.monotonic() - self.began > PATIENCE:
            self.kill()
            raise Failed(f"hangs: no process {what} within {PATIENCE:.0f} s; {self.said()}")


def killed_at_random(job: Job, seconds: float, rng: random.Random) -> bool:
    """Kill a job at a moment of its first `seconds` of training; False if it had ended by itself before."""
    job.train()
    time.sleep(rng.uniform(0, seconds))
    struck = job.running
    job.kill()
    return struck


def kill_all() -> None:
    """Kill the processes that were started here and still run."""
    for member in multiprocessing.active_children():
        if member.pid is not None:
            _kill_group(member.pid)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _added_to_trainers(callbacks: list[Callback]) -> None:
    """Give every trainer of this process these callbacks too."""
    fit = Trainer.fit

    def fit_with_callbacks(self: Any, *arguments: Any, **options: Any) -> None:
        self.callbacks[:0] = callbacks
        fit(self, *arguments, **options)

    Trainer.fit = fit_with_callbacks  # type: ignore[method-assign]


def _torchrun(rank: int, processes: int, port: int) -> dict[str, str]:
    """The environment that torchrun gives a process on one machine."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "none",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "TORCHELASTIC_MAX_RESTARTS": "0",
    }


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
