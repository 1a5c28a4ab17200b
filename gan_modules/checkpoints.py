"""From a checkpoint that `scripts/fit.py` wrote back to the module, without executing what the file says."""

import pickle
from argparse import ArgumentError
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn
from torch.optim import Optimizer

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
    return rebuilt(read(path), path, trust)


def rebuilt(checkpoint: dict[str, Any], path: str | Path, trust: tuple[str, ...] = ()) -> AdversarialModule:
    """`load` for a checkpoint that `read` has read already; `path` is what errors call it.

    Raises:
        ValueError: if it names a class of another package, or cannot be rebuilt.
    """
    model = checkpoint["config"]["model"]
    for name, is_class in _import_paths(model):
        _check_trusted(name, is_class, path, trust)
    try:
        module = _built(model)
    except (ArgumentError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{path} describes a model that this version cannot build; use the one that wrote it"
        ) from error
    check_fits(checkpoint, module, path)
    module.load_state_dict(checkpoint["state_dict"])
    module.on_load_checkpoint(checkpoint)
    return module.eval()


def _built(model: dict[str, Any]) -> AdversarialModule:
    parser = ArgumentParser(exit_on_error=False)
    # not add_subclass_arguments, which would take a string for the path of a file that names further classes
    parser.add_argument("--model", type=AdversarialModule)
    with isolate_rng():  # the networks' first weights are random, and replaced
        return parser.instantiate(parser.parse_object({"model": model})).model


def check_fits(checkpoint: dict[str, Any], module: AdversarialModule, path: str | Path) -> None:
    """Refuse the checkpoint of another model.

    Raises:
        ValueError: if names or shapes of the parameters differ.
    """
    saved, own = (
        {name: value.shape if isinstance(value, Tensor) else None for name, value in state.items()}
        for state in (checkpoint.get("state_dict", {}), module.state_dict())
    )
    if different := sorted(name for name in saved.keys() | own.keys() if saved.get(name, 0) != own.get(name, 0)):
        raise ValueError(
            f"{path} is a checkpoint of another model or of other sizes ({len(different)} parameters differ, "
            f"{different[0]} for one); give the options that it was trained with"
        )


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


def _import_paths(node: Any) -> list[tuple[str, bool]]:
    """What the configuration of a model may import, and whether it is made with arguments from the file."""
    if isinstance(node, dict):
        own = [(str(node["class_path"]), True)] if "." in str(node.get("class_path", "")) else []
        rest = [value for key, value in node.items() if key != "class_path"]
        return own + [path for value in rest for path in _import_paths(value)]
    if isinstance(node, list):
        return [path for value in node for path in _import_paths(value)]
    # functions, and classes without arguments, are given by their path alone
    dotted = isinstance(node, str) and "." in node and all(part.isidentifier() for part in node.split("."))
    return [(node, False)] if dotted else []


def _check_trusted(name: str, is_class: bool, path: str | Path, trust: tuple[str, ...]) -> None:
    if name.startswith(_inside(trust)):
        return
    if not name.startswith(_inside(TRUSTED)):
        raise ValueError(
            f"{path} was made with {name}, which is not imported because a file names it; "
            f"if you trust it, add --trust {name.split('.')[0]}"
        )
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(import_module(module), attribute, None)
    except ImportError:  # as for gan_modules.cli.os.system: not below the package, only reachable through it
        found = None
    is_ours = f"{getattr(found, '__module__', '')}.".startswith(_inside(TRUSTED))
    is_part = isinstance(found, type) and issubclass(found, (nn.Module, Optimizer))
    if not is_ours or (is_class and not is_part):
        raise ValueError(f"{path} names {name}, which is no network of this version; use the version that wrote it")


def _inside(packages: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{package}." for package in packages)
