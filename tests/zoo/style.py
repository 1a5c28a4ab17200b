"""StyleGAN2."""

from zoo.case import Case

CASES: dict[str, Case] = {}
