"""What is compared: pictures of a data set, a folder or an array, and those that a model makes, as bytes.

A side is read in parts, in the order of its items, as often as is wanted. Which items, and what they hold, does not
depend on how it is cut into parts.
"""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from inspect import signature
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from PIL import Image
from torch import Tensor

from datamodules import BatchedDataModule, find_pictures
from datamodules.files import Files, Reader
from datamodules.order import Batches
from datamodules.pictures import check_picture
from datamodules.pixels import in_channels, scaled
from datamodules.vision import resized
from gan_modules import randomness
from gan_modules.adversarial import AdversarialModule
from gan_modules.callbacks.views import View, views_of
from gan_modules.metrics.pixels import to_bytes
from gan_modules.randomness import ItemStream, mix

SPLITS = ("held_out", "train")
_READERS = 8
_NOISE, _LABELS = 0, 1  # what a seed is for


class Part(NamedTuple):
    """Some items of a side.

    images: uint8 pictures (n, c, h, w), or points (n, d).
    labels: int64 (n,), or None.
    source, truth: of translations: uint8 pictures, what was translated and what should have come out; or None.
    """

    images: Tensor
    labels: Tensor | None = None
    source: Tensor | None = None
    truth: Tensor | None = None

    def to(self, device: torch.device) -> "Part":
        """The same on another device."""
        moved: Any = (each if each is None else each.to(device) for each in self)
        return Part(*moved)

    def none(self) -> "Part":
        """None of its items."""
        empty: Any = (each if each is None else each[:0] for each in self)
        return Part(*empty)


@dataclass
class Side:
    """One side of a comparison.

    Args:
        count: how many items it has.
        parts: from a number of items to its items, in parts of at most so many.
        shape: (c, h, w) of all pictures, (d,) of points; None where pictures differ.
        labels: of all its items, int64 (count,), or None.
        classes: the names of the labels; empty without labels.
        identity: what says which items these are, for the record.
    """

    count: int
    parts: Callable[[int], Iterator[Part]]
    shape: tuple[int, ...] | None
    labels: Tensor | None = None
    classes: Sequence[str] = ()
    identity: dict[str, Any] = field(default_factory=dict)


def spread(count: int, limit: int | None) -> Tensor:
    """The places of `limit` of `count` items, at equal distances, so that sorted classes have their share.

    >>> spread(10, 4).tolist(), spread(3, 4).tolist()
    ([0, 2, 5, 7], [0, 1, 2])
    """
    taken = count if limit is None else min(count, limit)
    return torch.arange(taken) * count // max(taken, 1)


def of_files(
    path: Path,
    limit: int | None = None,
    size: int | None = None,
    channels: int = 3,
    names: Sequence[str] = (),
    split: str = SPLITS[0],
) -> Side:
    """The pictures of a folder (`of_folder`), or of an `.npz` file (`of_array`)."""
    if path.is_file() and path.suffix == ".npz":
        return of_array(path, limit, size, channels, split)
    return of_folder(path, limit, size, channels, names)


def of_folder(
    root: Path, limit: int | None = None, size: int | None = None, channels: int = 3, names: Sequence[str] = ()
) -> Side:
    """The pictures below a folder, in the order of their paths, or, where they differ in size, of size and path.

    The folders below `root` are the classes, where every picture is in one.

    Args:
        root: the folder.
        limit: take at most so many, at equal distances.
        size: resize the middle square of each picture to it; None leaves pictures as they are.
        channels: 1 or 3; pictures are converted.
        names: classes whose places are the labels; empty: the folders by name.

    Raises:
        FileNotFoundError, ValueError: if there is no such folder, no picture in it, or one cannot be read.
    """
    found = find_pictures(root)
    if not found:
        raise ValueError(f"expected pictures below {root}, found none; give a folder that holds some")
    folders = sorted({_folder_of(path, root) for path in found})
    classes = list(names) or folders
    labelled = len(folders) > 1 and "" not in folders and set(folders) <= set(classes)
    paths = [found[i] for i in spread(len(found), limit).tolist()]
    with ThreadPoolExecutor(_READERS) as pool:
        sizes = dict(zip(paths, pool.map(_size, paths), strict=True))
    if size:
        sizes = dict.fromkeys(paths, (size, size))
    paths.sort(key=lambda path: (sizes[path], path))
    labels = torch.tensor([classes.index(_folder_of(path, root)) for path in paths]) if labelled else None
    width, height = sizes[paths[0]]
    files = Files(paths, Reader(channels, size))
    return Side(
        len(paths),
        lambda count: _read(files.read, paths, labels, count),
        (channels, height, width) if len(set(sizes.values())) == 1 else None,
        labels,
        classes if labelled else (),
        {"folder": str(root), "of": len(found), "size": size, "fingerprint": files.fingerprint()},
    )


