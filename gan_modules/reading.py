"""Checkpoints from strangers, read without executing what they say and without more memory than they have bytes."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from reprlib import repr as shortened
from typing import IO, Any

import torch
from torch import Tensor, nn

from gan_modules.seals import damage

_DEPTH, _ENTRIES = 32, 1_000_000
_URL = re.compile(r"[a-z][a-z0-9+.-]+:/|[^/]*::", re.IGNORECASE)


def contents(source: str | Path | IO[bytes], mapped: bool = False, map_location: Any = "cpu") -> dict[str, Any]:
    """What a checkpoint of any Trainer holds, of which only tensors and plain data are read.

    Args:
        source: a local file, or an open one, which is left at its start.
        mapped: leave the numbers of the tensors of a file on the disk until they are used, to look at the rest.
        map_location: on which device the tensors are to be, as `torch.load` takes it.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a URL, and if the file is no checkpoint, is damaged, or unpacks to more than its own size.
    """
    if not isinstance(source, (str, Path)):
        return _read(source, f"the file {shortened(getattr(source, 'name', 'given'))}", source, map_location)
    path = checked_path(source)
    with path.open("rb") as file:
        return _read(file, str(path), path if mapped else file, map_location)


def checked_path(path: str | Path) -> Path:
    """The path of a local file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a URL.
    """
    if is_url(path):
        raise ValueError(f"expected a file, got the URL {path}; download it, and give the path of what you trust")
    if not Path(path).is_file():
        raise FileNotFoundError(f"expected a checkpoint, got {path}, which is no file; runs have checkpoints/last.ckpt")
    return Path(path)


def is_url(path: str | Path) -> bool:
    """Whether fsspec, through which Lightning reads and removes files, would take `path` for more than a local one."""
    return bool(_URL.match(str(path)))


def _read(file: IO[bytes], name: str, source: Path | IO[bytes], map_location: Any) -> dict[str, Any]:
    if wrong := damage(file):
        raise ValueError(f"expected a checkpoint, but {name} {wrong}; give another file")
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        size = file.seek(0, 2)
        file.seek(0)
        checkpoint = torch.load(source, map_location=map_location, weights_only=True, mmap=isinstance(source, Path))
        file.seek(0)
    except Exception as error:  # whatever a damaged or hostile file makes the readers say
        raise ValueError(f"expected a checkpoint, but {name} is none, or is damaged; give another file") from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f"expected a checkpoint, but {name} holds a {type(checkpoint).__name__}; give another file")
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for _, t in tensors(checkpoint)}
    if max(unpacked, sum(storages.values())) > size:
        raise ValueError(f"expected a checkpoint, but {name} unpacks to more than its own size; give another file")
    return checkpoint


def tensors(node: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors of nested dictionaries, lists and tuples, with their names.

    Raises:
        ValueError: for what no run writes: entries without end, attributes on a dictionary, and tensors that are
            sparse, quantized, of a class of their own, or have more numbers than they have bytes for.
    """
    entries, stack = 0, [(name, node, 0)]
    while stack:
        name, node, depth = stack.pop()
        entries += 1
        if depth > _DEPTH or entries > _ENTRIES:
            raise ValueError("the checkpoint is deeper or has more entries than any run writes; give another file")
        if isinstance(node, Tensor):
            if not is_plain(node):
                raise ValueError(f"the checkpoint's {shown(name)} is no plain tensor; give another file")
            yield name, node
        elif isinstance(node, dict):
            if getattr(node, "__dict__", {}).keys() - {"_metadata"}:
                raise ValueError(f"the checkpoint's {shown(name)} is no plain dictionary; give another file")
            stack += [(f"{name}.{key}" if name else str(key), each, depth + 1) for key, each in dict.items(node)]
        elif isinstance(node, (list, tuple, set)):
            stack += [(f"{name}.{index}", each, depth + 1) for index, each in enumerate(node)]


def is_plain(tensor: Tensor) -> bool:
    """Whether it is an ordinary tensor that has bytes for all its numbers."""
    ordinary = type(tensor) in (Tensor, nn.Parameter) and not vars(tensor) and tensor.layout == torch.strided
    if not ordinary or tensor.is_quantized or tensor.is_nested or tensor.is_meta:
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def shown(value: Any) -> str:
    """A name or value out of a file, short and on one line, whatever is in it."""
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)} of {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, str) and re.fullmatch(r"[\w.]{1,200}", value):
        return value
    text = " ".join(shortened(value).split())
    return text if len(text) <= 80 else f"a {type(value).__name__} of {len(value)}"
