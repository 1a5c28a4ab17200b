"""FID, KID and their like in a run: values against numpy, names, what is monitored; weights that are not there."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gan_modules.callbacks import FID, KID, PRDC, ClassificationAccuracy, InceptionScore, IntraFID, image_metrics
from gan_modules.metrics import FeatureNetwork


def published(weights: Path, images: Tensor) -> np.ndarray[Any, Any]:
    """What torch-fidelity's own network, with its own resize, says of images in [-1, 1]."""
    network = FeatureExtractorInceptionV3("reference", ["2048"], str(weights))
    return network(((images + 1) * 127.5).round().byte().expand(-1, 3, -1, -1))[0].double().numpy()


def tiny(network: FeatureNetwork, images: Tensor) -> np.ndarray[Any, Any]:
    """The features of images in [-1, 1] from a tiny network."""
    return network.body(((images + 1) * 127.5).round().byte()).detach().double().numpy()


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


@pytest.mark.slow
def test_fid_is_the_published_one_and_is_monitored(
    known, trainer, loader, pictures, inception_weights, tmp_path
) -> None:
    real = pictures(4, channels=1)
    checkpoint = ModelCheckpoint(tmp_path / "best", monitor="metric/fid")
    callbacks = [checkpoint, EarlyStopping("metric/fid"), FID(inception_weights)]
    fit = trainer(callbacks=callbacks, enable_checkpointing=True)
    fit.fit(known(1), loader(pictures(4, channels=1)), loader(real))
    fake = (real.flip(-1) * 1.7 - 0.2).clamp(-1, 1)
    expected = frechet(published(inception_weights, real), published(inception_weights, fake))
    assert scores_of(fit)["metric/fid"] == pytest.approx(expected, rel=1e-3)
    assert scores_of(fit)["metric/fid_samples"] == 4
    assert checkpoint.best_model_score == fit.callback_metrics["metric/fid"]


def test_kid_is_that_of_the_features_and_leaves_random_numbers_alone(known, trainer, loader, pictures, body) -> None:
    real = pictures(3)

    class Watched(KID):
        def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            before = torch.get_rng_state()
            super().on_validation_epoch_end(trainer, pl_module)
            assert torch.equal(torch.get_rng_state(), before)

    network = body()
    fit = trainer(callbacks=[Watched(network=network, subset_size=5, subsets=3)], max_epochs=2)
    with pytest.warns(UserWarning, match="subsets of 5 samples, but there are 3"):
        fit.fit(known(), loader(pictures(4)), loader(real))
    expected = kernel(tiny(network, real), tiny(network, (real.flip(-1) * 1.7 - 0.2).clamp(-1, 1)))
    found = {"kid_body": expected, "kid_body_std": 0, "kid_body_samples": 3}
    assert scores_of(fit) == pytest.approx({f"metric/{name}": v for name, v in found.items()}, rel=1e-3, abs=1e-6)


def test_inception_score_is_that_of_the_last_layer(known, trainer, loader, pictures, body) -> None:
    real, network = pictures(4), body(classes=5)
    whole, halves = (trainer(callbacks=[InceptionScore(network=network, splits=splits)]) for splits in (1, 2))
    whole.validate(known(), loader(real), verbose=False)
    halves.validate(known(), loader(real), verbose=False)
    features = tiny(network, (real.flip(-1) * 1.7 - 0.2).clamp(-1, 1))
    logits = features @ network.last.weight.double().numpy().T
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    expected = np.exp((p * np.log(p / p.mean(0))).sum(1).mean())
    found = {"inception_score_body": expected, "inception_score_body_std": 0, "inception_score_body_samples": 4}
    assert scores_of(whole) == pytest.approx({f"metric/{name}": v for name, v in found.items()}, rel=1e-4)
    assert scores_of(halves)["metric/inception_score_body_std"] > 0


def test_score_without_a_last_layer_is_refused(known, trainer, loader, pictures, body) -> None:
    network = body(classes=5)
    network.last.weight.data.zero_()
    fit = trainer(callbacks=[InceptionScore(network=network), FID(network=network)])
    with pytest.warns(UserWarning, match="InceptionScore is left out: .* last layer, or one that is all zero"):
        fit.fit(known(), loader(pictures(4)), loader(pictures(4)))
    assert scores_of(fit).keys() == {"metric/fid_body", "metric/fid_body_samples"} and fit.global_step > 0


