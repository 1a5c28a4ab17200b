"""SWD and TranslationScores: values, keys, doing nothing, limits, and what Lightning makes of them."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor

from gan_modules.callbacks import SWD, TranslationScores
from gan_modules.callbacks.report import table
from gan_modules.callbacks.translation_scores import as_target
from gan_modules.callbacks.views import views_of
from gan_modules.metrics import PSNR, SSIM, SlicedWasserstein


def distance(real: Tensor, fake: Tensor) -> float:
    metric = SlicedWasserstein()
    metric.update(real, real=True)
    metric.update(fake, real=False)
    return metric.compute().item()


def decibels(images: Tensor, truth: Tensor) -> float:
    metric = PSNR()
    metric.update(images, truth)
    return metric.compute().item()


def scores_of(trainer: Any) -> dict[str, float]:
    return {key: value.item() for key, value in trainer.callback_metrics.items() if key.startswith("metric/")}


@pytest.mark.parametrize("directions", [1, 2])
def test_translations_are_scored_beside_doing_nothing(directions: int, models, trainer, loader, domains) -> None:
    module = models.Translator(directions)
    fit = trainer(callbacks=[TranslationScores()], max_epochs=2)
    fit.fit(module, loader(domains), loader(domains, 5))
    x, y, x_as_y, y_as_x = (torch.stack(part) for part in zip(*domains, strict=True))
    with torch.no_grad():
        views = views_of(module.validation_step((x, y, x_as_y, y_as_x), 0))
    source = x.expand(-1, 3, -1, -1)
    end = "" if directions == 1 else "/x_to_y"
    found, view = scores_of(fit), views["" if directions == 1 else "x_to_y"]
    assert found[f"metric/swd{end}"] == pytest.approx(distance(y, view["fake"]), rel=1e-4)
    assert found[f"metric/psnr{end}"] == pytest.approx(decibels(view["fake"], x_as_y), rel=1e-5)
    assert found[f"metric/swd_identity{end}"] == pytest.approx(distance(y, source), rel=1e-4)
    assert found[f"metric/psnr_identity{end}"] == pytest.approx(decibels(source, x_as_y), rel=1e-5)
    assert found[f"metric/swd_samples{end}"] == found[f"metric/psnr_samples{end}"] == 12
    similar = SSIM()
    similar.update(view["fake"], x_as_y)
    assert found[f"metric/ssim{end}"] == pytest.approx(similar.compute().item(), rel=1e-5)
    assert len(found) == 9 * directions


def test_truth_is_optional(models, trainer, loader, domains) -> None:
    class Unpaired(models.Translator):
        def validation_step(self, batch: Any, batch_idx: int) -> Any:
            views = super().validation_step(batch, batch_idx)
            return {key: {name: part for name, part in view.items() if name != "truth"} for key, view in views.items()}

    fit = trainer(callbacks=[TranslationScores()])
    fit.fit(Unpaired(), loader(domains), loader(domains))
    assert not any("psnr" in key or "ssim" in key for key in scores_of(fit))
    assert len(scores_of(fit)) == 6


def test_pictures_too_small_for_similarity_have_the_rest(models, trainer, loader, domains) -> None:
    small = [tuple(part[:, :8, :8] for part in item) for item in domains]
    fit = trainer(callbacks=[TranslationScores()])
    fit.fit(models.Translator(1), loader(small), loader(small))
    assert len(scores_of(fit)) == 6 and not any("ssim" in key for key in scores_of(fit))


def test_one_sample_is_too_few_and_ends_no_run(models, trainer, loader, pictures) -> None:
    fit = trainer(callbacks=[SWD()], max_epochs=2)
    with pytest.warns(UserWarning, match="SWD needs at least 2 validation samples, got 1, and is left out"):
        fit.fit(models.GAN(), loader(pictures(4)), loader(pictures(1)))
    assert fit.current_epoch == 2 and not scores_of(fit)


def test_the_report_knows_which_way_is_better(models, trainer, loader, domains) -> None:
    scores = TranslationScores()
    trainer(callbacks=[scores]).fit(models.Translator(1), loader(domains), loader(domains))
    assert scores.better == {"swd": "lower", "psnr": "higher", "ssim": "higher"}
    lines = table({"fid_efficientnet_b0": 3.0, "psnr": 9.0}, scores.better).splitlines()
    assert lines[1].split() == ["fid_efficientnet_b0", "3"] and lines[2].split() == ["psnr", "9", "higher"]
    assert lines[1].index("3") == lines[2].index("9")


def test_number_of_samples_is_limited(models, trainer, loader, pictures) -> None:
    real = pictures(12, size=8)

    class Known(models.GAN):
        def validation_step(self, batch: Tensor, batch_idx: int) -> dict[str, Tensor]:
            return {"real": batch, "fake": -(batch**3)}

    fit = trainer(callbacks=[SWD(num_samples=7)])
    fit.fit(Known(), loader(real), loader(real))
    assert scores_of(fit)["metric/swd_samples"] == 7
    assert scores_of(fit)["metric/swd"] == pytest.approx(distance(real[:7], -(real[:7] ** 3)), rel=1e-5)


def test_epochs_in_between_keep_the_last_value(models, trainer, loader, pictures) -> None:
    computed = []

    class Counted(SWD):
        def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            super().on_validation_epoch_end(trainer, pl_module)
            if self._seen:
                computed.append(trainer.current_epoch)

    stopping = EarlyStopping("metric/swd", patience=100)
    fit = trainer(callbacks=[Counted(every_n_epochs=2), stopping], max_epochs=5)
    fit.fit(models.GAN(), loader(pictures(4)), loader(pictures(4)))
    assert computed == [0, 2, 4]


def test_checkpoints_follow_the_metric(models, trainer, loader, pictures, tmp_path) -> None:
    checkpoint = ModelCheckpoint(tmp_path / "best", monitor="metric/swd", filename="{epoch}", save_top_k=1)
    fit = trainer(callbacks=[SWD(), checkpoint], enable_checkpointing=True, max_epochs=3)
    fit.fit(models.GAN(), loader(pictures(8)), loader(pictures(8)))
    assert checkpoint.best_model_score is not None and checkpoint.best_model_path
    saved = torch.load(checkpoint.best_model_path, weights_only=True)
    assert set(saved["state_dict"]) == set(models.GAN().state_dict())


def test_a_metric_changes_no_weight(models, trainer, loader, pictures) -> None:
    weights = []
    for callbacks in ([], [SWD()]):
        torch.manual_seed(0)
        module = models.GAN()
        trainer(callbacks=callbacks, max_epochs=2).fit(module, loader(pictures(8)), loader(pictures(8)))
        weights.append([tensor.clone() for tensor in module.state_dict().values()])
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


def test_half_precision_is_scored_in_full(models, trainer, loader, pictures) -> None:
    fit = trainer(callbacks=[SWD()], precision="bf16-true")
    fit.fit(models.GAN(), loader(pictures(8)), loader(pictures(8)))
    assert 0 < scores_of(fit)["metric/swd"] < 10_000


@pytest.mark.parametrize(("given", "wanted"), [((1, 4, 4), (3, 8, 8)), ((3, 8, 8), (1, 8, 8)), ((3, 8, 8), (3, 4, 4))])
def test_doing_nothing_takes_the_targets_shape(given: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    assert as_target(torch.full((2, *given), 0.5), torch.zeros(2, *wanted)).shape == (2, *wanted)
    assert torch.allclose(as_target(torch.full((2, *given), 0.5), torch.zeros(2, *wanted)), torch.tensor(0.5))


def test_bad_input_is_named(models, trainer, loader, pictures, domains) -> None:
    def fit(callback: Any, module: Any, data: Any) -> Callable[[], None]:
        return lambda: trainer(callbacks=[callback]).fit(module, loader(data), loader(data))

    class Silent(models.GAN):
        def validation_step(self, batch: Tensor, batch_idx: int) -> None:
            return None

    for run, sentence in [
        (fit(TranslationScores(), models.GAN(), pictures(4)), 'needs the "source"'),
        (fit(SWD(), Silent(), pictures(4)), "needs a validation_step that returns"),
        (fit(SWD(), models.GAN(), pictures(4) * 255), r"data in \[-1, 1\]"),
        (fit(SWD(), models.Points(), torch.randn(4, 2)), "needs images|needs floating-point images"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            run()
    with pytest.raises(ValueError, match="every_n_epochs"):
        SWD(every_n_epochs=0)
    with pytest.raises(ValueError, match="num_samples"):
        SWD(num_samples=1)
