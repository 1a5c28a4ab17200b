"""The project's scripts as modules."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


def loaded(name: str) -> ModuleType:
    """`scripts/NAME.py` as a module."""
    path = SCRIPTS / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        pytest.fail(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@contextmanager
def loaded_in_place(name: str) -> Iterator[ModuleType]:
    """The same of a script with modules of its own: inside, its folder is on the path, as when it is run."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        yield loaded(name)
    finally:
        sys.path.remove(str(SCRIPTS))
