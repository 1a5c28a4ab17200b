"""Distances of pictures in the feature maps of a frozen classifier (Johnson, Alahi and Li, 2016)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torchvision import models

from gan_modules import checks
from gan_modules.metrics.pixels import match_channels
from gan_modules.metrics.weights import found, read

_PUBLISHED = {"vgg19": models.VGG19_Weights.IMAGENET1K_V1, "vgg16": models.VGG16_Weights.IMAGENET1K_V1}
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's colours in [0, 1]


class VGGFeatures(nn.Module):
    """Images (n, 1 or 3, h, w) in [-1, 1] -> the maps of some layers of a frozen VGG, as a list.

    "conv5_4" is what the fourth convolution after the fourth pooling gives, before its activation; "relu5_4" is that
    activation (the phi_5,4 of SRGAN). The weights are no parameters, are not saved in checkpoints, and stay in
    evaluation mode.

    Args:
        layers: names of the layers, from the first to the last.
        weights: a file of torchvision's weights of the network; None: torchvision's download.
        network: "vgg19" (SRGAN, ESRGAN, pix2pixHD), or "vgg16".

    Raises:
        FileNotFoundError: if `weights` is given and is not there.
        Unavailable: if it is not given and cannot be downloaded.
        ValueError: if the network has no such layer, or the file holds something else.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        layers: Sequence[str] = ("conv5_4",),
        weights: Path | str | None = None,
        network: Literal["vgg19", "vgg16"] = "vgg19",
    ) -> None:
        super().__init__()
        checks.words(layers=layers)
        checks.choice(tuple(_PUBLISHED), network=network)
        with torch.device("meta"):
            known = _named(models.get_model(network, weights=None).features)
        if missing := [name for name in layers if name not in known]:
            raise ValueError(f"expected layers of {network}, got {missing[0]!r}; {list(known)[-3]!r} is one")
        names = list(known)
        self.wanted = tuple(layers)
        self.layers = nn.ModuleDict({name: known[name] for name in names[: 1 + max(map(names.index, layers))]})
        url, what = _PUBLISHED[network].url, f"the weights of torchvision's {network}"
        path = found(weights, what, url)
        self._fill(read(path, what, url), f"expected {what} in {path}, got those of another network; download {url}")
        for name, value in (("mean", _MEAN), ("deviation", _DEVIATION)):
            self.register_buffer(name, torch.tensor(value).reshape(3, 1, 1), persistent=False)
        self.eval()

    def _fill(self, state: dict[str, Tensor], complaint: str) -> None:
        convolutions = [layer for layer in self.layers.values() if isinstance(layer, nn.Conv2d)]
        numbers = sorted({int(key.split(".")[1]) for key in state if key.startswith("features.")})
        if len(numbers) < len(convolutions):
            raise ValueError(complaint)
        for layer, number in zip(convolutions, numbers, strict=False):
            for name in ("weight", "bias"):
                value = state.get(f"features.{number}.{name}")
                if value is None or value.shape != getattr(layer, name).shape:
                    raise ValueError(complaint)
                delattr(layer, name)
                layer.register_buffer(name, value.float(), persistent=False)

    def train(self, mode: bool = True) -> "VGGFeatures":
        """Stays in evaluation mode, also inside a module that trains."""
        return super().train(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        x, maps = ((match_channels(images, 3) + 1) / 2 - self.mean) / self.deviation, {}
        for name, layer in self.layers.items():
            x = maps[name] = layer(x)
        return [maps[name] for name in self.wanted]


def _named(layers: nn.Module) -> dict[str, nn.Module]:
    """The layers by the names that papers give them; activations not in place, which would change the map before."""
    named: dict[str, nn.Module] = {}
    block, place = 1, 0
    for layer in layers.children():
        if isinstance(layer, nn.MaxPool2d):
            named[f"pool{block}"] = layer
            block, place = block + 1, 0
        elif isinstance(layer, nn.Conv2d):
            place += 1
            named[f"conv{block}_{place}"] = layer
        else:
            named[f"relu{block}_{place}"] = nn.ReLU()
    return named


def feature_distance(
    features: nn.Module, fake: Tensor, real: Tensor, distance: Callable[[Tensor, Tensor], Tensor] = mse_loss
) -> Tensor:
    """The sum over feature maps of their distance; no graph goes through the real images.

    Args:
        features: maps images to a list of feature maps.
        fake, real: images of one shape.
        distance: of two maps, a scalar.

    >>> from torch import nn
    >>> halves = lambda images: [images, images / 2]
    >>> feature_distance(halves, torch.ones(1, 3, 2, 2), torch.zeros(1, 3, 2, 2))
    tensor(1.2500)
    """
    with torch.no_grad():
        wanted = features(real)
    distances = [distance(made, real_map) for made, real_map in zip(features(fake), wanted, strict=True)]
    return torch.stack(distances).sum()
