"""Penalties: a network and images, or samples -> a scalar to minimise.

Those of a network's gradient are computed at full precision also under autocast.

A compiled network is run as it was before: no compiled graph can be differentiated twice by autograd, and a graph that
holds the first derivative (`torch.func.grad` inside `torch.compile`) computes again the zeros that `PiecewiseLinear`
leaves out. For WGAN-GP's critic on the CPU that took 1.6 times as long.
"""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from gan_modules import randomness
from gan_modules.activations import PiecewiseLinear

Network = Callable[[Tensor], Tensor]


def gradient_penalty(critic: Network, real: Tensor, fake: Tensor) -> Tensor:
    """E (|grad f(x)|_2 - 1)^2 at random points between real and generated samples (Gulrajani et al., 2017, eq. 3).

    Two-sided; the norm is taken for each sample over all its dimensions, and each sample has its own point.

    Args:
        critic: maps `(n, ...)` to scores whose first dimension is `n`, no sample depending on another.
        real, fake: `(n, ...)`, of the same shape; neither receives a gradient.
    """
    return (gradient_norm(critic, between(real, fake)) - 1).square().mean()


def divergence_penalty(critic: Network, real: Tensor, fake: Tensor, power: float = 6.0) -> Tensor:
    """E |grad f(x)|_2^p at random points between real and generated samples (Wu et al., 2018, eq. 5 and Algorithm 1).

    The power is of the norm itself: for p = 6, the cube of the sum of squares. It pulls the slope to 0, and not to 1
    as a Lipschitz constraint does.

    Args:
        critic: maps `(n, ...)` to scores whose first dimension is `n`, no sample depending on another.
        real, fake: `(n, ...)`, of the same shape; neither receives a gradient.
        power: the paper's p, above 1.
    """
    return gradient_norm(critic, between(real, fake)).pow(power).mean()


def perturbed_penalty(discriminator: Network, real: Tensor, spread: float = 0.5, slope: float = 1.0) -> Tensor:
    """E (|grad D(x)|_2 - k)^2 at points around the real ones (Kodali et al., 2017, eq. 3, by the authors' notebook).

    The neighbour of a sample is x + spread * std * u, where u is uniform in [0, 1) for every number of the sample and
    std is one number, the deviation of all numbers of `real`; the penalty is at a random point between the two.

    Args:
        discriminator: maps `(n, ...)` to scores (in the notebook logits) whose first dimension is `n`.
        real: `(n, ...)`; receives no gradient.
        spread: 0.5 in the notebook (the paper's c of the Gaussian noise).
        slope: the paper's k.
    """
    real = real.detach().to(_full(real))
    noise = randomness.uniform(*real.shape, device=real.device, dtype=real.dtype)
    neighbour = real + spread * real.std(correction=0) * noise
    return (gradient_norm(discriminator, between(real, neighbour)) - slope).square().mean()


def zero_centred(network: Network, points: Tensor) -> Tensor:
    """E |grad D(x)|_2^2: R1 at real points, R2 at generated ones, to be weighted by gamma / 2 (Mescheder et al., 2018).

    Args:
        network: maps `(n, ...)` to scores whose first dimension is `n`.
        points: `(n, ...)`; receives no gradient.
    """
    return _gradients(network, points.detach().to(_full(points))).square().sum(1).mean()


def between(start: Tensor, end: Tensor) -> Tensor:
    """A random point, uniform between each two of `(n, ...)`, at full precision and without a gradient."""
    dtype = _full(start)
    position = randomness.uniform(len(start), *[1] * (start.ndim - 1), device=start.device, dtype=dtype)
    return torch.lerp(start.detach().to(dtype), end.detach().to(dtype), position)


def similar_filters(weights: Iterable[Tensor]) -> Tensor:
    """The sum over weights W of |W W^T * (1 - I)|_F^2, squared inner products of all pairs of different filters.

    The orthogonal regularisation of BigGAN (Brock et al., 2019, equation 3, where filters are columns), which does not
    touch the filters' lengths. The gradient in the author's code is half of this one's.

    Args:
        weights: matrices (o, i), or kernels (o, i, h, w), whose rows `(o, i * h * w)` are the filters.

    >>> similar_filters([torch.tensor([[1.0, 0.0], [3.0, 4.0]])])  # 3 squared, twice
    tensor(18.)
    """
    return torch.stack([_off_diagonal(weight.flatten(1)) for weight in weights]).sum()


def gradient_norm(network: Network, points: Tensor) -> Tensor:
    """|grad f(x)|_2 for each sample, `(n,)`; where the gradient is zero, so is the norm's own derivative."""
    return _gradients(network, points.detach()).norm(2, dim=1)


def path_lengths(generator: Network, styles: Tensor) -> Tensor:
    """|J^T y|_2 for each sample, `(n,)`: how far a step in the styles moves the image (Karras et al., 2020, eq. 4).

    J is the Jacobian of the image by its style, and y a standard normal image divided by the root of its pixels, so
    that lengths do not grow with the resolution. Each layer has a style of its own; the squares of their lengths are
    averaged, as in the authors' code.

    Args:
        generator: maps `(n, layers, d)` to images `(n, c, h, w)`, no sample depending on another.
        styles: `(n, layers, d)`; receives a gradient.
    """

    def random_projection(points: Tensor) -> Tensor:
        images = generator(points)
        noise = randomness.normal(*images.shape, device=images.device, dtype=images.dtype)
        return images * noise / math.sqrt(images[0, 0].numel())

    gradients = _gradients(random_projection, styles.to(_full(styles)))
    return gradients.norm(2, dim=1) / math.sqrt(styles.shape[1])


def mode_seeking(samples: Tensor, z: Tensor, eps: float = 1e-5) -> Tensor:
    """1 / (d(I1, I2) / d(z1, z2) + eps): large where generated samples lie closer than their noise (Mao et al., 2019).

    The paper's ratio as its authors' code minimises it; d is the mean absolute difference, over the batch.

    Args:
        samples: generated, `(2n, ...)`; the i-th and the (i + n)-th are a pair.
        z: their noise, `(2n, ...)`.
        eps: bounds the penalty by 1 / eps where all pairs are equal.

    >>> mode_seeking(torch.tensor([0.0, 0, 1, 3]), torch.tensor([0.0, 0, 0, 1]))  # 1 / (2 / 0.5)
    tensor(0.2500)
    """
    moved, drawn = ((one - other).abs().mean() for one, other in (samples.chunk(2), z.chunk(2)))
    return 1 / (moved / drawn + eps)


def _off_diagonal(rows: Tensor) -> Tensor:
    with torch.autocast(rows.device.type, enabled=False):
        products = rows @ rows.T
        return (products - products.diagonal().diag()).square().sum()


def _gradients(network: Network, points: Tensor) -> Tensor:
    points = points if points.requires_grad else points.detach().requires_grad_()
    full = torch.autocast(points.device.type, enabled=False)
    with torch.compiler.set_stance("force_eager"), torch.enable_grad(), full, PiecewiseLinear():
        (gradients,) = torch.autograd.grad(network(points).sum(), points, create_graph=True)
    return gradients.flatten(1)


def _full(points: Tensor) -> torch.dtype:
    """The network's own precision: what autocast lowers is raised again."""
    lowered = torch.is_autocast_enabled(points.device.type) and points.dtype != torch.float64
    return torch.float32 if lowered else points.dtype
