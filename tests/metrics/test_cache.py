"""Statistics of data on the disk: found when nothing they depend on has changed, and believed if they are whole."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from forked import forked
from gan_modules import seals
from gan_modules.metrics import FeatureMetric, FeatureNetwork
from gan_modules.metrics.cache import folder_of, keep, load, path_of, take

HEADER = {"data": "Pictures, held out", "fingerprint": "1a2b", "samples": 5, "network": "Flatten_pixels"}


class Means(FeatureMetric):
    """Lists of samples beside a sum and a count of each side."""

    real_sum: Tensor
    real_count: Tensor

    def __init__(self, reset_real: bool = False) -> None:
        super().__init__(FeatureNetwork(nn.Flatten(), "_pixels"), reset_real)
        for side in ("real", "fake"):
            self.add_state(f"{side}_sum", torch.zeros(12, dtype=torch.float64), dist_reduce_fx="sum")
            self.add_state(f"{side}_count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, images: Tensor, real: bool) -> None:
        super().update(images, real)
        side = "real" if real else "fake"
        total = self.network.features(images, real).double().sum(dim=0)
        setattr(self, f"{side}_sum", getattr(self, f"{side}_sum") + total)
        setattr(self, f"{side}_count", getattr(self, f"{side}_count") + len(images))

    def compute(self) -> Tensor:
        assert torch.equal(torch.cat(self.real_features).double().sum(dim=0), self.real_sum)
        return (self.real_sum / self.real_count - self.fake_sum / self.fake_count).abs().mean()


def images(seed: int, count: int = 5) -> Tensor:
    return torch.rand(count, 3, 2, 2, generator=torch.Generator().manual_seed(seed))


def knowing(reset_real: bool = False) -> Means:
    """A metric that knows both sides."""
    metric = Means(reset_real)
    metric.update(images(0), real=True)
    metric.update(images(1), real=False)
    return metric


def fresh() -> Means:
    """One that knows the generated images alone."""
    metric = Means()
    metric.update(images(1), real=False)
    return metric


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the statistics with HEADER are."""
    keep(tmp_path, HEADER, knowing())
    assert load(tmp_path, HEADER, fresh())
    return tmp_path


def test_another_run_starts_with_what_was_kept(folder: Path) -> None:
    metric = fresh()
    statistics = load(folder, HEADER, metric)
    assert statistics is not None
    take(statistics, HEADER, metric)
    assert torch.equal(metric.compute(), knowing().compute())
    (path,) = folder.iterdir()
    assert path.name.startswith("Pictures_held_out_5_Flatten_pixels")
    assert torch.load(path, weights_only=True)["header"].items() >= HEADER.items()


def test_metrics_of_the_same_data_have_the_same_tensors(folder: Path) -> None:
    metrics = fresh(), fresh()
    for metric in metrics:
        statistics = load(folder, HEADER, metric)
        assert statistics is not None
        take(statistics, HEADER, metric)
    assert metrics[0].real_features[0] is metrics[1].real_features[0]


def test_processes_have_their_shares(folder: Path) -> None:
    shares = [fresh() for _ in range(2)]
    for rank, metric in enumerate(shares):
        statistics = load(folder, HEADER, metric)
        assert statistics is not None
        take(statistics, HEADER, metric, rank, processes=2)
    kept = [torch.cat(metric.real_features) for metric in shares]
    assert torch.equal(torch.cat(kept)[[0, 3, 1, 4, 2]], torch.cat(knowing().real_features))
    assert [metric.real_count.item() for metric in shares] == [5, 0]
    assert torch.equal(shares[0].real_sum + shares[1].real_sum, knowing().real_sum)


