"""The generators of CycleGAN and pix2pixHD, and the heads that CUT puts on the former's features."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, normalize

from gan_modules import checks
from gan_modules.networks.checks import check_images
from gan_modules.networks.init import init_normal
from gan_modules.networks.layers import Dropout, InstanceNorm, Norm, normalised


class ResNetTranslator(nn.Module):
    """Images (n, in_channels, h, w) -> images (n, out_channels, h, w) in [-1, 1], or features of the images.

    Zhu et al. (2017), "Unpaired image-to-image translation using cycle-consistent adversarial networks", appendix 7.2:
    c7s1-64, d128, d256, R256 nine times, u128, u64, c7s1-3, all padded by reflection.

    With `encode=True` the first half alone is run, and maps of features come back, each (n, width, h', w'): the images,
    every halving's convolution, the first residual block and the middle one, as CUT compares them (Park et al., 2020).
    The attribute `feature_widths` has their widths.

    Args:
        in_channels: of the source.
        out_channels: of the translation.
        width: feature maps of the first layer; they double with each halving of the size.
        blocks: residual blocks: nine for 256 pixels, six for 128.
        downsamplings: halvings of the size before the blocks, and doublings after them.
        norm: after every convolution but the last; None for biases instead.
        dropout: probability, inside the residual blocks.

    Raises:
        ValueError: from `forward`, for images whose sides 2**downsamplings does not divide, or with other channels.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        blocks: int = 9,
        downsamplings: int = 2,
        norm: Norm | None = InstanceNorm,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        checks.whole(1, in_channels=in_channels, out_channels=out_channels, width=width)
        checks.whole(0, blocks=blocks, downsamplings=downsamplings)
        checks.fraction(dropout=dropout)
        self.in_channels, self.downsamplings = in_channels, downsamplings
        self.multiple = max(2 * 2**downsamplings, 4)  # of sides that are never too small
        inner, bias = width * 2**downsamplings, norm is None
        parts = [nn.ReflectionPad2d(3), *_activated(nn.Conv2d(in_channels, width, 7, bias=bias), norm)]
        for level in range(downsamplings):
            narrow = width * 2**level
            parts += _activated(nn.Conv2d(narrow, 2 * narrow, 3, 2, 1, bias=bias), norm)
        parts += [Residual(inner, norm, dropout) for _ in range(blocks)]
        for level in reversed(range(downsamplings)):
            narrow = width * 2**level
            parts += _activated(nn.ConvTranspose2d(2 * narrow, narrow, 3, 2, 1, output_padding=1, bias=bias), norm)
        self.layers = nn.Sequential(*parts, nn.ReflectionPad2d(3), nn.Conv2d(width, out_channels, 7), nn.Tanh())
        halvings = [place for place, layer in enumerate(parts) if getattr(layer, "stride", (1, 1)) == (2, 2)]
        residual = [place for place, layer in enumerate(parts) if isinstance(layer, Residual)]
        self.tapped = [*halvings[:downsamplings], *dict.fromkeys([*residual[:1], *residual[(blocks - 1) // 2 :][:1]])]
        widths = [width * 2**level for level in range(1, downsamplings + 1)]
        self.feature_widths = (in_channels, *(widths + 2 * [inner])[: len(self.tapped)])
        init_normal(self)

    def forward(self, source: Tensor, encode: bool = False) -> Tensor | tuple[Tensor, ...]:
        check_images(source, self.in_channels)
        factor = 2**self.downsamplings
        if any(side % factor or side < max(2 * factor, 4) for side in source.shape[2:]):
            raise ValueError(
                f"Expected a height and a width that {factor} divides, of at least {max(2 * factor, 4)} pixels, got "
                f"{source.shape[2]} x {source.shape[3]}: resize or crop the images."
            )
        return self._features(source) if encode else self.layers(source)

    def _features(self, source: Tensor) -> tuple[Tensor, ...]:
        features, x = [source], source
        for place, layer in enumerate(self.layers[: self.tapped[-1] + 1] if self.tapped else ()):
            x = layer(x)
            if place in self.tapped:
                features.append(x)
        return tuple(features)


class PatchHeads(nn.Module):
    """Maps of features (n, width, h, w) of several layers -> embeddings of patches (n, s, features) of length 1.

    Park et al. (2020), "Contrastive learning for unpaired image-to-image translation": for each layer two linear
    layers with a ReLU between them, which every patch goes through by itself.

    Args:
        widths: of the maps, layer by layer; those of a `ResNetTranslator` are its `feature_widths`.
        features: numbers an embedding.

    Raises:
        ValueError: from `forward`, for maps of other widths.
    """

    def __init__(self, widths: tuple[int, ...], features: int = 256) -> None:
        super().__init__()
        checks.sizes(widths=widths)
        checks.whole(1, features=features)
        self.widths = tuple(widths)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(width, features), nn.ReLU(inplace=True), nn.Linear(features, features))
            for width in widths
        )
        init_normal(self)

    def forward(self, maps: Sequence[Tensor], places: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Embed the patches at `places`, layer by layer int64 (n, s): row * w + column."""
        given = tuple(each.shape[1] for each in maps)
        if given != self.widths:
            raise ValueError(
                f"Expected maps of the widths {self.widths}, got {given}: give the heads the generator's widths."
            )
        patches = (_chosen(each, place) for each, place in zip(maps, places, strict=True))
        return tuple(normalize(head(each), dim=2) for head, each in zip(self.heads, patches, strict=True))


def _chosen(features: Tensor, places: Tensor) -> Tensor:
    """Of (n, c, h, w) those at `places` (n, s): (n, s, c)."""
    pixels = features.flatten(2).transpose(1, 2)
    return pixels.gather(1, places[:, :, None].expand(-1, -1, pixels.shape[2]))


class LocalEnhancer(nn.Module):
    """Images (n, in_channels, h, w) -> images (n, out_channels, h, w) in [-1, 1], from coarse to fine.

    Wang et al. (2018), "High-resolution image synthesis and semantic manipulation with conditional GANs", section 3.2:
    a `ResNetTranslator` without its last layers reads the source at half its size; its features are added to those of
    the source halved by a convolution, and residual blocks and a doubling draw the image of them.

    Args:
        in_channels: of the source.
        out_channels: of the translation.
        width: feature maps of the first layer at full size; the global network has twice as many (code: 32).
        blocks, downsamplings: of the global network (code: 9, 4).
        local_blocks: residual blocks of the enhancer (code: 3).
        norm: after every convolution but the last; None for biases instead.

    Raises:
        ValueError: from `forward`, for images whose sides 2**(downsamplings + 1) does not divide, or other channels.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 32,
        blocks: int = 9,
        downsamplings: int = 4,
        local_blocks: int = 3,
        norm: Norm | None = InstanceNorm,
    ) -> None:
        super().__init__()
        checks.whole(0, local_blocks=local_blocks)
        checks.whole(1, width=width)
        coarse, bias = ResNetTranslator(in_channels, out_channels, 2 * width, blocks, downsamplings, norm), norm is None
        self.in_channels, self.factor = in_channels, 2 ** (downsamplings + 1)
        self.multiple = 2 * self.factor  # of sides that are never too small
        self.coarse = coarse.layers[:-3]  # all but padding, convolution and tanh
        self.halving = nn.Sequential(
            nn.ReflectionPad2d(3),
            *_activated(nn.Conv2d(in_channels, width, 7, bias=bias), norm),
            *_activated(nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias), norm),
        )
        self.drawing = nn.Sequential(
            *(Residual(2 * width, norm, 0.0) for _ in range(local_blocks)),
            *_activated(nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1, bias=bias), norm),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, out_channels, 7),
            nn.Tanh(),
        )
        init_normal(self)

    def forward(self, source: Tensor) -> Tensor:
        check_images(source, self.in_channels)
        if any(side % self.factor or side < 2 * self.factor for side in source.shape[2:]):
            raise ValueError(
                f"Expected a height and a width that {self.factor} divides, of at least {2 * self.factor} pixels, got "
                f"{source.shape[2]} x {source.shape[3]}: resize or crop the images, or give fewer downsamplings."
            )
        small = avg_pool2d(source, 3, 2, 1, count_include_pad=False)
        return self.drawing(self.halving(source) + self.coarse(small))


def _activated(convolution: nn.Conv2d | nn.ConvTranspose2d, norm: Norm | None) -> list[nn.Module]:
    return [convolution, *normalised(norm, convolution.out_channels), nn.ReLU(inplace=True)]


class Residual(nn.Module):
    """x + two convolutions of x, padded by reflection: R256 of the same appendix; (n, c, h, w) -> (n, c, h, w)."""

    def __init__(self, channels: int, norm: Norm | None, dropout: float = 0.0) -> None:
        super().__init__()
        bias = norm is None
        self.branch = nn.Sequential(
            nn.ReflectionPad2d(1),
            *_activated(nn.Conv2d(channels, channels, 3, bias=bias), norm),
            *([Dropout(dropout)] if dropout else []),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            *normalised(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)
