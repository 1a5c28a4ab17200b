"""An offline run of Weights & Biases is read back: it holds everything, on one axis."""

import json
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import WandbLogger

from gan_modules.callbacks import SWD, SampleGrid

wandb = pytest.importorskip("wandb")


def records(folder: Path) -> list[Any]:
    """All records of the one offline run in a folder.

    The file is a log as LevelDB has it: blocks of 32 KiB, of pieces with a checksum, a length and a type (1: whole,
    2 to 4: first, middle and last); it begins with seven bytes of its own.
    """
    from wandb.proto import wandb_internal_pb2

    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    data, place, joined, found = file.read_bytes(), 7, b"", []
    while place + 7 < len(data):
        if 32768 - place % 32768 < 7:  # too little is left of the block for another piece
            place += 32768 - place % 32768
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        if place + 7 + length > len(data):
            break
        joined += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            found.append(wandb_internal_pb2.Record.FromString(joined))
            joined = b""
    return found


def rows_of(found: list[Any]) -> list[dict[str, Any]]:
    """What was logged, a dictionary a call."""
    rows = []
    for record in found:
        if record.WhichOneof("record_type") != "history":
            continue
        row: dict[str, Any] = {}
        for item in record.history.item:
            first, *rest = [item.key] if item.key else item.nested_key
            value = json.loads(item.value_json)
            row[first] = {**row.get(first, {}), "/".join(rest): value} if rest else value
        rows.append(row)
    return rows


def test_offline_run_holds_everything_on_one_axis(models, trainer, loader, pictures, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = WandbLogger(project="gan", save_dir=tmp_path)
    fit = trainer(callbacks=[SampleGrid(3), SWD()], logger=logger, log_every_n_steps=3, max_epochs=2)
    fit.fit(models.GAN(channels=3), loader(pictures(24)), loader(pictures(4)))
    wandb.finish()

    for _ in range(100):  # wandb's own process may still be writing
        found = records(tmp_path)
        if found and found[-1].WhichOneof("record_type") == "exit":
            break
        time.sleep(0.1)
    configs = [record.config for record in found if record.WhichOneof("record_type") == "config"]
    configured = {item.key or item.nested_key[0] for config in configs for item in config.update}
    assert "channels" in configured
    steps: dict[str, list[int]] = {}
    for row in rows_of(found):
        for key, value in row.items():
            assert "trainer/global_step" in row or key.startswith("_")
            if not key.startswith("_"):
                steps.setdefault(key, []).append(row["trainer/global_step"])
            if key == "samples":
                assert value["_type"] in ("images/separated", "image-file")
    # the step of a value is the number of the last batch before it, counted over epochs from 0
    assert steps["loss/critic"] == steps["loss/generator"] == [2, 5, 8, 11]
    assert steps["samples"] == [2, 5, 8, 11]
    assert steps["metric/swd"] == steps["metric/swd_samples"] == [5, 11]
    defined = [record.metric for record in found if record.WhichOneof("record_type") == "metric"]
    assert any(metric.glob_name == "*" and metric.step_metric == "trainer/global_step" for metric in defined)
    assert len(list(tmp_path.glob("wandb/offline-run-*/files/media/images/samples*.png"))) == 4
