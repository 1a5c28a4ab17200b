"""Fully connected networks, for points of the plane and other small data."""

import math
from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import check_features
from gan_modules.networks.init import init_normal
from gan_modules.networks.layers import Maxout, Norm, normalised


class MLPGenerator(nn.Module):
    """Latents (n, latent_dim) -> samples (n, *shape). The defaults are those of PacGAN's mixtures.

    Lin et al. (2018), "PacGAN", section 4.1: four layers of 400 with batch norm and ReLU, a linear output, weights
    from N(0, 0.02**2).

    Args:
        latent_dim: numbers a latent.
        shape: of a sample: (2,) for points, (c, h, w) for images.
        hidden: units of the hidden layers.
        norm: after every hidden layer; None for biases instead.
        activation: the class of the last layer: `nn.Tanh` for images in [-1, 1], None for any real numbers.
    """

    def __init__(
        self,
        latent_dim: int = 2,
        shape: tuple[int, ...] = (2,),
        hidden: tuple[int, ...] = (400, 400, 400, 400),
        norm: Norm | None = nn.BatchNorm1d,
        activation: Callable[[], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        checks.whole(1, latent_dim=latent_dim)
        checks.sizes(shape=shape, hidden=hidden)
        checks.function(activation=activation or nn.Identity)
        self.latent_dim, self.shape = latent_dim, tuple(shape)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((latent_dim, *hidden)):
            layers += [nn.Linear(inputs, outputs, bias=norm is None), *normalised(norm, outputs), nn.ReLU(inplace=True)]
        last = [nn.Linear((latent_dim, *hidden)[-1], math.prod(shape)), nn.Unflatten(1, self.shape)]
        self.layers = nn.Sequential(*layers, *last, *([] if activation is None else [activation()]))
        init_normal(self)

    def forward(self, z: Tensor) -> Tensor:
        check_features(z, self.latent_dim)
        return self.layers(z)


class MLPDiscriminator(nn.Module):
    """Samples (n, *shape) -> scores (n,). The defaults are those of PacGAN's mixtures (Lin et al., 2018, section 4.1).

    Args:
        shape: of a sample.
        hidden: units of the hidden layers.
        maxout_pieces: linear maps of which each unit takes the largest; 0 for one, with a leaky ReLU.

    Raises:
        ValueError: from `forward`, for samples of another shape.
    """

    def __init__(
        self, shape: tuple[int, ...] = (2,), hidden: tuple[int, ...] = (200, 200, 200), maxout_pieces: int = 5
    ) -> None:
        super().__init__()
        checks.sizes(shape=shape, hidden=hidden)
        checks.whole(0, maxout_pieces=maxout_pieces)
        self.shape = tuple(shape)
        widths = (math.prod(shape), *hidden)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            if maxout_pieces:
                layers += [Maxout(inputs, outputs, maxout_pieces)]
            else:
                layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))
        init_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        if tuple(x.shape[1:]) != self.shape:
            raise ValueError(
                f"Expected samples of shape {self.shape}, got {tuple(x.shape[1:])}: "
                "make the network's shape that of the data."
            )
        return self.layers(x.flatten(1)).squeeze(1)
