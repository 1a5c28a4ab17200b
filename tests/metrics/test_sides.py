"""Data in [0, 1] and pictures in [0, 255] are noticed, bytes and what is rightly bright are not."""

import pytest
import torch
from torch import Tensor, nn

from gan_modules.metrics import FeatureMetric, FeatureNetwork, KernelDistance, SlicedWasserstein
from gan_modules.metrics.pixels import to_bytes
from gan_modules.metrics.sides import TwoSided


def metrics(reset_real: bool = True) -> list[TwoSided]:
    kernel = KernelDistance(FeatureNetwork(nn.Flatten(), "_pixels"), 1, 2, reset_real=reset_real)
    return [kernel, SlicedWasserstein(reset_real=reset_real)]


@pytest.mark.parametrize("which", [0, 1])
def test_data_between_0_and_1_are_refused(which: int) -> None:
    metric = metrics(reset_real=False)[which]
    fake = torch.rand(2, 3, 8, 8) * 2 - 1
    metric.update(torch.rand(2, 3, 8, 8), real=True)
    metric.update(fake, real=False)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"the lowest value of all is 0\.0.* give 2 x - 1, or bytes"):
            metric.compute()
        metric.reset()  # which keeps the data, and what is known of them
        metric.update(fake, real=False)
    metric.update(fake, real=True)  # one batch with dark pixels is enough
    assert metric.compute()


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("real", [torch.full((2, 3, 8, 8), 200, dtype=torch.uint8), -torch.rand(2, 3, 8, 8)])
def test_bright_bytes_and_bright_fakes_are_taken(which: int, real: Tensor) -> None:
    metric = metrics()[which]
    metric.update(real, real=True)
    metric.update(torch.rand(2, 3, 8, 8), real=False)
    metric.update(torch.zeros(0, 3, 8, 8), real=True)
    assert metric.compute()


def test_generated_pictures_in_bytes_steps_are_refused_and_overshoot_is_not() -> None:
    pictures = torch.rand(2, 3, 8, 8) * 255
    with pytest.raises(ValueError, match=r"generated images in \[-1, 1\], got values from .* to 25.*; give x / 127.5"):
        to_bytes(pictures, real=False)
    assert to_bytes(pictures - 100, real=False).float().std() > 0  # a generator that diverges has a bad number
    assert to_bytes(torch.rand(2, 3, 8, 8) * 10, real=False).max() == 255


def test_reset_forgets_the_range_with_the_data() -> None:
    metric = metrics()[0]
    assert isinstance(metric, FeatureMetric)
    metric.update(torch.rand(2, 3, 8, 8), real=True)
    metric.reset()
    metric.update(-torch.rand(2, 3, 8, 8), real=True)
    metric.update(torch.rand(2, 3, 8, 8), real=False)
    assert metric.compute()
