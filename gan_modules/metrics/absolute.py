"""The mean absolute difference from a known truth."""

from torch import Tensor

from gan_modules.metrics.comparing import Paired


class L1(Paired):
    """The mean over images of their mean absolute difference from their truths, of values in [-1, 1]: at most 2.

    >>> import torch
    >>> metric = L1()
    >>> metric.update(torch.zeros(2, 3, 8, 8), torch.full((2, 3, 8, 8), 0.5))
    >>> metric.compute()
    tensor(0.5000)
    """

    higher_is_better = False
    name = "l1"

    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        """The mean absolute difference of each pair, (n,)."""
        return (first - second).abs().flatten(1).mean(1)
