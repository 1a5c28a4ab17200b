"""Training data of which a few labels are known."""

import torch
from torch import Tensor

from datamodules.order import Batches, permutation
from gan_modules import checks

UNKNOWN = -1
_CHOICE = 3  # what a hash is for


def check_labels_per_class(labels_per_class: int | None, labels: bool) -> None:
    """Raise ValueError unless it is None or a whole number from 1 on, of a data set that gives labels."""
    checks.whole(1, labels_per_class=1 if labels_per_class is None else labels_per_class)
    if labels_per_class is not None and not labels:
        raise ValueError(f"labels_per_class={labels_per_class} is of data with labels; add labels=True")


def few_labels(classes: Tensor, per_class: int, seed: int) -> tuple[Tensor, Tensor]:
    """Places (2n,) of n pictures, and labels (2n,): each picture once with the label -1, then as many with their own.

    The latter are `per_class` pictures of each class, again and again, so that half of a batch has labels on average.
    Which ones they are is a function of the seed.

    Args:
        classes: of all pictures, int64 (n,).
        per_class: how many labels of each class are known.
        seed: of the choice.

    Raises:
        ValueError: if a class has fewer pictures.

    >>> places, labels = few_labels(torch.tensor([0, 1, 0, 1]), per_class=1, seed=0)
    >>> places[:4].tolist(), labels.tolist()
    ([0, 1, 2, 3], [-1, -1, -1, -1, 0, 1, 0, 1])
    """
    chosen = []
    for number in classes.unique().tolist():
        places = (classes == number).nonzero().flatten()
        if len(places) < per_class:
            raise ValueError(
                f"labels_per_class must be at most {len(places)}, the pictures of class {number}, got {per_class}; "
                "give a smaller number"
            )
        chosen.append(places[permutation(len(places), seed, _CHOICE, number)[:per_class]])
    known = torch.stack(chosen, dim=1).flatten()
    again = known.repeat(len(classes) // len(known) + 1)[: len(classes)]
    places = torch.cat([torch.arange(len(classes)), again])
    return places, torch.cat([torch.full_like(classes, UNKNOWN), classes[again]])


def partly_labelled(
    pictures: Tensor, classes: Tensor | None, per_class: int | None, vary: bool = False, seed: int = 0
) -> Batches:
    """Training pictures (n, c, h, w) and all their classes (n,), or, as `few_labels` has it, `per_class` of each.

    Raises:
        ValueError: if a class has fewer pictures.
    """
    if classes is None or per_class is None:
        return Batches(pictures, labels=classes, vary=vary, seed=seed)
    places, labels = few_labels(classes, per_class, seed)
    return Batches(pictures[places], labels=labels, vary=vary, identities=[places], seed=seed)
