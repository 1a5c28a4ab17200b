"""Penalties at the data, and look-ahead."""

from zoo.case import Case

CASES: dict[str, Case] = {}
