"""PSNR against torchmetrics, and the one thing in which it differs."""

import pytest
import torch
from torchmetrics.image import PeakSignalNoiseRatio

from gan_modules.metrics import PSNR
from gan_modules.metrics.pixels import match_channels


def test_equals_torchmetrics() -> None:
    images, truth = torch.rand(6, 3, 8, 8) * 2 - 1, torch.rand(6, 3, 8, 8) * 2 - 1
    theirs = PeakSignalNoiseRatio(data_range=(-1.0, 1.0), dim=(1, 2, 3), reduction="elementwise_mean")
    ours = PSNR()
    for part in (slice(0, 4), slice(4, 6)):
        ours.update(images[part], truth[part])
        theirs.update(images[part], truth[part])
    assert ours.compute().item() == pytest.approx(theirs.compute().item(), rel=1e-6)


def test_a_perfect_image_has_the_noise_of_rounding() -> None:
    metric = PSNR()
    metric.update(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))
    assert metric.compute().item() == pytest.approx(10 * torch.log10(torch.tensor(12 * 255.0**2)).item())


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="one shape"):
        PSNR().update(torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match="at least one image"), pytest.warns(UserWarning):
        PSNR().compute()


def test_channels_are_converted() -> None:
    grey = torch.rand(2, 1, 4, 4)
    colour = match_channels(grey, 3)
    assert torch.equal(colour[:, 2], grey[:, 0])
    assert torch.allclose(match_channels(colour, 1), grey)
    red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
    assert match_channels(red, 1).item() == pytest.approx(0.299)
    with pytest.raises(ValueError, match="got 4"):
        match_channels(torch.zeros(1, 4, 2, 2), 3)
    assert match_channels((255 * red).byte(), 1).item() == 76
    assert match_channels(red.half(), 1).dtype == torch.float16
