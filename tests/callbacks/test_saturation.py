"""How colourful pictures are."""

import colorsys

import pytest
import torch

from gan_modules.callbacks import Saturation
from gan_modules.metrics import MeanSaturation


def test_it_is_the_chroma_of_hsv() -> None:
    torch.manual_seed(0)
    images = 2 * torch.rand(3, 3, 4, 5) - 1
    metric = MeanSaturation()
    for part in images.split(2):
        metric.update(part)
    pixels = ((images + 1) / 2).permute(0, 2, 3, 1).reshape(-1, 3).tolist()
    hsv = [colorsys.rgb_to_hsv(*pixel) for pixel in pixels]
    assert metric.compute().item() == pytest.approx(sum(s * v for _, s, v in hsv) / len(hsv), rel=1e-5)


def test_grey_is_nothing_and_one_channel_is_refused() -> None:
    metric = MeanSaturation()
    with pytest.raises(ValueError, match="needs at least one image"):
        metric.compute()
    metric.update(torch.rand(2, 1, 4, 4).expand(-1, 3, -1, -1))
    assert metric.compute() == 0
    with pytest.raises(ValueError, match="saturation is of pictures in colour, got 1 channels"):
        metric.update(torch.rand(2, 1, 4, 4))


def test_generated_pictures_beside_the_data() -> None:
    pale, pure = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    pale[:, 0], pure[:, 0] = 0.5, 1.0
    found = {}
    for scorer in Saturation().scorers():
        for real in (False, True):
            scorer.feed(scorer.metric, {"fake": pale, "real": pure}, real)
        found |= {name: value.item() for name, value in scorer.compute().items()}
    assert found == {"saturation": 0.25, "saturation_real": 0.5}
