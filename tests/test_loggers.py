"""The file of metrics: whole rows, continued by a run that goes on, and no reason to stop."""

import csv
import resource
from pathlib import Path

import pytest
import torch

from gan_modules.loggers import MetricsFile


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_rows_have_all_columns_however_late_they_come(tmp_path: Path) -> None:
    logger = MetricsFile(tmp_path / "run")
    logger.log_metrics({"loss": torch.tensor(0.5), "epoch": 0}, step=0)
    logger.log_metrics({"fid": 3.0}, step=1)
    logger.log_metrics({"loss": 0.25}, step=2)
    assert rows(tmp_path / "run") == [
        {"epoch": "0", "fid": "", "loss": "0.5", "step": "0"},
        {"epoch": "", "fid": "3.0", "loss": "", "step": "1"},
        {"epoch": "", "fid": "", "loss": "0.25", "step": "2"},
    ]


def test_a_run_that_goes_on_drops_what_comes_again_and_what_is_torn(tmp_path: Path) -> None:
    before = MetricsFile(tmp_path)
    for step in range(5):
        before.log_metrics({"loss": step / 2}, step=step)
    with open(before.path, "a") as file:
        file.write("7")
    after = MetricsFile(tmp_path)
    after.go_on(3)
    after.log_metrics({"loss": 9.0}, step=3)
    assert [(row["step"], row["loss"]) for row in rows(tmp_path)] == [
        ("0", "0.0"), ("1", "0.5"), ("2", "1.0"), ("3", "9.0")
    ]  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


def test_a_file_without_a_checkpoint_is_continued_too(tmp_path: Path) -> None:
    MetricsFile(tmp_path).log_metrics({"loss": 1.0}, step=0)
    MetricsFile(tmp_path).log_metrics({"fid": 2.0}, step=1)
    assert [(row["loss"], row["fid"]) for row in rows(tmp_path)] == [("1.0", ""), ("", "2.0")]


def test_a_full_disk_is_said_once_and_leaves_whole_rows(tmp_path: Path) -> None:
    logger = MetricsFile(tmp_path)
    logger.log_metrics({"loss": 1.0}, step=0)
    before = logger.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 3, hard))
    try:
        with pytest.warns(UserWarning, match="training goes on") as said:
            for step in range(1, 4):
                logger.log_metrics({"loss": 2.0}, step=step)
                logger.log_metrics({"fid": 2.0}, step=step)
        logger.go_on(0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(said) == 1 and [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]
    logger.log_metrics({"loss": 3.0}, step=4)
    assert [row["loss"] for row in rows(tmp_path)] == ["3.0"]
