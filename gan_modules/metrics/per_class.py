"""The intra-class Fréchet distance (intra FID): the Fréchet distance of each class, and its mean over classes.

Miyato and Koyama, "cGANs with Projection Discriminator" (2018), section 4.1. It sees what the Fréchet distance of all
images together does not: classes that are mixed up, and variety within a class that is lost.
"""

from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from gan_modules.metrics.features import FeatureMetric, FeatureNetwork
from gan_modules.metrics.frechet import frechet_distance, mean_and_covariance, moments


class IntraFrechetDistance(FeatureMetric):
    """The mean over classes of the Fréchet distance between real and generated images of the class; less is better.

    Keeps the features of all images (8 kB an image of 2048 dimensions), which metrics of the same network share, and
    not the moments of each class: they would be 32 MB a class and side, more than the features wherever a class has
    fewer than 4096 images. A class with fewer images than dimensions has a distance that is biased upwards, as the FID
    of few images has: compare equal numbers of images alone.

    Args:
        network: of the features.
        reset_real: whether `reset` also forgets the data.

    Attributes:
        by_class: the distance of each class, by label, as of the last `compute`.

    >>> metric = IntraFrechetDistance(FeatureNetwork(torch.nn.Flatten(), label="_pixels"))
    >>> images, labels = torch.linspace(-1, 1, 4 * 3).reshape(4, 3, 1, 1), torch.tensor([0, 1, 0, 1])
    >>> metric.update(images, real=True, labels=labels)
    >>> metric.update(images.flip(0), real=False, labels=labels)
    >>> metric.compute() > 0, sorted(metric.by_class)
    (tensor(True), [0, 1])
    """

    higher_is_better = False
    real_labels: list[Tensor]
    fake_labels: list[Tensor]

    def __init__(self, network: FeatureNetwork, reset_real: bool = True, **options: Any) -> None:
        super().__init__(network, reset_real, **options)
        self.by_class: dict[int, float] = {}
        for state in ("real_labels", "fake_labels"):
            self.add_state(state, [], dist_reduce_fx="cat")

    def update(self, images: Tensor, real: bool, labels: Tensor | None = None) -> None:
        """Add images (n, 1 or 3, h, w), in [-1, 1] or uint8, and their labels, integers (n,).

        Raises:
            ValueError: if there is no label for each image, and as `FeatureNetwork.features`.
        """
        if labels is None or labels.shape != images.shape[:1] or labels.is_floating_point():
            given = "none" if labels is None else f"{labels.dtype} of shape {tuple(labels.shape)}"
            raise ValueError(
                f"the intra-class distance needs a whole number as label for each of {len(images)} images, got {given}"
            )
        super().update(images, real)
        (self.real_labels if real else self.fake_labels).append(labels.long())

    def compute(self) -> Tensor:
        """The mean over classes, a float64 scalar, without those of fewer than two images on a side (with a warning).

        Raises:
            ValueError: if no class has two images on both sides, or the data seem to be in [0, 1].
        """
        (real, fake), labels = self.both(), [dim_zero_cat(side) for side in (self.real_labels, self.fake_labels)]
        distances = frechet_by_class(real, labels[0], fake, labels[1])
        self.by_class = {label: distance.item() for label, distance in distances.items()}
        return torch.stack(list(distances.values())).mean()


def frechet_by_class(real: Tensor, real_labels: Tensor, fake: Tensor, fake_labels: Tensor) -> dict[int, Tensor]:
    """The Fréchet distance of each class that has at least two rows on both sides, float64 scalars by label.

    Args:
        real, fake: features (n, d) and (m, d).
        real_labels, fake_labels: integers (n,) and (m,).

    Raises:
        ValueError: if there is no such class.
    """
    labels = torch.cat([real_labels, fake_labels]).unique().tolist()
    sides = {label: (real[real_labels == label], fake[fake_labels == label]) for label in labels}
    few = [label for label, (a, b) in sides.items() if min(len(a), len(b)) < 2]
    if len(few) == len(labels):
        raise ValueError(
            f"the intra-class distance needs a class with at least 2 real and 2 generated images, got {len(real)} and "
            f"{len(fake)} images of {len(labels)} classes; give more, or the labels in the same order of classes"
        )
    if few:
        rank_zero_warn(
            f"the intra-class distance leaves out {len(few)} of {len(labels)} classes, the first of them {few[0]}: "
            "they have fewer than 2 real or 2 generated images; give more."
        )
    return {label: frechet_of_features(*sides[label]) for label in labels if label not in few}


def frechet_of_features(real: Tensor, fake: Tensor) -> Tensor:
    """The Fréchet distance between Gaussians with the moments of features (n, d) and (m, d): a float64 scalar.

    With the centred features A and B over the roots of n - 1 and m - 1, tr (A'A B'B)^(1/2) is the sum of the singular
    values of A B', so that few features need a matrix of their number, not of their dimensions.
    """
    if min(len(real), len(fake)) > real.shape[1]:
        return frechet_distance(*mean_and_covariance(moments(real)), *mean_and_covariance(moments(fake)))
    means = real.double().mean(dim=0), fake.double().mean(dim=0)
    sides = zip((real, fake), means, strict=True)
    a, b = ((features.double() - mean) / (len(features) - 1) ** 0.5 for features, mean in sides)
    shared = torch.linalg.svdvals(a @ b.T).sum()
    distance = (means[0] - means[1]).square().sum() + a.square().sum() + b.square().sum() - 2 * shared
    return distance.clamp(min=0)
