"""How much the translations of one picture differ."""

import torch
from torch import Tensor

from gan_modules.metrics.comparing import Paired
from gan_modules.metrics.perceptual import PerceptualNetwork


class SampleDiversity(Paired):
    """The mean distance between translations of the same source, over all pairs of them; more is more varied.

    The distance is the mean absolute difference of values in [-1, 1], at most 2, or LPIPS (as Zhu et al., 2017,
    "Toward multimodal image-to-image translation", section 5.2, have it). Its `name` is "diversity", or says which
    LPIPS: "diversity_lpips", "diversity_lpips_vgg", "diversity_lpips@64".

    Args:
        network: a `PerceptualNetwork`; None: pixels are compared.

    >>> metric = SampleDiversity()
    >>> metric.update(torch.tensor([0.0, 0.5, 1.0]).reshape(1, 3, 1, 1, 1))
    >>> metric.compute().item()  # of 0.5, 1 and 0.5
    0.6666666865348816
    """

    higher_is_better = True

    def __init__(self, network: PerceptualNetwork | None = None) -> None:
        super().__init__()
        self.network = network
        self.name = network.named("diversity_lpips") if network else "diversity"

    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        """The distance of each pair, (n,)."""
        return self.network(first, second) if self.network else (first - second).abs().flatten(1).mean(1)

    def update(self, samples: Tensor) -> None:  # type: ignore[override]
        """Add k translations of each of n sources, (n, k, c, h, w) in [-1, 1]; values outside are clamped.

        Raises:
            ValueError: if k is below 2, or the samples are not finite.
        """
        if samples.ndim != 5 or samples.shape[1] < 2:
            raise ValueError(
                f"{self.name} compares at least 2 translations of each source, got samples of shape "
                f"{tuple(samples.shape)}; give (n, k, c, h, w)"
            )
        one, other = torch.combinations(torch.arange(samples.shape[1], device=samples.device)).T
        super().update(samples[:, one].flatten(0, 1), samples[:, other].flatten(0, 1).clamp(-1, 1))
