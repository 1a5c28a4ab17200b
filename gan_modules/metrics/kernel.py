"""The kernel distance (KID): the squared maximum mean discrepancy of features under the cubic polynomial kernel.

Bińkowski, Sutherland, Arbel and Gretton, "Demystifying MMD GANs" (2018), section 4, with the settings of the authors'
code: k(x, y) = (x.y / d + 1)^3 for features of d dimensions, the unbiased estimator, the mean over subsets. It has no
bias, so that it compares sets of unlike sizes; slightly below 0 is what equal distributions give half of the time.
"""

from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from gan_modules import checks
from gan_modules.metrics.features import FeatureMetric, FeatureNetwork
from gan_modules.randomness import mix

_BLOCK = 2048  # rows and columns of the kernel that are held at once: 32 MiB in float64, whatever the number of images


class KernelDistance(FeatureMetric):
    """The kernel distance between real and generated images, as (mean, deviation) over subsets; less is better.

    Which samples are in a subset depends on the seed and their places among all, so that the same images give the same
    number in any split into batches and over any number of processes that are dealt the images in turn. Keeps the
    features of all images (8 kB an image of 2048 dimensions), which metrics of the same network share.

    Args:
        network: of the features.
        subsets: how many subsets the mean is taken over.
        subset_size: samples in a subset; where there are fewer, all of them, with a warning.
        seed: of the subsets.
        reset_real: whether `reset` also forgets the data.

    >>> network = FeatureNetwork(torch.nn.Flatten(), label="_pixels")
    >>> metric = KernelDistance(network, subsets=3, subset_size=4)
    >>> images = torch.linspace(-1, 1, 4 * 3).reshape(4, 3, 1, 1)
    >>> metric.update(images, real=True)
    >>> metric.update(images.sign(), real=False)
    >>> mean, deviation = metric.compute()
    >>> deviation.item()
    0.0
    """

    higher_is_better = False

    def __init__(
        self,
        network: FeatureNetwork,
        subsets: int = 100,
        subset_size: int = 1000,
        seed: int = 0,
        reset_real: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(network, reset_real, **options)
        _check(subsets, subset_size, seed)
        self.subsets, self.subset_size, self.seed = subsets, subset_size, seed

    def compute(self) -> tuple[Tensor, Tensor]:
        """The mean and the deviation over subsets, two scalars.

        Raises:
            ValueError: if one side has fewer than two images, or the data seem to be in [0, 1].
        """
        return kernel_distance(*self.both(), self.subsets, self.subset_size, self.seed)


def kernel_distance(
    real: Tensor, fake: Tensor, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Mean and (population) deviation over subsets of the unbiased estimate, two float64 scalars.

    Args:
        real: features (n, d).
        fake: features (m, d).
        subsets: how many.
        subset_size: rows in a subset of either side, drawn without replacement; never more than there are.
        seed: of the subsets.

    Raises:
        ValueError: if a side has fewer than two rows.
    """
    _check(subsets, subset_size, seed)
    _check_sides(real, fake)
    available = min(len(real), len(fake))
    if available < subset_size:
        rank_zero_warn(
            f"the kernel distance was asked for subsets of {subset_size} samples, but there are {available}: it uses "
            f"subsets of {available}; set subset_size={available}, or give more samples."
        )
    size = min(available, subset_size)
    drawn = [_subsets(len(side), subsets, size, mix(seed, place)) for place, side in enumerate((real, fake))]
    if subsets * size**2 < len(real) * len(fake):  # fewer pairs than there are of all samples
        values = torch.stack([all_pairs(real[a], fake[b]) for a, b in zip(*drawn, strict=True)])
    else:
        values = _estimates(real, fake, _members(drawn[0], len(real)), _members(drawn[1], len(fake)))
    return values.mean(), values.std(correction=0)


def all_pairs(real: Tensor, fake: Tensor) -> Tensor:
    """The unbiased estimate from all pairs of features (n, d) and (m, d), a float64 scalar: that of least variance.

    >>> all_pairs(torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [2.0], [2.0]]))
    tensor(98., dtype=torch.float64)
    """
    _check_sides(real, fake)
    return _estimates(real, fake, *(side.new_ones(1, len(side), dtype=torch.float64) for side in (real, fake)))[0]


def _check(subsets: int, subset_size: int, seed: int) -> None:
    checks.whole(1, subsets=subsets)
    checks.whole(2, subset_size=subset_size)
    checks.seed(seed=seed)


def _check_sides(real: Tensor, fake: Tensor) -> None:
    if min(len(real), len(fake)) < 2:
        raise ValueError(
            f"the kernel distance needs at least 2 real and 2 generated images, got {len(real)} and {len(fake)}; "
            "give more"
        )


def _subsets(rows: int, subsets: int, size: int, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randperm(rows, generator=generator)[:size] for _ in range(subsets)]


def _members(drawn: list[Tensor], rows: int) -> Tensor:
    """Which of the rows each subset has, as zeros and ones (subsets, rows)."""
    members = torch.zeros(len(drawn), rows, dtype=torch.float64)
    return members.scatter_(1, torch.stack(drawn), 1)


def _estimates(real: Tensor, fake: Tensor, of_real: Tensor, of_fake: Tensor) -> Tensor:
    """The unbiased estimates (subsets,) for subsets of rows: (subsets, n) and (subsets, m) zeros and ones."""
    of_real, of_fake = of_real.to(real.device), of_fake.to(real.device)
    counts = of_real.sum(dim=1), of_fake.sum(dim=1)
    between = _sums(real, fake, of_real, of_fake) / (counts[0] * counts[1])
    within = [
        (_sums(features, features, members, members) - members @ _kernel_of_itself(features)) / (count * (count - 1))
        for features, members, count in ((real, of_real, counts[0]), (fake, of_fake, counts[1]))
    ]
    return within[0] + within[1] - 2 * between


def _sums(x: Tensor, y: Tensor, of_x: Tensor, of_y: Tensor) -> Tensor:
    """The sums (subsets,) of the kernel over the pairs of each subset, a block of it at a time."""
    total = torch.zeros(len(of_x), dtype=torch.float64, device=x.device)
    for rows, in_rows in zip(x.split(_BLOCK), of_x.split(_BLOCK, dim=1), strict=True):
        for columns, in_columns in zip(y.split(_BLOCK), of_y.split(_BLOCK, dim=1), strict=True):
            kernel = (rows.double() @ columns.double().T / x.shape[1] + 1) ** 3
            total += (in_rows @ kernel * in_columns).sum(dim=1)
    return total


def _kernel_of_itself(features: Tensor) -> Tensor:
    return torch.cat([(part.double().square().mean(dim=1) + 1) ** 3 for part in features.split(_BLOCK)])
