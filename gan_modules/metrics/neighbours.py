"""Whether codes know the classes: classification by the nearest neighbour."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from gan_modules.metrics.gathering import in_turn


class NearestNeighbour(Metric):
    """The share of samples whose nearest other one, by Euclidean distance, is of their class: leave-one-out 1-NN.

    Of equally near ones the first counts. Distances are taken in float64, n by n of them.

    >>> metric = NearestNeighbour()
    >>> metric.update(torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([0, 0, 1]))
    >>> metric.compute()  # the last one's neighbour is of another class
    tensor(0.6667)
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    codes: list[Tensor]
    classes: list[Tensor]

    def __init__(self) -> None:
        super().__init__(dist_sync_fn=in_turn)
        for state in ("codes", "classes"):
            self.add_state(state, [], dist_reduce_fx="cat")

    def update(self, codes: Tensor, classes: Tensor) -> None:
        """Add samples (n, ...) of one shape, and their classes (n,).

        Raises:
            ValueError: if there is not a class for each.
        """
        if classes.shape != codes.shape[:1]:
            raise ValueError(
                f"expected a class for each of {len(codes)} samples, got classes of shape {tuple(classes.shape)}; give "
                "them as (n,)"
            )
        self.codes.append(codes.detach().flatten(1).float())
        self.classes.append(classes)

    def compute(self) -> Tensor:
        """The share, in [0, 1].

        Raises:
            ValueError: if there are fewer than two samples.
        """
        if sum(map(len, self.codes)) < 2:
            raise ValueError("a nearest neighbour needs at least two samples; call update with more")
        codes, classes = dim_zero_cat(self.codes).double(), dim_zero_cat(self.classes)
        distances = torch.cdist(codes, codes, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
        return (classes[distances.argmin(dim=1)] == classes).float().mean()
