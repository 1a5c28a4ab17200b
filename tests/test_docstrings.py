"""The examples in docstrings are executed."""

import doctest
import importlib
from pathlib import Path

import pytest

import gan_modules

ROOT = Path(gan_modules.__file__).parent.parent


def modules() -> list[str]:
    files = [file for package in ("gan_modules", "datamodules") for file in sorted((ROOT / package).rglob("*.py"))]
    return [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]


@pytest.mark.parametrize("name", modules())
def test_examples(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    counts = [len(test.examples) for name in modules() for test in finder.find(importlib.import_module(name))]
    assert sum(counts) > 10
