"""Variety, perceptual distances and path lengths of what a model shows: the metrics' own values, by their names."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from datamodules import Emoji
from gan_modules import metrics
from gan_modules.callbacks import LPIPS, MSSSIM, PerceptualPathLength, picture_metrics


class Distance(nn.Module):
    """The mean squared difference, under the names of a perceptual network; knows how many there are."""

    made = 0

    def __init__(self, *_: Any) -> None:
        super().__init__()
        Distance.made += 1

    def named(self, metric: str, usual: str = "") -> str:
        return f"{metric}_tiny"

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return (first - second).square().flatten(1).mean(dim=1)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_metrics, "PerceptualNetwork", Distance)
    monkeypatch.setattr(Distance, "made", 0)


@pytest.fixture
def known(models: Any) -> Any:
    """A model whose fakes are known, with latents."""

    class Known(models.GAN):
        def prior(self, n: int) -> Tensor:
            return torch.randn(n, 4)

        def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
            images, *labels = batch if isinstance(batch, (list, tuple)) else (batch,)
            return {"real": images, "fake": 0.5 * images, **({"labels": labels[0]} if labels else {})}

    return Known


def scores_of(trainer: Any) -> dict[str, float]:
    return {key: value.item() for key, value in trainer.callback_metrics.items() if key.startswith("metric/")}


def test_variety_stands_beside_that_of_the_data(known, trainer, loader, pictures) -> None:
    images = pictures(8, size=24)
    fit = trainer(callbacks=[MSSSIM()], max_epochs=2, num_sanity_val_steps=0)
    fit.fit(known(), loader(images), loader(images))
    metric = metrics.MultiScaleSSIM()
    metric.update(images, real=True)
    metric.update(0.5 * images, real=False)
    expected = {f"metric/{name}": value.item() for name, value in metric.compute().items()}
    assert set(expected) == {"metric/ms_ssim@2", "metric/ms_ssim@2_real"}
    assert scores_of(fit) == pytest.approx({**expected, "metric/ms_ssim@2_samples": 8}, rel=1e-5)


def test_variety_within_classes_has_the_labels_of_the_view(known, trainer, loader, pictures) -> None:
    data = Emoji(image_size=16, labels=True, batch_size=64)
    fit = trainer(callbacks=[MSSSIM(within_classes=True)])
    fit.validate(known(), datamodule=data, verbose=False)
    assert {"metric/ms_ssim_intra@1", "metric/ms_ssim_intra@1_samples"} < scores_of(fit).keys()
    with pytest.raises(ValueError, match='needs "labels" in what validation_step returns'):
        trainer(callbacks=[MSSSIM(within_classes=True)]).validate(known(), loader(pictures(4, size=16)), verbose=False)


def test_perceptual_distance_of_translations_is_to_the_truth(models, trainer, loader, domains) -> None:
    fit = trainer(callbacks=[LPIPS()])
    module = models.Translator(1)
    fit.validate(module, loader(domains), verbose=False)
    x, y, x_as_y, y_as_x = (torch.stack(part) for part in zip(*domains, strict=True))
    with torch.no_grad():
        fake = module.validation_step((x, y, x_as_y, y_as_x), 0)["fake"]
    expected = Distance()(fake, x_as_y).mean().item()
    nothing = Distance()(x.expand(-1, 3, -1, -1), x_as_y).mean().item()
    found = {"lpips_tiny": expected, "lpips_tiny_identity": nothing, "lpips_tiny_samples": 12}
    assert scores_of(fit) == pytest.approx({f"metric/{name}": value for name, value in found.items()}, rel=1e-5)


def test_perceptual_distance_of_other_models_is_among_their_images(known, trainer, loader, pictures) -> None:
    images = pictures(8)
    fit = trainer(callbacks=[LPIPS()])
    fit.validate(known(), loader(images), verbose=False)
    found = scores_of(fit)
    assert found.keys() == {f"metric/lpips_diversity_tiny{end}" for end in ("", "_real", "_samples")}
    assert 4 * found["metric/lpips_diversity_tiny"] == pytest.approx(
        found["metric/lpips_diversity_tiny_real"], rel=0.05
    )


def test_path_length_is_of_paths_of_its_own(known, trainer, loader, pictures) -> None:
    module = known()
    callback = PerceptualPathLength(num_samples=20)
    fit = trainer(callbacks=[callback], max_epochs=2, limit_train_batches=1)
    fit.fit(module, loader(pictures(4)), loader(pictures(4)))
    metric = metrics.PathLength(Distance(), 20)
    metric.update(module.eval())
    expected = {f"metric/{name}": value.item() for name, value in metric.compute().items()}
    assert scores_of(fit) == pytest.approx({**expected, "metric/ppl_distance_samples": 20}, rel=1e-4)
    assert callback.better == {"ppl_distance": "lower"}


def test_a_run_has_one_network_and_leaves_none(models, trainer, loader, domains) -> None:
    callback = LPIPS()
    trainer(callbacks=[callback]).fit(models.Translator(2), loader(domains), loader(domains))
    assert Distance.made == 1 and "network" not in vars(callback)
