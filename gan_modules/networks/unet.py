"""The U-Net of pix2pix."""

import torch
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import check_images, power_of_two
from gan_modules.networks.init import init_normal
from gan_modules.networks.layers import Dropout, Norm, normalised


class UNetGenerator(nn.Module):
    """Images (n, in_channels, h, w) -> images (n, out_channels, h, w) in [-1, 1].

    Isola et al. (2017), "Image-to-image translation with conditional adversarial networks", appendix 6.1.1: halvings
    down to one pixel, doublings back up, and every size joined to its mirror image. Dropout is the only noise.

    Args:
        in_channels: of the source.
        out_channels: of the translation.
        image_size: a power of two, at least 16; h and w may be multiples of it.
        width: feature maps after the first halving; they double with each, up to 8 times.
        norm: after every convolution but the first, the innermost and the last; None for biases instead.
        dropout: probability, in the innermost blocks of the decoder: three for 128 pixels or more, fewer below.
        dropout_in_eval: drop in eval mode as well, so that one source has many translations.

    Raises:
        ValueError: for another image_size; from `forward`, for images that do not fit.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        image_size: int = 256,
        width: int = 64,
        norm: Norm | None = nn.BatchNorm2d,
        dropout: float = 0.5,
        dropout_in_eval: bool = True,
    ) -> None:
        super().__init__()
        checks.whole(1, in_channels=in_channels, out_channels=out_channels, width=width)
        checks.fraction(dropout=dropout)
        checks.switch(dropout_in_eval=dropout_in_eval)
        depth = power_of_two(image_size, smallest=16)
        widths = [width * min(2**level, 8) for level in range(depth)]
        self.in_channels, self.image_size = in_channels, image_size
        self.down = nn.ModuleList([nn.Conv2d(in_channels, width, 4, 2, 1)])
        for level in range(1, depth):
            self.down.append(_halving(widths[level - 1], widths[level], None if level == depth - 1 else norm))
        self.up = nn.ModuleList()
        noisy = max(1, min(3, depth - 4))
        for level in range(depth - 1, 0, -1):
            joined = widths[level] if level == depth - 1 else 2 * widths[level]
            noise = [Dropout(dropout, dropout_in_eval)] if level >= depth - noisy else []
            self.up.append(_doubling(joined, widths[level - 1], norm, *noise))
        self.last = nn.Sequential(
            nn.ReLU(inplace=True), nn.ConvTranspose2d(2 * width, out_channels, 4, 2, 1), nn.Tanh()
        )
        init_normal(self)

    def forward(self, source: Tensor) -> Tensor:
        check_images(source, self.in_channels)
        if source.shape[2] % self.image_size or source.shape[3] % self.image_size:
            raise ValueError(
                f"Expected a height and a width that {self.image_size} divides, got {source.shape[2]} x "
                f"{source.shape[3]}: resize the images or set the network's image_size."
            )
        maps = [source]
        for down in self.down:
            maps.append(down(maps[-1]))
        x = maps.pop()
        for up in self.up:
            x = torch.cat([up(x), maps.pop()], dim=1)
        return self.last(x)


def _halving(inputs: int, outputs: int, norm: Norm | None) -> nn.Module:
    convolution = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=norm is None)
    return nn.Sequential(nn.LeakyReLU(0.2), convolution, *normalised(norm, outputs))


def _doubling(inputs: int, outputs: int, norm: Norm | None, *noise: nn.Module) -> nn.Module:
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=norm is None)
    return nn.Sequential(nn.ReLU(inplace=True), convolution, *normalised(norm, outputs), *noise)
