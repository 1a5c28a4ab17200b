"""Packed samples, mode seeking, texts, two domains, attacks."""

from zoo.case import Case

CASES: dict[str, Case] = {}
