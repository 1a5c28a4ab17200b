"""The generator and the discriminator of pixel-level domain adaptation."""

import torch
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import base_and_doublings, check_features, check_images
from gan_modules.networks.init import init_normal
from gan_modules.networks.layers import Dropout, GaussianNoise
from gan_modules.networks.translator import Residual


class PixelDAGenerator(nn.Module):
    """Images (n, channels, h, w) and codes (n, latent_dim) -> images (n, channels, h, w) in [-1, 1].

    Bousmalis et al. (2017), "Unsupervised pixel-level domain adaptation with generative adversarial networks", as the
    authors' `resnet_generator`: a linear layer makes one more channel of the code, and residual blocks keep the size.
    Blocks are padded by reflection, the authors' by zeros.

    Args:
        channels: of the images.
        image_size: side of the channel that is made of the code; h and w may be multiples of it, which repeat it.
        latent_dim: numbers a code.
        width: feature maps of all layers.
        blocks: residual blocks.

    Raises:
        ValueError: from `forward`, for images or codes that do not fit.
    """

    def __init__(
        self, channels: int = 3, image_size: int = 32, latent_dim: int = 10, width: int = 64, blocks: int = 6
    ) -> None:
        super().__init__()
        checks.whole(1, channels=channels, latent_dim=latent_dim, width=width)
        checks.whole(2, image_size=image_size)  # a reflection needs a neighbour
        checks.whole(0, blocks=blocks)
        self.in_channels, self.image_size, self.latent_dim = channels, image_size, latent_dim
        pixels = image_size**2
        self.channel = nn.Sequential(nn.Linear(latent_dim, pixels, bias=False), nn.BatchNorm1d(pixels), nn.ReLU())
        self.layers = nn.Sequential(
            nn.Conv2d(channels + 1, width, 3, padding=1),
            nn.ReLU(),
            *(Residual(width, nn.BatchNorm2d) for _ in range(blocks)),
            nn.Conv2d(width, channels, 1),
            nn.Tanh(),
        )
        init_normal(self)

    def forward(self, source: Tensor, code: Tensor) -> Tensor:
        check_images(source, self.in_channels)
        check_features(code, self.latent_dim)
        height, width = source.shape[2:]
        if height % self.image_size or width % self.image_size:
            raise ValueError(
                f"Expected a height and a width that {self.image_size} divides, got {height} x {width}: resize the "
                "images or set the network's image_size."
            )
        noise = self.channel(code).unflatten(1, (1, self.image_size, self.image_size))
        noise = noise.repeat(1, 1, height // self.image_size, width // self.image_size)
        return self.layers(torch.cat([source, noise], dim=1))


class PixelDADiscriminator(nn.Module):
    """Images (n, channels, h, w) -> scores (n,).

    Bousmalis et al. (2017), as the authors' `predict_domain`: a convolution that keeps the size, and others that halve
    it and double the maps until a side is 4 to 7 pixels. What each gives is dropped and made noisy in train mode.

    Args:
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width: feature maps of the first layer.
        dropout: probability with which features are dropped.
        noise: standard deviation of the noise that is added to features.

    Raises:
        ValueError: for another image_size; from `forward`, for images of another shape.
    """

    def __init__(
        self, image_size: int = 32, channels: int = 3, width: int = 64, dropout: float = 0.1, noise: float = 0.2
    ) -> None:
        super().__init__()
        checks.whole(1, channels=channels, width=width)
        checks.fraction(dropout=dropout)
        checks.not_negative(noise=noise)
        base, halvings = base_and_doublings(image_size)
        self.image_size, self.channels = image_size, channels
        disturbed = nn.LeakyReLU(0.2), Dropout(dropout), GaussianNoise(noise)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), *disturbed]
        for level in range(halvings):
            inputs, outputs = width * 2**level, width * 2 ** (level + 1)
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), *disturbed]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * 2**halvings * base**2, 1))
        init_normal(self)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.channels, self.image_size)
        return self.layers(images).squeeze(1)
