"""The generator of context encoders and of context-conditional GANs."""

from itertools import pairwise

from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import base_and_doublings, check_images
from gan_modules.networks.init import init_normal


class ContextGenerator(nn.Module):
    """Images with holes (n, in_channels, h, w) -> whole images (n, out_channels, h, w) in [-1, 1].

    Pathak et al. (2016), "Context encoders: feature learning by inpainting", figure 9 (b), and the authors'
    `train_random.lua`: strided convolutions down to 4 pixels, a bottleneck that all places share, and transposed
    convolutions back. Without the bottleneck it is the generator of CC-GAN (Denton et al., 2016, `models/vgg_64.lua`).

    Args:
        in_channels: of the source.
        out_channels: of the whole images.
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        width: feature maps of the first layer; they double with each halving of the size, up to 8 times.
        bottleneck: numbers between encoder and decoder (the paper: 4000; the code's default: 100); 0: none, the last
            feature maps themselves.

    Raises:
        ValueError: for another image_size; from `forward`, for images of another shape.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        image_size: int = 128,
        width: int = 64,
        bottleneck: int = 4000,
    ) -> None:
        super().__init__()
        checks.whole(1, in_channels=in_channels, out_channels=out_channels, width=width)
        checks.whole(0, bottleneck=bottleneck)
        base, halvings = base_and_doublings(image_size)
        # from 128 pixels on, the first maps are as wide as the second
        widths = [width * 2 ** max(0, level - max(0, halvings - 4)) for level in range(halvings)]
        self.in_channels, self.image_size, self.fixed = in_channels, image_size, True
        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for inputs, outputs in pairwise(widths):
            layers += _after(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), outputs, nn.LeakyReLU(0.2, inplace=True))
        if bottleneck:
            narrow = nn.Conv2d(widths[-1], bottleneck, base, bias=False)
            layers += _after(narrow, bottleneck, nn.LeakyReLU(0.2, inplace=True))
            layers += _after(nn.ConvTranspose2d(bottleneck, widths[-1], base, bias=False), widths[-1], nn.ReLU(True))
        for inputs, outputs in pairwise(widths[::-1]):
            layers += _after(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), outputs, nn.ReLU(True))
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(width, out_channels, 4, 2, 1), nn.Tanh())
        init_normal(self)

    def forward(self, source: Tensor) -> Tensor:
        check_images(source, self.in_channels, self.image_size)
        return self.layers(source)


def _after(layer: nn.Module, channels: int, activation: nn.Module) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(channels), activation]
