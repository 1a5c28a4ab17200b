"""Networks that read texts, and draw or judge pictures of them.

Reed et al. (2016), "Generative adversarial text to image synthesis", section 4.1: DCGAN's networks, to whose noise and
to whose last feature map the compressed embedding of a text is joined.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from gan_modules import checks
from gan_modules.networks.checks import check_features
from gan_modules.networks.dcgan import DCGANGenerator, _Halvings
from gan_modules.networks.init import init_normal
from gan_modules.networks.layers import Norm, normalised
from gan_modules.texts import ALPHABET


class TextEncoder(nn.Module):
    """Codes of texts (n, length), as `gan_modules.texts` has them -> embeddings (n, features).

    Two convolutions over characters, the largest response over places, and a linear layer. How far a text is padded
    makes no difference.

    Args:
        features: numbers an embedding.
        width: responses a place.
        kernel: characters that a convolution sees, an odd number; both together see twice as many less one.

    Raises:
        ValueError: from `forward`, if codes are not int64 (n, length).
    """

    def __init__(self, features: int = 64, width: int = 128, kernel: int = 5) -> None:
        super().__init__()
        checks.whole(1, features=features, width=width, kernel=kernel)
        if kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {kernel}; 5 is one")
        self.features = features
        self.characters = nn.Embedding(len(ALPHABET) + 1, width // 4 + 1, padding_idx=0)
        self.first = nn.Conv1d(width // 4 + 1, width, kernel, padding=kernel // 2)
        self.second = nn.Conv1d(width, width, kernel, padding=kernel // 2)
        self.output = nn.Linear(width, features)

    def forward(self, texts: Tensor) -> Tensor:
        if texts.ndim != 2 or texts.dtype != torch.int64:
            kind = str(texts.dtype).removeprefix("torch.")
            raise ValueError(f"Expected texts as int64 (n, length), got {kind} {tuple(texts.shape)}: encode them.")
        written = (texts > 0)[:, None]
        hidden = relu(self.first(self.characters(texts).transpose(1, 2))) * written
        hidden = relu(self.second(hidden)) * written
        return self.output(hidden.amax(2))


class TextGenerator(nn.Module):
    """Latents (n, latent_dim) and embeddings (n, features) -> images (n, channels, h, w) in [-1, 1].

    Args:
        latent_dim: numbers a latent.
        features: numbers an embedding.
        compressed: numbers to which it is compressed (section 4.1: 128).
        image_size, channels, width: as for `DCGANGenerator`.

    Raises:
        ValueError: as `DCGANGenerator`; from `forward`, if latents or embeddings do not fit.
    """

    def __init__(
        self,
        latent_dim: int = 100,
        features: int = 64,
        compressed: int = 128,
        image_size: int = 64,
        channels: int = 3,
        width: int = 64,
    ) -> None:
        super().__init__()
        checks.whole(1, latent_dim=latent_dim, features=features, compressed=compressed)
        self.latent_dim, self.features = latent_dim, features
        self.compress = nn.Sequential(nn.Linear(features, compressed), nn.LeakyReLU(0.2, inplace=True))
        self.draw = DCGANGenerator(latent_dim + compressed, image_size, channels, width)

    def forward(self, z: Tensor, embeddings: Tensor) -> Tensor:
        check_features(z, self.latent_dim)
        check_features(embeddings, self.features, "features")
        return self.draw(torch.cat([z, self.compress(embeddings)], dim=1))


class TextDiscriminator(nn.Module):
    """Images (n, channels, h, w) and embeddings (n, features) -> scores (n,).

    Args:
        features: numbers an embedding.
        compressed: numbers to which it is compressed (section 4.1: 128).
        image_size, channels, width, norm: as for `DCGANDiscriminator`.

    Raises:
        ValueError: for another image_size; from `forward`, if images or embeddings do not fit.
    """

    def __init__(
        self,
        features: int = 64,
        compressed: int = 128,
        image_size: int = 64,
        channels: int = 3,
        width: int = 64,
        norm: Norm | None = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        checks.whole(1, features=features, compressed=compressed)
        self.features = features
        self.trunk = _Halvings(image_size, channels, width, norm)
        outputs = self.trunk.out_channels
        self.compress = nn.Sequential(nn.Linear(features, compressed), nn.LeakyReLU(0.2, inplace=True))
        self.join = nn.Sequential(
            nn.Conv2d(outputs + compressed, outputs, 1, bias=norm is None),
            *normalised(norm, outputs),
            nn.LeakyReLU(0.2, inplace=True),
        )
        self.score = nn.Conv2d(outputs, 1, self.trunk.base)
        for part in (self.trunk, self.join, self.score):
            init_normal(part)

    def forward(self, images: Tensor, embeddings: Tensor) -> Tensor:
        check_features(embeddings, self.features, "features")
        maps = self.trunk(images)
        told = self.compress(embeddings)[:, :, None, None].expand(-1, -1, *maps.shape[2:])
        return self.score(self.join(torch.cat([maps, told], dim=1))).flatten()
