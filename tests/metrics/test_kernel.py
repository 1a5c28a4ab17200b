"""The kernel distance against torch-fidelity, torchmetrics and numpy, and what must not change it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_fidelity.metric_kid import kernel_mmd, kid_features_to_metric
from torchmetrics.image.kid import KernelInceptionDistance

from gan_modules.metrics import FeatureNetwork, KernelDistance, kernel, kernel_distance
from gan_modules.metrics.kernel import all_pairs


@pytest.fixture
def features(network: FeatureNetwork, drawings: Any) -> tuple[Tensor, Tensor]:
    return network.features(drawings.real, real=True), network.features(drawings.fake, real=False)


def of_all(real: Tensor, fake: Tensor) -> float:
    """The estimator as the paper writes it, in numpy."""
    x, y = real.double().numpy(), fake.double().numpy()
    xx, yy, xy = ((a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    n, m = xy.shape
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * xy.mean())


@pytest.mark.parametrize(("subsets", "size"), [(4, 11), (1, 36), (90, 30)])  # one by one; one by one; all pairs at once
def test_equals_torch_fidelity_on_the_same_subsets(
    features: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch, subsets: int, size: int
) -> None:
    drawn: list[list[Tensor]] = []
    draw = kernel._subsets
    monkeypatch.setattr(kernel, "_subsets", lambda *a: drawn.append(draw(*a)) or drawn[-1])
    mean, deviation = kernel_distance(*features, subsets, size, seed=3)
    real, fake = (side.double().numpy() for side in features)
    theirs = [
        kernel_mmd(real[a], fake[b], kid_kernel="poly", kid_kernel_poly_degree=3, kid_kernel_poly_coef0=1)
        for a, b in zip(*drawn, strict=True)
    ]
    assert mean.item() == pytest.approx(np.mean(theirs), rel=1e-12)
    assert deviation.item() == pytest.approx(np.std(theirs), rel=1e-9, abs=1e-12)
    assert all(len(set(each.tolist())) == size for side in drawn for each in side)


def test_agrees_with_other_draws_of_torch_fidelity_and_torchmetrics(features: tuple[Tensor, Tensor]) -> None:
    real, fake = features
    ours, _ = kernel_distance(real, fake, subsets=400, subset_size=30)
    fidelity = kid_features_to_metric(real, fake, kid_subsets=400, kid_subset_size=30, verbose=False)
    metric = KernelInceptionDistance(nn.Identity(), subsets=400, subset_size=30)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    exact = of_all(real, fake)
    error = fidelity["kernel_inception_distance_std"] / 20  # 400 subsets
    for each in (ours.item(), fidelity["kernel_inception_distance_mean"], metric.compute()[0].item()):
        assert abs(each - exact) < 4 * error


@pytest.mark.parametrize("block", [2048, 7])
def test_all_pairs_equal_numpy(features: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(kernel, "_BLOCK", block)
    assert all_pairs(*features).item() == pytest.approx(of_all(*features), rel=1e-12)


def test_few_samples_are_all_taken_and_said(network: FeatureNetwork, feed: Any) -> None:
    metric = feed(KernelDistance(network, subsets=3))
    with pytest.warns(UserWarning, match="subsets of 1000 samples, but there are 37"):
        mean, _ = metric.compute()
    real, fake = metric.both()
    rows = kernel._subsets(50, 3, 37, kernel.mix(0, 0))
    assert mean.item() == pytest.approx(np.mean([of_all(real[each], fake) for each in rows]), rel=1e-6)


def test_batches_and_other_random_numbers_change_nothing(network: FeatureNetwork, feed: Any) -> None:
    values = []
    for of_real, of_fake in (((50,), (37,)), ((1, 30, 0, 19), (36, 1))):
        torch.rand(3)
        before = torch.get_rng_state()
        values.append(feed(KernelDistance(network, 5, 20), of_real, of_fake).compute())
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.allclose(torch.stack(values[0]), torch.stack(values[1]), rtol=1e-6)
    assert not torch.equal(feed(KernelDistance(network, 5, 20, seed=1)).compute()[0], values[0][0])


def test_the_data_are_kept_when_asked(network: FeatureNetwork, feed: Any, drawings: Any) -> None:
    metric = feed(KernelDistance(network, 5, 20, reset_real=False))
    first = metric.compute()
    metric.reset()
    metric.update(drawings.fake, real=False)
    assert metric.compute() == first
    metric.reset_real = True
    metric.reset()
    with pytest.raises(ValueError, match="needs real and generated images, got 0 and 0"), pytest.warns(UserWarning):
        metric.compute()


def test_bad_arguments_are_named(network: FeatureNetwork) -> None:
    for wrong in ({"subsets": 0}, {"subset_size": 1}, {"seed": -1}):
        with pytest.raises(ValueError, match="whole number"):
            KernelDistance(network, **wrong)
    with pytest.raises(ValueError, match="at least 2 real and 2 generated images, got 1 and 4"):
        kernel_distance(torch.zeros(1, 3), torch.zeros(4, 3), 1, 2)
