"""What a test must know of a variant."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Literal

from gan_modules import AdversarialModule

Kind = Literal[
    "images", "points", "labelled", "few labels", "pairs", "coded pairs", "domains", "coded domains", "captioned",
    "joint", "attacked", "encoded", "enlarged", "holes", "context", "styles", "adapted",
    "films",
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A variant.

    Attributes:
        build: whether a user's `own` networks are wanted, and arguments of the constructor -> the module.
        data: what its batches are.
        coupled: its losses compare the samples of a batch with each other, or with their mean, so that parts of a
            batch are not the batch.
        constant, our_constant: parameters of the user's networks, and of ours, that the loss does not depend on, as
            the last bias of a critic of which only differences count.
    """

    build: Callable[..., AdversarialModule]
    data: Kind = "images"
    coupled: bool = False
    constant: Set[str] = frozenset()
    our_constant: Set[str] = frozenset()
