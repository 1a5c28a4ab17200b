"""A full disk: what was there stays whole, nothing half is left, and there is one sentence."""

import resource
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_modules.callbacks import SampleGrid
from gan_modules.cli import fit, main
from variants import build, loader, trainer

SCRIPT = Path(__file__).parents[1] / "scripts" / "sample.py"


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Inside, the system refuses to write files beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {}
    for name in ("dcgan", "pix2pix"):
        root = tmp_path_factory.mktemp(name)
        small = ["--data.image_size=16", "--data.batch_size=4", "--model.generator.width=4", "--trainer.max_steps=1"]
        quiet = ["--trainer.enable_progress_bar=false", "--trainer.limit_val_batches=2", "--trainer.accelerator=cpu"]
        fit(["--model", name, *small, *quiet, f"--trainer.default_root_dir={root}"])
        (found[name],) = root.rglob("last.ckpt")
    return found


def test_samples_while_training(tmp_path: Path) -> None:
    grid = SampleGrid(every_n_batches=2, dirpath=tmp_path, rows=2, columns=2)
    trainer(callbacks=[grid]).fit(build("gan"), loader("gan", 2), loader("gan", 1))
    before = contents(tmp_path)
    assert before.keys() == {"batch-000002.png", "last.png"} and len(before["last.png"]) > 1000
    module = build("gan", seed=1)
    with room_for(1000), pytest.warns(UserWarning, match="No more sample grids are written"):
        trainer(callbacks=[grid]).fit(module, loader("gan", 6), loader("gan", 1))
    assert module.batches_seen == 6
    assert contents(tmp_path) == before


def sample(*arguments: object) -> None:
    sys.argv = [str(SCRIPT), *map(str, arguments)]
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert end.value.code == 1


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_samples(
    suffix: str,
    checkpoints: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / f"old{suffix}").write_bytes(b"what was there")
    before = contents(tmp_path)
    with room_for(1000):
        sample("--checkpoint", checkpoints["dcgan"], "--out", tmp_path / f"old{suffix}", "--overwrite")
        sample("--checkpoint", checkpoints["dcgan"], "--out", tmp_path / f"new{suffix}")
    assert contents(tmp_path) == before
    errors = capfd.readouterr().err.splitlines()
    assert len(errors) == 2 and all("make room on the disk" in error and "Traceback" not in error for error in errors)


def test_translations(
    checkpoints: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    noise = np.random.default_rng(0)
    for name in ("a", "b"):
        Image.fromarray(noise.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "in" / f"{name}.png")
        (tmp_path / "out" / f"{name}.png").write_bytes(b"what was there")
    before = contents(tmp_path / "out")
    given = ["--input", tmp_path / "in", "--out", tmp_path / "out", "--overwrite", "--size", 64]
    with room_for(1000):
        sample("--checkpoint", checkpoints["pix2pix"], *given)
    assert contents(tmp_path / "out") == before
    assert "make room on the disk" in capfd.readouterr().err


def test_the_configuration_of_a_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    given = ["--model", "gan", "--trainer.max_steps=1", "--trainer.accelerator=cpu"]
    with room_for(1000), pytest.raises(SystemExit) as end:
        main(fit, [*given, f"--trainer.default_root_dir={tmp_path}"])
    assert end.value.code == 1
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "make room on the disk" in errors[0]
