"""The mode-collapse laboratory, through its command line: what it leaves, resuming, and mistakes."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from gan_modules.networks.init import init_glorot, init_normal
from mnist_files import write_bars
from script_modules import loaded

TINY = ["--data", "ring", "--seeds", "2", "--epochs", "0.003", "--samples", "100"]


@pytest.fixture(scope="module")
def modes() -> ModuleType:
    return loaded("modes")


def results(out: Path) -> dict[str, Any]:
    return json.loads((out / "results.json").read_text())


def test_a_laboratory_and_what_it_leaves(modes: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    modes.run([*TINY, "--out", str(tmp_path)])
    printed, found = capsys.readouterr().out, results(tmp_path)
    assert (tmp_path / "table.txt").read_text() in printed and str(tmp_path) in printed
    assert "0.003 of its 400 epochs" in printed and "6.3 ± 0.5" in printed and "Lin et al. (2018), table 1" in printed
    for model in ("gan", "wgan_gp"):
        runs = found["runs"][model]
        assert [each["settings"]["seed"] for each in runs] == [0, 1]
        assert all(each["settings"]["batches"] == 3 and len(each["history"]) == 1 for each in runs)
        for score, summary in found["summary"][model].items():
            first, second = (each["scores"][score] for each in runs)
            assert summary["mean"] == pytest.approx((first + second) / 2)
            assert summary["standard_error"] == pytest.approx(abs(first - second) / 2)
    assert found["runs"]["gan"][0]["settings"]["hyperparameters"]["betas"] == [0.8, 0.999]
    assert found["command"]["models"] == "gan,wgan_gp" and found["protocol"]["epochs"] == 400
    assert [each["modes"] for each in found["data_themselves"]] == [8, 8]
    width, height = Image.open(tmp_path / "ring.png").size
    assert width > 1000 > height > 500
    assert not list((tmp_path / "runs").glob("*/")), "checkpoints of finished runs"


@pytest.mark.slow
def test_what_is_finished_is_kept_and_what_is_damaged_is_not(
    modes: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = []
    train = modes.Laboratory._train
    monkeypatch.setattr(modes.Laboratory, "_train", lambda self, *args: trained.append(args[3]) or train(self, *args))

    def again(*options: str) -> int:
        trained.clear()
        modes.run([*TINY, "--out", str(tmp_path), *options])
        return len(trained)

    assert again("--models", "gan", "--seeds", "1") == 1
    first = results(tmp_path)["runs"]["gan"][0]
    assert again("--models", "gan") == 1  # the second seed
    assert again("--models", "gan") == 0
    assert results(tmp_path)["runs"]["gan"][0] == first
    (file,) = (tmp_path / "runs").glob("gan-0-*.json")
    for damaged in (file.read_text()[:-50], "[]", file.read_text().replace('"seed": 0', '"seed": 7')):
        file.write_text(damaged)
        capsys.readouterr()
        assert again("--models", "gan") == 1
        assert f"{file} is damaged" in capsys.readouterr().err
        assert results(tmp_path)["runs"]["gan"][0]["scores"] == first["scores"]  # the seed gives the same number again
    assert again("--models", "gan", "--epochs", "0.002") == 2


def test_a_run_of_other_first_weights_is_another(modes: ModuleType) -> None:
    data = modes.PROTOCOLS["small_ring"].data(0, "", 10)

    def settings(init: Callable[[nn.Module], None], seed: int) -> dict[str, Any]:
        torch.manual_seed(seed)
        networks = modes.PointNetworks((8,), None, (8,), 0, 1e-3, (0.5, 0.999), None, init)
        return modes._settings(networks.models()["infogan"](), data, 1, 10, 0)

    assert settings(init_glorot, 0) == settings(init_glorot, 0)
    assert settings(init_glorot, 0) != settings(init_normal, 0)
    assert settings(init_glorot, 0) != settings(init_glorot, 1)


@pytest.mark.slow
def test_an_interrupted_run_goes_on_where_it_was(
    modes: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", "grid", "--models", "gan", "--seeds", "1", "--epochs", "0.012", "--samples", "200", "--out"]
    trained: list[int] = []
    moved_on = modes.History.on_train_batch_end

    def interrupt(self: Any, trainer: Any, *rest: Any) -> None:
        moved_on(self, trainer, *rest)
        trained.append(trainer.global_step)
        if trainer.global_step == 5:
            signal.raise_signal(signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(modes.History, "on_train_batch_end", interrupt)
        with pytest.raises(SystemExit) as ended:
            modes.run([*options, str(tmp_path / "stopped")])
        assert ended.value.code == 143 and trained == [1, 2, 3, 4, 5]
        assert "the same command goes on" in capsys.readouterr().out
        modes.run([*options, str(tmp_path / "stopped")])
    assert trained[5:] == [6, 7, 8, 9, 10, 11, 12]
    modes.run([*options, str(tmp_path / "whole")])
    stopped, whole = (results(tmp_path / name)["runs"]["gan"][0] for name in ("stopped", "whole"))
    assert stopped["scores"] == whole["scores"] and stopped["history"] == whole["history"]
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.slow
def test_every_model_of_the_comparison_trains(modes: ModuleType, tmp_path: Path) -> None:
    assert modes.SMALL.keys() == modes.POINTS.keys()
    tiny = ["--seeds", "1", "--epochs", "0.003", "--samples", "100", "--out", str(tmp_path)]
    modes.run(["--data", "small_grid", "--models", ",".join(modes.SMALL), *tiny])
    found = results(tmp_path)["runs"]
    assert found.keys() == modes.SMALL.keys()
    for model, (run,) in found.items():
        assert run["settings"]["batches"] == 1 and 0 <= run["scores"]["modes"] <= 25, model
        given = run["settings"]["hyperparameters"]
        assert given.get("latent_dim", given.get("noise_dim")) == 2, model
    assert Image.open(tmp_path / "small_grid.png").width > 900


@pytest.mark.slow
def test_stacked_digits(modes: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_bars(tmp_path)
    out = tmp_path / "modes" / "stacked"
    options = ["--data", "stacked_mnist", "--epochs", "0.0005", "--samples", "70", "--seeds", "1"]
    modes.run([*options, "--root", str(tmp_path), "--out", str(out)])
    found, printed = results(out), capsys.readouterr().out
    assert found["digit_classifier_accuracy"] > 0.99 and (tmp_path / "modes" / "digit_classifier.ckpt").is_file()
    assert {model: runs[0]["settings"]["batches"] for model, runs in found["runs"].items()} == {"gan": 1, "wgan_gp": 1}
    assert found["runs"]["gan"][0]["settings"]["hyperparameters"]["n_generator"] == 2
    assert 1 <= found["summary"]["gan"]["modes"]["mean"] <= 70 and "high quality" not in printed
    assert "78.9 ± 6.5" in printed and Image.open(out / "stacked_mnist.png").width > 900


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--data", "spiral"], "argument --data: invalid choice: 'spiral'"),
        (["--data", "ring", "--models", "gan,nogan"], "got 'nogan'; correct it"),
        (["--data", "ring", "--seeds", "0"], "seeds must be a whole number of at least 1, got 0"),
        (["--data", "ring", "--epochs", "-1"], "epochs must be above 0, got -1"),
        (["--data", "stacked_mnist", "--root", "nowhere"], "MNIST"),
    ],
)
def test_mistakes_are_named_in_one_sentence(
    modes: ModuleType,
    options: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torchvision.datasets.MNIST.download", _refused)
    with pytest.raises(SystemExit) as ended:
        modes.main(modes.run, options)
    said = capsys.readouterr().err
    assert ended.value.code in (1, 2) and said.count("\n") == 1 and sentence in said
    assert not list(tmp_path.rglob("*.json"))


def _refused(*_: Any) -> Callable[[], None]:
    raise OSError("no network")
