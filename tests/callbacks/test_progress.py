"""The progress bar says what it should, and reads the device only when it is refreshed."""

import time
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback

from gan_modules.callbacks import ProgressBar


class Seen(ProgressBar):
    """Records what is shown."""

    def __init__(self, refresh_rate: int) -> None:
        super().__init__(refresh_rate)
        self.shown: list[dict[str, Any]] = []

    def get_metrics(self, *args: Any) -> dict[str, Any]:
        self.shown.append(super().get_metrics(*args))
        return self.shown[-1]


class Slow(Callback):
    """A step takes 20 ms, and validation a quarter of a second."""

    def on_train_batch_start(self, *_: Any) -> None:
        time.sleep(0.02)

    def on_validation_epoch_end(self, *_: Any) -> None:
        time.sleep(0.25)


def test_losses_and_images_a_second(models, trainer, loader, pictures) -> None:
    bar = Seen(refresh_rate=5)
    fit = trainer(callbacks=[bar, Slow()], enable_progress_bar=True, val_check_interval=10)
    fit.fit(models.GAN(), loader(pictures(80)), loader(pictures(4)))
    last = bar.shown[-1]
    assert set(last) == {"loss/critic", "loss/generator", "images/s"}
    assert 60 < float(last["images/s"]) <= 200  # 4 images in 20 ms and what a step takes


@pytest.mark.parametrize(("refresh_rate", "refreshes"), [(5, 4), (0, 0)])
def test_numbers_are_read_on_refresh_only(refresh_rate, refreshes, models, trainer, loader, pictures) -> None:
    bar = Seen(refresh_rate)
    fit = trainer(callbacks=[bar], enable_progress_bar=True)
    fit.fit(models.GAN(), loader(pictures(80)), loader(pictures(4)))
    assert len(bar.shown) <= refreshes + 3  # after the sanity check, the validation and the epoch


def test_two_domains_count_once(trainer, models, loader, domains) -> None:
    bar = ProgressBar(refresh_rate=1)
    fit = trainer(callbacks=[bar, Slow()], enable_progress_bar=True, limit_val_batches=0)
    fit.fit(models.Translator(), loader(domains))
    assert bar._rate is not None and bar._rate <= 200
    assert torch.tensor(bar._rate).isfinite()
