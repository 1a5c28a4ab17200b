"""The Inception Score against torch-fidelity, and networks that cannot have one."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_fidelity.metric_isc import isc_features_to_metric
from torchmetrics.image.inception import InceptionScore as TorchInceptionScore

from gan_modules.metrics import FeatureNetwork, InceptionScore, Unavailable, inception_score


@pytest.fixture
def logits(network: FeatureNetwork, drawings: Any) -> Tensor:
    return network.logits(network.features(drawings.fake, real=False))


def test_equals_torch_fidelity_in_the_same_order(logits: Tensor) -> None:
    for splits in (1, 5, 10):  # 37 images: unequal parts
        theirs = isc_features_to_metric(logits, splits, shuffle=False)
        mean, deviation = inception_score(logits, splits, seed=None)
        assert mean.item() == pytest.approx(theirs["inception_score_mean"], rel=1e-12)
        assert deviation.item() == pytest.approx(theirs["inception_score_std"], rel=1e-9, abs=1e-12)


def test_one_split_equals_torchmetrics(logits: Tensor) -> None:
    metric = TorchInceptionScore(nn.Identity(), splits=1)
    metric.update(logits)
    with pytest.warns(UserWarning, match="degrees of freedom"):
        assert inception_score(logits, 1)[0].item() == pytest.approx(metric.compute()[0].item(), rel=1e-5)


def test_the_order_of_the_images_is_shuffled_by_the_seed() -> None:
    by_class = (20 * torch.eye(5)).repeat_interleave(40, dim=0)
    assert inception_score(by_class, 5, seed=None)[0].item() == pytest.approx(1, abs=1e-6)
    assert 4.5 < inception_score(by_class, 5, seed=0)[0].item() < 5
    assert torch.equal(inception_score(by_class, 5)[0], inception_score(by_class, 5, seed=0)[0])
    assert not torch.equal(inception_score(by_class, 5)[0], inception_score(by_class, 5, seed=1)[0])


def test_extreme_logits_have_a_finite_score() -> None:
    mean, deviation = inception_score(1e4 * torch.eye(3).repeat(4, 1), 2, seed=None)
    assert mean.item() == pytest.approx(3) and deviation.item() == pytest.approx(0, abs=1e-9)


def test_batches_change_nothing_and_data_are_passed_over(network: FeatureNetwork, feed: Any, logits: Tensor) -> None:
    expected = inception_score(logits, 4)
    for of_real, of_fake in (((50,), (37,)), ((25, 25), (5, 0, 31, 1))):
        found = feed(InceptionScore(network, 4), of_real, of_fake).compute()
        assert torch.allclose(torch.stack(found), torch.stack(expected), rtol=1e-5)


def test_without_a_last_layer_it_is_refused(network: FeatureNetwork) -> None:
    with pytest.raises(Unavailable, match="the nothing network has no last layer"):
        InceptionScore(FeatureNetwork(nn.Flatten(), "_nothing"))
    with pytest.raises(Unavailable):
        FeatureNetwork(nn.Flatten(), "_nothing").logits(torch.zeros(1, 3))
    nn.init.zeros_(network.last.weight)
    with pytest.raises(Unavailable, match="Inception Score would be 1"):
        InceptionScore(network)


def test_few_images_are_split_less(logits: Tensor) -> None:
    with pytest.warns(UserWarning, match="10 splits, but there are 5 images: it uses 2"):
        few = inception_score(logits[:5], 10)
    assert torch.equal(few[0], inception_score(logits[:5], 2)[0])
    with pytest.raises(ValueError, match="at least 2 generated images, got 1"):
        inception_score(logits[:1])
    with pytest.raises(ValueError, match="whole number"):
        inception_score(logits, 0)
    with pytest.raises(ValueError, match="got 0"), pytest.warns(UserWarning):
        InceptionScore(FeatureNetwork(nn.Flatten(), "_x", last=nn.Linear(2, 2))).compute()
