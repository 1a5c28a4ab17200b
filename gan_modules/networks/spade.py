"""The generator of SPADE, which maps of labels normalise, and the encoder of its style."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, relu

from gan_modules import checks
from gan_modules.networks.checks import check_features, check_images, power_of_two
from gan_modules.networks.init import init_glorot
from gan_modules.networks.layers import InstanceNorm
from gan_modules.networks.spectral import spectrally_normalised


class SpatialNorm(nn.Module):
    """Batch norm, scaled and shifted at every pixel as a map says; (n, c, h, w) and (n, l, h', w') -> (n, c, h, w).

    Park et al. (2019), "Semantic image synthesis with spatially-adaptive normalization", equation 1 and figure 3: two
    convolutions of the map, which is brought to the size of the features by nearest neighbours. The scale is 1 plus
    what is learnt, as in the authors' code.

    Args:
        channels: c.
        map_channels: l.
        hidden: feature maps between the two convolutions.
    """

    def __init__(self, channels: int, map_channels: int, hidden: int = 128) -> None:
        super().__init__()
        checks.whole(1, channels=channels, map_channels=map_channels, hidden=hidden)
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.shared = nn.Conv2d(map_channels, hidden, 3, padding=1)
        self.scale = nn.Conv2d(hidden, channels, 3, padding=1)
        self.shift = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        features = relu(self.shared(interpolate(labels, x.shape[2:], mode="nearest")))
        return self.norm(x) * (1 + self.scale(features)) + self.shift(features)


class _Block(nn.Module):
    """Two normalised convolutions, and a shortcut that has one of its own where the width changes."""

    def __init__(self, inputs: int, outputs: int, map_channels: int, hidden: int) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        self.norms = nn.ModuleList([SpatialNorm(width, map_channels, hidden) for width in (inputs, middle)])
        self.convolutions = nn.ModuleList(
            [nn.Conv2d(inputs, middle, 3, padding=1), nn.Conv2d(middle, outputs, 3, padding=1)]
        )
        self.shortcut_norm, self.shortcut = None, None
        if inputs != outputs:
            self.shortcut_norm = SpatialNorm(inputs, map_channels, hidden)
            self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        y = x
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            y = convolution(leaky_relu(norm(y, labels), 0.2))
        if self.shortcut is not None and self.shortcut_norm is not None:
            x = self.shortcut(self.shortcut_norm(x, labels))
        return x + y

    def spectral(self) -> None:
        """Normalise the convolutions by their singular values, but not those of the maps."""
        for convolution in (*self.convolutions, *([] if self.shortcut is None else [self.shortcut])):
            spectrally_normalised(convolution)


class SPADEGenerator(nn.Module):
    """Maps of labels (n, in_channels, h, w), and codes (n, code_dim) -> images (n, out_channels, h, w) in [-1, 1].

    Park et al. (2019), appendix A, by the authors' code: residual blocks that maps of labels normalise, with doublings
    in between; the first works on a code, or without one on the labels at the smallest size.

    Args:
        in_channels: of the maps: one for each label.
        out_channels: of the images.
        image_size: of maps and images, h = w; 2**doublings divides it.
        width: feature maps of the last block; they double with each halving of the size but the last one.
        doublings: from the first block's size to the images' (authors' code: 5).
        code_dim: numbers a code; 0 for none.
        hidden: feature maps between a norm's two convolutions (code: 128).
        spectral_norm: see `spectrally_normalised`; of the blocks' convolutions alone.

    Raises:
        ValueError: if 2**doublings does not divide image_size; from `forward`, for maps or codes that do not fit.
    """

    def __init__(
        self,
        in_channels: int = 8,
        out_channels: int = 3,
        image_size: int = 256,
        width: int = 64,
        doublings: int = 5,
        code_dim: int = 256,
        hidden: int = 128,
        spectral_norm: bool = True,
    ) -> None:
        super().__init__()
        checks.whole(1, in_channels=in_channels, out_channels=out_channels, width=width, doublings=doublings)
        checks.whole(1, image_size=image_size)
        checks.whole(0, code_dim=code_dim)
        checks.switch(spectral_norm=spectral_norm)
        if image_size % 2**doublings:
            raise ValueError(f"image_size must be a multiple of {2**doublings}, got {image_size}; give fewer doublings")
        self.in_channels, self.image_size, self.code_dim, self.fixed = in_channels, image_size, code_dim, True
        self.base, inner = image_size // 2**doublings, width * 2 ** (doublings - 1)
        self.first: nn.Module
        if code_dim:
            self.first = nn.Linear(code_dim, inner * self.base**2)
        else:
            self.first = nn.Conv2d(in_channels, inner, 3, padding=1)
        widths = [inner, inner, *(inner // 2**level for level in range(doublings))]
        pairs = [(inner, inner), *zip(widths, widths[1:], strict=False)]
        blocks = [_Block(*pair, in_channels, hidden) for pair in pairs]
        self.blocks = nn.ModuleList(blocks)
        self.last = nn.Conv2d(width, out_channels, 3, padding=1)
        init_glorot(self)
        if spectral_norm:
            for block in blocks:
                block.spectral()

    def forward(self, labels: Tensor, code: Tensor | None = None) -> Tensor:
        check_images(labels, self.in_channels, self.image_size)
        if (code is None) != (self.code_dim == 0):
            given = "no code" if code is None else "a code"
            raise ValueError(f"The network has code_dim={self.code_dim} but was given {given}: make the two agree.")
        if code is None:
            x = self.first(interpolate(labels, (self.base, self.base), mode="nearest"))
        else:
            check_features(code, self.code_dim, "code_dim")
            x = self.first(code).unflatten(1, (-1, self.base, self.base))
        for number, block in enumerate(self.blocks):
            # the third block has the size of the second, as in the authors' code
            x = block(interpolate(x, scale_factor=2.0) if number not in (0, 2) else x, labels)
        return torch.tanh(self.last(leaky_relu(x, 0.2)))


class SPADEEncoder(nn.Module):
    """Images (n, channels, s, s) -> means and log variances of codes, each (n, code_dim).

    Park et al. (2019), appendix A, by the authors' code: convolutions of 3 x 3 that halve the size, normalised by image
    and channel and by their singular values, until 4 pixels a side are left for two linear maps. The authors enlarge
    other images to 256 pixels.

    Args:
        channels: of the images.
        image_size: s, a power of two, at least 8 (authors: 256, whose six halvings are these).
        code_dim: numbers a code.
        width: feature maps of the first layer; they double with each halving of the size, up to eight times.

    Raises:
        ValueError: if image_size is another; from `forward`, for images of another size or with other channels.
    """

    def __init__(self, channels: int = 3, image_size: int = 256, code_dim: int = 256, width: int = 64) -> None:
        super().__init__()
        checks.whole(1, channels=channels, code_dim=code_dim, width=width)
        halvings = power_of_two(image_size, smallest=8) - 2
        self.channels, self.image_size, self.fixed = channels, image_size, True
        widths = [channels, *(width * min(2**level, 8) for level in range(halvings))]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), InstanceNorm(outputs), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.mean, self.log_variance = (nn.Linear(16 * widths[-1], code_dim) for _ in range(2))
        init_glorot(self)
        spectrally_normalised(self.layers)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        check_images(images, self.channels, self.image_size)
        features = self.layers(images)
        return self.mean(features), self.log_variance(features)