def test_metrics_of_classes_have_the_labels_of_the_view(known, models, trainer, loader, pictures, body) -> None:
    class Labelled(models.GAN):
        def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
            images, labels = batch
            return {"real": images, "fake": -images, "labels": labels}

    images, labels, network = pictures(8), torch.arange(8) % 2, body()
    fit = trainer(callbacks=[IntraFID(network=network), ClassificationAccuracy(epochs=1)])
    fit.validate(Labelled(), loader(list(zip(images, labels, strict=True))), verbose=False)
    of_class = [frechet(tiny(network, images[labels == c]), tiny(network, -images[labels == c])) for c in (0, 1)]
    assert scores_of(fit)["metric/intra_fid_body"] == pytest.approx(np.mean(of_class), rel=1e-4)
    assert scores_of(fit)["metric/intra_fid_body_samples"] == scores_of(fit)["metric/cas_convnet_samples"] == 8
    assert 0 <= scores_of(fit)["metric/cas_convnet"] <= 1
    with pytest.raises(ValueError, match='needs "labels" in what validation_step returns'):
        trainer(callbacks=[IntraFID(network=network)]).validate(known(), loader(images), verbose=False)


def test_any_module_is_a_network_and_gives_its_name(known, trainer, loader, pictures, body) -> None:
    module = body().body
    fit = trainer(callbacks=[FID(network=module), KID(network=module, subset_size=4), FID(network=module, cache=False)])
    fit.validate(known(), loader(pictures(4)), verbose=False)
    assert {"metric/fid_body", "metric/kid_body"} < scores_of(fit).keys()
    assert module.passes == [4, 4]


def test_a_network_by_name_is_made_once(known, trainer, loader, pictures, body, monkeypatch, tmp_path) -> None:
    made = []

    def by_name(name: str, weights: Path | None) -> FeatureNetwork:
        made.append((name, weights))
        return body()

    monkeypatch.setattr(image_metrics, "torchvision_network", by_name)
    (tmp_path / "b0.pth").touch()
    options: dict[str, Any] = {"network": "efficientnet_b0", "weights": tmp_path / "b0.pth"}
    fit = trainer(callbacks=[FID(**options), KID(subset_size=4, **options)])
    fit.validate(known(), loader(pictures(4)), verbose=False)
    assert made == [("efficientnet_b0", tmp_path / "b0.pth")]
    assert {"metric/fid_body", "metric/kid_body"} < scores_of(fit).keys()


def test_too_few_samples_for_neighbours_end_no_run(known, trainer, loader, pictures, body) -> None:
    fit = trainer(callbacks=[PRDC(network=body())])
    with pytest.warns(UserWarning, match="PRDC needs at least 6 validation samples, got 4"):
        fit.fit(known(), loader(pictures(4)), loader(pictures(4)))
    assert not scores_of(fit)


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


def test_networks_stay_out_of_checkpoints_and_of_half_precision(
    known, trainer, loader, pictures, body, tmp_path
) -> None:
    network, module = body(), known()
    fit = trainer(callbacks=[KID(network=network, subset_size=2, subsets=1)], precision="bf16-true")
    fit.fit(module, loader(pictures(4)), loader(pictures(2)))
    fit.save_checkpoint(tmp_path / "last.ckpt")
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert saved["state_dict"].keys() == module.state_dict().keys()
    assert str(network.body.weight.shape) not in str([value.shape for value in saved["state_dict"].values()])
    assert network.body.weight.dtype == torch.float32 and np.isfinite(scores_of(fit)["metric/kid_body"])


@pytest.mark.parametrize("make", [lambda: KID(subset_size=1), lambda: KID(subsets=0), lambda: InceptionScore(splits=0)])
def test_bad_arguments_are_named(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="whole number"):
        make()


def test_bad_choices_are_named() -> None:
    with pytest.raises(ValueError, match="resize must be 'published' or 'clean', got 'lanczos'"):
        FID(resize="lanczos")
    with pytest.raises(ValueError, match="dtype must be 'float32' or 'bfloat16', got 'float16'"):
        FID(dtype="float16")
