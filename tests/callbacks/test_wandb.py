"""An offline run of Weights & Biases is read back: it holds everything, on one axis."""

import json
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import WandbLogger

from gan_modules.callbacks import SWD, SampleGrid

wandb = pytest.importorskip("wandb")


def records(folder: Path) -> list[Any]:
    """All records of the run in a folder of offline runs."""
    from wandb.proto import wandb_internal_pb2
    from wandb.sdk.internal.datastore import DataStore

    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    store, found = DataStore(), []
    store.open_for_scan(str(file))
    while (data := store.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        found.append(record)
    return found


def rows_of(found: list[Any]) -> list[dict[str, Any]]:
    """What was logged, a dictionary a call."""
    rows = []
    for record in found:
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            rows.append({item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items})
    return rows


def test_offline_run_holds_everything_on_one_axis(models, trainer, loader, pictures, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = WandbLogger(project="gan", save_dir=tmp_path)
    fit = trainer(callbacks=[SampleGrid(3), SWD()], logger=logger, log_every_n_steps=3, max_epochs=2)
    fit.fit(models.GAN(channels=3), loader(pictures(24)), loader(pictures(4)))
    wandb.finish()

    found = records(tmp_path)
    configured = {item.key for record in found for item in record.config.update} | {
        item.key for record in found for item in record.run.config.update
    }
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
