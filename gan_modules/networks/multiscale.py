"""The discriminator of UNIT, MUNIT and DRIT, which looks at images in several sizes."""

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from gan_modules import checks
from gan_modules.networks.checks import check_images
from gan_modules.networks.init import init_normal


class MultiScaleDiscriminator(nn.Module):
    """Images (n, channels, h, w) -> maps of scores (n, 1, h', w'), one a scale.

    Huang et al. (2018), "Multimodal unsupervised image-to-image translation", appendix B.2, after Wang et al. (2018):
    each scale has half the size of the one before, averaged over 3 x 3 pixels, and a network of its own, d64, d128,
    d256, d512, padded by reflection and without a norm, and 1 x 1; h' = h / 2**(layers + scale).

    Args:
        channels: of the images.
        width: feature maps of the first layer; they double with each.
        layers: convolutions of 4 x 4 at stride 2.
        scales: sizes that are looked at.

    Raises:
        ValueError: from `forward`, for images that are smaller than 2**(layers + scales - 1) or have other channels.
    """

    def __init__(self, channels: int = 3, width: int = 64, layers: int = 4, scales: int = 3) -> None:
        super().__init__()
        checks.whole(1, channels=channels, width=width, layers=layers, scales=scales)
        self.channels, self.smallest = channels, 2 ** (layers + scales - 1)
        self.scales = nn.ModuleList([_halvings(channels, width, layers) for _ in range(scales)])
        init_normal(self)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        check_images(images, self.channels)
        if min(images.shape[2:]) < self.smallest:
            raise ValueError(
                f"Expected images of at least {self.smallest} x {self.smallest} pixels, got {images.shape[2]} x "
                f"{images.shape[3]}: use larger images, fewer layers or fewer scales."
            )
        scores = [self.scales[0](images)]
        for network in self.scales[1:]:
            images = avg_pool2d(images, 3, 2, 1, count_include_pad=False)
            scores.append(network(images))
        return tuple(scores)


def _halvings(channels: int, width: int, layers: int) -> nn.Sequential:
    widths = [channels, *(width * 2**level for level in range(layers))]
    parts: list[nn.Module] = []
    for inputs, outputs in zip(widths, widths[1:], strict=False):
        parts += [nn.ReflectionPad2d(1), nn.Conv2d(inputs, outputs, 4, 2), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*parts, nn.Conv2d(widths[-1], 1, 1))
