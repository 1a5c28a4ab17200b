"""Texts as numbers: one code a character, padded with zeros."""

import unicodedata
from collections.abc import Sequence

import torch
from torch import Tensor

from gan_modules import checks

ALPHABET = " abcdefghijklmnopqrstuvwxyz0123456789-,;.!?:'\"/&*()"
"""The characters that are told apart; the code of each is its place, from 1 on."""
LENGTH = 48
"""Characters of a text, unless another number is wanted; what is longer is cut."""


def encoded(texts: Sequence[str], length: int = LENGTH) -> Tensor:
    """Codes of texts: int64 (n, length).

    Capitals and accents are folded, an underscore is a space, and what is not in the alphabet is left out.

    Raises:
        ValueError: if there is no text, or one has no character of the alphabet.

    >>> encoded(["Açaí", "a_b"], length=5)
    tensor([[ 2,  4,  2, 10,  0],
            [ 2,  1,  3,  0,  0]])
    """
    checks.whole(1, length=length)
    rows = []
    for text in texts:
        folded = unicodedata.normalize("NFKD", text).lower().replace("_", " ").strip()
        codes = [ALPHABET.index(character) + 1 for character in folded if character in ALPHABET][:length]
        if not codes:
            raise ValueError(f"a text needs letters or digits, got {text!r}; write some")
        rows.append(codes + [0] * (length - len(codes)))
    if not rows:
        raise ValueError("expected texts, got none; give at least one")
    return torch.tensor(rows)


def decoded(codes: Tensor) -> list[str]:
    """Texts of codes (n, length).

    >>> decoded(encoded(["Red apple"]))
    ['red apple']
    """
    return ["".join(ALPHABET[code - 1] for code in row if code) for row in codes.tolist()]
