"""The intra-class Fréchet distance against torch-fidelity, class by class."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from gan_modules.metrics import FeatureNetwork, IntraFrechetDistance, frechet_by_class
from gan_modules.metrics.per_class import frechet_of_features


def theirs(real: Tensor, fake: Tensor) -> float:
    statistics = [fid_features_to_statistics(side) for side in (real, fake)]
    return float(fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"])


def fed(network: FeatureNetwork, drawings: Any, sizes: list[int] | None = None) -> IntraFrechetDistance:
    metric = IntraFrechetDistance(network, reset_real=False)
    for real, images, labels in (
        (True, drawings.real, drawings.real_labels),
        (False, drawings.fake, drawings.fake_labels),
    ):
        cut = [len(images)] if sizes is None else [*sizes, len(images) - sum(sizes)]
        for part, its in zip(images.split(cut), labels.split(cut), strict=True):
            metric.update(part, real, its)
    return metric


@pytest.mark.parametrize(("n", "m"), [(60, 55), (60, 9), (5, 7), (2, 40)])  # more or fewer than the 24 dimensions
def test_each_distance_equals_torch_fidelity(n: int, m: int) -> None:
    real, fake = torch.randn(n, 24).exp(), torch.rand(m, 24) * 3
    assert frechet_of_features(real, fake).item() == pytest.approx(theirs(real, fake), rel=1e-6)


def test_equal_features_have_no_distance() -> None:
    features = torch.randn(40, 24) + 5
    assert frechet_of_features(features, features).item() == pytest.approx(0, abs=1e-12)


def test_mean_and_classes_of_emoji(network: FeatureNetwork, drawings: Any) -> None:
    metric = fed(network, drawings)
    with pytest.warns(UserWarning, match="leaves out . of 9 classes, the first of them"):
        mean = metric.compute().item()
    real, fake = network.features(drawings.real, real=True), network.features(drawings.fake, real=False)
    expected = {}
    for label in range(9):
        sides = real[drawings.real_labels == label], fake[drawings.fake_labels == label]
        if min(map(len, sides)) >= 2:
            expected[label] = theirs(*sides)
    assert 2 < len(expected) < 9
    assert metric.by_class == pytest.approx(expected, rel=1e-5)
    assert mean == pytest.approx(np.mean(list(expected.values())), rel=1e-5)


@pytest.mark.filterwarnings("ignore:the intra-class distance leaves out")
def test_batches_change_nothing_and_the_data_are_kept(network: FeatureNetwork, drawings: Any) -> None:
    metric = fed(network, drawings, [3, 0, 20, 1])
    first = metric.compute()
    assert first.item() == pytest.approx(fed(network, drawings).compute().item(), rel=1e-6)
    metric.reset()
    metric.update(drawings.fake, False, drawings.fake_labels)
    assert metric.compute().item() == pytest.approx(first.item(), rel=1e-6)


def test_mixed_up_classes_are_seen(network: FeatureNetwork, drawings: Any) -> None:
    real = network.features(drawings.real, real=True)
    labels = (real[:, 0] > real[:, 0].median()).long()
    right, wrong = (frechet_by_class(real, labels, real, given) for given in (labels, 1 - labels))
    assert all(right[label] < 1e-9 and wrong[label] > 0.1 for label in (0, 1))


def test_missing_labels_and_lonely_images_are_named(network: FeatureNetwork) -> None:
    metric, images = IntraFrechetDistance(network), -torch.ones(2, 3, 8, 8)
    for labels, given in (
        (None, "none"),
        (torch.zeros(3).long(), r"torch.int64 of shape \(3,\)"),
        (torch.zeros(2), "fl"),
    ):
        with pytest.raises(ValueError, match=f"label for each of 2 images, got .*{given}"):
            metric.update(images, True, labels)
    metric.update(images, True, torch.tensor([0, 1]))
    metric.update(images, False, torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="at least 2 real and 2 generated images, got 2 and 2 images of 2 classes"):
        metric.compute()
