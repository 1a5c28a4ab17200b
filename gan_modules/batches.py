"""What a batch may be: images alone, with labels or with texts, of two domains, with labels or with a hole; films."""

from typing import Any

import torch
from torch import Tensor


def images_of(batch: Any) -> Tensor:
    """The images of a batch, with or without labels.

    Raises:
        ValueError: if the batch is neither a tensor nor a tuple whose first element is one, or holds two domains.
    """
    if isinstance(batch, (tuple, list)) and len(batch) in (1, 2) and _is_labels(batch[-1], optional=len(batch) == 1):
        batch = batch[0]
    if not isinstance(batch, Tensor):
        raise ValueError(f"expected a batch of images or (images, labels), got {_described(batch)}; {_ADVICE}")
    return batch


def labelled_images_of(batch: Any) -> tuple[Tensor, Tensor]:
    """Images and their integer labels.

    Raises:
        ValueError: if the batch has no labels.
    """
    if isinstance(batch, (tuple, list)) and len(batch) == 2 and _is_labels(batch[1]):
        return batch[0], batch[1]
    raise ValueError(f"this model needs labels: expected (images, labels), got {_described(batch)}; {_ADVICE}")


def captioned_images_of(batch: Any) -> tuple[Tensor, Tensor]:
    """Images and their texts, int64 (n, length), as `gan_modules.texts` encodes them.

    Raises:
        ValueError: if the batch has no texts.
    """
    if isinstance(batch, (tuple, list)) and len(batch) == 2 and _is_texts(batch[1]):
        return batch[0], batch[1]
    raise ValueError(f"this model needs texts: expected (images, texts), got {_described(batch)}; {_ADVICE}")


def two_images_of(batch: Any) -> tuple[Tensor, Tensor]:
    """Two batches of images: source and target of a pair, or one of each domain.

    Raises:
        ValueError: if the batch is not two or more tensors of images.
    """
    if isinstance(batch, (tuple, list)) and len(batch) >= 2 and all(_is_images(part) for part in batch):
        return batch[0], batch[1]
    raise ValueError(f"this model translates images: expected (x, y), got {_described(batch)}; {_ADVICE}")


def labelled_domains_of(batch: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Images of a source and of a target domain, and integer labels, which come last.

    Raises:
        ValueError: if the batch is not two or three tensors of images and one of labels.
    """
    if (
        isinstance(batch, (tuple, list))
        and len(batch) in (3, 4)
        and all(map(_is_images, batch[:-1]))
        and _is_labels(batch[-1])
    ):
        return batch[0], batch[1], batch[-1]
    raise ValueError(
        f"this model adapts a domain: expected (source, target, labels), got {_described(batch)}; {_ADVICE}"
    )


def holed_images_of(batch: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Images with holes, whole images, and the holes (n, 1, h, w): 1 inside and 0 elsewhere.

    Raises:
        ValueError: if the batch is not three tensors of images; its holes are 1 inside and -1 elsewhere.
    """
    if isinstance(batch, (tuple, list)) and len(batch) == 3 and all(_is_images(part) for part in batch):
        return batch[0], batch[1], (batch[2] > 0).to(batch[0].dtype)
    raise ValueError(f"this model fills holes: expected (source, target, hole), got {_described(batch)}; {_ADVICE}")


def frames_of(batch: Any) -> tuple[Tensor, Tensor]:
    """The frames of a history (n, t, c, h, w), and those that follow (n, k, c, h, w).

    A batch is `(history, next)` or `(history, next, later)`, images whose channels are those of the frames in turn.

    Raises:
        ValueError: if the batch is not two or three tensors of images, or their channels are no whole frames.
    """
    films = isinstance(batch, (tuple, list)) and len(batch) in (2, 3) and all(_is_images(part) for part in batch)
    if not films or any(part.shape[1] % batch[1].shape[1] for part in batch):
        raise ValueError(f"this model predicts frames: expected (history, next), got {_described(batch)}; {_ADVICE}")
    history, future = batch[0], torch.cat(batch[1:], dim=1)
    frame = (-1, batch[1].shape[1])
    return history.unflatten(1, frame), future.unflatten(1, frame)


def check_known(data: Any, model: str) -> None:
    """Raise ValueError if training labels of our data modules are unknown, -1; of others nothing is known."""
    labels = getattr(getattr(data, "training", None), "labels", None)
    if isinstance(labels, Tensor) and labels.ndim == 1 and (labels < 0).any():
        raise ValueError(
            f"{model} needs the label of every picture, and {type(data).__name__} has some without; leave out "
            "labels_per_class and the folder unlabelled, or choose a model that learns from few labels: sgan or cc_gan"
        )


def size_of(batch: Any) -> int:
    """The number of samples in a batch: of its first tensor, for two domains of one; 0 where there is none."""
    while isinstance(batch, (list, tuple)) and batch:
        batch = batch[0]
    return len(batch) if isinstance(batch, Tensor) else 0


_ADVICE = "choose data of that kind with --data (scripts/fit.py --list names them)"


def _is_images(part: Any) -> bool:
    return isinstance(part, Tensor) and part.is_floating_point() and part.ndim == 4


def _is_labels(part: Any, optional: bool = False) -> bool:
    return optional or (isinstance(part, Tensor) and part.ndim == 1 and part.dtype == torch.int64)


def _is_texts(part: Any) -> bool:
    return isinstance(part, Tensor) and part.ndim == 2 and part.dtype == torch.int64


def _described(batch: Any) -> str:
    if isinstance(batch, Tensor):
        return f"{str(batch.dtype).removeprefix('torch.')} of shape {tuple(batch.shape)}"
    if isinstance(batch, (tuple, list)):
        return f"({', '.join(_described(part) for part in batch)})"
    return type(batch).__name__
