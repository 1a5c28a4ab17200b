"""From a checkpoint that `scripts/fit.py` wrote back to the module, without executing what the file says."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser
from lightning.pytorch.utilities.seed import isolate_rng
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.optim import Optimizer

from gan_modules import vetting
from gan_modules.adversarial import AdversarialModule
from gan_modules.divergences import Divergence
from gan_modules.reading import contents, shown, tensors

TRUSTED = ("gan_modules", "torch.nn", "torch.optim")
"""Packages whose classes a checkpoint may name."""


def load(path: str | Path, trust: tuple[str, ...] = ()) -> AdversarialModule:
    """The trained module of a checkpoint, on the CPU and in evaluation mode.

    Args:
        path: a local file that `scripts/fit.py` wrote.
        trust: packages beside this one whose classes may be imported because the file names them.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is no checkpoint of `scripts/fit.py`, names a class of another package, or holds what
            no such module has.
    """
    return rebuilt(read(path), path, trust)


def rebuilt(checkpoint: dict[str, Any], path: str | Path, trust: tuple[str, ...] = ()) -> AdversarialModule:
    """`load` for a checkpoint that `read` has read already; `path` is what errors call it.

    Raises:
        ValueError: if it names a class of another package, cannot be rebuilt, or holds what no such module has.
    """
    model = checkpoint["config"]["model"]
    for name, is_class in _import_paths(model, path):
        _check_trusted(name, is_class, path, trust)
    numbers = sum(tensor.numel() for _, tensor in tensors(checkpoint["state_dict"]))
    try:
        with _at_most(numbers):
            module = _built(model)
    except Exception as error:  # whatever the options of a stranger make constructors say
        raise ValueError(f"{path} describes a model that this version cannot build: {error}") from error
    try:
        vetting.check_weights(checkpoint["state_dict"], module)
        module.on_load_checkpoint(checkpoint)
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {error}") from error
    module.load_state_dict(checkpoint["state_dict"])
    return module.eval()


def _built(model: dict[str, Any]) -> AdversarialModule:
    parser = ArgumentParser(exit_on_error=False)
    # not add_subclass_arguments, which would take a string for the path of a file that names further classes
    parser.add_argument("--model", type=AdversarialModule)
    with isolate_rng():  # the networks' first weights are random, and replaced
        return parser.instantiate(parser.parse_object({"model": model})).model


@contextmanager
def _at_most(numbers: int) -> Iterator[None]:
    """Inside, a network of more parameters than the file has weights for is not built to its end."""
    left = [2 * numbers]  # some are registered again, as by a parametrization

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        left[0] -= parameter.numel() if parameter is not None else 0
        if left[0] < 0:
            raise ValueError("it has more parameters than the file has weights for")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def read(path: str | Path) -> dict[str, Any]:
    """The contents of a checkpoint that can be rebuilt.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no checkpoint of `scripts/fit.py`.
    """
    checkpoint = contents(path)
    config = checkpoint.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict) or "state_dict" not in checkpoint:
        raise ValueError(
            f"{path} has no configuration in it, so it was not written by scripts/fit.py; build the module yourself "
            "and use its load_from_checkpoint"
        )
    return checkpoint


def _import_paths(node: Any, path: str | Path) -> list[tuple[str, bool]]:
    """What the configuration of a model may import, and whether it is made with arguments from the file.

    Raises:
        ValueError: for text that would be read as more than a name or a number: YAML that names further classes.
    """
    if isinstance(node, dict):
        own = [(str(node["class_path"]), True)] if "class_path" in node else []
        rest = [(key, value) for key, value in node.items() if key != "class_path"]
        return own + [found for pair in rest for each in pair for found in _import_paths(each, path)]
    if isinstance(node, list):
        return [found for value in node for found in _import_paths(value, path)]
    if isinstance(node, str) and not re.fullmatch(r"[\w./+-]*", node):
        raise ValueError(f"{path} gives {shown(node)} as an option of its model, which is no name and no number")
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
    is_part = is_part or getattr(found, "__annotations__", {}).get("return") is Divergence
    if not is_ours or (is_class and not is_part):
        raise ValueError(f"{path} names {name}, which is no network of this version; use the version that wrote it")


def _inside(packages: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{package}." for package in packages)
