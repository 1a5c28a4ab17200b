"""What metrics that compare generated images with data have in common, whatever they keep of either."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from gan_modules import checks


class TwoSided(Metric):
    """A metric of generated images and data; states whose names begin with "real_" belong to the data.

    Data in [0, 1] in place of [-1, 1] are washed-out pictures that every metric takes without a word, so that a whole
    set without a value below 0 is refused. Bytes cannot be mistaken, and are not looked at.

    Args:
        reset_real: whether `reset` also forgets the data.
        options: torchmetrics'.
    """

    is_differentiable = False
    full_state_update = False
    real_lowest: Tensor

    def __init__(self, reset_real: bool = True, **options: Any) -> None:
        super().__init__(**options)
        checks.switch(reset_real=reset_real)
        self.reset_real = reset_real
        self.add_state("real_lowest", torch.tensor(torch.inf), dist_reduce_fx="min")

    def look(self, images: Tensor, real: bool) -> None:
        """Remember the lowest value of the data: to be called in `update`; costs no wait for the device."""
        if real and len(images):
            low = images.detach().amin().float() if images.is_floating_point() else torch.tensor(-1.0)
            self.real_lowest = torch.minimum(self.real_lowest, low.to(self.real_lowest.device))

    def check_data(self) -> None:
        """Refuse data that are in [0, 1]: to be called in `compute`.

        Raises:
            ValueError: if no value of the data was below 0.
        """
        if 0 <= self.real_lowest < torch.inf:
            raise ValueError(
                f"a metric needs data in [-1, 1], but the lowest value of all is {self.real_lowest.item():.3g}, as "
                "for pictures in [0, 1]; give 2 x - 1, or bytes"
            )

    def reset(self) -> None:
        """Forget the images; with `reset_real=False` the generated ones alone."""
        states = {name: state for name, state in self.metric_state.items() if name.startswith("real_")}
        kept = {name: list(state) if isinstance(state, list) else state for name, state in states.items()}
        super().reset()  # empties the lists themselves
        if not self.reset_real:
            for name, state in kept.items():
                setattr(self, name, state)
