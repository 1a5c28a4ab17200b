"""What two runs ended with, compared."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from proofs.jobs import Failed

PARTS = ("state_dict", "optimizer_states", "lr_schedulers", "adversarial", "global_step", "epoch")
"""Of a checkpoint: all that training goes on from. The rest are paths, clocks and Lightning's loop counters."""


def final(folder: Path) -> Path:
    """The one `last.ckpt` below the folder of a run's runs.

    Raises:
        Failed: if there is none, or several.
    """
    found = sorted(folder.glob("*/*/checkpoints/last.ckpt"))
    if len(found) != 1:
        raise Failed(f"expected one run with a last.ckpt in {folder}, found {len(found)}")
    return found[0]


def state(path: Path) -> dict[str, Any]:
    """Weights, averages, optimizers, schedulers and counters of a checkpoint, flat: `state_dict.critic.weight`, ..."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    return flat({part: checkpoint[part] for part in PARTS})


def flat(node: Any) -> dict[str, Any]:
    """Nested dicts and lists as one dict whose keys are paths."""
    if not isinstance(node, dict | list | tuple):
        return {"": node}
    items = node.items() if isinstance(node, dict) else enumerate(node)
    return {f"{key}.{path}".rstrip("."): leaf for key, each in items for path, leaf in flat(each).items()}


def same_bits(expected: dict[str, Any], given: dict[str, Any]) -> None:
    """Compare two states bit for bit.

    Raises:
        Failed: naming the first entry that differs, and how many do.
    """
    different = sorted(key for key in expected.keys() | given.keys() if not _equal(expected.get(key), given.get(key)))
    if different:
        key = different[0]
        size = distance(expected, given) if expected.keys() == given.keys() else float("nan")
        raise Failed(
            f"{len(different)} of {len(expected)} entries differ, {key} for one; "
            f"weights by {size:.1e}, batches {_batches(expected)} and {_batches(given)}"
        )


def distance(expected: dict[str, Any], given: dict[str, Any]) -> float:
    """The largest difference of weights and averages, relative to the largest value of their tensor.

    Biases start at 0; what counts as their size is at least 1e-3, about what the steps moved.
    """
    differences = [0.0]
    for key, value in expected.items():
        weight = key.startswith("state_dict.") and "._extra_state." not in key and isinstance(value, Tensor)
        if weight and value.is_floating_point():
            scale = max(1e-3, value.abs().max().item())
            differences.append((value.double() - given[key].double()).abs().max().item() / scale)
    return max(differences)


def finite(state: dict[str, Any]) -> bool:
    """Whether every number is."""
    return all(bool(value.isfinite().all()) for value in state.values() if isinstance(value, Tensor))


def _batches(state: dict[str, Any]) -> Any:
    return state.get("adversarial.batches_seen")


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return left.dtype == right.dtype and torch.equal(left, right)
    return type(left) is type(right) and bool(left == right)
