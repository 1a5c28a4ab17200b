"""Order and augmentation as functions of (seed, epoch, index).

A sampler yields whole requests, (epoch, indices of this process's part of a global batch); a data set answers one with
a `Raw` batch; the data module finishes it on the device. No state is carried from one batch to the next, so a batch
does not depend on the number of workers or processes, nor on the batches before it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

from gan_modules.randomness import mix

Request = tuple[int, Tensor]
"""An epoch and the indices (n,) of one batch."""

_ORDER, _PARTNER, _JITTER = 0, 1, 2  # what a hash is for


class Raw(NamedTuple):
    """A batch on its way to the device.

    columns: uint8 pictures (n, c, h, w), or points (n, d), one tensor for each domain.
    labels: int64 (n,), texts as int64 (n, length), or None.
    numbers: random int64 (n, 3) in [0, 2**24) for each column (flip, row and column of the crop); empty where nothing
        is varied. They are integers because Lightning rounds all floats of a batch under bf16-true.
    """

    columns: tuple[Tensor, ...]
    labels: Tensor | None = None
    numbers: tuple[Tensor, ...] = ()


class Indexed(Protocol):
    """What gives a batch for a tensor of indices: a tensor, or pictures that are read from files."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: Tensor, /) -> Tensor: ...


def permutation(length: int, *integers: int) -> Tensor:
    """A permutation of range(length) that is a function of `integers`."""
    return torch.randperm(length, generator=torch.Generator().manual_seed(mix(*integers)))


def random_numbers(key: int, indices: Tensor, count: int) -> Tensor:
    """`count` numbers in [0, 2**24) for each index: int64 (n, count), a function of key and index alone.

    They are the upper bits of the outputs index * count + 1, ... of splitmix64 (Steele, Lea and Flood, 2014) started
    at `key`.
    """
    position = indices.numpy().astype(np.uint64)[:, None] * np.uint64(count) + np.arange(1, count + 1, dtype=np.uint64)
    state: NDArray[Any] = position * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state = state ^ (state >> np.uint64(31))
    return torch.from_numpy((state >> np.uint64(40)).astype(np.int64))


