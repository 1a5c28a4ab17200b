"""Encoders of images to Gaussian codes: images -> (means, log variances)."""

from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gan_modules import checks
from gan_modules.networks.checks import check_images
from gan_modules.networks.init import init_normal
from gan_modules.networks.layers import InstanceNorm, Norm, normalised
from gan_modules.networks.resampling import DownConv2d


class ResNetEncoder(nn.Module):
    """Images (n, channels, h, w) -> means and log variances of codes, each (n, code_dim).

    Zhu et al. (2017), "Toward multimodal image-to-image translation", section 4, by the authors' code: a halving, and
    residual blocks that halve as well, which are averaged over all pixels.

    Args:
        channels: of the images.
        code_dim: numbers a code.
        width: feature maps of the first layer; each block has one more `width`, up to four times.
        blocks: 4 for 256 pixels, 3 for 128, so that 8 pixels a side are left to average.
        norm: before every activation; None for none.

    Raises:
        ValueError: from `forward`, for images whose sides 2**(blocks + 1) does not divide, or with other channels.
    """

    def __init__(
        self,
        channels: int = 3,
        code_dim: int = 8,
        width: int = 64,
        blocks: int = 4,
        norm: Norm | None = InstanceNorm,
    ) -> None:
        super().__init__()
        checks.whole(1, channels=channels, code_dim=code_dim, width=width)
        checks.whole(0, blocks=blocks)
        self.channels, self.factor = channels, 2 ** (blocks + 1)
        widths = [width * min(4, level + 1) for level in range(blocks + 1)]
        pairs = zip(widths, widths[1:], strict=False)
        halvings = [_Halving(inputs, outputs, norm) for inputs, outputs in pairs]
        self.layers = nn.Sequential(nn.Conv2d(channels, width, 4, 2, 1), *halvings)
        self.mean, self.log_variance = nn.Linear(widths[-1], code_dim), nn.Linear(widths[-1], code_dim)
        init_normal(self)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        check_images(images, self.channels)
        if any(side % self.factor for side in images.shape[2:]):
            raise ValueError(
                f"Expected a height and a width that {self.factor} divides, got {images.shape[2]} x "
                f"{images.shape[3]}: resize or crop the images, or give fewer blocks."
            )
        features = leaky_relu(self.layers(images), 0.2).mean((2, 3))
        return self.mean(features), self.log_variance(features)


class _Halving(nn.Module):
    def __init__(self, inputs: int, outputs: int, norm: Norm | None) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1))
        self.branch = nn.Sequential(
            *normalised(norm, inputs),
            nn.LeakyReLU(0.2),
            nn.Conv2d(inputs, inputs, 3, padding=1),
            *normalised(norm, inputs),
            nn.LeakyReLU(0.2),
            DownConv2d(inputs, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.branch(x)
