"""Labels and half-labels."""

from zoo.case import Case

CASES: dict[str, Case] = {}
