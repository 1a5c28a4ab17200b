"""The networks of the projection discriminator's paper, for every size that halves down to 4 to 7 pixels.

Miyato and Koyama (2018), "cGANs with projection discriminator", figure 14 and the authors' code for CIFAR-10: SNGAN's
ResNets, with conditional batch norm in the generator and an inner product with the class in the discriminator.
"""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import base_and_doublings, check_features, check_images
from gan_modules.networks.init import init_glorot
from gan_modules.networks.layers import ConditionalBatchNorm
from gan_modules.networks.resampling import UpConv2d
from gan_modules.networks.resnet import down, first, same
from gan_modules.networks.spectral import spectrally_normalised


class ConditionalUp(nn.Module):
    """A generator's residual block; (n, inputs, h, w) and (n, conditions) -> (n, outputs, 2h, 2w)."""

    def __init__(self, inputs: int, outputs: int, conditions: int) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.Upsample(scale_factor=2))
        self.first_norm = ConditionalBatchNorm(inputs, conditions)
        self.enlarge = UpConv2d(inputs, outputs)
        self.second_norm = ConditionalBatchNorm(outputs, conditions)
        self.convolve = nn.Conv2d(outputs, outputs, 3, padding=1)
        init_glorot(self.shortcut)
        init_glorot(self.enlarge, math.sqrt(2))
        init_glorot(self.convolve, math.sqrt(2))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        branch = self.enlarge(F.relu(self.first_norm(x, condition)))
        return self.shortcut(x) + self.convolve(F.relu(self.second_norm(branch, condition)))


class ProjectionGenerator(nn.Module):
    """Latents (n, latent_dim) and labels (n,) -> images (n, channels, h, w) in [-1, 1].

    Args:
        latent_dim: numbers a latent.
        image_size: 4, 5, 6 or 7 times a power of two, at least 8: one block a doubling.
        channels: of the images.
        width: feature maps of every layer (CIFAR-10: 256).
        num_classes: each has its own scales and shifts of all norms but the last.

    Raises:
        ValueError: for another image_size; from `forward`, if latents do not fit.
    """

    def __init__(
        self, latent_dim: int = 128, image_size: int = 32, channels: int = 3, width: int = 256, num_classes: int = 10
    ) -> None:
        super().__init__()
        checks.whole(1, latent_dim=latent_dim, channels=channels, width=width, num_classes=num_classes)
        self.base, doublings = base_and_doublings(image_size)
        self.latent_dim, self.width, self.num_classes = latent_dim, width, num_classes
        self.input = nn.Linear(latent_dim, width * self.base**2)
        self.blocks = nn.ModuleList(ConditionalUp(width, width, num_classes) for _ in range(doublings))
        self.output = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.Conv2d(width, channels, 3, padding=1), nn.Tanh()
        )
        init_glorot(self.input)
        init_glorot(self.output)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        check_features(z, self.latent_dim)
        condition = F.one_hot(labels, self.num_classes).to(z.dtype)
        features = self.input(z).unflatten(1, (self.width, self.base, self.base))
        for block in self.blocks:
            features = block(features, condition)
        return self.output(features)


class ProjectionHead(nn.Module):
    """Features (n, features) and labels (n,) -> scores (n,): y^T V phi(x) + psi(phi(x)), psi being linear.

    Section 3: the logarithm of a ratio of two log-linear models q(y | x) / p(y | x) has this form, and so the best
    discriminator, log q(y | x) / p(y | x) + log q(x) / p(x) (equation 3).
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__()
        checks.whole(1, features=features, num_classes=num_classes)
        self.score = nn.Linear(features, 1, bias=False)
        self.embed = nn.Embedding(num_classes, features)
        init_glorot(self.score)
        nn.init.xavier_uniform_(self.embed.weight)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        return self.score(features).squeeze(1) + (self.embed(labels) * features).sum(1)


class ProjectionDiscriminator(nn.Module):
    """Images (n, channels, h, w) and labels (n,) -> scores (n,); all weights have spectral norm.

    Blocks halve the images until they are 8 to 14 pixels a side; two more keep that size.

    Args:
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width: feature maps of every layer (CIFAR-10: 128).
        num_classes: number of classes.

    Raises:
        ValueError: for another image_size; from `forward`, for images of another shape.
    """

    def __init__(self, image_size: int = 32, channels: int = 3, width: int = 128, num_classes: int = 10) -> None:
        super().__init__()
        checks.whole(1, channels=channels, width=width)
        self.image_size, self.channels = image_size, channels
        halvings = [down(width, width) for _ in range(base_and_doublings(image_size)[1] - 2)]
        self.blocks = nn.Sequential(first(channels, width), *halvings, same(width), same(width))
        self.head = ProjectionHead(width, num_classes)
        spectrally_normalised(self)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        check_images(images, self.channels, self.image_size)
        return self.head(F.relu(self.blocks(images)).sum(dim=(2, 3)), labels)
