"""From a checkpoint that `scripts/fit.py` wrote back to the module, without executing what the file says."""

import pickle
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser
from lightning.pytorch.utilities.seed import isolate_rng

from gan_modules.adversarial import AdversarialModule

TRUSTED = ("gan_modules", "torch.nn", "torch.optim")
"""Packages whose classes a checkpoint may name."""


def load(path: str | Path, trust: tuple[str, ...] = ()) -> AdversarialModule:
    """The trained module of a checkpoint, on the CPU and in evaluation mode.

    Args:
        path: a local file that `scripts/fit.py` wrote.
        trust: packages beside this one whose classes may be imported because the file names them.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is no checkpoint of `scripts/fit.py`, or names a class of another package.
    """
    checkpoint = read(path)
    model = checkpoint["config"]["model"]
    for name in _class_paths(model):
        if not name.startswith(tuple(f"{package}." for package in (*TRUSTED, *trust))):
            raise ValueError(
                f"{path} was made with {name}, which is not imported because a file names it; "
                f"if you trust it, add --trust {name.split('.')[0]}"
            )
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(AdversarialModule, "model")
    with isolate_rng():  # the networks' first weights are random, and replaced
        module: AdversarialModule = parser.instantiate(parser.parse_object({"model": model})).model
    module.load_state_dict(checkpoint["state_dict"])
    module.on_load_checkpoint(checkpoint)
    return module.eval()


def read(path: str | Path) -> dict[str, Any]:
    """The contents of a checkpoint that can be rebuilt.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no checkpoint of `scripts/fit.py`.
    """
    checkpoint = contents(path)
    if not {"config", "state_dict"} <= checkpoint.keys():
        raise ValueError(
            f"{path} has no configuration in it, so it was not written by scripts/fit.py; build the module yourself "
            "and use its load_from_checkpoint"
        )
    return checkpoint


def contents(path: str | Path) -> dict[str, Any]:
    """What a checkpoint of any Trainer holds, of which only tensors and plain data are read.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no checkpoint, or is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a checkpoint, got {path}, which is no file; runs have checkpoints/last.ckpt")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ValueError(f"expected a checkpoint, but {path} is none, or is damaged; give another file") from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f"expected a checkpoint, but {path} holds a {type(checkpoint).__name__}; give another file")
    return checkpoint


def _class_paths(node: Any) -> list[str]:
    """Whatever the configuration of a model would import: classes, and functions, which are given by their path."""
    if isinstance(node, dict):
        return [path for value in node.values() for path in _class_paths(value)]
    if isinstance(node, list):
        return [path for value in node for path in _class_paths(value)]
    return [node] if isinstance(node, str) and "." in node else []
