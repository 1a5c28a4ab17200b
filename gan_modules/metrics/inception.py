"""The network of the published FID: the 2015 Inception in torch-fidelity's port, and where its weights come from."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

from gan_modules.metrics.features import Unavailable
from gan_modules.reading import is_plain, shown


def checked_path(weights: Path | str | None) -> Path | None:
    """The path of a weights file.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    if weights is None:
        return None
    if not Path(weights).is_file():
        raise FileNotFoundError(
            f"expected a file of Inception weights, found none at {weights}; correct the path, or leave it out to "
            f"download {URL_INCEPTION_V3}"
        )
    return Path(weights)


def checked_state(path: Path) -> dict[str, Tensor]:
    """The weights, read without running what a pickle may hold.

    Raises:
        ValueError: if the file is damaged, or holds something else.
    """
    expected = f"expected torch-fidelity's Inception weights in {path}"
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or hostile file makes the reader say
        raise ValueError(f"{expected}, could not read the file; download {URL_INCEPTION_V3} again") from error
    if not isinstance(state, dict) or not {"fc.weight", "Mixed_7c.branch1x1.conv.weight"} <= state.keys():
        raise ValueError(f"{expected}, got something else; download {URL_INCEPTION_V3}")
    for name, value in state.items():
        if not isinstance(value, Tensor) or not is_plain(value) or not torch.isfinite(value).all():
            raise ValueError(f"{expected}, got no finite numbers in {shown(name)}; download {URL_INCEPTION_V3} again")
    return state


def downloaded() -> Path:
    """The file of weights in torch's hub folder, fetched if it is not there.

    Raises:
        Unavailable: if it cannot be fetched.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / URL_INCEPTION_V3.rpartition("/")[2]
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = path.stem.rpartition("-")[2]
    try:
        with _patience(seconds=20):
            torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path), hash_prefix=prefix, progress=False)
    except (URLError, OSError, RuntimeError) as error:
        raise Unavailable(
            f"The Inception metrics are left out, because their weights could not be downloaded ({error}): "
            f"fetch {URL_INCEPTION_V3} elsewhere, and give its path as `weights` or put it into {path.parent}."
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
