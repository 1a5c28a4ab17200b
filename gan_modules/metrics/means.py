"""What metrics have in common that are the mean over images of a number of each."""

import torch
from torch import Tensor
from torchmetrics import Metric


class MeanOverImages(Metric):
    """The mean over images of a number of each.

    Those that inherit `add` the numbers in `update`, and say in `name` what the mean is called.
    """

    is_differentiable = False
    full_state_update = False
    name: str
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def add(self, numbers: Tensor) -> None:
        """Take in the numbers (n,) of n images; n may be 0, for a process that has no samples."""
        self.total += numbers.sum()
        self.count += len(numbers)

    def compute(self) -> Tensor:
        """The mean, a scalar.

        Raises:
            ValueError: if there were no images.
        """
        if not self.count:
            raise ValueError(f"{self.name} needs at least one image, got none; call update first")
        return self.total / self.count
