"""Encoders, decoders and judges of points (n, 3) with codes (n, 2), in double precision."""

import torch
from torch import Tensor, nn

from gan_modules import randomness
from zoo.games import LATENT, N, mlp


class Encoder(nn.Module):
    """Points -> means and log variances, or codes."""

    def __init__(self, gaussian: bool = True) -> None:
        super().__init__()
        self.layers, self.gaussian = mlp(3, LATENT * (1 + gaussian)), gaussian

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        outputs = self.layers(x)
        return (outputs[:, :LATENT], outputs[:, LATENT:]) if self.gaussian else outputs


class Decoder(nn.Module):
    """Codes -> points."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = mlp(LATENT, 3)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class Features(nn.Module):
    """Points -> scores, and the hidden layer that they are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.score = nn.Linear(3, 5), nn.Linear(5, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = torch.tanh(self.hidden(x))
        return self.score(features).squeeze(1), features


class Pairs(nn.Module):
    """Points and codes -> scores."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = mlp(3 + LATENT, 1)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return self.layers(torch.cat([x, z], dim=1)).squeeze(1)


def noise(count: int = N) -> Tensor:
    """The next noise of the step."""
    return randomness.normal(count, LATENT, dtype=torch.float64)
