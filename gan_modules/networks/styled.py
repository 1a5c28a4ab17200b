"""Pictures taken apart into content and style, and put together again: the networks of UNIT, MUNIT and DRIT."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import group_norm, relu

from gan_modules import checks
from gan_modules.networks.checks import check_features, check_images
from gan_modules.networks.init import init_kaiming, init_normal
from gan_modules.networks.layers import GaussianNoise, InstanceNorm, LayerNorm, Norm, normalised
from gan_modules.networks.translator import Residual


class ContentEncoder(nn.Module):
    """Images (n, in_channels, h, w) -> contents (n, width * f, h / f, w / f), with f = 2**downsamplings.

    Huang et al. (2018), "Multimodal unsupervised image-to-image translation", appendix B.2: c7s1-64, d128, d256, R256
    four times, padded by reflection, with instance norm.

    Args:
        in_channels: of the images.
        width: feature maps of the first layer; they double with each halving of the size.
        downsamplings: halvings of the size, by convolutions of 4 x 4.
        blocks: residual blocks after them.
        norm: after every convolution; None for biases instead.

    Raises:
        ValueError: from `forward`, for images whose sides 2**downsamplings does not divide, or with other channels.
    """

    def __init__(
        self,
        in_channels: int = 3,
        width: int = 64,
        downsamplings: int = 2,
        blocks: int = 4,
        norm: Norm | None = InstanceNorm,
    ) -> None:
        super().__init__()
        checks.whole(1, in_channels=in_channels, width=width)
        checks.whole(0, downsamplings=downsamplings, blocks=blocks)
        self.in_channels, self.downsamplings = in_channels, downsamplings
        self.multiple = max(2 * 2**downsamplings, 4)  # of sides that are never too small
        parts = _convolution(in_channels, width, 7, 1, norm)
        for level in range(downsamplings):
            parts += _convolution(width * 2**level, width * 2 ** (level + 1), 4, 2, norm)
        parts += [Residual(width * 2**downsamplings, norm) for _ in range(blocks)]
        self.layers = nn.Sequential(*parts)
        init_kaiming(self)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.in_channels)
        factor = 2**self.downsamplings
        if any(side % factor or side < max(2 * factor, 4) for side in images.shape[2:]):
            raise ValueError(
                f"Expected a height and a width that {factor} divides, of at least {max(2 * factor, 4)} pixels, got "
                f"{images.shape[2]} x {images.shape[3]}: resize or crop the images."
            )
        return self.layers(images)


class SharedBlocks(nn.Module):
    """Contents (n, features, h, w) -> contents of the same shape: layers that two domains have in common.

    Residual blocks with instance norm, as in the authors' codes of UNIT (Liu et al., 2017, section 3: the last layers
    of the encoders, the first of the generators) and DRIT (Lee et al., 2018, section 3.1), whose contents carry noise.

    Args:
        features: maps of the contents: the encoder's width * 2**downsamplings.
        blocks: residual blocks.
        noise: standard deviation of the noise that is added at the end in train mode (DRIT's encoder: 1).

    Raises:
        ValueError: from `forward`, for contents of another shape.
    """

    def __init__(self, features: int = 256, blocks: int = 1, noise: float = 0.0) -> None:
        super().__init__()
        checks.whole(1, features=features)
        checks.whole(0, blocks=blocks)
        checks.not_negative(noise=noise)
        self.features = features
        self.layers = nn.Sequential(*(Residual(features, InstanceNorm) for _ in range(blocks)), GaussianNoise(noise))
        init_kaiming(self)

    def forward(self, contents: Tensor) -> Tensor:
        _check_contents(contents, self.features)
        return self.layers(contents)


class StyleEncoder(nn.Module):
    """Images (n, in_channels, h, w) -> styles (n, style_dim).

    Huang et al. (2018), appendix B.2: c7s1-64, d128, d256, d256, d256, the mean over all pixels, fc8. Without a norm,
    which would take away the means and variances that style is made of.

    Args:
        in_channels: of the images.
        style_dim: numbers a style.
        width: feature maps of the first layer; they double with the first two halvings of the size.
        downsamplings: halvings of the size.

    Raises:
        ValueError: from `forward`, for images smaller than 2**downsamplings, or with other channels.
    """

    def __init__(
        self,
        in_channels: int = 3,
        style_dim: int = 8,
        width: int = 64,
        downsamplings: int = 4,
    ) -> None:
        super().__init__()
        checks.whole(1, in_channels=in_channels, style_dim=style_dim, width=width)
        checks.whole(0, downsamplings=downsamplings)
        self.in_channels, self.smallest = in_channels, max(4, 2**downsamplings)
        widths = [width * 2 ** min(level, 2) for level in range(downsamplings + 1)]
        parts = _convolution(in_channels, width, 7, 1, None)
        for level in range(downsamplings):
            parts += _convolution(widths[level], widths[level + 1], 4, 2, None)
        head = nn.Linear(widths[-1], style_dim)
        self.layers = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
        init_kaiming(self)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.in_channels)
        if min(images.shape[2:]) < self.smallest:
            raise ValueError(
                f"Expected images of at least {self.smallest} x {self.smallest} pixels, got {images.shape[2]} x "
                f"{images.shape[3]}: use larger images or fewer downsamplings."
            )
        return self.layers(images)


class ContentDecoder(nn.Module):
    """Contents (n, width * f, h, w) -> images (n, out_channels, f * h, f * w) in [-1, 1], with f = 2**upsamplings.

    The mirror image of `ContentEncoder`: residual blocks with instance norm, then doublings by nearest neighbours and
    convolutions of 5 x 5 with layer norm, then 7 x 7 (UNIT's decoder in the authors' code of MUNIT).

    Args:
        out_channels: of the images.
        width: feature maps of the last layer but one; they double with each halving of the size.
        upsamplings: doublings of the size.
        blocks: residual blocks before them.

    Raises:
        ValueError: from `forward`, for contents of another shape.
    """

    def __init__(self, out_channels: int = 3, width: int = 64, upsamplings: int = 2, blocks: int = 4) -> None:
        super().__init__()
        checks.whole(1, out_channels=out_channels, width=width)
        checks.whole(0, upsamplings=upsamplings, blocks=blocks)
        self.features = width * 2**upsamplings
        parts = [Residual(self.features, InstanceNorm) for _ in range(blocks)]
        self.layers = nn.Sequential(*parts, *_enlarging(width, upsamplings, out_channels))
        init_kaiming(self)

    def forward(self, contents: Tensor) -> Tensor:
        _check_contents(contents, self.features)
        return self.layers(contents)


class AdaINDecoder(nn.Module):
    """Contents (n, width * f, h, w) and styles (n, style_dim) -> images (n, out_channels, f * h, f * w) in [-1, 1].

    Huang et al. (2018), section 5.1 and appendix B.2: as `ContentDecoder`, but the means and the scales of the feature
    maps inside the residual blocks are what a multilayer perceptron makes of the style.

    Args:
        out_channels: of the images.
        style_dim: numbers a style.
        width: feature maps of the last layer but one; they double with each halving of the size.
        upsamplings: doublings of the size; f is 2**upsamplings.
        blocks: residual blocks before them.
        hidden: units of each of the perceptron's two hidden layers.

    Raises:
        ValueError: from `forward`, for contents or styles of another shape.
    """

    def __init__(
        self,
        out_channels: int = 3,
        style_dim: int = 8,
        width: int = 64,
        upsamplings: int = 2,
        blocks: int = 4,
        hidden: int = 256,
    ) -> None:
        super().__init__()
        checks.whole(1, out_channels=out_channels, style_dim=style_dim, width=width, blocks=blocks, hidden=hidden)
        checks.whole(0, upsamplings=upsamplings)
        self.features, self.style_dim = width * 2**upsamplings, style_dim
        layers = nn.Linear(style_dim, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 4 * blocks * self.features)
        self.mlp = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
        self.blocks = nn.ModuleList([_StyledResidual(self.features) for _ in range(blocks)])
        self.enlarge = nn.Sequential(*_enlarging(width, upsamplings, out_channels))
        init_kaiming(self)

    def forward(self, contents: Tensor, styles: Tensor) -> Tensor:
        _check_contents(contents, self.features)
        check_features(styles, self.style_dim, "style_dim")
        x = contents
        for block, statistics in zip(self.blocks, self.mlp(styles).chunk(len(self.blocks), dim=1), strict=True):
            x = block(x, statistics)
        return self.enlarge(x)


class AttributeDecoder(nn.Module):
    """Contents (n, width * f, h, w) and styles (n, style_dim) -> images (n, out_channels, f * h, f * w) in [-1, 1].

    The generator of DRIT's code (Lee et al., 2018; its `G_concat`): the style is joined, as so many constant feature
    maps, to what enters the residual blocks, each transposed convolution, and the last layer.

    Args:
        out_channels: of the images.
        style_dim: numbers a style.
        width: feature maps of the last layer but one; they double with each halving of the size.
        upsamplings: doublings of the size; f is 2**upsamplings.
        blocks: residual blocks before them.

    Raises:
        ValueError: from `forward`, for contents or styles of another shape.
    """

    def __init__(
        self, out_channels: int = 3, style_dim: int = 8, width: int = 64, upsamplings: int = 2, blocks: int = 3
    ) -> None:
        super().__init__()
        checks.whole(1, out_channels=out_channels, style_dim=style_dim, width=width)
        checks.whole(0, upsamplings=upsamplings, blocks=blocks)
        self.features, self.style_dim = width * 2**upsamplings, style_dim
        inputs = self.features + style_dim
        self.blocks = nn.Sequential(*(Residual(inputs, InstanceNorm) for _ in range(blocks)))
        self.enlarge = nn.ModuleList()
        for level in reversed(range(upsamplings)):
            doubling = nn.ConvTranspose2d(inputs + style_dim, width * 2**level, 3, 2, 1, output_padding=1)
            self.enlarge.append(nn.Sequential(doubling, LayerNorm(width * 2**level), nn.ReLU(inplace=True)))
            inputs = width * 2**level
        self.last = nn.Sequential(nn.Conv2d(inputs + style_dim, out_channels, 1), nn.Tanh())
        init_normal(self)

    def forward(self, contents: Tensor, styles: Tensor) -> Tensor:
        _check_contents(contents, self.features)
        check_features(styles, self.style_dim, "style_dim")
        x = self.blocks(_joined(contents, styles))
        for layer in (*self.enlarge, self.last):
            x = layer(_joined(x, styles))
        return x


class ContentDiscriminator(nn.Module):
    """Contents (n, features, h, w) -> a map of scores (n, 1, h', w'), of being those of one domain.

    DRIT's code (Lee et al., 2018; its `Dis_content`): convolutions of 7 x 7 at stride 2, one of 4 x 4, which leaves a
    single score of contents of 54 x 54, and one of 1 x 1. That code means to have instance norm, but compares two
    literals that differ, so that there is none in what was trained.

    Args:
        features: maps of the contents, and of every layer.
        layers: convolutions of 7 x 7.

    Raises:
        ValueError: from `forward`, for contents that are too small or have other maps.
    """

    def __init__(self, features: int = 256, layers: int = 3) -> None:
        super().__init__()
        checks.whole(1, features=features)
        checks.whole(0, layers=layers)
        self.features, self.smallest = features, 7 * 2**layers - 3
        parts: list[nn.Module] = []
        for _ in range(layers):
            parts += [nn.ReflectionPad2d(1), nn.Conv2d(features, features, 7, 2), nn.LeakyReLU(inplace=True)]
        last = nn.Conv2d(features, features, 4), nn.LeakyReLU(inplace=True), nn.Conv2d(features, 1, 1)
        self.layers = nn.Sequential(*parts, *last)
        init_normal(self)

    def forward(self, contents: Tensor) -> Tensor:
        _check_contents(contents, self.features)
        if min(contents.shape[2:]) < self.smallest:
            raise ValueError(
                f"Expected contents of at least {self.smallest} x {self.smallest} pixels, got {contents.shape[2]} x "
                f"{contents.shape[3]}: use larger images, fewer downsamplings or fewer layers."
            )
        return self.layers(contents)


def adain(x: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    """Feature maps (n, c, h, w) with these means and standard deviations, each (n, c).

    Huang and Belongie (2017), "Arbitrary style transfer in real-time with adaptive instance normalization", eq. 8.

    >>> import torch
    >>> adain(torch.tensor([[[[0.0, 2.0]]]]), torch.tensor([[5.0]]), torch.tensor([[3.0]])).round()
    tensor([[[[2., 8.]]]])
    """
    return group_norm(x, x.shape[1]) * scales[:, :, None, None] + means[:, :, None, None]


def _check_contents(contents: Tensor, features: int) -> None:
    if contents.dim() != 4 or contents.shape[1] != features:
        raise ValueError(
            f"Expected contents of shape (n, {features}, h, w), got {tuple(contents.shape)}: give encoders and "
            "decoders the same width, and as many downsamplings as upsamplings."
        )


class _StyledResidual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, bias=False) for _ in range(2))
        self.first, self.second = (nn.Sequential(nn.ReflectionPad2d(1), each) for each in (first, second))

    def forward(self, x: Tensor, statistics: Tensor) -> Tensor:
        means, scales, more_means, more_scales = statistics.chunk(4, dim=1)
        inner = relu(adain(self.first(x), means, scales))
        return x + adain(self.second(inner), more_means, more_scales)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int, norm: Norm | None) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, bias=norm is None or norm is LayerNorm)
    padding = nn.ReflectionPad2d((kernel - 1) // 2)
    return [padding, convolution, *normalised(norm, outputs), nn.ReLU(inplace=True)]


def _enlarging(width: int, upsamplings: int, out_channels: int) -> Iterator[nn.Module]:
    """The layers from contents of width * 2**upsamplings maps to images."""
    for level in reversed(range(upsamplings)):
        yield nn.Upsample(scale_factor=2)
        yield from _convolution(width * 2 ** (level + 1), width * 2**level, 5, 1, LayerNorm)
    yield from (nn.ReflectionPad2d(3), nn.Conv2d(width, out_channels, 7), nn.Tanh())


def _joined(x: Tensor, styles: Tensor) -> Tensor:
    return torch.cat([x, styles[:, :, None, None].expand(-1, -1, *x.shape[2:])], dim=1)
