"""The U-Net of pix2pix."""

import torch
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import check_features, check_images, power_of_two
from gan_modules.networks.init import init_normal
from gan_modules.networks.layers import Dropout, Norm, normalised


class UNetGenerator(nn.Module):
    """Images (n, in_channels, h, w) -> images (n, out_channels, h, w) in [-1, 1].

    Isola et al. (2017), "Image-to-image translation with conditional adversarial networks", appendix 6.1.1: halvings
    down to one pixel, doublings back up, and every size joined to its mirror image. Dropout is the only noise, unless
    there are codes (n, code_dim), which are joined to the input at every pixel, or also to that of every halving: Zhu
    et al. (2017), "Toward multimodal image-to-image translation", section 4.

    Args:
        in_channels: of the source.
        out_channels: of the translation.
        image_size: a power of two, at least 16; h and w may be multiples of it.
        width: feature maps after the first halving; they double with each, up to 8 times.
        norm: after every convolution but the first, the innermost and the last; None for biases instead.
        dropout: probability, in the innermost blocks of the decoder: three for 128 pixels or more, fewer below.
        dropout_in_eval: drop in eval mode as well, so that one source has many translations.
        code_dim: numbers a code; 0 for none.
        code_everywhere: codes are joined to the input of every halving.

    Raises:
        ValueError: for another image_size; from `forward`, for images or codes that do not fit.
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
        code_dim: int = 0,
        code_everywhere: bool = True,
    ) -> None:
        super().__init__()
        checks.whole(1, in_channels=in_channels, out_channels=out_channels, width=width)
        checks.whole(0, code_dim=code_dim)
        checks.fraction(dropout=dropout)
        checks.switch(dropout_in_eval=dropout_in_eval, code_everywhere=code_everywhere)
        depth = power_of_two(image_size, smallest=16)
        widths = [width * min(2**level, 8) for level in range(depth)]
        self.in_channels, self.image_size = in_channels, image_size
        self.code_dim, self.code_everywhere = code_dim, code_everywhere
        self.down = nn.ModuleList([nn.Conv2d(in_channels + code_dim, width, 4, 2, 1)])
        for level in range(1, depth):
            joined = widths[level - 1] + (code_dim if code_everywhere else 0)
            self.down.append(_halving(joined, widths[level], None if level == depth - 1 else norm))
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

    def forward(self, source: Tensor, code: Tensor | None = None) -> Tensor:
        check_images(source, self.in_channels)
        self._check_code(code)
        if source.shape[2] % self.image_size or source.shape[3] % self.image_size:
            raise ValueError(
                f"Expected a height and a width that {self.image_size} divides, got {source.shape[2]} x "
                f"{source.shape[3]}: resize the images or set the network's image_size."
            )
        maps = [source]
        for level, down in enumerate(self.down):
            maps.append(down(_joined(maps[-1], code if level == 0 or self.code_everywhere else None)))
        x = maps.pop()
        for up in self.up:
            x = torch.cat([up(x), maps.pop()], dim=1)
        return self.last(x)

    def _check_code(self, code: Tensor | None) -> None:
        if (code is None) != (self.code_dim == 0):
            given = "no code" if code is None else "a code"
            raise ValueError(f"The network has code_dim={self.code_dim} but was given {given}: make the two agree.")
        if code is not None:
            check_features(code, self.code_dim, "code_dim")


def _joined(maps: Tensor, code: Tensor | None) -> Tensor:
    """Feature maps, and behind them a constant one for each number of the code, if there is one."""
    if code is None:
        return maps
    return torch.cat([maps, code[:, :, None, None].expand(-1, -1, *maps.shape[2:])], dim=1)


def _halving(inputs: int, outputs: int, norm: Norm | None) -> nn.Module:
    convolution = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=norm is None)
    return nn.Sequential(nn.LeakyReLU(0.2), convolution, *normalised(norm, outputs))


def _doubling(inputs: int, outputs: int, norm: Norm | None, *noise: nn.Module) -> nn.Module:
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=norm is None)
    return nn.Sequential(nn.ReLU(inplace=True), convolution, *normalised(norm, outputs), *noise)
