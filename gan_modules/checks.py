"""Checks of hyper-parameters: one sentence that says what was expected, what was given, and what to do."""

import math
from collections.abc import Collection, Sequence
from numbers import Integral, Real
from typing import Any


def positive(**values: float) -> None:
    """Raise ValueError unless every value is a finite number above zero."""
    for name, value in values.items():
        if not (_is_finite(value) and value > 0):
            raise ValueError(f"{name} must be above 0, got {value!r}; give a positive number")


def not_negative(**values: float) -> None:
    """Raise ValueError unless every value is a finite number, zero or above."""
    for name, value in values.items():
        if not (_is_finite(value) and value >= 0):
            raise ValueError(f"{name} must not be negative, got {value!r}; give 0 to turn it off")


def fraction(**values: float) -> None:
    """Raise ValueError unless every value is a number in [0, 1)."""
    for name, value in values.items():
        if not (_is_finite(value) and 0 <= value < 1):
            raise ValueError(f"{name} must be in [0, 1), got {value!r}; give a number of at least 0 and below 1")


def portion(**values: float) -> None:
    """Raise ValueError unless every value is a number in [0, 1]."""
    for name, value in values.items():
        if not (_is_finite(value) and 0 <= value <= 1):
            raise ValueError(f"{name} must be in [0, 1], got {value!r}; give a number from 0 to 1")


def numbers(count: int, /, **values: Sequence[float]) -> None:
    """Raise ValueError unless every value is a sequence of `count` finite numbers."""
    for name, value in values.items():
        if not isinstance(value, (list, tuple)) or len(value) != count or not all(map(_is_finite, value)):
            raise ValueError(f"{name} must be {count} numbers, got {value!r}; {tuple(range(count))} is one such list")


def whole(minimum: int, below: int = 10**9, /, **values: int) -> None:
    """Raise ValueError unless every value is an integer in [minimum, below).

    No paper has a count near 10**9, and one beyond it means never: a generator that is never trained, say.
    """
    for name, value in values.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or value < minimum:
            raise ValueError(f"{name} must be a whole number of at least {minimum}, got {value!r}")
        if value >= below:
            raise ValueError(f"{name} must be below {below}, got {value}; give a smaller number")


def seed(**values: int) -> None:
    """Raise ValueError unless every value is an integer that torch takes as a seed: in [0, 2**63)."""
    whole(0, 2**63, **values)


def sizes(**values: Sequence[int]) -> None:
    """Raise ValueError unless every value is a sequence of positive integers."""
    for name, value in values.items():
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{name} must be a list of whole numbers, got {value!r}; (64, 64) is one")
        whole(1, **{f"{name}[{place}]": size for place, size in enumerate(value)})


def scales(**values: Sequence[float]) -> None:
    """Raise ValueError unless every value is a sequence of at least one number, all finite and above zero."""
    for name, value in values.items():
        if not isinstance(value, (list, tuple)) or not value:
            raise ValueError(f"{name} must be a list of positive numbers, got {value!r}; (1.0, 4.0) is one")
        positive(**{f"{name}[{place}]": scale for place, scale in enumerate(value)})


def words(**values: Sequence[str]) -> None:
    """Raise ValueError unless every value is a sequence of texts, none of them empty, with at least one."""
    for name, value in values.items():
        texts = isinstance(value, (list, tuple)) and all(isinstance(each, str) and each.strip() for each in value)
        if not (texts and value):
            raise ValueError(f"{name} must be a list of texts, got {value!r}; ('red apple', 'green apple') is one")


def switch(**values: bool) -> None:
    """Raise ValueError unless every value is True or False."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False, got {value!r}")


def choice(choices: Collection[Any], **values: Any) -> None:
    """Raise ValueError unless every value is one of `choices`."""
    for name, value in values.items():
        if isinstance(value, bool) or value not in choices:
            raise ValueError(f"{name} must be {' or '.join(map(repr, choices))}, got {value!r}")


def function(**values: Any) -> None:
    """Raise ValueError unless every value can be called, as a function or a class."""
    for name, value in values.items():
        if not callable(value):
            raise ValueError(f"{name} must be a function or a class, got {value!r}; give it itself, not its name")


def functions(**values: Sequence[Any]) -> None:
    """Raise ValueError unless every value is a sequence of functions."""
    for name, value in values.items():
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{name} must be a list of functions, got {value!r}; () is none")
        function(**{f"{name}[{place}]": each for place, each in enumerate(value)})


def adam(betas: Sequence[float], **learning_rates: float) -> None:
    """Raise ValueError unless the learning rates are positive and `betas` are two numbers in [0, 1)."""
    positive(**learning_rates)
    pair = isinstance(betas, (list, tuple)) and len(betas) == 2
    if not pair or not all(_is_finite(beta) and 0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas must be two numbers in [0, 1), got {betas}; (0.5, 0.999) is usual for GANs")


def _is_finite(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
