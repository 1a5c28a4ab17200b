"""The networks of R3GAN: residual blocks of grouped convolutions, and nothing that normalises.

Huang et al. (2024), "The GAN is dead; long live the GAN! A modern baseline GAN": the last configuration of its roadmap,
E, with the numbers of the authors' R3GAN/Networks.py, Resamplers.py and train.py.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import base_and_doublings, check_features, check_images
from gan_modules.networks.resampling import Blur, BlurUpsample

_SLOPE = 0.2
_BLOCKS, _EXPANSION, _LAYERS = 2, 2, 3  # blocks a resolution; inner channels for each outer one; convolutions a block


def _drawn(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """The layer with weights from N(0, gain^2 / fan_in) and biases of zero."""
    nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class _Block(nn.Module):
    """x + an inverted bottleneck of x, which starts at zero; (n, c, h, w) -> (n, c, h, w).

    Fix-up initialisation (Zhang, Dauphin and Ma, 2019): the last layer is zero, the others are smaller by the number of
    `blocks` of the whole network to the power of -1 / (2 * layers - 2).
    """

    def __init__(self, channels: int, group_width: int, blocks: int) -> None:
        super().__init__()
        inner = _EXPANSION * channels
        size = min(group_width, inner)
        if inner % size:
            raise ValueError(f"group_width must divide {inner}, twice the width of a stage, got {group_width}")
        gain = math.sqrt(2 / (1 + _SLOPE**2)) * blocks ** (-1 / (2 * _LAYERS - 2))
        self.branch = nn.Sequential(
            _drawn(nn.Conv2d(channels, inner, 1), gain),
            nn.LeakyReLU(_SLOPE, inplace=True),
            _drawn(nn.Conv2d(inner, inner, 3, padding=1, groups=inner // size), gain),
            nn.LeakyReLU(_SLOPE, inplace=True),
            _drawn(nn.Conv2d(inner, channels, 1, bias=False), 0.0),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def _between(inputs: int, outputs: int) -> list[nn.Module]:
    return [] if inputs == outputs else [_drawn(nn.Conv2d(inputs, outputs, 1, bias=False))]


def _widths(image_size: int, width: int, full_width_to: int) -> list[int]:
    """Feature maps of the stages, from the smallest resolution on."""
    base, doublings = base_and_doublings(image_size)
    return [max(1, min(width, width * full_width_to // (base * 2**level))) for level in range(doublings + 1)]


class _GenerativeBasis(nn.Module):
    """A linear map weights learnt maps; (n, i) -> (n, o, side, side)."""

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.randn(outputs, side, side))
        self.linear = _drawn(nn.Linear(inputs, outputs, bias=False))

    def forward(self, z: Tensor) -> Tensor:
        return self.basis * self.linear(z)[:, :, None, None]


class R3GANGenerator(nn.Module):
    """Latents (n, latent_dim) -> images (n, channels, h, w), in [-1, 1] as the data are, but by no last function.

    Two blocks a resolution, from 4 to 7 pixels on.

    Args:
        latent_dim: numbers a latent.
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width: feature maps up to `full_width_to` pixels (768; ImageNet: 1536), halved with each doubling beyond.
        group_width: channels of a group of the 3 x 3 convolutions, of which there are twice `width` (16; ImageNet: 32).
        full_width_to: pixels a side (FFHQ: 32).

    Raises:
        ValueError: for another image_size, or a group_width that does not fit; from `forward`, for other latents.
    """

    def __init__(
        self,
        latent_dim: int = 64,
        image_size: int = 32,
        channels: int = 3,
        width: int = 768,
        group_width: int = 16,
        full_width_to: int = 32,
    ) -> None:
        super().__init__()
        checks.whole(1, latent_dim=latent_dim, channels=channels, width=width, group_width=group_width)
        checks.whole(1, full_width_to=full_width_to)
        widths, (base, _) = _widths(image_size, width, full_width_to), base_and_doublings(image_size)
        self.latent_dim = latent_dim
        layers: list[nn.Module] = [_GenerativeBasis(latent_dim, widths[0], base)]
        for inputs, outputs in pairwise((widths[0], *widths)):
            if len(layers) > 1:
                layers += [*_between(inputs, outputs), BlurUpsample()]
            layers += [_Block(outputs, group_width, _BLOCKS * len(widths)) for _ in range(_BLOCKS)]
        self.layers = nn.Sequential(*layers, _drawn(nn.Conv2d(widths[-1], channels, 1, bias=False)))

    def forward(self, z: Tensor) -> Tensor:
        check_features(z, self.latent_dim)
        return self.layers(z)


class R3GANDiscriminator(nn.Module):
    """Images (n, channels, h, w) -> scores (n,): the generator's mirror image.

    The score has no bias, as only differences of scores count.

    Args:
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width, group_width, full_width_to: as for `R3GANGenerator`.

    Raises:
        ValueError: for another image_size, or a group_width that does not fit; from `forward`, for other images.
    """

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        width: int = 768,
        group_width: int = 16,
        full_width_to: int = 32,
    ) -> None:
        super().__init__()
        checks.whole(1, channels=channels, width=width, group_width=group_width)
        checks.whole(1, full_width_to=full_width_to)
        widths, (base, _) = _widths(image_size, width, full_width_to)[::-1], base_and_doublings(image_size)
        self.channels, self.image_size = channels, image_size
        layers: list[nn.Module] = [_drawn(nn.Conv2d(channels, widths[0], 1, bias=False))]
        for inputs, outputs in pairwise((widths[0], *widths)):
            if len(layers) > 1:
                layers += [Blur(padding=1, stride=2), *_between(inputs, outputs)]
            layers += [_Block(outputs, group_width, _BLOCKS * len(widths)) for _ in range(_BLOCKS)]
        basis = _drawn(nn.Conv2d(widths[-1], widths[-1], base, groups=widths[-1], bias=False))
        self.layers = nn.Sequential(*layers, basis, nn.Flatten(), _drawn(nn.Linear(widths[-1], 1, bias=False)))

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.channels, self.image_size)
        return self.layers(images).squeeze(1)
