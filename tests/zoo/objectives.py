"""Other objectives of the discriminator's score."""

from zoo.case import Case

CASES: dict[str, Case] = {}
