"""The networks of DiscoGAN: those of DCGAN, the generator with an encoder in front."""

from itertools import pairwise

from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import base_and_doublings, check_images
from gan_modules.networks.init import init_normal
from gan_modules.networks.layers import Norm, normalised


class DiscoGANGenerator(nn.Module):
    """Images (n, in_channels, h, w) -> images (n, out_channels, h, w) in [-1, 1].

    Kim et al. (2017), "Learning to discover cross-domain relations with generative adversarial networks", by the
    authors' `model.py`: convolutions of 4 x 4 that halve the size down to 4 of 64 pixels, and transposed ones back,
    with nothing that leads around them. The authors' images lie in [0, 1] and end in a sigmoid, ours in a tanh.

    Args:
        in_channels: of the source.
        out_channels: of the translation.
        width: feature maps after the first halving; they double with each.
        halvings: of the size, and as many doublings; 2**halvings divides the images' sides.
        norm: after every layer but the first and the last; None for biases instead.

    Raises:
        ValueError: from `forward`, for images of another shape.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        halvings: int = 4,
        norm: Norm | None = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        checks.whole(1, in_channels=in_channels, out_channels=out_channels, width=width, halvings=halvings)
        self.in_channels, self.halvings, self.multiple = in_channels, halvings, 2**halvings
        widths = [width * 2**level for level in range(halvings)]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([in_channels, *widths]):
            after = normalised(norm, outputs) if layers else []
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=norm is None), *after, nn.LeakyReLU(0.2, inplace=True)]
        for inputs, outputs in pairwise(widths[::-1]):
            doubling = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=norm is None)
            layers += [doubling, *normalised(norm, outputs), nn.ReLU(inplace=True)]
        last = nn.ConvTranspose2d(width, out_channels, 4, 2, 1, bias=norm is None)
        self.layers = nn.Sequential(*layers, last, nn.Tanh())
        init_normal(self)

    def forward(self, source: Tensor) -> Tensor:
        check_images(source, self.in_channels)
        if any(side % 2**self.halvings for side in source.shape[2:]):
            raise ValueError(
                f"Expected a height and a width that {2**self.halvings} divides, got {source.shape[2]} x "
                f"{source.shape[3]}: resize or crop the images, or give fewer halvings."
            )
        return self.layers(source)


class DiscoGANDiscriminator(nn.Module):
    """Images (n, channels, h, w) -> (scores (n,), and features of every layer but the first (n, maps, h', w'), ...).

    Kim et al. (2017), by the authors' `model.py`: DCGAN's discriminator, whose features are matched.

    Args:
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width: feature maps of the first layer; they double with every halving of the size.
        norm: after every convolution but the first and the last; None for biases instead.

    Raises:
        ValueError: for another image_size; from `forward`, for images of another shape.
    """

    def __init__(
        self, image_size: int = 64, channels: int = 3, width: int = 64, norm: Norm | None = nn.BatchNorm2d
    ) -> None:
        super().__init__()
        checks.whole(1, channels=channels, width=width)
        base, halvings = base_and_doublings(image_size)
        self.image_size, self.channels = image_size, channels
        widths = [channels, *(width * 2**level for level in range(halvings))]
        self.layers = nn.ModuleList()
        for inputs, outputs in pairwise(widths):
            after = normalised(norm, outputs) if len(self.layers) else []
            convolution = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=norm is None)
            self.layers.append(nn.Sequential(convolution, *after, nn.LeakyReLU(0.2, inplace=True)))
        self.score = nn.Conv2d(widths[-1], 1, base, bias=norm is None)
        init_normal(self)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        check_images(images, self.channels, self.image_size)
        features = [images]
        for layer in self.layers:
            features.append(layer(features[-1]))
        return (self.score(features[-1]).flatten(), *features[2:])
