"""Files of published weights: how they are fetched, and how they are read without running what they say."""

import socket
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor

from gan_modules.metrics.features import Unavailable
from gan_modules.reading import is_plain, shown
from gan_modules.seals import damage


def found(weights: Path | str | None, what: str, url: str) -> Path:
    """The file of `what`: the one given, or the download, which is kept in torch's hub folder.

    Raises:
        FileNotFoundError: if a file is given and is not there.
        Unavailable: if none is given and the download fails.
    """
    if weights is None:
        return _downloaded(what, url)
    if not Path(weights).is_file():
        raise FileNotFoundError(
            f"expected a file of {what}, found none at {weights}; correct the path, or leave it out to download {url}"
        )
    return Path(weights)


def read(path: Path, what: str, url: str) -> dict[str, Tensor]:
    """The tensors in a file by name; of a pickle, only tensors and plain data are read.

    Raises:
        ValueError: if the file is damaged, or holds anything but tensors of finite numbers.
    """
    expected, advice = f"expected {what} in {path}", f"download {url} again"
    if zipfile.is_zipfile(path) and (wrong := damage(path)):
        raise ValueError(f"{expected}, but the file {wrong}; {advice}")
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or hostile file makes the reader say
        raise ValueError(f"{expected}, could not read the file; {advice}") from error
    if not isinstance(state, dict):
        raise ValueError(f"{expected}, got {shown(state)}; {advice}")
    for name, value in state.items():
        if not isinstance(value, Tensor) or not is_plain(value) or not torch.isfinite(value).all():
            raise ValueError(f"{expected}, got no finite numbers in {shown(name)}; {advice}")
    return state


def place(url: str) -> Path:
    """Where torch's hub keeps what it downloads from there."""
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]


def _downloaded(what: str, url: str) -> Path:
    path = place(url)
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _patience(seconds=20):
            torch.hub.download_url_to_file(url, str(path), path.stem.rpartition("-")[2], progress=False)
    except (URLError, OSError, RuntimeError) as error:
        raise Unavailable(
            f"{what} could not be downloaded ({error}): fetch {url} elsewhere, and give its path as `weights` or put "
            f"it into {path.parent}."
        ) from error
    return path


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Inside, a connection that does not answer for so long fails; torch's download would wait for minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
