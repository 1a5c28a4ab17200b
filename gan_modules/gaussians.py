"""Normal distributions with a diagonal covariance, given by their means and log variances."""

from torch import Tensor


def drawn(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Samples that have a gradient (Kingma and Welling, 2013, section 2.4): mean + deviation * noise.

    Args:
        mean, log_variance, noise: of one shape; the noise is standard normal.
    """
    return mean + (0.5 * log_variance).exp() * noise


def divergence_from_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)), summed over all but the first dimension, `(n,)` (the same, appendix B).

    >>> import torch
    >>> divergence_from_normal(torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.zeros(2, 2))
    tensor([0., 2.])
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(1)


def half_square(x: Tensor, mean: Tensor) -> Tensor:
    """-log N(x; mean, 1) but for a constant: half the squared distance of each pair, `(n,)`.

    >>> import torch
    >>> half_square(torch.ones(1, 3, 2), torch.zeros(1, 3, 2))
    tensor([3.])
    """
    return 0.5 * (x - mean).square().flatten(1).sum(1)
