"""Sample grids: what they show, where they go, and that training does not notice them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image
from torch import Tensor

from gan_modules import randomness
from gan_modules.callbacks import SampleGrid, drawing


def opened(path: Path) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("kind", ["GAN", "Codes", "Points", "Translator"])
def test_every_kind_of_model_is_painted(kind: str, models, trainer, loader, pictures, domains, tmp_path) -> None:
    data = {"Points": torch.randn(40, 2), "Translator": domains}.get(kind, pictures(12))
    module = getattr(models, kind)()
    trainer(callbacks=[SampleGrid(2)]).fit(module, loader(data), loader(data))
    batches = len(data) // 4
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    due = sorted({*range(2, batches + 1, 2), batches})
    assert names == [*(f"batch-{number:06d}.png" for number in due), "last.png"]
    assert (opened(tmp_path / "samples/last.png") == opened(tmp_path / f"samples/{names[-2]}")).all()


class Recorder(Callback):
    """The weights after training, and the next random numbers."""

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.weights = [parameter.detach().clone() for parameter in pl_module.state_dict().values()]
        self.next = torch.rand(3)


@pytest.mark.parametrize("kind", ["GAN", "Translator"])
def test_training_does_not_notice(kind: str, models, trainer, loader, pictures, domains) -> None:
    data = domains if kind == "Translator" else pictures(12)
    recorders = []
    for callbacks in ([], [SampleGrid(1)]):
        torch.manual_seed(0)
        recorders.append(Recorder())
        fit = trainer(callbacks=[*callbacks, recorders[-1]], max_epochs=2)
        fit.fit(getattr(models, kind)(), loader(data), loader(data))
    plain, painted = recorders
    assert all(torch.equal(a, b) for a, b in zip(plain.weights, painted.weights, strict=True))
    assert torch.equal(plain.next, painted.next)


def test_modes_and_streams_are_restored(models, trainer, loader, pictures) -> None:
    class Probe(SampleGrid):
        def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
            pl_module.critic.eval()
            stream = randomness.Stream(3)
            randomness.use(stream)
            super().on_train_batch_end(trainer, pl_module)
            assert randomness.current() is stream
            assert stream.draws == 0
            randomness.use(None)
            assert pl_module.generator[2].training and not pl_module.critic.training

    trainer(callbacks=[Probe(1)], max_steps=2).fit(models.GAN(), loader(pictures(4)), loader(pictures(4)))


def test_inputs_are_fixed_and_rows_keep_their_order(models, trainer, loader, pictures, tmp_path) -> None:
    module = models.Codes()
    callback = SampleGrid(1, rows=3, columns=2, scale=1)
    trainer(callbacks=[callback], max_epochs=2).fit(module, loader(pictures(4)), loader(pictures(4)))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        inputs = module.grid_inputs(3, 2)
    with torch.no_grad():
        expected = drawing.grid(module.eval()(*inputs), columns=2, scale=1)
    assert (opened(tmp_path / "samples/last.png") == np.asarray(expected)).all()
    assert (opened(tmp_path / "samples/last.png") != opened(tmp_path / "samples/batch-000001.png")).any()


@pytest.mark.parametrize("kind", ["GAN", "Codes", "Points", "Translator"])
def test_a_model_that_does_not_change_has_one_picture(
    kind, models, trainer, loader, pictures, domains, tmp_path
) -> None:
    data = {"Points": torch.randn(40, 2), "Translator": domains}.get(kind, pictures(12))

    class Still(getattr(models, kind)):  # type: ignore[misc]
        def configure_optimizers(self) -> Any:
            optimizers = super().configure_optimizers()
            for optimizer in optimizers if isinstance(optimizers, list) else [optimizers]:
                optimizer.param_groups[0]["lr"] = 0.0
            return optimizers

    module = Still()
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm1d):
            part.momentum = 0.0
    trainer(callbacks=[SampleGrid(1)]).fit(module, loader(data), loader(data))
    names = [path for path in (tmp_path / "samples").iterdir() if path.name != "last.png"]
    assert len(names) >= 3
    assert all((opened(path) == opened(names[0])).all() for path in names)


def test_no_validation_data_still_gives_samples(models, trainer, loader, pictures, domains, tmp_path) -> None:
    trainer(callbacks=[SampleGrid(1)], limit_val_batches=0).fit(models.GAN(), loader(pictures(4)))
    assert (tmp_path / "samples/last.png").is_file()
    with pytest.warns(UserWarning, match="nothing to show"):
        trainer(callbacks=[SampleGrid(1)], limit_val_batches=0).fit(models.Translator(), loader(domains))


def test_validation_batches_pass_the_data_modules_hooks_as_validation(models, trainer, loader, pictures) -> None:
    stages = []

    class Hooked(models.GAN):
        def on_after_batch_transfer(self, batch: Tensor, dataloader_idx: int) -> Tensor:
            stages.append(self.trainer.validating or self.trainer.sanity_checking)
            return batch

    fit = trainer(callbacks=[SampleGrid(1)], num_sanity_val_steps=0, limit_val_batches=1, max_steps=2)
    fit.fit(Hooked(), loader(pictures(4)), loader(pictures(8)))
    assert stages[:3] == [False, True, True]


@pytest.mark.parametrize("told", [KeyboardInterrupt, SystemExit])
def test_last_picture_on_interrupt(told: type[BaseException], models, trainer, loader, pictures, tmp_path) -> None:
    class Interrupt(Callback):
        def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
            if trainer.fit_loop.epoch_loop.total_batch_idx == 2:
                raise told

    with pytest.raises(SystemExit):
        trainer(callbacks=[SampleGrid(100), Interrupt()]).fit(models.GAN(), loader(pictures(40)), loader(pictures(4)))
    assert (tmp_path / "samples/last.png").is_file()


def test_unwritable_folder_warns_once_and_trains_on(models, trainer, loader, pictures, tmp_path) -> None:
    (tmp_path / "samples").write_text("a file where the folder should be")
    fit = trainer(callbacks=[SampleGrid(1)])
    with pytest.warns(UserWarning, match="cannot be written") as caught:
        fit.fit(models.GAN(), loader(pictures(12)), loader(pictures(4)))
    assert sum("cannot be written" in str(each.message) for each in caught) == 1
    assert fit.fit_loop.epoch_loop.total_batch_idx == 2


def test_tensorboard_has_the_picture_at_the_scalars_step(models, trainer, loader, pictures, tmp_path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(tmp_path)
    fit = trainer(callbacks=[SampleGrid(2)], logger=logger, log_every_n_steps=2, max_epochs=2)
    fit.fit(models.GAN(), loader(pictures(8)), loader(pictures(4)))
    events = EventAccumulator(logger.log_dir).Reload()
    assert [event.step for event in events.Images("samples")] == [1, 3]
    assert [event.step for event in events.Scalars("loss/critic")] == [1, 3]
    assert (Path(logger.log_dir) / "samples/last.png").is_file()


def test_a_generator_that_broke_is_still_painted(models, trainer, loader, pictures, tmp_path) -> None:
    module = models.GAN()
    torch.nn.init.constant_(module.generator[0].weight, torch.nan)
    trainer(callbacks=[SampleGrid(1)], max_steps=2).fit(module, loader(pictures(4)), loader(pictures(4)))
    assert (tmp_path / "samples/last.png").is_file()


@pytest.mark.parametrize("name", ["every_n_batches", "rows", "columns", "scale"])
def test_bad_arguments_are_named(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        SampleGrid(**{"every_n_batches": 1, name: 0})


@pytest.mark.slow
def test_two_processes_write_one_picture(models, trainer, loader, pictures, tmp_path) -> None:
    fit = trainer(callbacks=[SampleGrid(1)], devices=2, strategy="ddp_fork_find_unused_parameters_true", max_steps=4)
    fit.fit(models.GAN(), loader(pictures(16)), loader(pictures(8)))
    names = {path.name for path in (tmp_path / "samples").iterdir()}
    assert names == {"batch-000001.png", "batch-000002.png", "last.png"}
