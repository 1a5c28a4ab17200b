"""What must not change training, and what must keep its numbers right."""

import csv
import random
import re
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from benchmark import CheckTurns
from gan_modules import penalties
from proofs.cases import Case, Outcome
from proofs.endings import goes_on
from proofs.jobs import FORK, Failed, Job, giving
from proofs.processes import DOUBLE, by_sample
from proofs.states import distance, final, finite, same_bits, state

BF16 = "--trainer.precision=bf16-mixed"
WATCHED = ("--samples.every_n_batches=3", "--trainer.limit_val_batches=2", "--trainer.check_val_every_n_epoch=1")


def watching(case: Case) -> Outcome:
    """Samples, validation and metrics during training change no bit of it."""
    quiet = case.expected("--trainer.limit_val_batches=0")
    metric = "TranslationScores" if case.model in ("cyclegan", "pix2pix") else "SWD"
    metrics = () if case.model == "gan" else (f"--trainer.callbacks+=gan_modules.callbacks.{metric}",)
    for more in ((), ("--trainer.val_check_interval=4",)):
        same_bits(quiet, state(final(case.run(*WATCHED, *more, *metrics))))
    return Outcome(2, "equal bit for bit")


def micro_batches(case: Case) -> Outcome:
    """Two and four micro-batches give the gradients of the whole batch, in float64."""
    options = (DOUBLE, "--data.batch_size=16")  # a quarter of which still holds a group of a standard deviation
    whole = case.expected(*options, prepare=by_sample)
    differences = [
        distance(whole, state(final(case.run(*options, f"--model.micro_batches={parts}", prepare=by_sample))))
        for parts in (2, 4)
    ]
    return Outcome(2, f"largest relative difference {max(differences):.1e}", max(differences) <= 1e-10)


class Norms(Callback):
    """Writes the largest norm of the gradients with which an optimizer stepped."""

    def __init__(self, largest: Any) -> None:
        self.largest = largest

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for optimizer in trainer.optimizers:
            optimizer.register_step_post_hook(self.after_step)

    def after_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g.double()) for g in gradients]))
        self.largest.value = max(self.largest.value, norm.item())


def clipping(case: Case) -> Outcome:
    """Clipping bounds the true norm of the gradients, with micro-batches, in bfloat16 and on two processes too."""
    found = []
    for options, processes in (((), 1), (("--model.micro_batches=2",), 1), ((BF16,), 1), ((), 2)):
        largest = FORK.RawValue("d", 0.0)
        case.run("--model.clip_norm=0.001", *options, processes=processes, prepare=giving(Norms(largest)))
        found.append(largest.value)
    result = f"norms of at most {max(found):.6f}, the least {min(found):.6f}, where 0.001 is allowed"
    return Outcome(len(found), result, max(found) <= 0.001 * (1 + 1e-4) and min(found) > 0.00099)


def bfloat16(case: Case) -> Outcome:
    """In bf16-mixed all weights and moments stay finite and in float32."""
    state = {name: value for name, value in case.expected(BF16).items() if "_extra_state" not in name}  # no pictures
    tensors = [value for value in state.values() if isinstance(value, torch.Tensor)]
    if any(value.dtype == torch.bfloat16 for value in tensors) or not all(bool(v.isfinite().all()) for v in tensors):
        raise Failed("a weight or a moment is not finite, or not in float32")
    return Outcome(1, "finite")


