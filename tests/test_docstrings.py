"""The examples in docstrings are executed."""

import doctest
import importlib
from pathlib import Path

import pytest

import gan_modules

ROOT = Path(gan_modules.__file__).parent.parent
OPTIONAL = {"gan_modules.demo": "gradio"}
"""Modules of optional packages."""


def modules() -> list[str]:
    files = [file for package in ("gan_modules", "datamodules") for file in sorted((ROOT / package).rglob("*.py"))]
    return [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]


@pytest.mark.parametrize("name", modules())
def test_examples(name: str) -> None:
    if name in OPTIONAL:
        pytest.importorskip(OPTIONAL[name], exc_type=ImportError)
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    found = [name for name in modules() if name not in OPTIONAL]
    counts = [len(test.examples) for name in found for test in finder.find(importlib.import_module(name))]
    assert sum(counts) > 10
