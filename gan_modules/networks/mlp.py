"""Fully connected networks, for points of the plane and other small data."""

import math
from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils import parametrizations

from gan_modules import checks
from gan_modules.networks.checks import check_features, check_shape
from gan_modules.networks.init import init_normal
from gan_modules.networks.layers import GaussianNoise, Maxout, Norm, normalised


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
        init: draws the first weights, as the functions of `gan_modules.networks.init` do. Without norm the default is
            slow to start, and `init_glorot` is not.
    """

    def __init__(
        self,
        latent_dim: int = 2,
        shape: tuple[int, ...] = (2,),
        hidden: tuple[int, ...] = (400, 400, 400, 400),
        norm: Norm | None = nn.BatchNorm1d,
        activation: Callable[[], nn.Module] | None = None,
        init: Callable[[nn.Module], None] = init_normal,
    ) -> None:
        super().__init__()
        checks.whole(1, latent_dim=latent_dim)
        checks.sizes(shape=shape, hidden=hidden)
        checks.function(activation=activation or nn.Identity, init=init)
        self.latent_dim, self.shape = latent_dim, tuple(shape)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((latent_dim, *hidden)):
            layers += [nn.Linear(inputs, outputs, bias=norm is None), *normalised(norm, outputs), nn.ReLU(inplace=True)]
        last = [nn.Linear((latent_dim, *hidden)[-1], math.prod(shape)), nn.Unflatten(1, self.shape)]
        self.layers = nn.Sequential(*layers, *last, *([] if activation is None else [activation()]))
        init(self)

    def forward(self, z: Tensor) -> Tensor:
        check_features(z, self.latent_dim)
        return self.layers(z)


class MLPDiscriminator(nn.Module):
    """Samples (n, *shape) -> scores (n,). The defaults are those of PacGAN's mixtures (Lin et al., 2018, section 4.1).

    Args:
        shape: of a sample.
        hidden: units of the hidden layers.
        maxout_pieces: linear maps of which each unit takes the largest; 0 for one, with a leaky ReLU.
        init: as for `MLPGenerator`.

    Raises:
        ValueError: from `forward`, for samples of another shape.
    """

    def __init__(
        self,
        shape: tuple[int, ...] = (2,),
        hidden: tuple[int, ...] = (200, 200, 200),
        maxout_pieces: int = 5,
        init: Callable[[nn.Module], None] = init_normal,
    ) -> None:
        super().__init__()
        checks.function(init=init)
        layers = _judging(shape, hidden, maxout_pieces)
        self.layers = nn.Sequential(*layers, nn.Linear((math.prod(shape), *hidden)[-1], 1))
        self.shape = tuple(shape)
        init(self)

    def forward(self, x: Tensor) -> Tensor:
        check_shape(x, self.shape)
        return self.layers(x.flatten(1)).squeeze(1)


class MLPTrunk(nn.Module):
    """Samples (n, *shape) -> features (n, hidden[-1]): all but the last layer of an `MLPDiscriminator`, for heads.

    Args:
        shape, hidden, maxout_pieces, init: as for `MLPDiscriminator`; there is at least one hidden layer.

    Raises:
        ValueError: without a hidden layer; from `forward`, for samples of another shape.
    """

    def __init__(
        self,
        shape: tuple[int, ...] = (2,),
        hidden: tuple[int, ...] = (200, 200, 200),
        maxout_pieces: int = 5,
        init: Callable[[nn.Module], None] = init_normal,
    ) -> None:
        super().__init__()
        checks.function(init=init)
        self.layers = nn.Sequential(*_judging(shape, hidden, maxout_pieces))
        if not hidden:
            raise ValueError("a trunk needs a hidden layer, whose units are its features, got none; give hidden")
        self.shape, self.features = tuple(shape), hidden[-1]
        init(self)

    def forward(self, x: Tensor) -> Tensor:
        check_shape(x, self.shape)
        return self.layers(x.flatten(1))


class MLPClassifier(nn.Module):
    """Samples (n, *shape) -> class logits (n, num_classes), and the features (n, hidden[-1]) that they are made of.

    The defaults are those of semi-supervised MNIST (Salimans et al., 2016, "Improved techniques for training GANs", and
    the authors' code, whose samples lie in [0, 1]): weight normalisation, and noise before every layer.

    Args:
        shape: of a sample.
        hidden: units of the hidden layers.
        num_classes: number of classes.
        input_noise, hidden_noise: standard deviations of the noise that is added to samples and to hidden layers.

    Raises:
        ValueError: from `forward`, for samples of another shape.
    """

    def __init__(
        self,
        shape: tuple[int, ...] = (1, 28, 28),
        hidden: tuple[int, ...] = (1000, 500, 250, 250, 250),
        num_classes: int = 10,
        input_noise: float = 0.3,
        hidden_noise: float = 0.5,
    ) -> None:
        super().__init__()
        checks.sizes(shape=shape, hidden=hidden)
        checks.whole(1, num_classes=num_classes)
        checks.not_negative(input_noise=input_noise, hidden_noise=hidden_noise)
        self.shape = tuple(shape)
        layers: list[nn.Module] = [GaussianNoise(input_noise)]
        for number, (inputs, outputs) in enumerate(pairwise((math.prod(shape), *hidden))):
            noise = [GaussianNoise(hidden_noise)] if number else []
            layers += [*noise, _weight_normalised(inputs, outputs, math.sqrt(2)), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.noise = GaussianNoise(hidden_noise)
        self.classify = _weight_normalised((math.prod(shape), *hidden)[-1], num_classes, 1.0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        check_shape(x, self.shape)
        features = self.features(x.flatten(1))
        return self.classify(self.noise(features)), features


def _judging(shape: tuple[int, ...], hidden: tuple[int, ...], maxout_pieces: int) -> list[nn.Module]:
    """The hidden layers of what judges samples."""
    checks.sizes(shape=shape, hidden=hidden)
    checks.whole(0, maxout_pieces=maxout_pieces)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise((math.prod(shape), *hidden)):
        if maxout_pieces:
            layers += [Maxout(inputs, outputs, maxout_pieces)]
        else:
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2, inplace=True)]
    return layers


def _weight_normalised(inputs: int, outputs: int, length: float) -> nn.Linear:
    """A linear layer whose weights have a direction and a length, `length` at first (Salimans and Kingma, 2016)."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=length / math.sqrt(inputs))
    nn.init.zeros_(layer.bias)
    return parametrizations.weight_norm(layer)
