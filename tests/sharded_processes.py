"""A process of two, started by test_sharding.py: trains networks that are shared out, and writes what came out.

Arguments: rank, number of processes, port, the folder to write to.
"""

import os
import sys
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.strategies import ModelParallelStrategy
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import SGD, Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gan_modules import AdversarialModule, sharding
from gan_modules.penalties import zero_centred
from variants import FIRST, build, loader, trainer, whole_state

BATCH = 8  # the batch of all processes together: a process of two has a whole group of four
RESUMED: dict[str, dict[str, Any]] = {"wgan_gp": {"n_critic": 5}, "cyclegan": {}, "pggan": {}}
"""Interrupted after 3 batches: before a generator's first step, with a history, and half grown."""

PARTS = ("wgan_gp", "infogan", "cyclegan", "pggan")
"""Trained also with every layer gathered by itself."""


class PenaltyAlone(AdversarialModule):
    """R1 of a linear network and nothing else: its backward pass comes by neither the output nor the input."""

    def __init__(self) -> None:
        super().__init__()
        self.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 6), nn.Linear(6, 1))

    def penalty(self, real: Tensor) -> Tensor:
        """R1."""
        return zero_centred(self.discriminator, real)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        self.descend(self.optimizers()[0], self.penalty, batch[0])

    def configure_optimizers(self) -> Optimizer:
        return SGD(self.parameters(), lr=0.1)


