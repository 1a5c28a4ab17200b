"""Files of weights are fetched or found, and read without believing them."""

import os
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from gan_modules.metrics.features import Unavailable
from gan_modules.metrics.weights import found, read

WHAT, URL = "the weights of a network", "https://example.org/network-0123abcd.pth"


class Hostile:
    """A pickle that runs a command when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_given_file_is_used_and_a_missing_one_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    with pytest.raises(FileNotFoundError, match=f"found none at {path}; .* download {URL}"):
        found(path, WHAT, URL)
    torch.save({"a": torch.arange(3.0)}, path)
    assert found(str(path), WHAT, URL) == path
    assert torch.equal(read(path, WHAT, URL)["a"], torch.arange(3.0))


def test_without_a_network_the_download_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fails)
    with pytest.raises(Unavailable, match=f"{WHAT} could not be downloaded .*no network.* give its path as `weights`"):
        found(None, WHAT, URL)
    kept = tmp_path / "checkpoints" / "network-0123abcd.pth"
    kept.touch()
    assert found(None, WHAT, URL) == kept
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(kept))  # a folder that cannot be made
    with pytest.raises(Unavailable):
        found(None, WHAT, URL)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_runs_code_is_refused(tmp_path: Path, zipped: bool) -> None:
    path, trace = tmp_path / "weights.pth", tmp_path / "trace"
    torch.save({"a": torch.zeros(2), "b": Hostile(trace)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match="could not read the file; download"):
        read(path, WHAT, URL)
    assert not trace.exists()


def test_damage_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.arange(64.0)}, path)
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(64.0).numpy().tobytes()) + 40] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged.* download"):
        read(path, WHAT, URL)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="could not read the file"):
        read(path, WHAT, URL)


@pytest.mark.parametrize(
    ("content", "message"),
    [([1, 2], "got "), ({"a": torch.tensor([1.0, torch.nan])}, "no finite numbers in a"), ({"a": 3}, "in a")],
)
def test_other_contents_are_refused(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(ValueError, match=message):
        read(path, WHAT, URL)
