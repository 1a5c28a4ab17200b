"""Which modes of a known distribution a generator reaches, and how evenly.

Lin, Khetan, Fanti and Oh, "PacGAN: the power of two samples in generative adversarial networks" (2018), section 4, as
the authors' code has it: a sample belongs to the nearest mean, and is of high quality if it lies less than three
standard deviations from it (Euclidean distance, all directions together); a mode is recovered if it has one such
sample; the reverse Kullback-Leibler divergence, in nats, is that of the high-quality samples' frequencies from uniform
ones.
"""

import math

import torch
from torch import Tensor
from torchmetrics import Metric

from gan_modules import checks


def reverse_kl(counts: Tensor) -> Tensor:
    """The Kullback-Leibler divergence of the frequencies `counts` (k,) from the uniform distribution, in nats.

    It is 0 where all are equal and log k where one has all. A perfect sampler's n samples have (k - 1) / 2n on average.
    Without any sample it is log k: no generator becomes better by making nothing of use.

    >>> reverse_kl(torch.tensor([5, 5])).item(), round(reverse_kl(torch.tensor([7, 0])).item(), 4)
    (0.0, 0.6931)
    """
    classes, total = len(counts), counts.sum()
    if total == 0:
        return torch.tensor(math.log(classes), device=counts.device)
    shares = counts[counts > 0] / total
    return (shares * (shares * classes).log()).sum().clamp(min=0.0)


class ModeCoverage(Metric):
    """Modes recovered, share of high-quality samples, and reverse KL, of points against Gaussians with known means.

    Keeps counts alone, so that any split into batches and any number of processes give the same numbers.

    Args:
        modes: means of the Gaussians, (k, d).
        sigma: their standard deviation in each direction.
        deviations: how many of them a high-quality sample is away from its mean at most.

    Raises:
        ValueError: if `modes` is not (k, d), or a number is not above 0.

    >>> metric = ModeCoverage(torch.tensor([[0.0, 0.0], [4.0, 0.0]]), sigma=0.1)
    >>> metric.update(torch.tensor([[0.0, 0.2], [0.1, 0.1], [1.0, 0.0], [3.9, 0.0]]))
    >>> {name: round(value.item(), 4) for name, value in metric.compute().items()}
    {'modes': 2.0, 'high_quality': 0.75, 'reverse_kl': 0.0566}
    """

    is_differentiable = False
    full_state_update = False
    modes: Tensor
    counts: Tensor
    samples: Tensor

    def __init__(self, modes: Tensor, sigma: float, deviations: float = 3.0) -> None:
        super().__init__()
        if not isinstance(modes, Tensor) or modes.ndim != 2 or not modes.numel():
            given = tuple(modes.shape) if isinstance(modes, Tensor) else repr(modes)
            raise ValueError(f"modes must be a tensor (k, d), got {given}; give one row for each Gaussian, its mean")
        checks.positive(sigma=sigma, deviations=deviations)
        self.radius = deviations * sigma
        self.register_buffer("modes", modes.float(), persistent=False)
        self.add_state("counts", torch.zeros(len(modes), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("samples", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, points: Tensor) -> None:
        """Add points (n, d); one that is not finite is of no quality.

        Raises:
            ValueError: if the points have another dimension than the modes.
        """
        if points.ndim != 2 or points.shape[1] != self.modes.shape[1]:
            raise ValueError(
                f"expected points (n, {self.modes.shape[1]}), as the modes are, got the shape {tuple(points.shape)}; "
                "leave this metric out for other samples"
            )
        # cdist is not used: through a matrix product it loses the digits that a small sigma needs
        distances, nearest = (points.float()[:, None] - self.modes).norm(dim=2).min(dim=1)
        self.counts += torch.bincount(nearest[distances < self.radius], minlength=len(self.modes))
        self.samples += len(points)

    def compute(self) -> dict[str, Tensor]:
        """`modes` recovered, `high_quality` in [0, 1] and `reverse_kl` in nats, each a scalar.

        Raises:
            ValueError: if there were no points.
        """
        if not self.samples:
            raise ValueError("ModeCoverage needs at least one point, got none; call update first")
        return {
            "modes": (self.counts > 0).sum().float(),
            "high_quality": self.counts.sum() / self.samples,
            "reverse_kl": reverse_kl(self.counts),
        }


class ClassCoverage(Metric):
    """Classes that occur, and their reverse KL from the uniform distribution: the modes of stacked digits.

    Srivastava et al. (2017), "VEEGAN", and PacGAN, section 4.2: 26,000 samples of 1,000 classes, of which a classifier
    says which they are.

    Args:
        classes: how many there are.

    Raises:
        ValueError: if `classes` is not a positive whole number.

    >>> metric = ClassCoverage(4)
    >>> metric.update(torch.tensor([0, 0, 3, 3]))
    >>> {name: round(value.item(), 4) for name, value in metric.compute().items()}
    {'modes': 2.0, 'reverse_kl': 0.6931}
    """

    is_differentiable = False
    full_state_update = False
    counts: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        checks.whole(1, classes=classes)
        self.add_state("counts", torch.zeros(classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, labels: Tensor) -> None:
        """Add the classes (n,) of samples, whole numbers in [0, classes).

        Raises:
            ValueError: if a class lies outside.
        """
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(self.counts):
            raise ValueError(
                f"classes must be in [0, {len(self.counts)}), got {int(labels.min())} to {int(labels.max())}; "
                "give the number of classes that the classifier has"
            )
        self.counts += torch.bincount(labels, minlength=len(self.counts))

    def compute(self) -> dict[str, Tensor]:
        """`modes` that occurred and `reverse_kl` in nats, each a scalar.

        Raises:
            ValueError: if there were no samples.
        """
        if not self.counts.sum():
            raise ValueError("ClassCoverage needs at least one sample, got none; call update first")
        return {"modes": (self.counts > 0).sum().float(), "reverse_kl": reverse_kl(self.counts)}
