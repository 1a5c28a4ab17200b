"""A process of two, started by test_strategies.py: trains every variant and writes what came out.

Arguments: rank, number of processes, port, the folder to write to.
"""

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor

from gan_modules import execution
from gan_modules.strategies import AdversarialDDP
from variants import FIRST, NAMES, build, loader, trainer, whole_state

BATCHES, BATCH = 6, 8  # the batch of all processes together


class Traffic(Callback):
    """Counts, batch by batch, the numbers that are reduced and those of the gradients that steps were made with."""

    def __init__(self) -> None:
        self.reduced: list[int] = []
        self.needed: list[int] = []
        self.counting = False

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self.reduced.append(0)
        self.needed.append(0)
        self.counting = True

    def on_train_batch_end(self, *_: Any) -> None:
        self.counting = False

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.needed[-1] += sum(p.grad.numel() for p in parameters if p.grad is not None)


def measured(traffic: Traffic) -> Any:
    """`all_reduce`, which tells `traffic` how much it moves."""
    all_reduce = torch.distributed.all_reduce

    def counting(tensor: Tensor, *arguments: Any, **options: Any) -> Any:
        if traffic.counting:
            traffic.reduced[-1] += tensor.numel()
        return all_reduce(tensor, *arguments, **options)

    return counting


def run(name: str, rank: int, processes: int, own: bool = True, **options: Any) -> tuple[Any, Trainer]:
    """Train a variant in double precision; the processes start from different weights, as they may."""
    module = build(name, own, seed=rank, average_decay=0.9, clip_norm=1.0, **options.pop("build", {}))
    module.seed = options.pop("seed", 5)
    strategy = {"strategy": options.pop("strategy", AdversarialDDP()), "devices": processes} if processes > 1 else {}
    fitted = trainer(precision="64-true", **strategy, **options)
    batch = 2 * BATCH if name == "pggan" else BATCH  # which it cuts in two
    data = loader(name, BATCHES, batch, rank, processes)
    fitted.fit(module, data, loader(name, 1, BATCH, rank, processes))
    return module, fitted


def states(rank: int, processes: int) -> dict[str, Any]:
    """The final state of every variant."""
    results = {}
    for name in NAMES:
        module, fitted = run(name, rank, processes)
        results[name] = whole_state(module, fitted)
    return results


def in_parallel(rank: int, processes: int) -> dict[str, Any]:
    """What only several processes can show."""
    results: dict[str, Any] = {"traffic": {}, "lightning": {}, "batch norm": {}, "said": {}}
    all_reduce = torch.distributed.all_reduce
    for case, n_critic in (("wgan_gp", 1), ("wgan_gp", 5), ("pggan", None), ("infogan", None)):
        traffic = Traffic()
        torch.distributed.all_reduce = measured(traffic)
        options: dict[str, Any] = {"build": {"n_critic": n_critic}} if n_critic else {}
        run(case, rank, processes, callbacks=[traffic], **options)
        torch.distributed.all_reduce = all_reduce
        results["traffic"][case, n_critic] = traffic.reduced, traffic.needed
    for name in FIRST:
        module, fitted = run(name, rank, processes, strategy="ddp_find_unused_parameters_true")
        results["lightning"][name] = whole_state(module, fitted)
    for name in ("gan", "gan on points", "infogan", "wgan_gp", "pix2pix", "sngan"):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            module, fitted = run(name, rank, processes, own=False, strategy="adversarial_ddp")
        results["batch norm"][name] = whole_state(module, fitted)
        results["said"][name] = any("Batch norm is over each process's part" in str(each.message) for each in said)
    execution.BACKEND = "aot_eager"  # which needs no C++ compiler
    module, fitted = run("wgan_gp", rank, processes, build={"compile": True})
    results["compiled"] = whole_state(module, fitted)
    results["overflow"] = overflowed(rank, processes)
    module, _ = run("gan", rank, processes, seed=None)
    results["seed"] = module.seed
    return results


def overflowed(rank: int, processes: int) -> dict[str, Any]:
    """A run in 16-mixed, in whose fourth batch the critic's gradients overflow on the second process alone."""
    module: Any = build("wgan_gp", own=True, clip_norm=1.0)
    module.seed, loss, moved = 5, module.critic_loss, []

    def overflowing(real: Tensor) -> tuple[Tensor, ...]:
        value, *rest = loss(real)
        return (value * 1e38 if module.batches_seen == 4 and rank == 1 else value), *rest

    class Watch(Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            self.before = module.critic.conv.weight.clone()

        def on_train_batch_end(self, *_: Any) -> None:
            moved.append(not torch.equal(self.before, module.critic.conv.weight))

    module.critic_loss, scaler = overflowing, torch.amp.GradScaler("cpu", init_scale=1.0)
    plugins = [MixedPrecision("16-mixed", "cpu", scaler)]
    fitted = trainer(strategy=AdversarialDDP(), devices=processes, plugins=plugins, callbacks=[Watch()])
    fitted.fit(module, loader("wgan_gp", BATCHES, BATCH, rank, processes))
    return {"state": whole_state(module, fitted), "moved": moved, "scale": scaler.get_scale()}


def main(rank: int, processes: int, port: str, folder: Path) -> None:
    """Join the others and write the results to `folder`."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(rank)
    results = {"states": states(rank, processes), **in_parallel(rank, processes)}
    torch.save(results, folder / f"{rank}.pt")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
