"""Checks of hyper-parameters: what passes, and one sentence for what does not."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gan_modules import checks


def test_good_values_pass() -> None:
    checks.positive(a=1e-9, b=3, c=np.float32(2))
    checks.not_negative(a=0, b=0.0, c=3)
    checks.fraction(a=0, b=0.999)
    checks.portion(a=0, b=0.5, c=1)
    checks.numbers(3, a=(0, -1.5, 1), b=[1, 2, np.float64(3)])
    checks.whole(0, a=0, b=7, c=np.int64(3))
    checks.whole(2, a=2, b=10**9 - 1)
    checks.whole(0, 2**63, a=2**40)
    checks.seed(a=0, b=2**63 - 1)
    checks.sizes(a=(), b=[3, 4])
    checks.switch(a=True, b=False)
    checks.choice(("noto", "twemoji"), a="noto")
    checks.function(a=len, b=dict)
    checks.adam((0.0, 0.9), learning_rate=1e-4)
    checks.adam([0.5, 0.999], one=1.0, two=2.0)


BAD: list[tuple[Callable[..., None], list[Any], str]] = [
    (checks.positive, [0, 0.0, -1, math.nan, math.inf, "1", True, None], "must be above 0, got .*; give a positive"),
    (checks.not_negative, [-1e-9, -3, math.nan, math.inf, "1", False], "must not be negative, got .*; give 0 to turn"),
    (checks.fraction, [1, -0.1, 1.5, math.nan, "0.5", True, None], r"must be in \[0, 1\), got .*; give a number"),
    (checks.portion, [-0.1, 1.1, math.nan, "1", True, None], r"must be in \[0, 1\], got .*; give a number from 0 to 1"),
    (
        lambda **values: checks.numbers(2, **values),
        [0.5, "ab", (1,), (1, 2, 3), (1, math.inf), (1, "2"), None],
        r"must be 2 numbers, got .*; \(0, 1\) is one such list",
    ),
    (checks.seed, [-1, 2**63, 1.0, "0", True], "must be .*, got"),
    (checks.sizes, [3, "ab", (0,), (1.5,), ("a",), None], "must be a .*whole number.*, got"),
    (checks.switch, [1, 0, "yes", None], "must be True or False, got"),
    (lambda **values: checks.choice((1, 3), **values), [2, True, "1", None, [1]], "must be 1 or 3, got"),
    (checks.function, ["len", 3, None], "must be a function or a class, got .*; give it itself"),
    (
        lambda **values: checks.whole(2, **values),
        [1, 2.0, True, "3", None],
        "must be a whole number of at least 2, got",
    ),
    (lambda **values: checks.whole(1, **values), [10**9, 2**63], "must be below 1000000000, got"),
    (
        lambda given: checks.adam(given, rate=1.0),
        [(0.5,), (0.5, 1.0), (-0.1, 0.9), (0.5, 0.9, 0.9), (math.nan, 0.9), ("a", "b"), (True, 0.9), "ab", 0.5, None],
        "must be two numbers in",
    ),
]


@pytest.mark.parametrize(("check", "value", "says"), [(check, each, says) for check, bad, says in BAD for each in bad])
def test_bad_values_are_named_and_given_back(check: Callable[..., None], value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says) as error:
        check(given=value)
    assert str(error.value).startswith(("given", "betas"))


def test_rates() -> None:
    with pytest.raises(ValueError, match="generator must be above 0, got 0"):
        checks.adam((0.5, 0.9), discriminator=1.0, generator=0)
