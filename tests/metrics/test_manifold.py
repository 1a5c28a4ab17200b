"""Precision, recall, density and coverage against numpy, torch-fidelity and the authors' package."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import Tensor
from torch_fidelity.metric_prc import prc_features_to_metric

from gan_modules.metrics import PRDC, FeatureNetwork, manifold, prdc

Features = tuple[Tensor, Tensor]


@pytest.fixture
def features(network: FeatureNetwork, drawings: Any) -> Features:
    return network.features(drawings.real, real=True), network.features(drawings.fake, real=False)


def reference(real: Tensor, fake: Tensor, k: int, density_k: int) -> dict[str, float]:
    """The sums as the two papers write them, over all distances at once."""
    x, y = real.double().numpy(), fake.double().numpy()
    reach = {each: np.sort(cdist(x, x), axis=1)[:, each] for each in (k, density_k)}
    reach_of_fake = np.sort(cdist(y, y), axis=1)[:, k]
    apart = cdist(x, y)
    return {
        "precision": float((apart <= reach[k][:, None]).any(0).mean()),
        "recall": float((apart <= reach_of_fake[None]).any(1).mean()),
        "density": float((apart < reach[density_k][:, None]).sum() / (density_k * len(y))),
        "coverage": float((apart.min(1) < reach[density_k]).mean()),
    }


def values(found: dict[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in found.items()}


@pytest.mark.parametrize(("k", "density_k"), [(3, 5), (1, 1), (7, 2), (36, 49)])
@pytest.mark.parametrize("block", [2048, 6])
def test_equals_numpy(features: Features, monkeypatch: pytest.MonkeyPatch, block: int, k: int, density_k: int) -> None:
    monkeypatch.setattr(manifold, "_BLOCK", block)
    found = values(prdc(*features, k, density_k))
    assert found == pytest.approx(reference(*features, k, density_k), abs=1e-12)


def test_precision_and_recall_equal_torch_fidelity(features: Features) -> None:
    real, fake = features
    theirs = prc_features_to_metric(fake, real, prc_neighborhood=3, verbose=False)
    found = values(prdc(real, fake))
    assert 0.1 < found["precision"] < 1 and 0.1 < found["recall"] < 1
    assert found["precision"] == pytest.approx(theirs["precision"], abs=1e-7)
    assert found["recall"] == pytest.approx(theirs["recall"], abs=1e-7)


def test_all_four_equal_the_authors_package(features: Features) -> None:
    authors = pytest.importorskip("prdc")
    real, fake = features
    theirs = authors.compute_prdc(real.double().numpy(), fake.double().numpy(), nearest_k=5)
    assert values(prdc(real, fake, k=5)) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("block", [2048, 7])
def test_copies_tie_exactly(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the data lies on the border of many balls, wherever a block of distances ends."""
    monkeypatch.setattr(manifold, "_BLOCK", block)
    real = 30 + torch.randn(40, 64)
    assert values(prdc(real, real[torch.randperm(40)])) == {"precision": 1, "recall": 1, "density": 1, "coverage": 1}
    doubled = real.repeat_interleave(2, dim=0)  # the nearest neighbour is oneself: a ball without extent
    alone = values(prdc(doubled, doubled, k=1, density_k=1))
    assert alone == {"precision": 1, "recall": 1, "density": 0, "coverage": 0}
    assert prdc(doubled, doubled + 1, k=1)["precision"] == 0


def test_one_picture_again_and_again_covers_little(features: Features) -> None:
    real, _ = features
    found = values(prdc(real, real[:1].expand(20, -1)))
    assert found["precision"] == 1 and found["recall"] == pytest.approx(1 / 50) and found["coverage"] < 0.3


def test_batches_change_nothing(network: FeatureNetwork, feed: Any, features: Features) -> None:
    for of_real, of_fake in (((50,), (37,)), ((20, 0, 1, 29), (36, 1))):
        assert values(feed(PRDC(network), of_real, of_fake).compute()) == values(prdc(*features))


def test_too_few_for_the_neighbours_is_named(features: Features) -> None:
    real, fake = features
    with pytest.raises(ValueError, match="at least 6 real and 4 generated images, got 5 and 37; give more, or a small"):
        prdc(real[:5], fake)
    with pytest.raises(ValueError, match="got 50 and 3;"):
        prdc(real, fake[:3])
    with pytest.raises(ValueError, match="density_k must be a whole number"):
        prdc(real, fake, density_k=0)
