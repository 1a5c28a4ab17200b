"""The networks of super-resolution: SRGAN's generator and discriminator, and the generator of ESRGAN."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import check_images
from gan_modules.networks.layers import Norm, normalised
from gan_modules.networks.resampling import UpConv2d


class SRResNetGenerator(nn.Module):
    """Images (n, in_channels, h, w) -> images (n, out_channels, scale h, scale w), around [-1, 1].

    Ledig et al. (2017), "Photo-realistic single image super-resolution using a generative adversarial network",
    section 2.1 and figure 4: residual blocks under one long skip, then sub-pixel convolutions; nothing bounds the
    output.

    Args:
        in_channels: of the source.
        out_channels: of the enlarged images.
        width: feature maps.
        blocks: residual blocks.
        doublings: of the size: two for the paper's factor of four.
        norm: in the blocks and after them; None for biases instead.

    Attributes:
        scale: 2**doublings.

    Raises:
        ValueError: from `forward`, for images with other channels.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        blocks: int = 16,
        doublings: int = 2,
        norm: Norm | None = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        checks.whole(1, in_channels=in_channels, out_channels=out_channels, width=width)
        checks.whole(0, blocks=blocks, doublings=doublings)
        self.in_channels, self.scale, self.multiple = in_channels, 2**doublings, 1
        self.first = nn.Sequential(nn.Conv2d(in_channels, width, 9, padding=4), nn.PReLU())
        convolution = nn.Conv2d(width, width, 3, padding=1, bias=norm is None)
        self.body = nn.Sequential(
            *(_Residual(width, norm) for _ in range(blocks)), convolution, *normalised(norm, width)
        )
        enlarging: list[nn.Module] = []
        for _ in range(doublings):
            enlarging += [nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU()]
        self.last = nn.Sequential(*enlarging, nn.Conv2d(width, out_channels, 9, padding=4))

    def forward(self, source: Tensor) -> Tensor:
        check_images(source, self.in_channels)
        x = self.first(source)
        return self.last(x + self.body(x))


class _Residual(nn.Module):
    def __init__(self, width: int, norm: Norm | None) -> None:
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, padding=1, bias=norm is None) for _ in range(2))
        self.branch = nn.Sequential(first, *normalised(norm, width), nn.PReLU(), second, *normalised(norm, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


class RRDBGenerator(nn.Module):
    """Images (n, in_channels, h, w) -> images (n, out_channels, scale h, scale w), around [-1, 1].

    Wang et al. (2018), "ESRGAN: enhanced super-resolution generative adversarial networks", section 3.1, and the
    authors' RRDBNet: residual-in-residual dense blocks without normalisation, residuals scaled by 0.2, weights that
    start at a tenth of He's; then convolutions after doublings by nearest neighbours. Nothing bounds the output.

    Args:
        in_channels: of the source.
        out_channels: of the enlarged images.
        width: feature maps.
        blocks: residual-in-residual dense blocks, of three dense blocks each.
        growth: feature maps that each convolution of a dense block adds.
        doublings: of the size: two for the paper's factor of four.

    Attributes:
        scale: 2**doublings.

    Raises:
        ValueError: from `forward`, for images with other channels.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        blocks: int = 23,
        growth: int = 32,
        doublings: int = 2,
    ) -> None:
        super().__init__()
        checks.whole(1, in_channels=in_channels, out_channels=out_channels, width=width, growth=growth)
        checks.whole(0, blocks=blocks, doublings=doublings)
        self.in_channels, self.scale, self.multiple = in_channels, 2**doublings, 1
        self.first = nn.Conv2d(in_channels, width, 3, padding=1)
        dense = [_Scaled(*(_Dense(width, growth) for _ in range(3))) for _ in range(blocks)]
        self.body = nn.Sequential(*dense, nn.Conv2d(width, width, 3, padding=1))
        enlarging: list[nn.Module] = []
        for _ in range(doublings):
            enlarging += [UpConv2d(width, width), nn.LeakyReLU(0.2, inplace=True)]
        self.last = nn.Sequential(
            *enlarging,
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, out_channels, 3, padding=1),
        )

    def forward(self, source: Tensor) -> Tensor:
        check_images(source, self.in_channels)
        x = self.first(source)
        return self.last(x + self.body(x))


class _Scaled(nn.Module):
    """x + 0.2 f(x)."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.2 * self.layers(x)


class _Dense(nn.Module):
    """Five convolutions, each of which sees what all before it saw and gave; x + 0.2 of the last."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        sizes = [growth] * 4 + [width]
        self.layers = nn.ModuleList(
            nn.Conv2d(width + place * growth, size, 3, padding=1) for place, size in enumerate(sizes)
        )
        with torch.no_grad():
            for layer in self.layers:
                nn.init.kaiming_normal_(layer.weight).mul_(0.1)  # type: ignore[arg-type]
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for layer in self.layers[:-1]:
            seen = torch.cat([seen, F.leaky_relu(layer(seen), 0.2)], dim=1)
        return x + 0.2 * self.layers[-1](seen)


class SRGANDiscriminator(nn.Module):
    """Images (n, channels, image_size, image_size) -> scores (n,).

    Ledig et al. (2017), figure 4: eight convolutions of 3 x 3, every second one at stride 2, with feature maps that
    double from 64 to 512, and two linear layers; without the sigmoid, which is in the objectives.

    Args:
        image_size: of the enlarged images; 16 divides it.
        channels: of the images.
        width: feature maps of the first layer.
        hidden: units of the first linear layer.
        norm: after every convolution but the first; None for biases instead.

    Raises:
        ValueError: for another image_size; from `forward`, for images of another shape.
    """

    def __init__(
        self,
        image_size: int = 96,
        channels: int = 3,
        width: int = 64,
        hidden: int = 1024,
        norm: Norm | None = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        checks.whole(1, image_size=image_size, channels=channels, width=width, hidden=hidden)
        if image_size % 16:
            raise ValueError(f"image_size must be a multiple of 16, got {image_size}: resize the images.")
        self.image_size, self.channels = image_size, channels
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        widths = [width * 2 ** (level // 2) for level in range(8)]
        for level, (inputs, outputs) in enumerate(pairwise(widths), start=1):
            layers += [nn.Conv2d(inputs, outputs, 3, 1 + level % 2, 1, bias=norm is None), *normalised(norm, outputs)]
            layers += [nn.LeakyReLU(0.2, inplace=True)]
        features = widths[-1] * (image_size // 16) ** 2
        head = [nn.Flatten(), nn.Linear(features, hidden), nn.LeakyReLU(0.2, inplace=True), nn.Linear(hidden, 1)]
        self.layers = nn.Sequential(*layers, *head)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.channels, self.image_size)
        return self.layers(images).squeeze(1)
