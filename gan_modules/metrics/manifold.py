"""Precision and recall, density and coverage: how much of one set of features lies within the reach of another.

Improved precision and recall: Kynkäänniemi, Karras, Laine, Lehtinen and Aila (2019), equation 1 and algorithm 1: the
share of generated images that lie in a ball around an image of the data, and the other way round, where a ball reaches
to the k-th nearest neighbour in its own set; k = 3, and the border belongs to the ball.

Density and coverage: Naeem, Oh, Uh, Choi and Yoo (2020), equations 4 and 6: how many balls of the data a generated
image lies in, over k, and the share of these balls that have a generated image; k = 5, and, as in the authors' `prdc`,
the border does not belong to the ball, so that a copy of the data has density 1.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from gan_modules import checks
from gan_modules.metrics.features import FeatureMetric, FeatureNetwork

_BLOCK = 2048  # rows and columns of distances that are held at once: 32 MiB in float64, whatever the number of images
_ROUNDING = 1e-12  # of squared norms: squared distances below it are those of equal features


class PRDC(FeatureMetric):
    """Precision, recall, density and coverage of generated images, from one set of distances; more is better.

    All depend on the numbers of images: compare equal numbers alone. Keeps the features of all images (8 kB an image
    of 2048 dimensions), which metrics of the same network share.

    Args:
        network: of the features. Precision and recall were published with VGG-16's (`torchvision_network("vgg16")` has
            that layer, with other weights), and are mostly quoted with Inception's.
        k: neighbours that a ball of precision and recall reaches to.
        density_k: neighbours that a ball of density and coverage reaches to.
        reset_real: whether `reset` also forgets the data.

    >>> metric = PRDC(FeatureNetwork(torch.nn.Flatten(), label="_pixels"), k=1, density_k=1)
    >>> images = torch.linspace(-1, 1, 5 * 3).reshape(5, 3, 1, 1)
    >>> metric.update(images, real=True)
    >>> metric.update(images[:2], real=False)
    >>> {name: round(value.item(), 2) for name, value in metric.compute().items()}
    {'precision': 1.0, 'recall': 0.6, 'density': 1.0, 'coverage': 0.4}
    """

    higher_is_better = True

    def __init__(
        self, network: FeatureNetwork, k: int = 3, density_k: int = 5, reset_real: bool = True, **options: Any
    ) -> None:
        super().__init__(network, reset_real, **options)
        checks.whole(1, k=k, density_k=density_k)
        self.k, self.density_k = k, density_k

    def compute(self) -> dict[str, Tensor]:
        """Scalars by the names "precision", "recall", "density", "coverage".

        Raises:
            ValueError: if a side has too few images for its neighbours, or the data seem to be in [0, 1].
        """
        return prdc(*self.both(), self.k, self.density_k)


def prdc(real: Tensor, fake: Tensor, k: int = 3, density_k: int = 5) -> dict[str, Tensor]:
    """Precision, recall, density and coverage by name, float64 scalars; all but density in [0, 1].

    Distances are computed in float64 and compared as float32: features are float32, so that equal distances, as those
    of copies, are equal wherever they stand in a block.

    Args:
        real: features (n, d), n above both k and density_k.
        fake: features (m, d), m above k.
        k: neighbours that a ball of precision and recall reaches to.
        density_k: neighbours that a ball of density and coverage reaches to.

    Raises:
        ValueError: if a side has too few rows.
    """
    checks.whole(1, k=k, density_k=density_k)
    needed = max(k, density_k) + 1, k + 1
    if len(real) < needed[0] or len(fake) < needed[1]:
        raise ValueError(
            f"balls that reach to neighbour {k} (precision, recall) and {density_k} (density, coverage) need at least "
            f"{needed[0]} real and {needed[1]} generated images, got {len(real)} and {len(fake)}; give more, or a "
            "smaller k"
        )
    real_radii, wide_radii = radii(real, k, density_k)
    (fake_radii,) = radii(fake, k)
    precise, covered = _none(fake), _none(real)
    recalled, inside = _none(real), torch.zeros((), dtype=torch.float64, device=real.device)
    for rows, columns, distances in _distances(real, fake):
        precise[columns] |= (distances <= real_radii[rows, None]).any(dim=0)
        recalled[rows] |= (distances <= fake_radii[columns]).any(dim=1)
        within = distances < wide_radii[rows, None]
        covered[rows] |= within.any(dim=1)
        inside += within.sum()
    return {
        "precision": precise.double().mean(),
        "recall": recalled.double().mean(),
        "density": inside / (density_k * len(fake)),
        "coverage": covered.double().mean(),
    }


def radii(features: Tensor, *ks: int) -> list[Tensor]:
    """Squared distances of features (n, d) to their k-th nearest neighbour, float32 (n,) for each k < n."""
    most = max(ks) + 1  # each row is its own nearest
    nearest = torch.full((len(features), most), torch.inf, device=features.device)
    for rows, _, distances in _distances(features, features):
        nearest[rows] = torch.cat([nearest[rows], distances], dim=1).topk(most, largest=False).values
    return [nearest[:, k] for k in ks]


def _distances(x: Tensor, y: Tensor) -> Iterator[tuple[slice, slice, Tensor]]:
    """Blocks of the squared distances between (n, d) and (m, d), with their rows and columns."""
    for top in range(0, len(x), _BLOCK):
        a = x[top : top + _BLOCK].double()
        for left in range(0, len(y), _BLOCK):
            b = y[left : left + _BLOCK].double()
            norms = a.square().sum(dim=1, keepdim=True) + b.square().sum(dim=1)
            squared = norms - 2 * a @ b.T
            squared = squared.where(squared > _ROUNDING * norms, 0)
            yield slice(top, top + len(a)), slice(left, left + len(b)), squared.float()


def _none(features: Tensor) -> Tensor:
    return torch.zeros(len(features), dtype=torch.bool, device=features.device)
