"""Statistics of data on the disk: what a metric keeps of the real side, so that a second run starts with it.

A file is named after what it holds, and by a digest of all that its numbers depend on, its header. It is written whole
or not at all, is sealed (see `gan_modules.seals`), and is believed only if its seal, its header and the shapes in it
are what they must be: anything else is as if it were not there, and is replaced. `torch.load(FILE)["header"]` says
what a file is of.
"""

import hashlib
import json
import os
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from gan_modules import seals
from gan_modules.reading import contents, is_plain

FORMAT = 1
"""To be raised when the same header would mean other numbers."""

Header = dict[str, str | int]
"""What statistics are of: all that they depend on. It has the number of "samples"."""

_DAY = 24 * 60 * 60
_taken: WeakValueDictionary[tuple[Any, ...], Tensor] = WeakValueDictionary()


def folder_of(cache: bool | str | Path) -> Path | None:
    """Where statistics are kept: a folder that was given, none for False, and for True the user's.

    That is `statistics` in the folder that the environment's GAN_MODULES_CACHE names, or else in `gan_modules` in
    XDG_CACHE_HOME, or else in `~/.cache`.
    """
    if not isinstance(cache, bool):
        return Path(cache)
    home = os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    root = os.environ.get("GAN_MODULES_CACHE") or os.path.join(home, "gan_modules")
    return Path(root, "statistics") if cache and not root.startswith("~") else None


def path_of(folder: Path, header: Header) -> Path:
    """The file of the statistics with this header."""
    digest = hashlib.sha256(json.dumps(_complete(header), sort_keys=True).encode()).hexdigest()
    words = re.sub(r"[^\w@.]+", "_", "-".join(str(header[key]) for key in ("data", "samples", "network")))
    return folder / f"{words}-{digest[:32]}.pt"


def load(folder: Path, header: Header, metric: Metric) -> dict[str, Tensor] | None:
    """What is kept of the data with this header, if it is there and is what `metric` would have of them.

    Args:
        folder: of the statistics.
        header: what they must be of.
        metric: has been updated with generated images, of which it keeps the same as of the data.
    """
    try:
        kept = contents(path_of(folder, header))
    except (ValueError, OSError):
        return None
    statistics = kept.get("statistics")
    believed = _plainly_equal(kept.get("header"), _complete(header)) and _fits(statistics, metric, header["samples"])
    return statistics if believed else None


def take(statistics: dict[str, Tensor], header: Header, metric: Metric, rank: int = 0, processes: int = 1) -> None:
    """Give a metric that knows no data this process's share of what was loaded.

    Lists of samples are dealt to the processes in turn, as the samples are; sums are the first one's. Metrics that are
    given the samples of equal headers have the same tensors.
    """
    for name, state in real_states(metric).items():
        if isinstance(state, list):
            share = statistics[name][rank::processes].contiguous().to(metric.device)
            key = (*sorted(header.items()), name, rank, processes, metric.device)
            setattr(metric, name, [_taken.setdefault(key, share)])
        elif rank == 0:
            setattr(metric, name, statistics[name].to(metric.device))


def keep(folder: Path, header: Header, metric: Metric) -> None:
    """Write what a metric knows of the data, of all processes together (see `Metric.sync_context`).

    Where that is not possible a warning says so. Any number of processes may write the same file at once.
    """
    path = path_of(folder, header)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    statistics = {
        name: dim_zero_cat(state).cpu() if isinstance(state, list) else state.cpu()
        for name, state in real_states(metric).items()
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        seals.write({"header": _complete(header), "statistics": statistics}, temporary)
        os.replace(temporary, path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        rank_zero_warn(f"Statistics of the data could not be kept in {folder} ({reason}): the next run computes them.")
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def real_states(metric: Metric) -> dict[str, Tensor | list[Tensor]]:
    """The states of a metric that belong to the data."""
    return {name: state for name, state in metric.metric_state.items() if name.startswith("real_")}


def _complete(header: Header) -> Header:
    return {"format": FORMAT, **header}


def _plainly_equal(found: Any, expected: Header) -> bool:
    plain = isinstance(found, dict) and all(isinstance(value, (str, int)) for value in found.values())
    return plain and found == expected


def _fits(statistics: Any, metric: Metric, samples: str | int) -> bool:
    """Whether statistics are finite numbers of the shapes that the metric keeps for so many samples."""
    states = real_states(metric)
    if not isinstance(statistics, dict) or statistics.keys() != states.keys():
        return False
    likes = {name: metric.metric_state.get(name.replace("real_", "fake_", 1), state) for name, state in states.items()}
    return all(_alike(statistics[name], like, samples) for name, like in likes.items())


def _alike(found: Any, like: Any, samples: str | int) -> bool:
    if not isinstance(found, Tensor) or not is_plain(found):
        return False
    if isinstance(like, list):  # of parts with a row for each sample
        shape, dtype = ((samples, *like[0].shape[1:]), like[0].dtype) if like else (None, None)
    else:
        shape, dtype = tuple(like.shape), like.dtype
    if tuple(found.shape) != shape or found.dtype != dtype or not torch.isfinite(found).all():
        return False
    return found.ndim > 0 or found.is_floating_point() or found.item() == samples  # a whole number is their count


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed while they wrote have left."""
    for path in folder.glob(".*.tmp"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _DAY:
                path.unlink()
