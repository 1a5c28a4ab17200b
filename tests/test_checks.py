"""Checks of hyper-parameters: what passes, and one sentence for what does not."""

import math

import pytest

from gan_modules import checks


def test_good_numbers_pass() -> None:
    checks.positive(a=1e-9, b=3, c=math.inf)
    checks.not_negative(a=0, b=0.0, c=3)
    checks.whole(0, a=0, b=7)
    checks.whole(2, a=2)
    checks.adam((0.0, 0.9), learning_rate=1e-4)
    checks.adam([0.5, 0.999], one=1.0, two=2.0)


@pytest.mark.parametrize("value", [0, 0.0, -1, math.nan])
def test_positive(value: float) -> None:
    with pytest.raises(ValueError, match=f"rate must be above 0, got {value}; give a positive number"):
        checks.positive(good=1.0, rate=value)


@pytest.mark.parametrize("value", [-1e-9, -3, math.nan])
def test_not_negative(value: float) -> None:
    with pytest.raises(ValueError, match=f"weight must not be negative, got {value}; give 0 to turn it off"):
        checks.not_negative(good=0.0, weight=value)


@pytest.mark.parametrize("value", [1, 2.0, True, "3", None])
def test_whole(value: int) -> None:
    with pytest.raises(ValueError, match=f"steps must be a whole number of at least 2, got {value!r}"):
        checks.whole(2, good=2, steps=value)


@pytest.mark.parametrize("betas", [(0.5,), (0.5, 1.0), (-0.1, 0.9), (0.5, 0.9, 0.9), (math.nan, 0.9)])
def test_betas(betas: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="betas must be two numbers in"):
        checks.adam(betas, learning_rate=1.0)


def test_rates() -> None:
    with pytest.raises(ValueError, match="generator must be above 0, got 0"):
        checks.adam((0.5, 0.9), discriminator=1.0, generator=0)
