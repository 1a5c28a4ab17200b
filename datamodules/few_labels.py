"""Training data of which a few labels are known."""

from collections.abc import Sequence

import torch
from torch import Tensor

from datamodules.files import Files
from datamodules.order import Batches, Indexed, permutation
from gan_modules import checks

UNKNOWN = -1
"""The label of a picture whose class is not known."""
_CHOICE = 3  # what a hash is for


def check_labels_per_class(labels_per_class: int | None, labels: bool) -> None:
    """Raise ValueError unless it is None or a whole number from 1 on, of a data set that gives labels."""
    checks.whole(1, labels_per_class=1 if labels_per_class is None else labels_per_class)
    if labels_per_class is not None and not labels:
        raise ValueError(f"labels_per_class={labels_per_class} is of data with labels; add labels=True")


def few_labels(classes: Tensor, per_class: int | None, seed: int, names: Sequence[str] = ()) -> tuple[Tensor, Tensor]:
    """Places (2n,) of n pictures, and labels (2n,): each picture once with the label -1, then as many with their own.

    The latter are `per_class` pictures of each class, again and again, so that half of a batch has labels on average.
    Which ones they are is a function of the seed.

    Args:
        classes: of all pictures, int64 (n,); -1 where it is not known.
        per_class: how many labels of each class are known; None: all but those of -1.
        seed: of the choice.
        names: of the classes, for errors; empty: their numbers.

    Raises:
        ValueError: if a class has fewer pictures, or no class is known.

    >>> places, labels = few_labels(torch.tensor([0, 1, 0, 1]), per_class=1, seed=0)
    >>> places[:4].tolist(), labels.tolist()
    ([0, 1, 2, 3], [-1, -1, -1, -1, 0, 1, 0, 1])
    >>> few_labels(torch.tensor([-1, 0, -1, 1, -1]), None, seed=0)
    (tensor([0, 1, 2, 3, 4, 1, 3, 1, 3, 1]), tensor([-1, -1, -1, -1, -1,  0,  1,  0,  1,  0]))
    """
    known = (classes != UNKNOWN).nonzero().flatten()
    if not len(known):
        raise ValueError("No training picture has a label: add some that have one.")
    if per_class is not None:
        known = _of_each_class(classes, per_class, seed, names)
    again = known.repeat(len(classes) // len(known) + 1)[: len(classes)]
    places = torch.cat([torch.arange(len(classes)), again])
    return places, torch.cat([torch.full_like(classes, UNKNOWN), classes[again]])


def _of_each_class(classes: Tensor, per_class: int, seed: int, names: Sequence[str]) -> Tensor:
    chosen = []
    for number in classes[classes != UNKNOWN].unique().tolist():
        places = (classes == number).nonzero().flatten()
        if len(places) < per_class:
            raise ValueError(
                f"labels_per_class must be at most {len(places)}, the pictures of class "
                f"{names[number] if names else number}, got {per_class}; give a smaller number"
            )
        chosen.append(places[permutation(len(places), seed, _CHOICE, number)[:per_class]])
    return torch.stack(chosen, dim=1).flatten()


def partly_labelled(
    pictures: Indexed,
    classes: Tensor | None,
    per_class: int | None,
    vary: bool = False,
    seed: int = 0,
    names: Sequence[str] = (),
) -> Batches:
    """Training pictures and all their classes (n,), or, where some are -1 or `per_class` is given, `few_labels`.

    Raises:
        ValueError: if a class has fewer pictures, or no class is known.
    """
    few = classes is not None and (per_class is not None or (classes.ndim == 1 and bool((classes == UNKNOWN).any())))
    if classes is None or not few:
        return Batches(pictures, labels=classes, vary=vary, seed=seed)
    places, labels = few_labels(classes, per_class, seed, names)
    shown = pictures.chosen(places) if isinstance(pictures, Files) else pictures[places]
    return Batches(shown, labels=labels, vary=vary, identities=[places], seed=seed)
