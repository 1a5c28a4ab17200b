"""A network of features is asked once for each batch, keeps out of training, and knows what it depends on."""

import pytest
import torch
from torch import Tensor, nn

from gan_modules.metrics import FeatureMetric, FeatureNetwork


class Counting(nn.Module):
    """The mean of each channel; counts its passes."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.norm = nn.BatchNorm1d(3)
        self.passes = 0

    def forward(self, images: Tensor) -> Tensor:
        assert images.dtype == torch.uint8 and not torch.is_autocast_enabled("cpu")
        self.passes += 1
        return self.scale * self.norm(images.float().mean(dim=(2, 3)))


class Kept(FeatureMetric):
    """How far the means are apart."""

    def compute(self) -> Tensor:
        return (torch.cat(self.real_features).mean() - torch.cat(self.fake_features).mean()).abs()


@pytest.fixture
def network() -> FeatureNetwork:
    return FeatureNetwork(Counting(), "_counting")


@pytest.mark.parametrize("inference", [False, True])
def test_metrics_share_one_pass_and_its_features(network: FeatureNetwork, inference: bool) -> None:
    first, second = Kept(network), Kept(network)
    with torch.inference_mode(inference):
        real, fake = torch.rand(4, 3, 8, 8), torch.rand(4, 3, 8, 8)
        for metric in (first, second):
            metric.update(real[:4], real=True)
            metric.update(fake[:4], real=False)
    assert network.body.passes == 2
    assert first.real_features[0] is second.real_features[0] and first.fake_features[0] is second.fake_features[0]


def test_images_changed_in_place_are_others(network: FeatureNetwork) -> None:
    for images in (torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4, dtype=torch.uint8)):
        before = network.features(images, real=False).clone()
        images += 1
        assert not torch.equal(network.features(images, real=False), before)


def test_stays_frozen_in_evaluation_mode_and_out_of_autocast(network: FeatureNetwork) -> None:
    network.train()
    with torch.autocast("cpu", torch.bfloat16):
        features = network.features(torch.rand(2, 1, 4, 4, requires_grad=True), real=False)
    assert not network.body.norm.training and not features.requires_grad and features.dtype == torch.float32


def test_the_fingerprint_is_of_weights_layers_and_preprocessing(network: FeatureNetwork) -> None:
    assert network.fingerprint == FeatureNetwork(Counting(), "_counting").fingerprint
    other = Counting()
    other.scale.data += 1e-6
    different = [
        FeatureNetwork(other, "_counting"),
        FeatureNetwork(Counting(), "_counting", "resized"),
        FeatureNetwork(nn.Flatten(), "_counting"),
    ]
    assert len({network.fingerprint, *(each.fingerprint for each in different)}) == 4


def test_wrong_images_and_wrong_networks_are_named(network: FeatureNetwork) -> None:
    with pytest.raises(ValueError, match=r"data in \[-1, 1\]"):
        network.features(torch.full((1, 3, 4, 4), 200.0), real=True)
    with pytest.raises(ValueError, match="flatten or pool"):
        FeatureNetwork(nn.Identity(), "_identity").features(torch.zeros(1, 3, 4, 4), real=True)


def test_reset_can_keep_the_data(network: FeatureNetwork) -> None:
    metric = Kept(network, reset_real=False)
    for real in (True, False):
        metric.update(torch.zeros(2, 3, 4, 4), real)
    metric.reset()
    assert len(metric.real_features) == 1 and not metric.fake_features