def _folder_of(path: Path, root: Path) -> str:
    """The folder below `root` that a picture is in; "" for none, which is no class."""
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else ""


def _size(path: Path) -> tuple[int, int]:
    """(width, height) as the head of the file has it; a picture that is turned upright may swap them."""
    check_picture(path)
    with Image.open(path) as opened:
        return opened.size


def _read(load: Callable[[Path], Tensor], paths: Sequence[Path], labels: Tensor | None, count: int) -> Iterator[Part]:
    """Parts of equal pictures, read ahead by threads: decoders let go of Python's lock."""
    with ThreadPoolExecutor(_READERS) as pool:
        waiting: list[Future[Tensor]] = []
        try:
            for start in range(0, len(paths), count):
                ahead = paths[start + len(waiting) : start + 2 * count]
                waiting += [pool.submit(load, path) for path in ahead]
                pictures, waiting = [each.result() for each in waiting[:count]], waiting[count:]
                for _, same in groupby(pictures, key=lambda picture: picture.shape):
                    images = torch.stack(list(same))
                    yield Part(images, None if labels is None else labels[start : start + len(images)])
                    start += len(images)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def of_array(
    path: Path, limit: int | None = None, size: int | None = None, channels: int = 3, split: str = SPLITS[0]
) -> Side:
    """The uint8 pictures (n, h, w) or (n, h, w, 1 or 3) in an `.npz` file, with their labels.

    They are called `images` or `arr_0`, and their labels `labels` or `arr_1`; or `x_test` and `y_test` (for the split
    "train" `x_train` and `y_train`), as in `datamodules.Arrays`.

    Raises:
        ValueError: if the file is damaged or holds no such pictures.
    """
    part = "test" if split == SPLITS[0] else "train"
    keys = {"images": "labels", "arr_0": "arr_1", f"x_{part}": f"y_{part}"}
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as arrays:
            key = next((key for key in keys if key in arrays.files), "")
            stored = arrays[key] if key else np.empty(0)
            classes = arrays[keys[key]] if key and keys[key] in arrays.files else np.empty(0)
    except Exception as error:  # zip archives, compression and numpy's format each have errors of their own
        raise ValueError(f"expected an .npz file of pictures, but {path} is none, or is damaged ({error})") from error
    if stored.dtype != np.uint8 or stored.ndim not in (3, 4) or stored.shape[3:] not in ((), (1,), (3,)):
        found = f"{stored.dtype} {stored.shape} as {key}" if key else "none of these"
        raise ValueError(
            f"expected uint8 pictures (n, h, w) or (n, h, w, 1 or 3) as {' or '.join(keys)} in {path}, found {found}"
        )
    pictures = torch.from_numpy(stored[..., None] if stored.ndim == 3 else stored).permute(0, 3, 1, 2)
    labelled = len(pictures) and classes.size == len(pictures) and np.issubdtype(classes.dtype, np.integer)
    labels = torch.from_numpy(classes.reshape(-1).astype(np.int64)) if labelled else None
    if not len(pictures):
        raise ValueError(f"expected pictures in {path}, found none; give a file that holds some")
    chosen = spread(len(pictures), limit)
    pictures = in_channels(pictures[chosen], channels)
    pictures = resized(pictures, size) if size else pictures
    items = Batches(pictures, labels=None if labels is None else labels[chosen])
    identity = {"file": str(path), "array": key, "of": len(stored), "size": size, "fingerprint": items.fingerprint()}
    return of_items(items, 0, None, classes_of(labels), identity)


