"""A run that ended in any way goes on in its folder, as if it had not."""

import csv
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback

from forked import forked
from gan_modules import saving
from gan_modules.cli import expanded, fit
from gan_modules.reading import contents
from variants import same

Run = Callable[..., Path]


class KilledAt(Callback):
    """Kills its process after `batch` batches, when their checkpoint has been written."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == self.batch:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Trains for seven batches, two of them an epoch; returns the folder of the model's runs."""
    monkeypatch.chdir(tmp_path)
    common = [
        "--trainer.limit_train_batches=2",
        "--trainer.limit_val_batches=2",
        "--trainer.log_every_n_steps=1",
        "--trainer.enable_progress_bar=false",
        "--trainer.num_sanity_val_steps=0",
        "--trainer.accelerator=cpu",
        "--data.batch_size=4",
        "--samples.every_n_batches=2",
        "--checkpoint.every_n_train_steps=1",
    ]

    def started(*options: str, steps: int = 7, root: str = "runs") -> Path:
        fit(
            ["--model=gan", *common, f"--trainer.max_steps={steps}", f"--trainer.default_root_dir={root}", *options],
        )
        return tmp_path / root / "gan"

    return started


def killed(run: Run, batch: int, *options: str) -> None:
    def work() -> None:
        run("--trainer.callbacks+=test_runs.KilledAt", f"--trainer.callbacks.batch={batch}", *options)

    assert os.waitpid(forked(work), 0)[1] == signal.SIGKILL


def only(root: Path) -> Path:
    (folder,) = root.iterdir()
    return folder


def state(folder: Path, name: str = "last.ckpt") -> dict[str, Any]:
    saved = contents(folder / "checkpoints" / name)
    return {key: saved[key] for key in ("state_dict", "optimizer_states", "global_step", "adversarial")}


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_run_goes_on_in_its_folder_as_if_nothing_had_been(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    whole = only(run(root="whole"))
    killed(run, 3, "--resume")
    assert "a new one begins" in capfd.readouterr().out
    first = only(Path("runs/gan"))
    config = (first / "config.yaml").read_text()
    assert "resume: false" in config
    (first / "checkpoints" / ".last.ckpt.123.tmp").write_text("left by a killed process")
    killed(run, 4, "--ckpt_path=last")
    assert "going on from batch 3\n" in capfd.readouterr().out
    folder = only(run("--resume"))
    assert "going on from batch 4\n" in capfd.readouterr().out
    assert same(state(folder), state(whole))
    assert rows(folder) == rows(whole)
    assert (folder / "config.yaml").read_text() == config
    assert names(folder) == names(whole) and names(folder / "samples") == names(whole / "samples")
    assert names(folder / "checkpoints") == ["last-previous.ckpt", "last.ckpt"]


@pytest.mark.parametrize("steps", [pytest.param(4, marks=pytest.mark.slow), 5])  # two batches are an epoch
def test_a_run_that_is_over_ends_at_once_and_one_with_more_steps_trains_them(
    steps: int, run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = only(run(root="whole"))
    folder = only(run("--checkpoint.every_n_train_steps=100", steps=steps))
    before = {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    capfd.readouterr()
    assert only(run("--resume", steps=steps)) == folder
    assert str(folder.relative_to(Path.cwd())) in capfd.readouterr().out
    assert {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()} == before
    assert only(run("--resume=true")) == folder
    assert same(state(folder), state(whole)) and rows(folder) == rows(whole)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    whole = only(run(root="whole"))
    killed(run, 4)
    folder = only(Path("runs/gan"))
    last = folder / "checkpoints" / "last.ckpt"
    spoilt = bytearray(last.read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    last.write_bytes(spoilt)
    capfd.readouterr()
    run("--resume")
    printed = capfd.readouterr()
    assert "runs/gan" in printed.err and "last.ckpt is damaged" in printed.err
    assert "going on from batch 3\n" in printed.out
    assert same(state(folder), state(whole)) and rows(folder) == rows(whole)
    for path in (last, saving.previous(last)):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="all checkpoints"):
        run("--resume")
    assert len(list(Path("runs/gan").iterdir())) == 1


@pytest.mark.slow
def test_the_run_that_saved_last_goes_on_and_others_are_left_alone(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    first = only(run(steps=1))
    run("--ckpt_path", str(first / "checkpoints" / "last.ckpt"), steps=2)
    (second,) = set(Path("runs/gan").iterdir()) - {first.relative_to(Path.cwd())}
    (Path("runs/gan") / "2999-01-01_without_checkpoint").mkdir()
    before = state(first)
    capfd.readouterr()
    run("--resume", "--data.batch_size=8", steps=2)
    assert "going on from batch 2, but with data.batch_size 8 (was 4)" in capfd.readouterr().out
    assert same(state(first), before) and state(second)["global_step"] == 2


def test_last_is_an_error_where_there_is_none(run: Run) -> None:
    with pytest.raises(ValueError, match="no run in runs/gan has a checkpoint"):
        run("--ckpt_path=last")
    assert not Path("runs").exists()
    with pytest.raises(ValueError, match=r"checkpoint\.dirpath"):
        run("--resume", "--checkpoint.dirpath=elsewhere")


@pytest.mark.parametrize(
    ("given", "means"),
    [("--resume", "true"), ("--resume false", "false"), ("--resume=true", "true"), ("--resume --x", "true")],
)
def test_resume_is_a_flag(given: str, means: str) -> None:
    assert f"--resume={means}" in expanded(given.split())[1]
