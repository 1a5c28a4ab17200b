"""Networks of features, and what the metrics that compare features share of them."""

import hashlib
from collections import deque
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.utilities import dim_zero_cat

from gan_modules.metrics.gathering import in_turn
from gan_modules.metrics.pixels import match_channels, to_bytes
from gan_modules.metrics.sides import TwoSided


class Unavailable(Exception):
    """Why a metric cannot be had here, in one sentence."""


class FeatureNetwork(nn.Module):
    """A frozen network from pictures to vectors; metrics that are given the same one share its passes.

    It remembers the last two batches of either side: translators show one for each direction. The second metric that
    asks for the features of a batch is given the tensor that the first one was, so that neither the time nor the memory
    is spent twice.

    Args:
        body: byte images (n, 3, h, w) -> features (n, d); it resizes and scales as it was trained to.
        label: what its numbers are called after the metric's own name, with a separator, as "_resnet50"; "" is for the
            network and resize of the published numbers alone.
        preprocessing: says all that features depend on beside the weights, for the `fingerprint`.
        last: the layer from features to the logits of classes, where there is one.

    >>> network = FeatureNetwork(nn.Flatten(), label="_pixels")
    >>> network.features(torch.ones(2, 1, 4, 4), real=True).shape
    torch.Size([2, 48])
    >>> network.named("fid")
    'fid_pixels'
    """

    def __init__(self, body: nn.Module, label: str, preprocessing: str = "", last: nn.Linear | None = None) -> None:
        super().__init__()
        self.body = body.eval().requires_grad_(False)
        self.last = None if last is None else last.eval().requires_grad_(False)
        self.label, self.preprocessing = label, preprocessing
        self._seen = {side: deque[tuple[Tensor, Tensor]](maxlen=2) for side in (True, False)}

    def train(self, mode: bool = True) -> "FeatureNetwork":
        """Stays in evaluation mode, also inside a module that trains."""
        return super().train(False)

    def named(self, metric: str) -> str:
        """What the number of `metric` from this network is called."""
        return f"{metric}{self.label}"

    @cached_property
    def fingerprint(self) -> str:
        """A digest of all that the features depend on: the weights, the classes of the layers, the preprocessing."""
        digest = hashlib.sha256(f"{self.label}\n{self.preprocessing}\n{self.body}".encode())
        for name, value in self.body.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    @torch.no_grad()
    def features(self, images: Tensor, real: bool) -> Tensor:
        """Features (n, d), float32.

        Args:
            images: (n, 1 or 3, h, w), in [-1, 1] or uint8; n may be 0.
            real: whether these are data, which must lie in the range; generated images are clamped to it.

        Raises:
            ValueError: for images that are no such batch, are not finite, or are data outside [-1, 1].
        """
        pixels = match_channels(images.clone() if images.dtype == torch.uint8 else to_bytes(images, real), 3)
        for seen, known in self._seen[real]:
            if _same(pixels, seen):
                return known
        with torch.autocast(images.device.type, enabled=False):
            features = self.body(pixels).float()
        if features.ndim != 2 or len(features) != len(images):
            raise ValueError(
                f"a network of features must give (n, d) for n pictures, got {tuple(features.shape)} for "
                f"{len(images)}; flatten or pool what it gives"
            )
        self._seen[real].append((pixels, features))
        return features

    def check_logits(self) -> None:
        """Refuse to be a classifier without a real last layer.

        Raises:
            Unavailable: if there is none, or its weights are all zero.
        """
        if self.last is None or not self.last.weight.any():
            raise self._without_classes()

    @torch.no_grad()
    def logits(self, features: Tensor) -> Tensor:
        """What the last layer makes of features (n, d): (n, classes), float32.

        Raises:
            Unavailable: if there is no last layer; `check_logits` also looks whether it is a real one.
        """
        if self.last is None:
            raise self._without_classes()
        with torch.autocast(features.device.type, enabled=False):
            return self.last(features).float()

    def forward(self, images: Tensor) -> Tensor:
        """Features of images that are not kept in mind: (n, d)."""
        return self.body(images)

    def forget(self) -> None:
        """Let go of the last batches."""
        for side in self._seen.values():
            side.clear()

    def _without_classes(self) -> Unavailable:
        return Unavailable(
            f"the {self.label.strip('_-') or 'Inception'} network has no last layer, or one that is all zero, so that "
            "it knows no classes and every Inception Score would be 1; give weights that have it"
        )


class FeatureMetric(TwoSided):
    """What metrics are made of that keep the features of all images, in the order of the samples.

    Args:
        network: of the features.
        reset_real: whether `reset` also forgets the data.
    """

    real_features: list[Tensor]
    fake_features: list[Tensor]

    def __init__(self, network: FeatureNetwork, reset_real: bool = True, **options: Any) -> None:
        super().__init__(reset_real, dist_sync_fn=in_turn, **options)
        self.network = network
        for state in ("real_features", "fake_features"):
            self.add_state(state, [], dist_reduce_fx="cat")

    def update(self, images: Tensor, real: bool) -> None:
        """Add images (n, 1 or 3, h, w), in [-1, 1] or uint8, to the data or to the generated ones.

        Raises:
            ValueError: as `FeatureNetwork.features`.
        """
        features = self.network.features(images, real)
        self.look(images, real)
        (self.real_features if real else self.fake_features).append(features)

    def both(self) -> tuple[Tensor, Tensor]:
        """The features of all data (n, d) and of all generated images (m, d).

        Raises:
            ValueError: if a side has no images, or the data seem to be in [0, 1].
        """
        self.check_data()
        sides = self.real_features, self.fake_features
        real, fake = (dim_zero_cat(side) if len(side) else torch.empty(0) for side in sides)
        if not len(real) or not len(fake):
            raise ValueError(
                f"{type(self).__name__} needs real and generated images, got {len(real)} and {len(fake)}; call update "
                "with both"
            )
        return real, fake


def _same(pixels: Tensor, seen: Tensor) -> bool:
    return pixels.device == seen.device and torch.equal(pixels, seen)
