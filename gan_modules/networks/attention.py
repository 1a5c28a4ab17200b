"""The networks of SAGAN: SNGAN's residual blocks with a layer of self-attention, spectrally normalised throughout.

Zhang et al. (2019), "Self-attention generative adversarial networks", section 3; layers and widths as in the authors'
code, without its classes. At 128 pixels the maps that attend have 32, a quarter.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import base_and_doublings, check_features, check_images
from gan_modules.networks.init import init_glorot
from gan_modules.networks.resnet import down, first, same, up
from gan_modules.networks.spectral import spectrally_normalised


class SelfAttention(nn.Module):
    """Add to every pixel a mean of all others, weighted by likeness; (n, c, h, w) -> (n, c, h, w), h and w at least 2.

    Equations 1 to 3, with g for queries, f for keys and h for values. Keys and values are max-pooled by 2 x 2, as in
    the authors' code. The sum is gated by a parameter that starts at 0: at first the layer is the identity.

    Args:
        channels: c; queries and keys have an eighth of it, values a half.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        checks.whole(1, channels=channels)
        narrow, half = max(1, channels // 8), max(1, channels // 2)
        self.query = nn.Conv2d(channels, narrow, 1, bias=False)
        self.key = nn.Conv2d(channels, narrow, 1, bias=False)
        self.value = nn.Conv2d(channels, half, 1, bias=False)
        self.output = nn.Conv2d(half, channels, 1, bias=False)
        self.gate = nn.Parameter(torch.zeros(1))  # not a scalar, which FSDP refuses
        init_glorot(self)

    def forward(self, x: Tensor) -> Tensor:
        queries = self.query(x).flatten(2)
        keys, values = (F.max_pool2d(of(x), 2).flatten(2) for of in (self.key, self.value))
        weights = torch.softmax(queries.transpose(1, 2) @ keys, dim=2)  # (n, pixels, pooled pixels)
        attended = (values @ weights.transpose(1, 2)).unflatten(2, x.shape[2:])
        return x + self.gate * self.output(attended)


class SelfAttentionGenerator(nn.Module):
    """Latents (n, latent_dim) -> images (n, channels, h, w) in [-1, 1].

    Args:
        latent_dim: numbers a latent.
        image_size: 4, 5, 6 or 7 times a power of two, at least 8: one block a doubling.
        channels: of the images.
        width: feature maps of the last block; they double with every halving of the size.
        attention: the maps that attend are the image's, halved so many times.

    Raises:
        ValueError: for another image_size or attention; from `forward`, if latents do not fit.
    """

    def __init__(
        self, latent_dim: int = 128, image_size: int = 128, channels: int = 3, width: int = 64, attention: int = 2
    ) -> None:
        super().__init__()
        checks.whole(1, latent_dim=latent_dim, channels=channels, width=width)
        self.base, doublings = base_and_doublings(image_size)
        checks.whole(1, doublings + 1, attention=attention)
        self.latent_dim = latent_dim
        inputs = width * 2 ** (doublings - 1)
        self.input = nn.Linear(latent_dim, inputs * self.base**2)
        blocks: list[nn.Module] = []
        for halvings in range(doublings, 0, -1):
            blocks += [SelfAttention(inputs)] if halvings == attention else []
            outputs = width * 2 ** (halvings - 1)
            blocks.append(up(inputs, outputs))
            inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.output = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.Conv2d(width, channels, 3, padding=1), nn.Tanh()
        )
        init_glorot(self.input)
        init_glorot(self.output)
        spectrally_normalised(self)

    def forward(self, z: Tensor) -> Tensor:
        check_features(z, self.latent_dim)
        return self.output(self.blocks(self.input(z).unflatten(1, (-1, self.base, self.base))))


class SelfAttentionDiscriminator(nn.Module):
    """Images (n, channels, h, w) -> scores (n,).

    Args:
        image_size: 4, 5, 6 or 7 times a power of two, at least 8: one block a halving, and one more.
        channels: of the images.
        width: feature maps of the first block; they double with every halving of the size.
        attention: the maps that attend are the image's, halved so many times.

    Raises:
        ValueError: for another image_size or attention; from `forward`, for images of another shape.
    """

    def __init__(self, image_size: int = 128, channels: int = 3, width: int = 64, attention: int = 2) -> None:
        super().__init__()
        checks.whole(1, channels=channels, width=width)
        doublings = base_and_doublings(image_size)[1]
        checks.whole(1, doublings + 1, attention=attention)
        self.image_size, self.channels = image_size, channels
        widths = [channels, *(width * 2**level for level in range(doublings))]
        blocks: list[nn.Module] = []
        for halvings, (inputs, outputs) in enumerate(pairwise(widths), start=1):
            blocks.append(first(inputs, outputs) if halvings == 1 else down(inputs, outputs))
            blocks += [SelfAttention(outputs)] if halvings == attention else []
        self.blocks = nn.Sequential(*blocks, same(widths[-1]))
        self.output = nn.Linear(widths[-1], 1)
        init_glorot(self.output)
        spectrally_normalised(self)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.channels, self.image_size)
        return self.output(F.relu(self.blocks(images)).sum(dim=(2, 3))).squeeze(1)
