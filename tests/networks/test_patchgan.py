"""Patches are as large as the paper says."""

import pytest
import torch

from gan_modules.networks import PatchDiscriminator


@pytest.mark.parametrize(("layers", "patch"), [(0, 1), (1, 16), (2, 34), (3, 70), (4, 142)])
def test_a_score_sees_its_patch_and_no_more(layers: int, patch: int) -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(1, width=2, layers=layers, norm=None).double()
    side = 256
    images = torch.randn(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    scores = network(images)
    middle = scores.shape[2] // 2
    (gradient,) = torch.autograd.grad(scores[0, 0, middle, middle], images)
    rows, columns = gradient[0, 0].nonzero(as_tuple=True)
    assert int(rows.max() - rows.min()) + 1 == patch
    assert int(columns.max() - columns.min()) + 1 == patch


@pytest.mark.parametrize("layers", [0, 1, 2, 3, 4])
def test_the_map_has_the_size_of_the_docstring(layers: int) -> None:
    scores = PatchDiscriminator(1, width=2, layers=layers)(torch.randn(1, 1, 64, 96))
    assert scores.shape == ((1, 1, 64 // 2**layers - 2, 96 // 2**layers - 2) if layers else (1, 1, 64, 96))


def test_the_smallest_image_gives_one_score() -> None:
    network = PatchDiscriminator(3, width=2)
    assert network(torch.randn(1, 3, 24, 24)).shape == (1, 1, 1, 1)
    with pytest.raises(ValueError, match="at least 24 x 24 pixels, got 23 x 24: use larger images or fewer layers"):
        network(torch.randn(1, 3, 23, 24))


def test_the_condition_is_judged_along() -> None:
    network = PatchDiscriminator(3, 1, width=2)
    images, condition = torch.randn(2, 3, 32, 32), torch.randn(2, 1, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(images, condition).sum(), condition)
    assert gradient.any()
    with pytest.raises(ValueError, match="condition_channels=1 but was given no condition"):
        network(images)
    with pytest.raises(ValueError, match="condition_channels=0 but was given a condition"):
        PatchDiscriminator(3, width=2)(images, condition)
    with pytest.raises(ValueError, match="Expected a batch of 1 x height x width images"):
        network(images, images)