@pytest.mark.parametrize("key", HEADER)
def test_all_that_they_depend_on_is_in_the_key(key: str, folder: Path) -> None:
    other = HEADER | {key: 6 if key == "samples" else "another"}
    assert load(folder, other, fresh()) is None
    os.replace(path_of(folder, HEADER), path_of(folder, other))  # a name alone is not believed
    assert load(folder, other, fresh()) is None


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def written(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    """A well-sealed file of somebody who has changed what it says."""

    def write(path: Path) -> None:
        content = torch.load(path, weights_only=True)
        changed = change(content)
        seals.write(content if changed is None else changed, path)

    return write


def statistic(name: str, change: Callable[[Tensor], Any]) -> Callable[[Path], None]:
    return written(lambda content: content["statistics"].update({name: change(content["statistics"][name])}))


class Payload:
    """Leaves a file where it is unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path(os.environ["PAYLOAD"]),)


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no statistics"),
    "folder": lambda path: (path.unlink(), path.mkdir()),
    "truncated": truncated,
    "flipped": flipped,
    "hostile": lambda path: torch.save({"header": HEADER, "statistics": Payload()}, path),
    "a list": written(lambda content: ["statistics"]),
    "no header": written(lambda content: {"statistics": content["statistics"]}),
    "a header of tensors": written(lambda content: content.update(header={"data": torch.ones(2)})),
    "another format": written(lambda content: content["header"].update(format=0)),
    "no statistics": written(lambda content: content.update(statistics=None)),
    "a state too few": written(lambda content: {**content, "statistics": {}}),
    "a state too many": written(lambda content: content["statistics"].update(real_more=torch.zeros(1))),
    "no tensor": statistic("real_sum", lambda kept: kept.tolist()),
    "NaN": statistic("real_features", lambda kept: kept * torch.nan),
    "infinity": statistic("real_sum", lambda kept: kept + torch.inf),
    "fewer samples": statistic("real_features", lambda kept: kept[1:].clone()),
    "other features": statistic("real_features", lambda kept: kept[:, 1:].clone()),
    "other numbers": statistic("real_features", lambda kept: kept.double()),
    "a matrix": statistic("real_sum", lambda kept: torch.outer(kept, kept)),
    "another count": statistic("real_count", lambda kept: kept - 1),
    "complex": statistic("real_sum", lambda kept: kept * 1j),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_and_hostile_files_are_as_if_not_there(
    damage: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYLOAD", str(folder / "ran"))
    path = path_of(folder, HEADER)
    DAMAGE[damage](path)
    assert load(folder, HEADER, fresh()) is None
    assert not (folder / "ran").exists()
    if damage != "folder":
        keep(folder, HEADER, knowing())
        assert load(folder, HEADER, fresh())


def test_where_nothing_can_be_written_a_warning_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="could not be kept in .*file/statistics .*: the next run computes them"):
        keep(tmp_path / "file" / "statistics", HEADER, knowing())
    path_of(tmp_path, HEADER).mkdir()
    with pytest.warns(UserWarning, match="could not be kept"):
        keep(tmp_path, HEADER, knowing())
    assert {path.name for path in tmp_path.iterdir()} == {"file", path_of(tmp_path, HEADER).name}


def test_processes_that_write_at_once_are_harmless(tmp_path: Path) -> None:
    metric = knowing()

    def write() -> None:
        for _ in range(10):
            keep(tmp_path, HEADER, metric)

    writers = [forked(write) for _ in range(2)]
    found = 0
    while not found:
        found = path_of(tmp_path, HEADER).exists()
    for _ in range(20):
        assert load(tmp_path, HEADER, fresh()) is not None
    assert [os.waitpid(writer, 0)[1] for writer in writers] == [0, 0]
    assert list(tmp_path.iterdir()) == [path_of(tmp_path, HEADER)]


def test_what_a_killed_writer_left_is_removed_in_time(folder: Path) -> None:
    old, new = folder / ".old.pt.tmp", folder / ".new.pt.tmp"
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (0, 0))
    keep(folder, HEADER, knowing())
    assert new.exists() and not old.exists()


def test_the_folder_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAN_MODULES_CACHE", str(tmp_path / "given"))
    assert folder_of(True) == tmp_path / "given" / "statistics"
    monkeypatch.delenv("GAN_MODULES_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert folder_of(True) == tmp_path / "xdg" / "gan_modules" / "statistics"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder_of(True) == tmp_path / ".cache" / "gan_modules" / "statistics"
    assert folder_of(False) is None
    assert folder_of("my/statistics") == Path("my/statistics")
