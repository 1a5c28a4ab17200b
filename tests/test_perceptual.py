"""Feature maps of a frozen classifier: which layer, in which range, and no gradient into the network."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import l1_loss, relu
from torchvision import models

from gan_modules.perceptual import VGGFeatures, feature_distance

MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the first two blocks of VGG-19, with random weights."""
    path = tmp_path_factory.mktemp("weights") / "vgg19.pth"
    torch.manual_seed(0)
    sizes = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128)}
    state: dict[str, Tensor] = {}
    for number, (outputs, inputs) in sizes.items():
        state[f"features.{number}.weight"] = torch.randn(outputs, inputs, 3, 3) / 20
        state[f"features.{number}.bias"] = torch.randn(outputs) / 20
    torch.save(state, path)
    return path


def test_a_map_before_its_activation_is_not_changed_by_it(weights: Path) -> None:
    before, after = VGGFeatures(("conv2_2", "relu2_2"), weights)(2 * torch.rand(2, 3, 16, 16) - 1)
    assert before.shape == (2, 128, 8, 8) and before.min() < 0
    torch.testing.assert_close(after, relu(before))


def test_the_maps_are_torchvisions(weights: Path) -> None:
    torch.manual_seed(1)
    images = torch.rand(2, 3, 16, 16)
    with torch.device("meta"):
        theirs = models.vgg19(weights=None).features[:8]
    theirs.load_state_dict(
        {key.removeprefix("features."): value for key, value in torch.load(weights).items()}, assign=True
    )
    expected = theirs((images - MEAN.reshape(3, 1, 1)) / DEVIATION.reshape(3, 1, 1))
    (ours,) = VGGFeatures(("conv2_2",), weights)(2 * images - 1)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_it_is_frozen_and_no_part_of_a_checkpoint(weights: Path) -> None:
    features = VGGFeatures(("conv1_1", "conv2_1"), weights).train()
    assert not list(features.parameters()) and not features.state_dict() and not features.training
    fake, real = (torch.rand(2, 1, 8, 8, requires_grad=True) for _ in range(2))
    distance = feature_distance(features, fake, real, l1_loss)
    one, two = ([*features(x)] for x in (fake, real))
    torch.testing.assert_close(distance, sum((a - b).abs().mean() for a, b in zip(one, two, strict=True)))
    distance.backward()
    assert fake.grad is not None and fake.grad.any() and real.grad is None


def test_what_is_not_there_is_refused(weights: Path) -> None:
    with pytest.raises(ValueError, match="expected layers of vgg16, got 'conv5_4'"):
        VGGFeatures(("conv5_4",), weights, "vgg16")
    with pytest.raises(ValueError, match="got those of another network"):
        VGGFeatures(("conv5_4",), weights)
    with pytest.raises(FileNotFoundError, match="expected a file of the weights of torchvision's vgg19"):
        VGGFeatures(weights="nowhere.pth")
