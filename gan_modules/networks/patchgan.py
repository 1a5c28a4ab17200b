"""The discriminators of pix2pix and its kin, which judge patches."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from gan_modules import checks
from gan_modules.networks.checks import check_images
from gan_modules.networks.init import init_normal
from gan_modules.networks.layers import InstanceNorm, Norm, normalised
from gan_modules.networks.spectral import spectrally_normalised


class PatchDiscriminator(nn.Module):
    """Images (n, channels, h, w), and conditions (n, condition_channels, h, w) -> a map of scores (n, 1, h', w').

    Isola et al. (2017), "Image-to-image translation with conditional adversarial networks", appendix 6.1.2: every
    score sees one patch. With `layers` >= 1 its side is 16, 34, 70, 142, 286 pixels, and h' = h / 2**layers - 2; with
    none it is one pixel, and h' = h.

    Args:
        channels: of the images.
        condition_channels: of the images that are judged along with them; 0 for none.
        width: feature maps of the first layer; they double with each, up to 8 times.
        layers: convolutions at stride 2: 3 for the paper's 70 x 70 patches.
        norm: after every convolution but the first and the last; None for biases instead.

    Raises:
        ValueError: from `forward`, for images that are smaller than 3 * 2**layers or have other channels, and for a
            condition that is missing or not expected.
    """

    def __init__(
        self,
        channels: int = 3,
        condition_channels: int = 0,
        width: int = 64,
        layers: int = 3,
        norm: Norm | None = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        checks.whole(1, channels=channels, width=width)
        checks.whole(0, condition_channels=condition_channels, layers=layers)
        self.channels, self.condition_channels = channels, condition_channels
        self.smallest = 3 * 2**layers if layers else 1
        inputs = channels + condition_channels
        self.layers = _patches(inputs, width, layers, norm) if layers else _pixels(inputs, width, norm)
        init_normal(self)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.layers(self._joined(images, condition))

    def maps(self, images: Tensor, condition: Tensor | None = None) -> list[Tensor]:
        """What each activation gives, and last the scores."""
        x, found = self._joined(images, condition), []
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU):
                found.append(x)
        return [*found, x]

    def _joined(self, images: Tensor, condition: Tensor | None) -> Tensor:
        check_images(images, self.channels)
        if min(images.shape[2:]) < self.smallest:
            raise ValueError(
                f"Expected images of at least {self.smallest} x {self.smallest} pixels, got {images.shape[2]} x "
                f"{images.shape[3]}: use larger images or fewer layers."
            )
        if (condition is None) != (self.condition_channels == 0):
            given = "no condition" if condition is None else "a condition"
            raise ValueError(
                f"The network has condition_channels={self.condition_channels} but was given {given}: "
                "make the two agree."
            )
        if condition is None:
            return images
        check_images(condition, self.condition_channels)
        return torch.cat([condition, images], dim=1)


class PyramidDiscriminator(nn.Module):
    """Images, and conditions -> a list of maps of scores, one a scale; or a list of lists of all feature maps.

    Wang et al. (2018), "High-resolution image synthesis and semantic manipulation with conditional GANs", section 3.2:
    for every scale a `PatchDiscriminator` of its own, each seeing images of half the size of those before it.

    Args:
        channels, condition_channels, width, layers, norm: of each `PatchDiscriminator`.
        scales: how many there are: 3 in that paper, 2 in SPADE and BicycleGAN.
        features: give for each scale what each of its activations gives, and last the scores, for feature matching.
        spectral_norm: see `spectrally_normalised` (SPADE).

    Raises:
        ValueError: from `forward`, as `PatchDiscriminator`, for the smallest scale: of 3 * 2**(layers + scales - 1)
            pixels at least.
    """

    def __init__(
        self,
        channels: int = 3,
        condition_channels: int = 0,
        width: int = 64,
        layers: int = 3,
        norm: Norm | None = InstanceNorm,
        scales: int = 3,
        features: bool = False,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        checks.whole(1, scales=scales)
        checks.switch(features=features, spectral_norm=spectral_norm)
        self.features = features
        self.scales = nn.ModuleList(
            PatchDiscriminator(channels, condition_channels, width, layers, norm) for _ in range(scales)
        )
        if spectral_norm:
            spectrally_normalised(self)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> list[Any]:
        found = []
        for number, scale in enumerate(self.scales):
            if number:
                images, condition = _halved(images), None if condition is None else _halved(condition)
            judge = cast(PatchDiscriminator, scale)
            found.append(judge.maps(images, condition) if self.features else judge(images, condition))
        return found


def _halved(images: Tensor) -> Tensor:
    return avg_pool2d(images, 3, 2, 1, count_include_pad=False)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int, norm: Norm | None) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, bias=norm is None)
    return [layer, *normalised(norm, outputs), nn.LeakyReLU(0.2, inplace=True)]


def _patches(inputs: int, width: int, layers: int, norm: Norm | None) -> nn.Sequential:
    widths = [width * min(2**level, 8) for level in range(layers + 1)]
    parts = _convolution(inputs, widths[0], 4, 2, None)
    for level in range(1, layers + 1):
        parts += _convolution(widths[level - 1], widths[level], 4, 2 if level < layers else 1, norm)
    return nn.Sequential(*parts, nn.Conv2d(widths[-1], 1, 4, 1, 1))


def _pixels(inputs: int, width: int, norm: Norm | None) -> nn.Sequential:
    return nn.Sequential(
        *_convolution(inputs, width, 1, 1, None),
        *_convolution(width, 2 * width, 1, 1, norm),
        nn.Conv2d(2 * width, 1, 1),
    )