def new(items: Batches, column: int, places: Tensor | None = None) -> Tensor:
    """Whether each item of a column at `places` (n,), None: all, is one that no place before it has: (n,), bool."""
    length, seen = len(items.columns[column]), set[int]()
    pictures = torch.arange(length) if items.identities is None else items.identities[column]
    fresh = []
    for picture in pictures[torch.arange(length) if places is None else places % length].tolist():
        fresh.append(picture not in seen)
        seen.add(picture)
    return torch.tensor(fresh, dtype=torch.bool)


def items_of(module: LightningDataModule, split: str, limit: int | None = None) -> Batches:
    """What a data module that is set up holds: pictures as they are in it, neither mirrored nor cropped.

    Of a module that is not ours: what its `val_dataloader` (or `train_dataloader`) hands out, at most `limit` items,
    in memory.

    Raises:
        ValueError: if batches are no tensors, or images that are not in [-1, 1].
    """
    if isinstance(module, BatchedDataModule):
        return module.held_out if split == SPLITS[0] else module.training
    loader: Any = module.val_dataloader() if split == SPLITS[0] else module.train_dataloader()
    rows: list[list[Tensor]] = []
    for batch in loader:
        finished = module.on_after_batch_transfer(module.on_before_batch_transfer(batch, 0), 0)
        finished = finished if isinstance(finished, (tuple, list)) else [finished]
        if not all(isinstance(each, Tensor) for each in finished):
            raise ValueError(f"{type(module).__name__} must give batches of tensors, to compare with them")
        rows.append([to_bytes(each, real=True) if each.ndim == 4 else each for each in finished])
        if limit is not None and sum(len(row[0]) for row in rows) >= limit:
            break
    columns = [torch.cat(column)[:limit] for column in zip(*rows, strict=True)]
    if not columns:
        raise ValueError(f"{type(module).__name__} gave no batch; give it more data, or a smaller batch_size")
    labels = columns.pop() if len(columns) > 1 and columns[-1].ndim == 1 else None
    return Batches(*columns, labels=labels)


def classes_of(labels: Tensor | None, names: Sequence[str] = ()) -> list[str]:
    """The names of the classes: those given, or numbers; none without labels."""
    if labels is None or labels.ndim != 1:
        return []
    return list(names) or [str(number) for number in range(int(labels.max()) + 1)]


def of_items(
    items: Batches,
    column: int,
    limit: int | None,
    classes: Sequence[str],
    identity: dict[str, Any],
) -> Side:
    """The items of one column, each once; at most `limit`, at equal distances."""
    own, places = items.columns[column], new(items, column).nonzero().flatten()
    labels = items.labels if items.labels is not None and items.labels.ndim == 1 else None  # others are texts
    chosen = places[spread(len(places), limit)]

    def parts(count: int) -> Iterator[Part]:
        if isinstance(own, Files):
            paths = [own.paths[place] for place in chosen.tolist()]
            yield from _read(own.read, paths, None if labels is None else labels[chosen], count)
            return
        for some in torch.split(chosen, count):
            yield Part(own[some], None if labels is None else labels[some])

    shape = tuple(next(parts(1)).images.shape[1:])
    own_labels = None if labels is None else labels[chosen]
    return Side(len(chosen), parts, shape, own_labels, classes, {"of": len(places), "column": column, **identity})


def of_model(
    module: AdversarialModule,
    count: int,
    seed: int,
    labels: Tensor | None = None,
    classes: Sequence[str] = (),
    truncation: float | None = None,
) -> Side:
    """Samples of a model; sample i depends on the seed and on i, not on the part that it is in.

    Args:
        module: in evaluation mode; it has `sample(n)`, or `sample(n, labels)`.
        count: how many.
        seed: of the noise.
        labels: int64 (count,), or None for a model that takes none.
        classes: their names.
        truncation: the bound of normal noise, or what a model's own `truncation` is to be; None: neither.

    Raises:
        ValueError: for a truncation of a model without normal noise.
    """
    sample: Any = module.sample
    parameters = signature(sample).parameters
    own = {"truncation": truncation} if truncation is not None and "truncation" in parameters else {}

    def drawn(first: int, size: int) -> Part:
        stream = ItemStream(mix(seed, _NOISE), first, size, None if own else truncation)
        wanted = None if labels is None else labels[first : first + size]
        options = own if wanted is None else {**own, "labels": wanted.to(module.device)}
        torch.manual_seed(mix(seed, first))  # for networks that draw from torch's global generator
        with torch.no_grad(), randomness.using(stream):
            made = sample(size, **options)
        if truncation is not None and not own and not stream.normals:
            raise ValueError(f"{type(module).__name__} draws no normal noise to truncate; leave --truncation out")
        return Part(to_bytes(made, real=False) if made.ndim == 4 else made, wanted)

    def parts(size: int) -> Iterator[Part]:
        for first in range(0, count, size):
            yield drawn(first, min(size, count - first))

    shape = tuple(drawn(0, 1).images.shape[1:])
    return Side(count, parts, shape, labels, classes if labels is not None else ())


