"""The networks of models with inference, on DCGAN's convolutions, for every size that halves down to 4 to 7 pixels."""

import torch
from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import check_features, join_labels
from gan_modules.networks.dcgan import _Halvings
from gan_modules.networks.init import init_normal
from gan_modules.networks.layers import Norm
from gan_modules.networks.mlp import MLPDiscriminator


class DCGANEncoder(nn.Module):
    """Images (n, channels, h, w) -> means and log variances of codes, or codes alone, each (n, latent_dim).

    `DCGANDiscriminator` with as many numbers in place of its score.

    Args:
        latent_dim: numbers a code.
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width: feature maps of the first layer; they double with every halving of the size, up to 8 times.
        norm: after every layer but the first and the last; None for biases instead.
        gaussian: whether there are variances.

    Raises:
        ValueError: for another image_size; from `forward`, for images of another shape.
    """

    def __init__(
        self,
        latent_dim: int = 100,
        image_size: int = 64,
        channels: int = 3,
        width: int = 64,
        norm: Norm | None = nn.BatchNorm2d,
        gaussian: bool = True,
    ) -> None:
        super().__init__()
        checks.whole(1, latent_dim=latent_dim)
        checks.switch(gaussian=gaussian)
        self.gaussian, self.channels, self.image_size, self.fixed = gaussian, channels, image_size, True
        self.trunk = _Halvings(image_size, channels, width, norm)
        self.code = nn.Conv2d(self.trunk.out_channels, latent_dim * (1 + gaussian), self.trunk.base)
        init_normal(self)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        codes = self.code(self.trunk(images)).flatten(1)
        return tuple(codes.chunk(2, dim=1)) if self.gaussian else codes


class FeatureDiscriminator(nn.Module):
    """Images (n, channels, h, w) -> scores (n,), and the features (n, c, base, base) that they are made of.

    `DCGANDiscriminator`, which also gives its last hidden layer, of 4 to 7 pixels a side, as VAE/GAN's similarity
    wants it.

    Args:
        image_size, channels, width, norm: as for `DCGANDiscriminator`.

    Raises:
        ValueError: as `DCGANDiscriminator`.
    """

    def __init__(
        self, image_size: int = 64, channels: int = 3, width: int = 64, norm: Norm | None = nn.BatchNorm2d
    ) -> None:
        super().__init__()
        self.trunk = _Halvings(image_size, channels, width, norm)
        self.score = nn.Conv2d(self.trunk.out_channels, 1, self.trunk.base, bias=norm is None)
        init_normal(self)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(images)
        return self.score(features).flatten(), features


class JointDiscriminator(nn.Module):
    """Images (n, channels, h, w) and codes (n, latent_dim) -> scores (n,) of the pairs.

    As that of ALI (Dumoulin et al., 2017, appendix A): layers of either, and layers of what these give together.

    Args:
        latent_dim: numbers a code.
        image_size, channels, width, norm: as for `DCGANDiscriminator`.
        features: units of the layers of codes and of pairs.

    Raises:
        ValueError: as `DCGANDiscriminator`, and if the codes do not fit.
    """

    def __init__(
        self,
        latent_dim: int = 100,
        image_size: int = 64,
        channels: int = 3,
        width: int = 64,
        norm: Norm | None = nn.BatchNorm2d,
        features: int = 256,
    ) -> None:
        super().__init__()
        checks.whole(1, latent_dim=latent_dim, features=features)
        self.latent_dim = latent_dim
        self.trunk = _Halvings(image_size, channels, width, norm)
        self.of_image = nn.Conv2d(self.trunk.out_channels, features, self.trunk.base)
        self.of_code = nn.Sequential(nn.Linear(latent_dim, features), nn.LeakyReLU(0.2), nn.Linear(features, features))
        self.joint = nn.Sequential(
            nn.LeakyReLU(0.2), nn.Linear(2 * features, features), nn.LeakyReLU(0.2), nn.Linear(features, 1)
        )
        for part in (self.trunk, self.of_image):  # so small weights in five layers would hide the codes
            init_normal(part)

    def forward(self, images: Tensor, codes: Tensor) -> Tensor:
        check_features(codes, self.latent_dim)
        pair = self.of_image(self.trunk(images)).flatten(1), self.of_code(codes)
        return self.joint(torch.cat(pair, dim=1)).squeeze(1)


class CodeDiscriminator(nn.Module):
    """Codes (n, latent_dim), and labels (n,) where there are classes -> scores (n,).

    Args:
        latent_dim: numbers a code.
        hidden: units of the hidden layers (Makhzani et al., 2015, for MNIST: two of 1000).
        num_classes: of the labels, which are joined to the codes as one-hot vectors with one place more, for images
            without a label, -1 (section 2.3); 0 for no labels.

    Raises:
        ValueError: from `forward`, for codes of another shape, or labels where there are no classes or the reverse.
    """

    def __init__(self, latent_dim: int = 8, hidden: tuple[int, ...] = (1000, 1000), num_classes: int = 0) -> None:
        super().__init__()
        checks.whole(1, latent_dim=latent_dim)
        checks.whole(0, num_classes=num_classes)
        checks.sizes(hidden=hidden)
        self.latent_dim, self.num_classes = latent_dim, num_classes
        places = num_classes + 1 if num_classes else 0
        self.layers = MLPDiscriminator((latent_dim + places,), hidden, maxout_pieces=0)

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is None or not self.num_classes:
            return self.layers(join_labels(codes, labels, self.latent_dim, self.num_classes))
        places = labels.where(labels >= 0, self.num_classes)
        return self.layers(join_labels(codes, places, self.latent_dim, self.num_classes + 1))
