"""FID, KID and the Inception Score against torch-fidelity's features and numpy; weights that are not there."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gan_modules.callbacks import FID, KID, InceptionScore
from gan_modules.callbacks.inception import inception


def features(weights: Path, images: Tensor, name: str = "2048") -> np.ndarray[Any, Any]:
    """What torch-fidelity's own network, with its own resize, says of images in [-1, 1]."""
    network = FeatureExtractorInceptionV3("reference", [name], str(weights))
    return network(((images + 1) * 127.5).round().byte().expand(-1, 3, -1, -1))[0].double().numpy()


def frechet(real: np.ndarray[Any, Any], fake: np.ndarray[Any, Any]) -> float:
    """The distance between two Gaussians; tr sqrt(A A' B B') is the sum of the singular values of A' B."""
    a, b = ((x - x.mean(0)).T / np.sqrt(len(x) - 1) for x in (real, fake))
    shared = np.linalg.svd(a.T @ b, compute_uv=False).sum()
    return float(((real.mean(0) - fake.mean(0)) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * shared)


def kernel(real: np.ndarray[Any, Any], fake: np.ndarray[Any, Any]) -> float:
    """The unbiased squared maximum mean discrepancy under the cubic polynomial kernel."""
    n, dimensions = real.shape
    rr, ff, rf = ((a @ b.T / dimensions + 1) ** 3 for a, b in ((real, real), (fake, fake), (real, fake)))
    within = (rr.sum() - np.trace(rr) + ff.sum() - np.trace(ff)) / (n * (n - 1))
    return float(within - 2 * rf.mean())


@pytest.fixture
def known(models):  # type: ignore[no-untyped-def]
    """A model whose fakes are known, over two epochs the same, and that counts the forward passes of real images."""

    class Known(models.GAN):
        def validation_step(self, batch: Tensor, batch_idx: int) -> dict[str, Tensor]:
            return {"real": batch, "fake": (batch.flip(-1) * 1.7 - 0.2)}

    return Known


def scores_of(trainer: Any) -> dict[str, float]:
    return {key: value.item() for key, value in trainer.callback_metrics.items() if key.startswith("metric/")}


def test_fid_is_the_published_one_and_is_monitored(
    known, trainer, loader, pictures, inception_weights, tmp_path
) -> None:
    real = pictures(4, channels=1)
    checkpoint = ModelCheckpoint(tmp_path / "best", monitor="metric/fid")
    callbacks = [checkpoint, EarlyStopping("metric/fid"), FID(inception_weights)]
    fit = trainer(callbacks=callbacks, enable_checkpointing=True)
    fit.fit(known(1), loader(pictures(4, channels=1)), loader(real))
    fake = (real.flip(-1) * 1.7 - 0.2).clamp(-1, 1)
    expected = frechet(features(inception_weights, real), features(inception_weights, fake))
    assert scores_of(fit)["metric/fid"] == pytest.approx(expected, rel=1e-3)
    assert scores_of(fit)["metric/fid_samples"] == 4
    assert checkpoint.best_model_score == fit.callback_metrics["metric/fid"]


def test_kid_keeps_the_real_side_and_the_random_numbers(known, trainer, loader, pictures, inception_weights) -> None:
    real, seen = pictures(3), []

    class Watched(KID):
        def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            before = torch.get_rng_state()
            super().on_validation_epoch_end(trainer, pl_module)
            assert torch.equal(torch.get_rng_state(), before)
            if scorer := self._scorers.get(""):
                seen.append((len(scorer.metric.real_features), len(scorer.metric.fake_features)))  # type: ignore[attr-defined]

    callback = Watched(inception_weights, subset_size=5, subsets=3)
    fit = trainer(callbacks=[callback], max_epochs=2)
    fit.fit(known(), loader(pictures(4)), loader(real))
    fake = (real.flip(-1) * 1.7 - 0.2).clamp(-1, 1)
    expected = kernel(features(inception_weights, real), features(inception_weights, fake))
    assert scores_of(fit)["metric/kid"] == pytest.approx(expected, rel=1e-3)
    assert scores_of(fit)["metric/kid_std"] == pytest.approx(0, abs=1e-3 * abs(expected))
    assert seen == [(1, 0), (1, 0)]  # real features stay, those of the fakes go; the sanity check left none


def test_kid_of_few_samples_says_so(known, trainer, loader, pictures, inception_weights) -> None:
    fit = trainer(callbacks=[KID(inception_weights)])
    with pytest.warns(UserWarning, match="subsets of 1000 samples, but there are 3"):
        fit.validate(known(), loader(pictures(3)), verbose=False)
    assert np.isfinite(scores_of(fit)["metric/kid"])


def test_inception_score(known, trainer, loader, pictures, inception_weights) -> None:
    real = pictures(4)
    whole, halves = (trainer(callbacks=[InceptionScore(inception_weights, splits=splits)]) for splits in (1, 2))
    whole.validate(known(), loader(real), verbose=False)
    halves.validate(known(), loader(real), verbose=False)
    logits = features(inception_weights, (real.flip(-1) * 1.7 - 0.2).clamp(-1, 1), "logits_unbiased")
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    samples = {"metric/inception_score_samples": 4}
    expected = np.exp((p * np.log(p / p.mean(0))).sum(1).mean())
    assert scores_of(whole) == pytest.approx({"metric/inception_score": expected, **samples}, rel=1e-3)
    assert np.isfinite(scores_of(halves)["metric/inception_score_std"])


@pytest.mark.parametrize(("feature", "size"), [("2048", 2048), ("logits_unbiased", 1008)])
def test_no_images_have_no_features(feature: str, size: int, inception_weights: Path) -> None:
    assert inception(feature, inception_weights)(torch.zeros(0, 3, 8, 8, dtype=torch.uint8)).shape == (0, size)


def test_score_without_the_last_layer_is_refused(known, trainer, loader, pictures, inception_weights, tmp_path) -> None:
    state = torch.load(inception_weights)
    state["fc.weight"].zero_()
    torch.save(state, tmp_path / "headless.pth")
    fit = trainer(callbacks=[InceptionScore(tmp_path / "headless.pth")], max_epochs=1)
    with pytest.warns(UserWarning, match="last layer .* is all zero"):
        fit.fit(known(), loader(pictures(4)), loader(pictures(4)))
    assert not scores_of(fit) and fit.global_step > 0


def test_without_weights_the_run_says_so_and_trains_on(known, trainer, loader, pictures, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing listens there
    fit = trainer(callbacks=[FID(), KID()])
    with pytest.warns(UserWarning, match="fetch https://.*pth elsewhere, and give its path"):
        fit.fit(known(), loader(pictures(4)), loader(pictures(4)))
    assert not scores_of(fit) and fit.global_step > 0


def test_bad_weights_are_named(known, trainer, loader, pictures, tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="found none at .*nowhere.pth"):
        FID(tmp_path / "nowhere.pth")
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    for name, sentence in {"text.pth": "could not read", "other.pth": "got something else"}.items():
        fit = trainer(callbacks=[FID(tmp_path / name)])
        with pytest.raises(ValueError, match=sentence):
            fit.fit(known(), loader(pictures(4)), loader(pictures(4)))


def test_weights_never_run_code(known, trainer, loader, pictures, tmp_path) -> None:
    class Payload:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"fc.weight": Payload()}, tmp_path / "hostile.pth")
    with pytest.raises(ValueError, match="could not read"):
        trainer(callbacks=[FID(tmp_path / "hostile.pth")]).validate(known(), loader(pictures(4)), verbose=False)
    assert not (tmp_path / "ran").exists()


def test_weights_stay_out_of_checkpoints(known, trainer, loader, pictures, inception_weights, tmp_path) -> None:
    module = known()
    callback = KID(inception_weights, subset_size=2, subsets=1)
    fit = trainer(callbacks=[callback], precision="bf16-true")
    fit.fit(module, loader(pictures(4)), loader(pictures(2)))
    fit.save_checkpoint(tmp_path / "last.ckpt")
    assert (tmp_path / "last.ckpt").stat().st_size < 1_000_000
    assert np.isfinite(scores_of(fit)["metric/kid"])


@pytest.mark.parametrize("make", [lambda: KID(subset_size=1), lambda: KID(subsets=0), lambda: InceptionScore(splits=0)])
def test_bad_arguments_are_named(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="whole number"):
        make()
