"""Integral probability metrics: transport distances and moments."""

from zoo.case import Case

CASES: dict[str, Case] = {}
