"""Runs that end and go on: where the last one stands, and what is different now."""

from pathlib import Path
from typing import Any

from gan_modules import saving


def last(root: Path) -> tuple[str, str] | None:
    """The run in `root`, the folder of a model's runs, that saved last: its name, and its newest good checkpoint.

    Returns:
        None if no run there has a checkpoint.

    Raises:
        ValueError: if that run has checkpoints, and all are damaged.
    """
    saved = [path for name in saving.NAMES for path in root.glob(f"*/checkpoints/{name}")]
    if not saved:
        return None
    folder = max(saved, key=lambda path: path.stat().st_mtime_ns).parent
    path = saving.newest(folder)
    if path is None:
        raise ValueError(f"all checkpoints in {folder} are damaged; remove that folder, and the run before it goes on")
    return folder.parent.name, str(path)


def differences(was: dict[str, Any], now: dict[str, Any]) -> str:
    """Options that differ between two configurations.

    >>> differences({"model": {"init_args": {"n_critic": 5}}}, {"model": {"init_args": {"n_critic": 2}}})
    'model.n_critic 2 (was 5)'
    """
    before, after = _flat(was), _flat(now)
    names = sorted(name for name in before | after if before.get(name) != after.get(name))
    return ", ".join(f"{name} {after.get(name)} (was {before.get(name)})" for name in names)


def _flat(node: Any, name: str = "") -> dict[str, Any]:
    """The options of a configuration by their dotted names."""
    if not isinstance(node, dict):
        return {name.removeprefix("."): node}
    inside = [_flat(value, name if key == "init_args" else f"{name}.{key}") for key, value in node.items()]
    return {option: value for each in inside for option, value in each.items()}
