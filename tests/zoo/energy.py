"""Energies, and normalised weights."""

from zoo.case import Case

CASES: dict[str, Case] = {}
