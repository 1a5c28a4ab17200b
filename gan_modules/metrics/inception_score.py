"""The Inception Score: how sure a classifier is of each generated image, and how varied what it sees is.

Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen, "Improved Techniques for Training GANs" (2016), section 4:
exp(E KL(p(y | x) || p(y))), of which the mean over splits is taken. The authors' code cuts the images in the order in
which they come; torch-fidelity and torchmetrics shuffle them before, which is the default here, because images that
come class by class would have a lower score in order.
"""

from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from gan_modules import checks
from gan_modules.metrics.features import FeatureNetwork
from gan_modules.metrics.gathering import in_turn


class InceptionScore(Metric):
    """The Inception Score of generated images, as (mean, deviation) over splits; more is better, at least 1.

    Into which split an image falls depends on the seed and its place among all, not on batches or processes. Keeps the
    logits of the generated images (4 kB an image for 1008 classes); data are not looked at.

    Args:
        network: a `FeatureNetwork` with a last layer.
        splits: how many parts the images are cut into, each of at least two images.
        seed: of the order in which they are cut; None: the order in which they came.

    Raises:
        Unavailable: if the network has no last layer, or one that is all zero, so that every score would be 1.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    fake_logits: list[Tensor]

    def __init__(self, network: FeatureNetwork, splits: int = 10, seed: int | None = 0, **options: Any) -> None:
        super().__init__(dist_sync_fn=in_turn, **options)
        _check(splits, seed)
        network.check_logits()
        self.network, self.splits, self.seed = network, splits, seed
        self.add_state("fake_logits", [], dist_reduce_fx="cat")

    def update(self, images: Tensor, real: bool = False) -> None:
        """Add generated images (n, 1 or 3, h, w), in [-1, 1] or uint8; data are passed over.

        Raises:
            ValueError: as `FeatureNetwork.features`.
        """
        if not real:
            self.fake_logits.append(self.network.logits(self.network.features(images, real=False)))

    def compute(self) -> tuple[Tensor, Tensor]:
        """The mean and the deviation over splits, two scalars.

        Raises:
            ValueError: if there are fewer than two images.
        """
        logits = dim_zero_cat(self.fake_logits) if len(self.fake_logits) else torch.empty(0, 0)
        return inception_score(logits, self.splits, self.seed)


def inception_score(logits: Tensor, splits: int = 10, seed: int | None = 0) -> tuple[Tensor, Tensor]:
    """Mean and (population) deviation over splits of exp(E KL(p(y | x) || p(y))), two float64 scalars.

    Args:
        logits: of a classifier, (n, classes).
        splits: how many parts; fewer, with a warning, where one would have a single row, of which the score is 1.
        seed: of the order in which the rows are cut; None: as they are.

    Raises:
        ValueError: if there are fewer than two rows.

    >>> sure = 100 * torch.eye(4).repeat(5, 1)
    >>> [round(value.item(), 6) for value in inception_score(sure, splits=5, seed=None)]
    [4.0, 0.0]
    """
    _check(splits, seed)
    count = len(logits)
    if count < 2:
        raise ValueError(f"the Inception Score needs at least 2 generated images, got {count}; give more")
    if count < 2 * splits:
        rank_zero_warn(
            f"the Inception Score was asked for {splits} splits, but there are {count} images: it uses {count // 2}; "
            f"set splits={count // 2}, or give more images."
        )
        splits = count // 2
    if seed is not None:
        logits = logits[torch.randperm(count, generator=torch.Generator().manual_seed(seed))]
    edges = [split * count // splits for split in range(splits + 1)]
    scores = torch.stack([_score(logits[a:b].double()) for a, b in zip(edges, edges[1:], strict=False)])
    return scores.mean(), scores.std(correction=0)


def _score(logits: Tensor) -> Tensor:
    log_p = logits.log_softmax(dim=1)
    marginal = log_p.logsumexp(dim=0) - torch.tensor(len(log_p), dtype=log_p.dtype).log()
    return (log_p.exp() * (log_p - marginal)).sum(dim=1).mean().exp()


def _check(splits: int, seed: int | None) -> None:
    checks.whole(1, splits=splits)
    if seed is not None:
        checks.seed(seed=seed)
