"""Small real data, a tiny network of features, and ways of feeding a metric."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torchmetrics import Metric

from datamodules import Emoji
from gan_modules.metrics import FeatureNetwork


class Drawings(NamedTuple):
    """Emoji of two styles in [-1, 1], and what they show."""

    real: Tensor
    fake: Tensor
    real_labels: Tensor
    fake_labels: Tensor


class Projection(nn.Module):
    """Byte images (n, 3, h, w), seen at 4 x 4 pixels, -> 24 positive features."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randn(48, 24, generator=torch.Generator().manual_seed(1)))

    def forward(self, images: Tensor) -> Tensor:
        small = nn.functional.adaptive_avg_pool2d(images.float() / 127.5 - 1, 4)
        return (small.flatten(1) @ self.weight).relu()


@pytest.fixture(scope="session")
def drawings() -> Drawings:
    """50 emoji by Noto as data, and 37 others by Twemoji as what was generated."""
    sides = []
    for style, start, stop in (("noto", 0, 50), ("twemoji", 50, 87)):
        data = Emoji(style, labels=True, batch_size=100, seed=0)
        data.setup("fit")
        images, labels = data.on_after_batch_transfer(next(iter(data.val_dataloader())), 0)
        sides.append((images[start:stop], labels[start:stop]))
    (real, real_labels), (fake, fake_labels) = sides
    return Drawings(real, fake, real_labels, fake_labels)


@pytest.fixture
def network() -> FeatureNetwork:
    """With a last layer that tells seven classes apart."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return FeatureNetwork(Projection(), "_projection", last=nn.Linear(24, 7))


Feed = Callable[[Metric, Sequence[int], Sequence[int]], Metric]


@pytest.fixture
def feed(drawings: Drawings) -> Feed:
    """Shows a metric the drawings in batches of the sizes given."""

    def fed(metric: Metric, of_real: Sequence[int] = (50,), of_fake: Sequence[int] = (37,)) -> Metric:
        for images, sizes, real in ((drawings.real, of_real, True), (drawings.fake, of_fake, False)):
            for part in images.split(list(sizes)):
                metric.update(part, real=real)
        return metric

    return fed