def takes_labels(module: AdversarialModule) -> bool:
    """Whether a model's samples are of classes that can be chosen."""
    return "labels" in signature(cast(Any, module).sample).parameters and getattr(module, "num_classes", None) != 0


def labels_for(count: int, seed: int, num_classes: int, given: Tensor | None) -> Tensor:
    """Labels of samples (count,): drawn from those of the data, or, without any, each class as often as the others."""
    if given is None:
        return torch.arange(count) % num_classes
    with randomness.using(ItemStream(mix(seed, _LABELS), 0, count)):
        return given[randomness.labels(count, len(given))]


class Translations(NamedTuple):
    """What a translator makes, by direction.

    real: the sides of the target domains.
    counts: how many pictures are translated.
    shapes: (c, h, w) of what is made of them.
    parts: from a number of pictures to parts of at most so many, each with its direction.
    has_truth: whether the data know what each picture looks like in the other domain.
    """

    real: dict[str, Side]
    counts: dict[str, int]
    shapes: dict[str, tuple[int, ...]]
    parts: Callable[[int], Iterator[tuple[str, Part]]]
    has_truth: bool


def of_translator(
    module: AdversarialModule, items: Batches, limit: int | None, seed: int, identity: dict[str, Any]
) -> Translations:
    """Translations of the pictures of each source domain, as `validation_step` returns them; each picture once.

    Raises:
        ValueError: if these data have no two domains, or `validation_step` shows no translations of its batch.
    """
    chosen = spread(len(items), limit)

    def views(places: Tensor) -> tuple[list[Tensor], dict[str, View]]:
        batch = [scaled(column[places % len(column)].to(module.device)) for column in items.columns]
        batch += [] if items.labels is None else [items.labels[places % len(items.labels)].to(module.device)]
        first = int(places[0])
        torch.manual_seed(mix(seed, first))  # dropout is the noise of some generators
        with torch.no_grad(), randomness.using(ItemStream(mix(seed, _NOISE), first, len(places))):
            return batch, views_of(module.validation_step(batch, 0))

    batch, seen = views(chosen[:1])
    sources, targets = ({d: _column(batch, view, key) for d, view in seen.items()} for key in ("source", "real"))
    fresh = {direction: new(items, column, chosen) for direction, column in sources.items()}

    def parts(count: int) -> Iterator[tuple[str, Part]]:
        for rows in torch.split(torch.arange(len(chosen)), count):
            for direction, view in views(chosen[rows])[1].items():
                kept = fresh[direction][rows].to(module.device)
                if kept.any():
                    source, truth = (to_bytes(view[k][kept], real=True) if k in view else None for k in _BESIDE)
                    yield direction, Part(to_bytes(view["fake"][kept], real=False), None, source, truth)

    return Translations(
        {direction: of_items(items, column, limit, (), identity) for direction, column in targets.items()},
        {direction: int(kept.sum()) for direction, kept in fresh.items()},
        {direction: tuple(view["fake"].shape[1:]) for direction, view in seen.items()},
        parts,
        all("truth" in view for view in seen.values()),
    )


_BESIDE = ("source", "truth")


def _column(batch: Sequence[Tensor], view: View, key: str) -> int:
    """Which column of the batch a view shows."""
    for place, column in enumerate(batch):
        if view.get(key) is column:
            return place
    raise ValueError(f'validation_step must return the images of its batch as "{key}", to be evaluated as a translator')
