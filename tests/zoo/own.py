"""Small networks of a user's own, in which no sample depends on another."""

from typing import Any

import torch
from torch import Tensor, nn

from gan_modules import networks

CLASSES, LATENT, SIZE = 3, 4, 8


class Draw(nn.Module):
    """A user's generator: latents, and labels where there are classes, to images; nothing couples the samples."""

    def __init__(self, latent_dim: int = LATENT, classes: int = 0) -> None:
        super().__init__()
        self.classes = classes
        self.linear = nn.Linear(latent_dim + classes, 8 * 4 * 4)
        self.conv = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is not None:
            z = torch.cat([z, nn.functional.one_hot(labels, self.classes).to(z.dtype)], dim=1)
        features = torch.relu(self.linear(z)).unflatten(1, (8, 4, 4))
        return torch.tanh(self.conv(nn.functional.interpolate(features, scale_factor=2)))


class Translate(nn.Module):
    """A user's translator, with dropout that follows the step and the sample."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 3, 3, padding=1)
        self.dropout = networks.Dropout(0.3)

    def forward(self, source: Tensor) -> Tensor:
        return torch.tanh(self.last(self.dropout(torch.relu(self.first(source)))))


class Judge(nn.Module):
    """A user's discriminator: a score for each image, with class logits where there are classes.

    The last bias is left out for objectives of which only differences count: its gradient is rounding alone, or zero.
    """

    def __init__(self, channels: int = 3, classes: int = 0, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 6, 3, stride=2, padding=1)
        self.score = nn.Linear(6 * 4 * 4, 1, bias)
        self.classify = nn.Linear(6 * 4 * 4, classes) if classes else None

    def forward(self, images: Tensor, source: Tensor | None = None) -> Any:
        images = images if source is None else torch.cat([images, source], dim=1)
        features = nn.functional.adaptive_avg_pool2d(nn.functional.silu(self.conv(images)), 4).flatten(1)
        scores = self.score(features).squeeze(1)
        return scores if self.classify is None else (scores, self.classify(features))


class Rebuild(nn.Module):
    """A user's autoencoder: reconstructions and codes."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.decoder = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        codes = nn.functional.silu(self.encoder(images))
        return self.decoder(nn.functional.interpolate(codes, scale_factor=2)), codes


class Recognise(nn.Module):
    """A user's recognition head of an InfoGAN."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.category, self.mean = nn.Linear(features, CLASSES), nn.Linear(features, 2)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.category(features), self.mean(features)


class Score(nn.Module):
    """A user's head of a discriminator."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.linear(features).squeeze(1)
