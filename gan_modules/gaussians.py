"""Normal distributions with a diagonal covariance, given by their means and log variances."""

import math

import torch
from torch import Tensor


def drawn(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Samples that have a gradient (Kingma and Welling, 2013, section 2.4): mean + deviation * noise.

    Args:
        mean, log_variance, noise: of one shape; the noise is standard normal.
    """
    return mean + (0.5 * log_variance).exp() * noise


def kl_to_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, I)), a sum over the numbers of a code and a mean over the batch.

    Kingma and Welling (2014), "Auto-encoding variational Bayes", appendix B.

    Args:
        mean, log_variance: `(n, ...)`.

    >>> import torch
    >>> kl_to_normal(torch.tensor([[2.0, 0.0]]), torch.zeros(1, 2))
    tensor(2.)
    """
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).flatten(1).sum(1).mean()


def half_square(x: Tensor, mean: Tensor) -> Tensor:
    """-log N(x; mean, 1) but for a constant: half the squared distance of each pair, `(n,)`.

    >>> import torch
    >>> half_square(torch.ones(1, 3, 2), torch.zeros(1, 3, 2))
    tensor([3.])
    """
    return 0.5 * (x - mean).square().flatten(1).sum(1)


def petals(noise: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Samples of a mixture of as many Gaussians as there are classes, around a circle and stretched away from it.

    As Makhzani et al. (2015), figure 2, show it; the numbers are those that reimplementations agree on: centres at a
    distance of 1.4 from the origin, deviations of 0.5 outwards and of 0.1 across. Of more than two dimensions each
    pair is such a plane.

    Args:
        noise: standard normal, `(n, d)` with an even d.
        labels: which Gaussian each is of, `(n,)`.
        num_classes: how many there are.

    >>> petals(torch.zeros(1, 2), torch.tensor([1]), 4).round(decimals=3).abs()
    tensor([[0.0000, 1.4000]])
    """
    angles = labels.to(noise.dtype)[:, None] * (2 * math.pi / num_classes)
    outwards, across = 1.4 + 0.5 * noise[:, 0::2], 0.1 * noise[:, 1::2]
    x = outwards * angles.cos() - across * angles.sin()
    y = outwards * angles.sin() + across * angles.cos()
    return torch.stack([x, y], dim=2).flatten(1)
