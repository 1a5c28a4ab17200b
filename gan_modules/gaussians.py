"""Normal distributions with a diagonal covariance, given by their means and log variances."""

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
