"""Real runs of Lightning's Trainer over the data modules, on one process and on two."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch import LightningModule, Trainer
from PIL import Image
from torch import Tensor

import datamodules
from datamodules import Emoji, EmojiUnpaired, ImageFolder, Ring


class Watcher(LightningModule):
    """One weight, and a record of what it was given."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones((), dtype=dtype))
        self.trained: list[Tensor] = []
        self.validated: list[Tensor] = []

    def training_step(self, batch: Tensor | tuple[Tensor, ...], batch_idx: int) -> Tensor:
        x = batch if isinstance(batch, Tensor) else batch[0]
        self.trained.append(x)
        return (self.weight * x).mean()

    def validation_step(self, batch: Tensor | tuple[Tensor, ...], batch_idx: int) -> None:
        self.validated.append(batch if isinstance(batch, Tensor) else batch[0])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.0)


def run(module: Watcher, data: datamodules.BatchedDataModule, folder: Path, **options: object) -> Watcher:
    trainer = Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,  # type: ignore[arg-type]
    )
    trainer.fit(module, datamodule=data)
    return module


def test_an_epoch_of_emoji(tmp_path: Path) -> None:
    data = Emoji(image_size=8, batch_size=500, flip=True, seed=1)
    watcher = run(Watcher(), data, tmp_path, max_epochs=2)
    assert [len(x) for x in watcher.trained] == [500] * 12 and sum(map(len, watcher.validated)) == 2 * 379
    assert all(x.dtype == torch.float32 and x.min() >= -1 and x.max() == 1 for x in watcher.trained)
    first, second = torch.cat(watcher.trained[:6]), torch.cat(watcher.trained[6:])
    assert not torch.equal(first, second), "Lightning told the sampler the epoch"
    again = run(Watcher(), Emoji(image_size=8, batch_size=500, flip=True, seed=1), tmp_path, max_epochs=1)
    assert torch.equal(torch.cat(again.trained), first)


def test_pictures_come_in_the_module_s_dtype(tmp_path: Path) -> None:
    data = EmojiUnpaired(image_size=8, batch_size=500)
    watcher = run(Watcher(torch.float64), data, tmp_path, max_epochs=1, limit_train_batches=1, precision="64-true")
    assert watcher.trained[0].dtype == torch.float64
    levels = (watcher.trained[0] + 1) * 127.5
    assert (levels - levels.round()).abs().max() < 1e-12, "scaled in float64, not in float32"


def test_low_precision_changes_no_crop(tmp_path: Path) -> None:
    noise = torch.randint(0, 256, (400, 12, 12, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for i, picture in enumerate(noise):
        Image.fromarray(picture.numpy()).save(tmp_path / f"{i:03d}.png")
    full, low = (
        run(
            Watcher(dtype),
            ImageFolder(tmp_path, image_size=8, load_size=12, batch_size=60, seed=0),
            tmp_path,
            max_epochs=1,
            precision=precision,
        )
        for dtype, precision in ((torch.float32, "32-true"), (torch.bfloat16, "bf16-true"))
    )
    assert low.trained[0].dtype == torch.bfloat16
    assert all(torch.equal(x.bfloat16(), y) for x, y in zip(full.trained, low.trained, strict=True))


def test_points(tmp_path: Path) -> None:
    watcher = run(Watcher(), Ring(points=1000, held_out_points=250), tmp_path, max_epochs=1)
    assert torch.cat(watcher.trained).shape == (1000, 2) and torch.cat(watcher.validated).shape == (250, 2)


def test_overfitting_repeats_the_same_batches(tmp_path: Path) -> None:
    data = Emoji(image_size=8, batch_size=500, flip=True)
    watcher = run(Watcher(), data, tmp_path, max_epochs=2, overfit_batches=2)
    assert [len(x) for x in watcher.trained] == [500] * 4
    assert torch.equal(torch.cat(watcher.trained[:2]), torch.cat(watcher.trained[2:]))


def test_a_batch_larger_than_the_data(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="One batch takes 4000 items and the training set has 3407"):
        run(Watcher(), Emoji(image_size=8, batch_size=4000), tmp_path, max_epochs=1)


TWO = """
import sys
from pathlib import Path
import torch
sys.path.insert(0, sys.argv[2])
from test_training import Emoji, Watcher, run

if __name__ == "__main__":
    folder, processes = Path(sys.argv[1]), int(sys.argv[3])
    data = Emoji(image_size=8, batch_size=600, flip=True, seed=3)
    watcher = run(Watcher(), data, folder, max_epochs=2, devices=processes, strategy="ddp" if processes > 1 else "auto")
    saved = {"trained": watcher.trained, "validated": watcher.validated}
    torch.save(saved, folder / f"{processes}_{watcher.global_rank}.pt")
"""


@pytest.mark.slow
def test_two_processes_see_what_one_sees(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO)
    for processes in ("1", "2"):
        command = [sys.executable, str(script), str(tmp_path), str(Path(__file__).parent), processes]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
    alone, first, second = (torch.load(tmp_path / f"{name}.pt") for name in ("1_0", "2_0", "2_1"))
    for part in ("trained", "validated"):
        assert len(alone[part]) == len(first[part]) == len(second[part])
        for whole, *shared in zip(alone[part], first[part], second[part], strict=True):
            for rank, part in enumerate(shared):
                assert torch.equal(whole[rank::2], part)


def test_presets_say_what_they_are_and_can_be_made(tmp_path: Path) -> None:
    needed = {"Arrays": {"path"}, "PairedFolders": {"source", "target"}}
    rooted = "ImageFolder", "UnpairedFolders", "SideBySide", "MadePairs", "AdaptationFolders", "FilmFolders"
    folders = {name: {"root"} for name in rooted}
    presets = sorted(Path(str(files("datamodules") / "presets")).glob("*.yaml"))
    assert len(presets) >= 21
    for path in presets:
        first, *_ = path.read_text().splitlines()
        assert first.startswith("# ") and first.endswith(".") and len(first) < 110
        data = yaml.safe_load(path.read_text())["data"]
        name = data["class_path"].removeprefix("datamodules.")
        given = {key: str(tmp_path) for key in (needed | folders).get(name, ())}
        module = getattr(datamodules, name)(**given, **data.get("init_args", {}))
        assert isinstance(module, datamodules.BatchedDataModule)
