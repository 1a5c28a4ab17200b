"""What metrics of features cost: one network, one pass a batch and side, and none for data that are known."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from datamodules import Emoji, EmojiUnpaired
from gan_modules.callbacks import FID, KID, PRDC
from gan_modules.callbacks.scores import Scores
from gan_modules.metrics import FeatureNetwork


@pytest.fixture
def emoji() -> Callable[..., Emoji]:
    """Pictures of 8 pixels; of the 379 that are held out come two batches."""
    return lambda **options: Emoji(**{"image_size": 8, "batch_size": 128, **options})


def scores(network: FeatureNetwork, **options: Any) -> list[Scores]:
    kernel = KID(network=network, subsets=3, subset_size=50, **options)
    return [FID(network=network, **options), kernel, PRDC(network=network, **options)]


@pytest.fixture
def validated(
    models: Any, trainer: Callable[..., Trainer], body: Callable[..., FeatureNetwork]
) -> Callable[..., tuple[list[int], dict[str, float]]]:
    """Validates a new model of seed 0; the passes of the network, and the metrics."""

    def validate(data: Any, callbacks: Any = scores, seed: int = 0, **options: Any) -> Any:
        network = body(seed)
        torch.manual_seed(0)
        fit = trainer(callbacks=callbacks(network, **options))
        fit.validate(models.GAN(), datamodule=data, verbose=False)
        return network.body.passes, {key: value.item() for key, value in fit.callback_metrics.items()}

    return validate


def test_callbacks_share_one_pass_a_batch_and_side(emoji, validated) -> None:
    passes, metrics = validated(emoji(), cache=False)
    assert sorted(passes) == [128, 128, 251, 251]
    for name in ("fid", "kid", "precision", "recall", "density", "coverage"):
        assert metrics[f"metric/{name}_body_samples"] == 379
        assert torch.isfinite(torch.tensor(metrics[f"metric/{name}_body"]))
    assert "metric/kid_body_std" in metrics


def test_directions_share_their_passes_too(models, trainer, body) -> None:
    network = body()

    class Both(models.Translator):
        def validation_step(self, batch: Any, batch_idx: int) -> Any:
            x, y, *_ = batch
            return {"x_to_y": {"real": y, "fake": -x}, "y_to_x": {"real": x, "fake": -y}}

    data = EmojiUnpaired(image_size=8, batch_size=128)
    trainer(callbacks=scores(network, cache=False)).validate(Both(), datamodule=data, verbose=False)
    assert sorted(network.body.passes) == [128] * 4 + [251] * 4


def test_the_data_are_seen_once_a_run_and_features_of_fakes_are_let_go(models, trainer, emoji, body) -> None:
    network, kept = body(), []

    class Watched(KID):
        def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            super().on_validation_epoch_end(trainer, pl_module)
            metric: Any = self._scorers[""][0].metric
            kept.append((len(metric.real_features), len(metric.fake_features), len(network._seen[True])))

    callbacks = [Watched(network=network, subset_size=50, subsets=1, cache=False)]
    fit = trainer(callbacks=callbacks, max_epochs=2, limit_train_batches=1, num_sanity_val_steps=0)
    fit.fit(models.GAN(), datamodule=emoji())
    assert sum(network.body.passes) == 3 * 379
    assert kept == [(2, 0, 0)] * 2


def test_a_second_run_never_shows_the_network_the_data(emoji, validated, tmp_path) -> None:
    first_passes, first = validated(emoji(), cache=tmp_path)
    passes, second = validated(emoji(batch_size=100, num_workers=0, seed=3), cache=tmp_path)
    assert sum(first_passes) == 2 * 379
    assert sum(passes) == 379
    assert second.keys() == first.keys()
    again, third = validated(emoji(), cache=tmp_path)
    assert sum(again) == 379 and third == pytest.approx(first, rel=1e-6)


CHANGES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "style": lambda emoji: {"data": emoji(style="twemoji")},
    "weights": lambda emoji: {"data": emoji(), "seed": 1},
    "number of samples": lambda emoji: {"data": emoji(), "num_samples": 300},
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_depends_on_something_else_is_computed(change: str, emoji, validated, tmp_path) -> None:
    validated(emoji(), cache=tmp_path)
    options = {"cache": tmp_path, **CHANGES[change](emoji)}
    passes, _ = validated(**options)
    assert sum(passes) == 2 * options.get("num_samples", 379)


def test_a_module_that_alters_the_data_has_statistics_of_its_own(models, trainer, emoji, tmp_path, body) -> None:
    seen = []
    for factor in (1.0, 0.5):
        network = body()

        class Altering(models.GAN):
            def validation_step(self, batch: Tensor, batch_idx: int) -> dict[str, Tensor]:
                return {"real": factor * batch, "fake": self.sample(len(batch))}  # noqa: B023

        fit = trainer(callbacks=[FID(network=network, cache=tmp_path)])
        fit.validate(Altering(), datamodule=emoji(), verbose=False)
        seen.append(sum(network.body.passes))
    assert seen == [2 * 379] * 2


def test_a_part_of_the_data_is_not_taken_for_the_whole(emoji, models, trainer, tmp_path, body) -> None:
    seen = []
    for batches in (1, None):
        network = body()
        fit = trainer(callbacks=[FID(network=network, cache=tmp_path)], limit_val_batches=batches)
        fit.validate(models.GAN(), datamodule=emoji(), verbose=False)
        seen.append(sum(network.body.passes))
    assert seen == [2 * 128, 2 * 379]


def test_data_that_nobody_vouches_for_are_not_kept(models, trainer, loader, pictures, tmp_path, body) -> None:
    for _ in range(2):
        network = body()
        fit = trainer(callbacks=[FID(network=network, cache=tmp_path)])
        fit.validate(models.GAN(), loader(pictures(12)), verbose=False)
        assert sum(network.body.passes) == 24
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_computed_and_replaced(emoji, validated, tmp_path) -> None:
    _, first = validated(emoji(), cache=tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    passes, second = validated(emoji(), cache=tmp_path)
    assert sum(passes) == 2 * 379 and second == first
    passes, _ = validated(emoji(), cache=tmp_path)
    assert sum(passes) == 379


def test_where_nothing_can_be_kept_the_run_says_so_and_goes_on(emoji, validated, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="could not be kept"):
        passes, metrics = validated(emoji(), cache=tmp_path / "file")
    assert metrics["metric/fid_body_samples"] == 379
