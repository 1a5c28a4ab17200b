"""Whatever ends a run, what it leaves is good to go on from."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from datamodules import Emoji
from datamodules.order import Batches, Raw, Request
from gan_modules.callbacks import Checkpoints
from variants import build, loader, same, trainer, whole_state

FIT = Path(__file__).parents[2] / "scripts" / "fit.py"


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Lightning ignores Ctrl-C for ever once there was one."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    assert before[signal.SIGTERM] == signal.getsignal(signal.SIGTERM)
    for number, handler in before.items():
        signal.signal(number, handler)


class At(Callback):
    """Does something in the middle of a batch, or at the end of a validation batch."""

    def __init__(self, batch: int, act: Callable[[], Any], where: str = "middle") -> None:
        self.batch, self.act, self.where = batch, act, where

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if (getattr(pl_module, "batches_seen", 0), self.where) == (self.batch, "middle"):
            self.act()

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if (getattr(pl_module, "batches_seen", 0), self.where) == (self.batch, "validation"):
            self.act()


def run(folder: Path, *callbacks: Callback, start: Path | None = None) -> dict[str, Any]:
    """All that a run of six batches has at its end; it validates after every third."""
    saves = Checkpoints(dirpath=folder, save_last=True, save_top_k=0, save_on_exception=True, every_n_minutes=None)
    module = build("wgan_gp", seed=0 if start is None else 1, average_decay=0.9)
    module.seed = 7 if start is None else None
    options: dict[str, Any] = {"val_check_interval": 3, "limit_train_batches": 6, "limit_val_batches": 2}
    fitted = trainer(callbacks=[*callbacks, saves], enable_checkpointing=True, **options)
    data = Emoji(batch_size=4, image_size=8, flip=True, seed=3)
    fitted.fit(module, datamodule=data, ckpt_path=None if start is None else str(start))
    return whole_state(module, fitted)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The run that nothing ended."""
    torch.manual_seed(0)
    return run(tmp_path_factory.mktemp("whole"))


def told(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize("where", ["middle", "validation"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_told_to_stop_saves_at_the_end_of_the_batch(
    number: int, code: int, where: str, whole: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as end:
        run(tmp_path, At(3, told(number), where))
    assert end.value.code == code
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
    assert same(run(tmp_path, start=tmp_path / "last.ckpt"), whole)


def test_a_second_interrupt_ends_at_once_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").write_text("older")
    with pytest.raises(SystemExit):
        run(tmp_path, At(3, lambda: [told(signal.SIGINT)(), told(signal.SIGINT)()]))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["older"]


def fail() -> Any:
    raise ZeroDivisionError


def test_an_error_in_the_middle_of_a_batch_leaves_the_good_checkpoint_alone(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").write_text("older")
    with pytest.raises(ZeroDivisionError):
        run(tmp_path, At(3, fail))
    assert (tmp_path / "last.ckpt").read_text() == "older"
    assert torch.load(tmp_path / "stopped.ckpt", weights_only=True)["adversarial"]["batches_seen"] == 3


def test_an_error_between_batches_leaves_a_checkpoint_to_go_on_from(
    whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[Request] = []
    read = Batches.__getitem__

    def breaking(self: Batches, request: Request) -> Raw:
        requests.extend([request] if self.vary else [])  # those of training
        return fail() if len(requests) == 5 else read(self, request)

    monkeypatch.setattr(Batches, "__getitem__", breaking)
    with pytest.raises(ZeroDivisionError):
        run(tmp_path)
    monkeypatch.undo()
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == 4
    assert same(run(tmp_path, start=tmp_path / "last.ckpt"), whole)


def test_time_brings_checkpoints_too(tmp_path: Path) -> None:
    saves = Checkpoints(dirpath=tmp_path, save_last=True, save_top_k=0, every_n_minutes=1e-9)
    steps: list[int] = []
    look = At(5, lambda: steps.append(torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"]))
    trainer(callbacks=[look, saves], enable_checkpointing=True).fit(build("gan"), loader("gan", 6))
    assert set(steps) == {4}
    with pytest.raises(ValueError, match="every_n_minutes must be above 0, got 0"):
        Checkpoints(every_n_minutes=0)


@pytest.mark.slow
@pytest.mark.parametrize(("victim", "number"), [(0, signal.SIGTERM), (1, signal.SIGTERM), (1, signal.SIGKILL)])
def test_what_ends_one_process_ends_the_job(victim: int, number: int, tmp_path: Path) -> None:
    options = ["--model=gan", f"--trainer.default_root_dir={tmp_path}", "--trainer.devices=2", "--trainer.strategy=ddp"]
    options += ["--trainer.accelerator=cpu", "--trainer.max_time=null", "--trainer.max_epochs=100000"]
    options += ["--trainer.check_val_every_n_epoch=100000", "--checkpoint.every_n_train_steps=20"]
    job = subprocess.Popen([sys.executable, FIT, *options], stderr=subprocess.PIPE, text=True)
    checkpoints = iter(lambda: list(tmp_path.glob("gan/*/checkpoints/last.ckpt")), None)
    deadline = time.monotonic() + 120
    while not next(checkpoints):
        assert time.monotonic() < deadline and job.poll() is None
        time.sleep(0.1)
    (other,) = map(int, Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split())
    os.kill((job.pid, other)[victim], number)
    _, errors = job.communicate(timeout=30)
    assert job.returncode == 143 if number == signal.SIGTERM else job.returncode != 0
    saved = torch.load(next(checkpoints)[0], weights_only=True)
    assert saved["global_step"] == saved["adversarial"]["batches_seen"] >= 20
    if number == signal.SIGKILL:
        assert "another process of this run has ended" in errors
    deadline = time.monotonic() + 30
    while Path(f"/proc/{other}").exists():
        assert time.monotonic() < deadline, "the other process lives on"
        time.sleep(0.1)