class Traffic(TorchDispatchMode):
    """Counts, for each `descend`, the numbers that are reduced and those of the gradients that it steps with."""

    def __init__(self, module: AdversarialModule) -> None:
        super().__init__()
        self.descend, self.moved = module.descend, 0
        self.reduced: list[int] = []
        self.needed: list[int] = []
        module.descend = self.counted  # type: ignore[assignment,method-assign]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "reduce_scatter" in str(func) or "allreduce" in str(func):
            self.moved += max(each.numel() for each in tree_leaves(args) if isinstance(each, Tensor))
        return func(*args, **(kwargs or {}))

    def counted(self, optimizer: Any, *arguments: Any) -> Any:
        """`descend`, watched."""
        self.moved = 0
        returned = self.descend(optimizer, *arguments)
        own = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        self.reduced.append(self.moved)
        # each process's share has as many rows as the first one's
        self.needed.append(sum(-(-len(p) // 2) * 2 * p[0].numel() for p in own))
        return returned


def whole(value: Any) -> Any:
    """Nested tensors, their shares put together."""
    return apply_to_collection(value, DTensor, lambda share: share.full_tensor())


def run(name: str, rank: int, processes: int, own: bool = True, epochs: int = 1, **options: Any) -> tuple[Any, Any]:
    """Train a variant in double precision; the processes start from different weights, as they may."""
    mechanics = {"average_decay": 0.9, "clip_norm": 1.0, **options.pop("build", {})}
    module = build(name, own, seed=rank, **mechanics)
    module.seed = 5
    ckpt_path = options.pop("ckpt_path", None)
    strategy = {"strategy": "adversarial_model_parallel", "devices": processes} if processes > 1 else {}
    fitted = trainer(**{"precision": "64-true", **strategy, "max_epochs": epochs, "num_sanity_val_steps": 1, **options})
    data = loader(name, 6 // epochs, BATCH, rank, processes)
    fitted.fit(module, data, loader(name, 1, BATCH, rank, processes), ckpt_path=ckpt_path)
    return module, fitted


def states(rank: int, processes: int, names: tuple[str, ...] = FIRST, **options: Any) -> dict[str, Any]:
    """The final state of every variant."""
    return {name: whole(whole_state(*run(name, rank, processes, **options))) for name in names}


def interrupted(rank: int, processes: int, folder: Path) -> dict[str, Any]:
    """The final states of runs of two epochs, and in `folder` a checkpoint after the first."""
    found = {}
    for name, options in RESUMED.items():
        save = ModelCheckpoint(folder / name, filename="{epoch}", save_top_k=-1)
        two = {"epochs": 2, "callbacks": [save], "enable_checkpointing": True, "build": options}
        found[name] = whole(whole_state(*run(name, rank, processes, **two)))
    return found


def resumed(rank: int, processes: int, folder: Path) -> dict[str, Any]:
    """The final states of the same runs, gone on from those checkpoints."""
    found = {}
    for name, options in RESUMED.items():
        rest = {"epochs": 2, "ckpt_path": str(folder / name / "epoch=0.ckpt"), "build": options}
        found[name] = whole(whole_state(*run(name, rank, processes, **rest)))
    return found


def variations(rank: int, processes: int) -> dict[str, Any]:
    """The final states of a run in micro-batches, and of a module that is trained a second time."""
    found = states(rank, processes, ("wgan_gp",), build={"micro_batches": 2})
    # without an average the generator is first called by the sanity check, in inference mode
    module, _ = run("gan", rank, processes, build={"average_decay": None})
    strategy = {"strategy": "adversarial_model_parallel", "devices": processes} if processes > 1 else {}
    second = trainer(precision="64-true", **strategy)
    second.fit(module, loader("gan", 3, BATCH, rank, processes))
    return {"micro-batches": found["wgan_gp"], "again": whole(whole_state(module, second))}


def penalty_alone(rank: int, processes: int) -> Any:
    """The weights after three steps."""
    torch.manual_seed(0)
    module = PenaltyAlone()
    strategy = {"strategy": "adversarial_model_parallel", "devices": processes} if processes > 1 else {}
    trainer(precision="64-true", **strategy).fit(module, loader("gan", 3, BATCH, rank, processes))
    return whole(dict(module.state_dict()))


def traffic(rank: int, processes: int) -> dict[str, Any]:
    """For each descent of some variants what was reduced, and what had to be."""
    found = {}
    for name in ("wgan_gp", "infogan", "cyclegan"):
        module = build(name, own=True)
        with Traffic(module) as counts:
            strategy = trainer(strategy="adversarial_model_parallel", devices=processes)
            strategy.fit(module, loader(name, 4, BATCH, rank, processes))
        found[name] = counts.reduced, counts.needed
    return found


def shares(module: LightningModule, optimizers: list[Optimizer]) -> dict[str, tuple[int, int]]:
    """How many numbers this process holds, of how many: parameters with averages, and moments."""
    moments = [m for o in optimizers for state in o.state.values() for m in (state["exp_avg"], state["exp_avg_sq"])]
    held = {"parameters": list(module.parameters()), "moments": moments}
    return {
        name: (sum(each.to_local().numel() for each in kind), sum(each.numel() for each in kind))
        for name, kind in held.items()
    }


def refused(processes: int) -> dict[str, str]:
    """What is said to modules and strategies that cannot be."""
    loose = build("gan", own=True)
    loose.temperature = nn.Parameter(torch.ones(1))
    said = {}
    for name, module, strategy in (
        ("loose parameter", loose, "adversarial_model_parallel"),
        ("compile", build("gan", own=True, compile=True), "adversarial_model_parallel"),
        ("channels_last", build("gan", own=True, channels_last=True), "adversarial_model_parallel"),
        ("strategy", build("gan", own=True), ModelParallelStrategy()),
    ):
        try:
            trainer(strategy=strategy, devices=processes).fit(module, loader("gan"))
        except ValueError as error:
            said[name] = str(error)
    return said


def results(rank: int, processes: int, folder: Path) -> dict[str, Any]:
    """All that is tested."""
    found: dict[str, Any] = {"states": states(rank, processes), "traffic": traffic(rank, processes)}
    found["interrupted"] = interrupted(rank, processes, folder / "shared")
    found["resumed"] = resumed(rank, processes, folder / "shared")
    found["resumed from one"] = resumed(rank, processes, folder / "alone")
    found["penalty alone"] = penalty_alone(rank, processes)
    found["variations"] = variations(rank, processes)
    with patch.object(sharding, "PART", 1):
        found["parts"] = states(rank, processes, PARTS)
        found["penalty alone in parts"] = penalty_alone(rank, processes)
    found["batch norm"] = states(rank, processes, ("gan", "pix2pix"), own=False)
    found["bfloat16"] = states(rank, processes, ("wgan_gp",), precision="bf16-mixed")
    module, fitted = run("wgan_gp", rank, processes)
    found["shares"] = shares(module, fitted.optimizers)
    fitted.validate(module, loader("wgan_gp", 1, BATCH, rank, processes), verbose=False)
    torch.manual_seed(0)
    found["samples"] = module.eval().sample(4).detach()
    found["refused"] = refused(processes)
    return found


def main(rank: int, processes: int, port: str, folder: Path) -> None:
    """Join the others and write the results to `folder`."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(rank)
    torch.save(results(rank, processes, folder), folder / f"{rank}.pt")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
