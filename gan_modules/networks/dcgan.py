"""The networks of DCGAN, for every size that halves down to 4 to 7 pixels.

Radford et al. (2016), "Unsupervised representation learning with deep convolutional GANs", section 3: strided
convolutions, batch norm everywhere but at the generator's output and the discriminator's input, ReLU in the generator
and leaky ReLU in the discriminator. The heads are those of InfoGAN and ACGAN, the joined labels those of CGAN.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import base_and_doublings, check_features, check_images, join_labels
from gan_modules.networks.init import init_normal
from gan_modules.networks.layers import Dropout, InstanceNorm, Norm, normalised
from gan_modules.networks.spectral import spectrally_normalised


def _widths(width: int, doublings: int) -> list[int]:
    return [width * min(2**level, 8) for level in range(doublings)]


class DCGANGenerator(nn.Module):
    """Latents (n, latent_dim), and labels (n,) where there are classes -> images (n, channels, h, w) in [-1, 1].

    Args:
        latent_dim: numbers a latent.
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width: feature maps of the last hidden layer; they double with every halving of the size, up to 8 times.
        num_classes: labels are joined to the latent as one-hot vectors (Mirza and Osindero, 2014); 0 for no labels.

    Raises:
        ValueError: for another image_size; from `forward`, if latents or labels do not fit.
    """

    def __init__(
        self, latent_dim: int = 100, image_size: int = 64, channels: int = 3, width: int = 64, num_classes: int = 0
    ) -> None:
        super().__init__()
        checks.whole(1, latent_dim=latent_dim, channels=channels, width=width)
        checks.whole(0, num_classes=num_classes)
        base, doublings = base_and_doublings(image_size)
        widths = _widths(width, doublings)[::-1]
        self.latent_dim, self.num_classes = latent_dim, num_classes
        project = nn.Linear(latent_dim + num_classes, widths[0] * base**2, bias=False)
        layers = [project, nn.Unflatten(1, (widths[0], base, base)), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)]
        for inputs, outputs in pairwise(widths):
            doubling = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
            layers += [doubling, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1, bias=False), nn.Tanh())
        init_normal(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(join_labels(z, labels, self.latent_dim, self.num_classes))


class _Halvings(nn.Module):
    """Images -> a map of `base` pixels a side and `out_channels` channels, by strided convolutions."""

    def __init__(self, image_size: int, channels: int, width: int, norm: Norm | None) -> None:
        super().__init__()
        checks.whole(1, channels=channels, width=width)
        self.base, doublings = base_and_doublings(image_size)
        widths = [channels, *_widths(width, doublings)]
        self.image_size, self.channels, self.out_channels = image_size, channels, widths[-1]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            after = normalised(norm, outputs) if layers else []
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=norm is None), *after, nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.channels, self.image_size)
        return self.layers(images)


class DCGANDiscriminator(nn.Module):
    """Images (n, channels, h, w) -> scores (n,); where there are classes, a pair with their logits (n, num_classes).

    Args:
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width: feature maps of the first layer; they double with every halving of the size, up to 8 times.
        norm: after every layer but the first; None for biases instead (as a per-sample gradient penalty asks).
        num_classes: of the second head (Odena et al., 2017, "Conditional image synthesis with auxiliary classifier
            GANs"); 0 for none.
        spectral_norm: see `spectrally_normalised`; goes with `norm=None` (Miyato et al., 2018, table 3).

    Raises:
        ValueError: for another image_size; from `forward`, for images of another shape.
    """

    def __init__(
        self,
        image_size: int = 64,
        channels: int = 3,
        width: int = 64,
        norm: Norm | None = nn.BatchNorm2d,
        num_classes: int = 0,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        checks.whole(0, num_classes=num_classes)
        checks.switch(spectral_norm=spectral_norm)
        self.trunk = _Halvings(image_size, channels, width, norm)
        self.score = nn.Conv2d(self.trunk.out_channels, 1, self.trunk.base, bias=norm is None)
        self.classify = nn.Conv2d(self.trunk.out_channels, num_classes, self.trunk.base) if num_classes else None
        init_normal(self)
        if spectral_norm:
            spectrally_normalised(self)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        features = self.trunk(images)
        scores = self.score(features).flatten()
        return scores if self.classify is None else (scores, self.classify(features).flatten(1))


class ConditionalDCGANDiscriminator(nn.Module):
    """Images (n, channels, h, w) and labels (n,) -> scores (n,).

    The label is joined to the input as one map a class, of ones for the image's own class and of zeros for the others
    (Mirza and Osindero, 2014, "Conditional generative adversarial nets", section 3.2).

    Args:
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width: feature maps of the first layer; they double with every halving of the size, up to 8 times.
        norm: after every layer but the first; None for biases instead.
        num_classes: number of classes.

    Raises:
        ValueError: for another image_size; from `forward`, for images of another shape.
    """

    def __init__(
        self,
        image_size: int = 64,
        channels: int = 3,
        width: int = 64,
        norm: Norm | None = nn.BatchNorm2d,
        num_classes: int = 10,
    ) -> None:
        super().__init__()
        checks.whole(1, channels=channels, num_classes=num_classes)
        self.image_size, self.channels, self.num_classes = image_size, channels, num_classes
        self.trunk = _Halvings(image_size, channels + num_classes, width, norm)
        self.score = nn.Conv2d(self.trunk.out_channels, 1, self.trunk.base, bias=norm is None)
        init_normal(self)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        check_images(images, self.channels, self.image_size)
        maps = F.one_hot(labels, self.num_classes).to(images.dtype)[:, :, None, None]
        joined = torch.cat([images, maps.expand(-1, -1, *images.shape[2:])], dim=1)
        return self.score(self.trunk(joined)).flatten()


class DCGANTrunk(nn.Module):
    """Images (n, channels, h, w) -> features (n, features): the layers that the heads of an InfoGAN share.

    Chen et al. (2016), "InfoGAN", appendix C.1: convolutions, then 1024 fully connected units.

    Args:
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width: feature maps of the first layer; they double with every halving of the size, up to 8 times.
        norm: after every layer but the first; None for biases instead.
        features: numbers an image, as the heads expect them.

    Raises:
        ValueError: for another image_size, or instance norm; from `forward`, for images of another shape.
    """

    def __init__(
        self,
        image_size: int = 64,
        channels: int = 3,
        width: int = 64,
        norm: Norm | None = nn.BatchNorm2d,
        features: int = 1024,
    ) -> None:
        super().__init__()
        checks.whole(1, features=features)
        self.features = features
        self.trunk = _Halvings(image_size, channels, width, norm)
        after = normalised(norm, features)
        if any(isinstance(layer, (InstanceNorm, nn.InstanceNorm2d)) for layer in after):
            raise ValueError(
                "A trunk ends in one pixel, which instance norm would set to zero: use torch.nn.BatchNorm2d or no norm."
            )
        project = nn.Conv2d(self.trunk.out_channels, features, self.trunk.base, bias=norm is None)
        self.project = nn.Sequential(project, *after, nn.LeakyReLU(0.2, inplace=True), nn.Flatten())
        init_normal(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.project(self.trunk(images))


class DCGANClassifier(nn.Module):
    """Images (n, channels, h, w) -> class logits (n, num_classes), and the features (n, features) that they are of.

    For semi-supervised learning with few labels, so it drops pixels and features in train mode, as the network for
    CIFAR-10 of Salimans et al. (2016), "Improved techniques for training GANs", does.

    Args:
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width: feature maps of the first layer; they double with every halving of the size, up to 8 times.
        num_classes: number of classes.
        features: numbers an image.
        dropout: probability with which features are dropped; pixels with 2/5 of it.

    Raises:
        ValueError: for another image_size; from `forward`, for images of another shape.
    """

    def __init__(
        self,
        image_size: int = 64,
        channels: int = 3,
        width: int = 64,
        num_classes: int = 10,
        features: int = 256,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        checks.whole(1, num_classes=num_classes)
        checks.fraction(dropout=dropout)
        self.drop_pixels, self.drop_features = Dropout(0.4 * dropout), Dropout(dropout)
        self.trunk = DCGANTrunk(image_size, channels, width, None, features)
        self.classify = nn.Linear(features, num_classes)
        init_normal(self)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(self.drop_pixels(images))
        return self.classify(self.drop_features(features)), features


class ScoreHead(nn.Module):
    """Features (n, features) -> scores (n,)."""

    def __init__(self, features: int = 1024) -> None:
        super().__init__()
        checks.whole(1, features=features)
        self.features = features
        self.linear = nn.Linear(features, 1)
        init_normal(self)

    def forward(self, features: Tensor) -> Tensor:
        check_features(features, self.features, "features")
        return self.linear(features).squeeze(1)


class RecognitionHead(nn.Module):
    """Features (n, features) -> category logits (n, categories) and means of the codes (n, continuous).

    The network Q of InfoGAN (Chen et al., 2016, section 6 and appendix C.1), with Gaussians of fixed variance.

    Args:
        features: as the trunk gives them.
        hidden: units of the one hidden layer.
        categories: values of the categorical code.
        continuous: number of continuous codes.
    """

    def __init__(self, features: int = 1024, hidden: int = 128, categories: int = 10, continuous: int = 2) -> None:
        super().__init__()
        checks.whole(1, features=features, hidden=hidden, categories=categories)
        checks.whole(0, continuous=continuous)
        self.features = features
        self.hidden = nn.Sequential(
            nn.Linear(features, hidden, bias=False), nn.BatchNorm1d(hidden), nn.LeakyReLU(0.1, inplace=True)
        )
        self.category = nn.Linear(hidden, categories)
        self.mean = nn.Linear(hidden, continuous)
        init_normal(self)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        check_features(features, self.features, "features")
        hidden = self.hidden(features)
        return self.category(hidden), self.mean(hidden)