def losses(folder: Path) -> dict[str, list[float]]:
    """The losses of a run, in the order in which they were logged."""
    (path,) = folder.glob("*/*/metrics.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows if row[name]] for name in rows[0] if name.startswith("loss/")}


def as_eager(case: Case, option: str) -> Outcome:
    """Compare the losses of twenty batches with and without an option, logged every batch, in float64.

    In float32 a game that is not stable makes more of a rounding error within twenty batches than an error would.
    """
    options = ("--trainer.max_steps=20", "--trainer.log_every_n_steps=1", "--trainer.precision=64-true")
    eager, other = losses(case.run(*options)), losses(case.run(*options, option))
    differences = [
        max(abs(one - two) for one, two in zip(eager[name], other[name], strict=True)) / max(map(abs, eager[name]))
        for name in eager
    ]
    result = f"{len(differences)} losses differ by at most {max(differences):.1e} of their largest value"
    return Outcome(20, result, max(differences) < 1e-9)


def channels_last(case: Case) -> Outcome:
    """With channels_last the losses are the same to rounding, in float64."""
    return as_eager(case, "--model.channels_last=true")


def compiled(case: Case) -> Outcome:
    """Compiled, the losses are the same to rounding, in float64."""
    return as_eager(case, "--model.compile=true")


class Penalties(Callback):
    """Computes each gradient norm of a penalty again without autocast; writes the largest relative difference."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        norm = penalties.gradient_norm

        def compared(network: Any, points: Tensor) -> Tensor:
            given = norm(network, points)
            with torch.autocast("cpu", enabled=False):
                exact = norm(network, points.float())
            difference = (given - exact).abs().max() / exact.abs().max()
            self.found[:] = [self.found[0] + 1, max(self.found[1], difference.item())]
            return given

        penalties.gradient_norm = compared


def exact_penalties(case: Case) -> Outcome:
    """In bf16-mixed the gradients of a penalty are those of float32."""
    found = FORK.RawArray("d", 2)
    case.run(BF16, prepare=giving(Penalties(found)))
    count, difference = int(found[0]), found[1]
    if not count:
        return Outcome(0, "not run: the model has no gradient penalty", None)
    return Outcome(count, f"largest relative difference {difference:.1e}", difference == 0)


class Poison(Callback):
    """From a batch on, the gradients of one optimizer are not numbers."""

    def __init__(self, batch: int, optimizer: int) -> None:
        self.batch, self.optimizer = batch, optimizer

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step + 1 == self.batch:
            for group in trainer.optimizers[self.optimizer].param_groups:
                for parameter in group["params"]:
                    parameter.register_hook(lambda gradient: gradient * float("nan"))


def not_finite(case: Case) -> Outcome:
    """A gradient that is not finite stops the run at its step and names loss and networks; resumed: the same bits."""
    rng, named = random.Random(11), set[str]()
    tries = case.tries(6)
    for attempt in range(tries):
        folder, batch, processes = case.new_folder(), rng.randrange(10, case.steps - 10), 1 + attempt // 2 % 2
        job = case.job(folder, processes=processes, prepare=giving(Poison(batch, attempt % 2)))
        if 0 in (codes := job.wait()):
            raise Failed(f"a gradient that was no number at batch {batch}: exit codes {codes}")
        said = re.findall(r"the gradient of (\w+) for ([\w, ]+) is not finite at batch (\d+)", job.log.read_text())
        period = 5 if case.model.startswith("wgan_gp") and attempt % 2 else 1
        if not said or not batch <= int(said[0][2]) < batch + period:
            raise Failed(f"a gradient that was no number at batch {batch} ended with: {job.said()}")
        named.add(f"{said[0][0]} of {said[0][1]}")
        for path in folder.glob("*/*/checkpoints/*.ckpt"):
            if not finite(state(path)):
                raise Failed(f"{path.name} is not finite")
        goes_on(case, folder, processes=processes)
    return Outcome(tries, f"stopped at its step; named: {', '.join(sorted(named))}; equal bit for bit when resumed")


def cost_of_the_check(case: Case) -> Outcome:
    """The check for gradients that are not finite costs under 2 % of a batch."""
    found, turns = FORK.RawArray("d", 2), case.tries(60)
    folder = case.new_folder()
    options = case.preset(folder, f"--trainer.max_steps={10 * turns + 11}")
    Job(options, folder / "log.txt", prepare=giving(CheckTurns(found))).succeed()
    checked, unchecked = found
    cost = checked / unchecked - 1
    result = f"{100 * cost:+.1f} % ({1e3 * checked:.2f} ms a batch with, {1e3 * unchecked:.2f} without)"
    return Outcome(2 * turns, result, cost < 0.02)