class GlobalBatches(DistributedSampler[Request]):
    """Whole requests: this process's part of each global batch. Use with `DataLoader(batch_size=None)`.

    Process r of n is dealt the items r, r + n, r + 2n, ... of a batch, as `gan_modules.randomness.Stream` deals the
    noise. Shuffled (training), the order is a permutation seeded by (seed, epoch) and an incomplete last batch is
    dropped. Not shuffled (validation), every index comes once: nothing is repeated, nothing dropped, and parts may
    differ in size by one. An incomplete last batch joins the one before it, so that batches do not depend on the number
    of processes and none has an empty part.

    It is a `DistributedSampler` so that Lightning leaves it as it is and tells it the epoch.

    Args:
        dataset: what the indices point into; only its length is used.
        batch_size: the global batch, shared by all processes.
        shuffle: training or validation, as above.
        seed: of the order.
        rank, processes: which of how many processes this is.
        start: an epoch, and how many of its batches to leave out because a run that goes on has seen them. `len` counts
            them nevertheless, as Lightning does.

    Raises:
        ValueError: for a batch that is not positive or not divisible by the number of processes, or fewer items than
            a training batch or than processes.
    """

    def __init__(
        self,
        dataset: Dataset[Raw],
        batch_size: int,
        *,
        shuffle: bool,
        seed: int = 0,
        rank: int = 0,
        processes: int = 1,
        start: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__(dataset, processes, rank, shuffle=shuffle, seed=seed, drop_last=shuffle)
        self.length = len(dataset)  # type: ignore[arg-type]
        self.batch_size = batch_size
        self.start = start
        self.set_epoch(start[0])
        if batch_size < 1 or batch_size % processes:
            raise ValueError(
                f"batch_size is the batch of all {processes} processes together: "
                f"give a positive multiple of {processes}, not {batch_size}."
            )
        if shuffle and self.length < batch_size:
            raise ValueError(
                f"One batch takes {batch_size} items and the training set has {self.length}: "
                f"give a batch_size of at most {self.length}, or more data."
            )
        if self.length < processes:
            raise ValueError(
                f"{processes} processes share a held-out set of {self.length} items: use fewer devices, or more data."
            )

    def __len__(self) -> int:
        return max(self.length // self.batch_size, 1)

    def __iter__(self) -> Iterator[Request]:
        order = permutation(self.length, self.seed, self.epoch, _ORDER) if self.shuffle else torch.arange(self.length)
        epoch, seen = self.start
        for batch in range(seen if epoch == self.epoch else 0, len(self)):
            last = not self.shuffle and batch + 1 == len(self)
            chunk = order[batch * self.batch_size : self.length if last else (batch + 1) * self.batch_size]
            yield self.epoch, chunk[self.rank :: self.num_replicas]


class Batches(Dataset[Raw]):
    """Answers a request with a whole `Raw` batch.

    Args:
        columns: the domains. All are indexed alike, unless `unpaired`.
        labels: of the first column's items: int64, one for each, or a text for each as int64 (n, length), or None.
        vary: send the numbers that flips and crops are made of.
        unpaired: the columns are shuffled independently of each other. The longest sets the length of the epoch; a
            shorter one is wrapped around, each of its items seen floor or ceil (longest / shorter) times.
        identities: for each column which picture each item is, where some come more than once; None: each is another.
        seed: of the varying and of the independent shuffles.

    Raises:
        ValueError: for columns of different length that are not `unpaired`, or an empty one.
    """

    def __init__(
        self,
        *columns: Indexed,
        labels: Tensor | None = None,
        vary: bool = False,
        unpaired: bool = False,
        identities: Sequence[Tensor] | None = None,
        seed: int = 0,
    ) -> None:
        lengths = [len(column) for column in columns]
        if not min(lengths):
            raise ValueError("A set of pictures is empty: at least one is needed for training and one held out.")
        if not unpaired and len(set(lengths)) > 1:
            raise ValueError(f"Paired domains have the same number of pictures, not {lengths}.")
        self.columns, self.labels = columns, labels
        self.vary, self.unpaired, self.identities, self.seed = vary, unpaired, identities, seed

    def __len__(self) -> int:
        return max(len(column) for column in self.columns)

    @property
    def in_memory(self) -> bool:
        """Whether no file is read for a batch."""
        return all(getattr(column, "in_memory", isinstance(column, Tensor)) for column in self.columns)

    def fingerprint(self) -> str | None:
        """A digest of all items in their order, and of the seed where it varies them; None: a column has none.

        Tensors are hashed; a column of another kind may have a `fingerprint` of its own.
        """
        seed = self.seed if self.vary or self.unpaired else None
        parts = [repr((self.vary, self.unpaired, seed, self.labels is None))]
        for column in self.columns if self.labels is None else (*self.columns, self.labels):
            digest = digest_of(column)
            if digest is None:
                return None
            parts.append(digest)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def __getitem__(self, request: Request) -> Raw:
        if not isinstance(request, tuple):
            raise ValueError(
                "These data sets are read a batch at a time: use limit_train_batches, not overfit_batches."
            )
        epoch, indices = request
        columns = tuple(column[self._own(number, epoch, indices)] for number, column in enumerate(self.columns))
        labels = None if self.labels is None else self.labels[self._own(0, epoch, indices)]
        return Raw(columns, labels, self._numbers(epoch, indices) if self.vary else ())

    def _own(self, number: int, epoch: int, indices: Tensor) -> Tensor:
        length = len(self.columns[number])
        if not self.unpaired or (number == 0 and length == len(self)):
            return indices
        return _cached_permutation(length, self.seed, epoch, _PARTNER, number)[indices % length]

    def _numbers(self, epoch: int, indices: Tensor) -> tuple[Tensor, ...]:
        numbers = range(len(self.columns)) if self.unpaired else [0] * len(self.columns)
        return tuple(random_numbers(mix(self.seed, epoch, _JITTER, number), indices, 3) for number in numbers)


class OneEpoch(Dataset[Raw]):
    """The batches of the sampler's epoch by number, for `overfit_batches`, which puts a sampler of its own in place."""

    def __init__(self, dataset: Batches, sampler: GlobalBatches) -> None:
        self.dataset, self.requests = dataset, list(sampler)

    def __len__(self) -> int:
        return len(self.requests)

    def __getitem__(self, number: int) -> Raw:
        return self.dataset[self.requests[number]]


def digest_of(column: Indexed) -> str | None:
    """A digest of all that a column gives: of a tensor's bytes, or its own `fingerprint`; None: it has none."""
    if not isinstance(column, Tensor):
        return column.fingerprint() if hasattr(column, "fingerprint") else None
    return _digest(column)


def _digest(tensor: Tensor) -> str:
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


_cached_permutation = lru_cache(maxsize=4)(permutation)


def held_out_every(length: int, step: int = 10) -> tuple[Tensor, Tensor]:
    """Indices (training, held out) of `length` items: every `step`-th, beginning with the first, is held out."""
    indices = torch.arange(length)
    return indices[indices % step != 0], indices[::step]
