"""Autoencoders as discriminators: images -> (reconstructions, codes); those of EBGAN and BEGAN."""

from itertools import pairwise

from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import base_and_doublings, check_features, check_images
from gan_modules.networks.init import init_glorot, init_normal
from gan_modules.networks.layers import Norm, normalised
from gan_modules.networks.resampling import UpConv2d


class EBGANDiscriminator(nn.Module):
    """Images (n, channels, h, w) -> (reconstructions of the same shape, codes (n, maps, h / 2**halvings, ...)).

    Zhao et al. (2017), "Energy-based generative adversarial networks", appendix on 64 pixels: strided convolutions
    64-128-256 and transposed ones back, with kernels of 4, after the rules of DCGAN.

    Args:
        channels: of the images.
        width: feature maps of the first layer; they double with every halving of the size.
        halvings: of the size, and as many doublings; 2**halvings divides the images' sides.
        norm: after every layer but the first and the last; None for biases instead.

    Raises:
        ValueError: from `forward`, for images of another shape.
    """

    def __init__(
        self, channels: int = 3, width: int = 64, halvings: int = 3, norm: Norm | None = nn.BatchNorm2d
    ) -> None:
        super().__init__()
        checks.whole(1, channels=channels, width=width, halvings=halvings)
        self.channels, self.halvings = channels, halvings
        widths = [channels, *(width * 2**level for level in range(halvings))]
        encoder: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            after = normalised(norm, outputs) if encoder else []
            encoder += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=norm is None), *after, nn.LeakyReLU(0.2, inplace=True)]
        decoder: list[nn.Module] = []
        for inputs, outputs in pairwise(widths[:0:-1]):
            doubling = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=norm is None)
            decoder += [doubling, *normalised(norm, outputs), nn.LeakyReLU(0.2, inplace=True)]
        self.encoder = nn.Sequential(*encoder)
        self.decoder = nn.Sequential(*decoder, nn.ConvTranspose2d(width, channels, 4, 2, 1))
        init_normal(self)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        check_images(images, self.channels)
        if any(side % 2**self.halvings for side in images.shape[2:]):
            raise ValueError(
                f"Expected a height and a width that {2**self.halvings} divides, got {images.shape[2]} x "
                f"{images.shape[3]}: resize or crop the images, or give fewer halvings."
            )
        codes = self.encoder(images)
        return self.decoder(codes), codes


def _level(inputs: int, outputs: int, first: nn.Module) -> list[nn.Module]:
    return [first, nn.ELU(inplace=True), nn.Conv2d(outputs, outputs, 3, padding=1), nn.ELU(inplace=True)]


def _decoder(code_dim: int, image_size: int, channels: int, width: int) -> nn.Sequential:
    """(n, code_dim) -> (n, channels, image_size, image_size), by nearest neighbours and pairs of convolutions."""
    base, doublings = base_and_doublings(image_size)
    layers = [nn.Linear(code_dim, width * (2 * base) ** 2), nn.Unflatten(1, (width, 2 * base, 2 * base))]
    layers += _level(width, width, nn.Conv2d(width, width, 3, padding=1))
    for _ in range(doublings - 1):
        layers += _level(width, width, UpConv2d(width, width))
    return nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1))


def _encoder(code_dim: int, image_size: int, channels: int, width: int) -> nn.Sequential:
    """(n, channels, image_size, image_size) -> (n, code_dim), by pairs of convolutions and strided ones."""
    base, doublings = base_and_doublings(image_size)
    layers = [nn.Conv2d(channels, width, 3, padding=1), nn.ELU(inplace=True)]
    inputs = width
    for level in range(1, doublings + 1):
        layers += _level(inputs, level * width, nn.Conv2d(inputs, level * width, 3, padding=1))
        inputs = level * width
        if level < doublings:
            layers += [nn.Conv2d(inputs, inputs, 3, 2, 1), nn.ELU(inplace=True)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * (2 * base) ** 2, code_dim))


class BEGANGenerator(nn.Module):
    """Latents (n, latent_dim) -> images (n, channels, h, w), around [-1, 1]: as in the paper nothing bounds them.

    Berthelot et al. (2017), "BEGAN: boundary equilibrium generative adversarial networks", section 3.5: the layers of
    the discriminator's decoder, convolutions of 3 x 3 with ELUs and no normalisation.

    Args:
        latent_dim: numbers a latent.
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width: feature maps of every layer (the paper's n: 64 or 128).

    Raises:
        ValueError: for another image_size; from `forward`, if latents do not fit.
    """

    def __init__(self, latent_dim: int = 64, image_size: int = 64, channels: int = 3, width: int = 128) -> None:
        super().__init__()
        checks.whole(1, latent_dim=latent_dim, channels=channels, width=width)
        self.latent_dim = latent_dim
        self.layers = _decoder(latent_dim, image_size, channels, width)
        init_glorot(self)

    def forward(self, z: Tensor) -> Tensor:
        check_features(z, self.latent_dim)
        return self.layers(z)


class BEGANDiscriminator(nn.Module):
    """Images (n, channels, h, w) -> (reconstructions of the same shape, codes (n, code_dim)).

    Berthelot et al. (2017), section 3.5: pairs of convolutions of 3 x 3 with ELUs, whose width grows by `width` with
    every halving down to 8 to 14 pixels, a linear code, and a decoder; without the optional skip connections.

    Args:
        code_dim: numbers a code (the paper's N_h: 64, as many as a latent has).
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width: feature maps of the first layers and of the decoder's (the paper's n: 64 or 128).

    Raises:
        ValueError: for another image_size; from `forward`, for images of another shape.
    """

    def __init__(self, code_dim: int = 64, image_size: int = 64, channels: int = 3, width: int = 128) -> None:
        super().__init__()
        checks.whole(1, code_dim=code_dim, channels=channels, width=width)
        self.image_size, self.channels = image_size, channels
        self.encoder = _encoder(code_dim, image_size, channels, width)
        self.decoder = _decoder(code_dim, image_size, channels, width)
        init_glorot(self)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        check_images(images, self.channels, self.image_size)
        codes = self.encoder(images)
        return self.decoder(codes), codes
