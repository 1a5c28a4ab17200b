"""The networks of StarGAN: one translator of all domains, and a discriminator of patches that names the domain."""

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gan_modules import checks
from gan_modules.networks.checks import check_images
from gan_modules.networks.layers import InstanceNorm

_norm = partial(InstanceNorm, affine=True)
_INSIDE = 0.95  # white and black have no finite inverse hyperbolic tangent


class StarGANGenerator(nn.Module):
    """Images (n, channels, h, w) and target domains (n,) -> images (n, channels, h, w) in [-1, 1].

    Choi et al. (2018), "StarGAN: unified generative adversarial networks for multi-domain image-to-image translation",
    appendix, table 4, without biases as in the authors' `model.py`. The domain comes as one constant map for each of
    them. Instance norm takes away what is constant over an image, so that it is by the zeros beyond the border that the
    first layer sees the domain: padding by reflection would hide it. Both networks start as torch has them, as the
    authors' do: from N(0, 0.02^2) the discriminator, without normalisation, hardly sees its images for long.

    Args:
        num_domains: number of domains.
        channels: of the images.
        width: feature maps of the first layer; they double with each halving of the size.
        blocks: residual blocks.
        downsamplings: halvings of the size before the blocks, and doublings after them.
        residual: change the source in place of drawing it anew: what the layers give is added to it before the final
            hyperbolic tangent, so that translations begin as their sources. Not the paper's; for short runs, in which
            a cycle of two negatives is found as easily as one of two likenesses.

    Raises:
        ValueError: from `forward`, for images whose sides 2**downsamplings does not divide, or with other channels.
    """

    def __init__(
        self,
        num_domains: int = 5,
        channels: int = 3,
        width: int = 64,
        blocks: int = 6,
        downsamplings: int = 2,
        residual: bool = False,
    ) -> None:
        super().__init__()
        checks.switch(residual=residual)
        checks.whole(1, num_domains=num_domains, channels=channels, width=width)
        checks.whole(0, blocks=blocks, downsamplings=downsamplings)
        self.num_domains, self.in_channels, self.downsamplings = num_domains, channels, downsamplings
        self.residual = residual
        self.multiple = 2 * 2**downsamplings  # of sides that are never too small
        widths = [width * 2**level for level in range(downsamplings + 1)]
        layers = _activated(nn.Conv2d(channels + num_domains, width, 7, 1, 3, bias=False))
        for inputs, outputs in pairwise(widths):
            layers += _activated(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False))
        layers += [_Residual(widths[-1]) for _ in range(blocks)]
        for inputs, outputs in pairwise(widths[::-1]):
            layers += _activated(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False))
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, channels, 7, 1, 3, bias=False))

    def forward(self, source: Tensor, domains: Tensor) -> Tensor:
        check_images(source, self.in_channels)
        factor = 2**self.downsamplings
        if any(side % factor or side < 2 * factor for side in source.shape[2:]):
            raise ValueError(
                f"Expected a height and a width that {factor} divides, of at least {2 * factor} pixels, got "
                f"{source.shape[2]} x {source.shape[3]}: resize or crop the images."
            )
        maps = one_hot(domains, self.num_domains).to(source.dtype)[:, :, None, None]
        drawn = self.layers(torch.cat([source, maps.expand(-1, -1, *source.shape[2:])], dim=1))
        return torch.tanh(drawn + torch.atanh(_INSIDE * source) if self.residual else drawn)


class StarGANDiscriminator(nn.Module):
    """Images (n, channels, image_size, image_size) -> (a map of scores (n, 1, h', w'), domain logits (n, num_domains)).

    Choi et al. (2018), appendix, table 5: convolutions of 4 x 4 that halve the size, without normalisation.

    Args:
        num_domains: number of domains.
        image_size: side of the images, a multiple of 2**layers.
        channels: of the images.
        width: feature maps of the first layer; they double with each halving of the size.
        layers: halvings of the size: six for 128 pixels, down to 2.

    Raises:
        ValueError: for another image_size; from `forward`, for images of another shape.
    """

    def __init__(
        self, num_domains: int = 5, image_size: int = 128, channels: int = 3, width: int = 64, layers: int = 6
    ) -> None:
        super().__init__()
        checks.whole(1, num_domains=num_domains, image_size=image_size, channels=channels, width=width, layers=layers)
        if image_size % 2**layers:
            raise ValueError(f"image_size must be a multiple of {2**layers}, got {image_size}; give fewer layers")
        self.image_size, self.channels = image_size, channels
        parts: list[nn.Module] = []
        widths = [channels, *(width * 2**level for level in range(layers))]
        for inputs, outputs in pairwise(widths):
            parts += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.01, inplace=True)]
        self.layers = nn.Sequential(*parts)
        self.score = nn.Conv2d(widths[-1], 1, 3, 1, 1, bias=False)
        self.classify = nn.Conv2d(widths[-1], num_domains, image_size // 2**layers, bias=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        check_images(images, self.channels, self.image_size)
        features = self.layers(images)
        return self.score(features), self.classify(features).flatten(1)


def _activated(convolution: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [convolution, _norm(convolution.out_channels), nn.ReLU(inplace=True)]


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        convolutions = (nn.Conv2d(channels, channels, 3, 1, 1, bias=False) for _ in range(2))
        self.branch = nn.Sequential(*_activated(next(convolutions)), next(convolutions), _norm(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)
