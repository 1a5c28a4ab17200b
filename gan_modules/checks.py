"""Checks of hyper-parameters: one sentence that says what was expected and what was given."""

from collections.abc import Sequence


def positive(**values: float) -> None:
    """Raise ValueError unless every value is above zero."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0, got {value}; give a positive number")


def not_negative(**values: float) -> None:
    """Raise ValueError unless every value is zero or above."""
    for name, value in values.items():
        if not value >= 0:
            raise ValueError(f"{name} must not be negative, got {value}; give 0 to turn it off")


def whole(minimum: int, **values: int) -> None:
    """Raise ValueError unless every value is an integer of at least `minimum`."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            raise ValueError(f"{name} must be a whole number of at least {minimum}, got {value!r}")


def adam(betas: Sequence[float], **learning_rates: float) -> None:
    """Raise ValueError unless the learning rates are positive and `betas` are two numbers in [0, 1)."""
    positive(**learning_rates)
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas must be two numbers in [0, 1), got {betas}; (0.5, 0.999) is usual for GANs")
