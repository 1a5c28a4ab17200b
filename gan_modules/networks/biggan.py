"""The networks of BigGAN, for every size that halves down to 4 to 7 pixels.

Brock et al. (2019), "Large scale GAN training for high fidelity natural image synthesis", appendix B: at 128 pixels, a
width of 96, latents of 120 numbers and attention in the maps of 64 pixels they are the published ones. The author's
code has `multiple` 8 and a width of 128 for 64 pixels, and 1 and 256 for the 32 of CIFAR-10.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.attention import SelfAttention
from gan_modules.networks.checks import base_and_doublings, check_features, check_images
from gan_modules.networks.init import init_orthogonal
from gan_modules.networks.projection import ConditionalUp, ProjectionHead
from gan_modules.networks.resnet import down, first, same
from gan_modules.networks.spectral import spectrally_normalised


def _widths(image_size: int, width: int, multiple: int, attention: int) -> list[int]:
    """Feature maps of the image halved 0, 1, ... times; checks the arguments that both networks have."""
    checks.whole(1, width=width, multiple=multiple)
    doublings = base_and_doublings(image_size)[1]
    checks.whole(0, doublings + 1, attention=attention)
    return [width * min(2**halvings, multiple) for halvings in range(doublings + 1)]


class BigGANGenerator(nn.Module):
    """Latents (n, latent_dim) and labels (n,) -> images (n, channels, h, w) in [-1, 1].

    Hierarchical latents: the first part of a latent is the input, and each block's norms are conditioned on a part of
    its own, joined to the embedding of the class, which all blocks share.

    Args:
        latent_dim: numbers a latent, at least one for the input and one for each block. The parts are equal, but for
            the first, which has what is left over.
        image_size: 4, 5, 6 or 7 times a power of two, at least 8: one block a doubling.
        channels: of the images.
        width: feature maps of the last block; they double with every halving of the size, up to `multiple` times.
        num_classes: number of classes.
        embedding_dim: numbers a class.
        multiple: see `width`.
        attention: the maps that attend are the image's, halved so many times; 0 for none.

    Raises:
        ValueError: for another image_size, latent_dim or attention; from `forward`, if latents do not fit.
    """

    def __init__(
        self,
        latent_dim: int = 120,
        image_size: int = 128,
        channels: int = 3,
        width: int = 96,
        num_classes: int = 10,
        embedding_dim: int = 128,
        multiple: int = 16,
        attention: int = 1,
    ) -> None:
        super().__init__()
        checks.whole(1, channels=channels, num_classes=num_classes, embedding_dim=embedding_dim)
        widths = _widths(image_size, width, multiple, attention)[::-1]
        checks.whole(len(widths), latent_dim=latent_dim)
        self.latent_dim, self.base = latent_dim, base_and_doublings(image_size)[0]
        part, rest = divmod(latent_dim, len(widths))
        self.parts = [part + rest] + [part] * (len(widths) - 1)
        self.input = nn.Linear(part + rest, widths[0] * self.base**2)
        self.blocks = nn.ModuleList(ConditionalUp(*pair, embedding_dim + part) for pair in pairwise(widths))
        self.attends = len(self.blocks) - attention  # the number of blocks before the attention
        self.attention = SelfAttention(widths[self.attends]) if attention else nn.Identity()
        self.output = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.Conv2d(width, channels, 3, padding=1), nn.Tanh()
        )
        init_orthogonal(self)
        spectrally_normalised(self)
        self.embed = nn.Embedding(num_classes, embedding_dim)  # which has no spectral norm
        init_orthogonal(self.embed)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        check_features(z, self.latent_dim)
        start, *parts = z.split(self.parts, dim=1)
        shared = self.embed(labels)
        features = self.input(start).unflatten(1, (-1, self.base, self.base))
        for number, (block, part) in enumerate(zip(self.blocks, parts, strict=True)):
            if number == self.attends:
                features = self.attention(features)
            features = block(features, torch.cat([shared, part], dim=1))
        return self.output(features)


class BigGANDiscriminator(nn.Module):
    """Images (n, channels, h, w) and labels (n,) -> scores (n,); all weights have spectral norm.

    Args:
        image_size: 4, 5, 6 or 7 times a power of two, at least 8: one block a halving, and one more.
        channels: of the images.
        width: feature maps of the first block; they double with every halving of the size, up to `multiple` times.
        num_classes: number of classes.
        multiple: see `width`.
        attention: the maps that attend are the image's, halved so many times; 0 for none.

    Raises:
        ValueError: for another image_size or attention; from `forward`, for images of another shape.
    """

    def __init__(
        self,
        image_size: int = 128,
        channels: int = 3,
        width: int = 96,
        num_classes: int = 10,
        multiple: int = 16,
        attention: int = 1,
    ) -> None:
        super().__init__()
        checks.whole(1, channels=channels)
        self.image_size, self.channels = image_size, channels
        widths = _widths(image_size, width, multiple, attention)[:-1]
        blocks = [first(channels, width), *(down(*pair) for pair in pairwise(widths)), same(widths[-1])]
        if attention:
            blocks.insert(attention, SelfAttention(widths[attention - 1]))
        self.blocks = nn.Sequential(*blocks)
        self.head = ProjectionHead(widths[-1], num_classes)
        init_orthogonal(self)
        spectrally_normalised(self)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        check_images(images, self.channels, self.image_size)
        return self.head(F.relu(self.blocks(images)).sum(dim=(2, 3)), labels)
