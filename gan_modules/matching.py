"""Distances of generated pictures to real ones in what networks see of them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gan_modules import checks
from gan_modules.classifiers import frozen

Judgement = Sequence[Sequence[Tensor]]
"""What a discriminator with features gives: for each scale the maps of its layers, of which the last is the scores."""


def scores(judgement: Judgement) -> list[Tensor]:
    """The scores, one map a scale."""
    return [maps[-1] for maps in judgement]


def feature_matching(fake: Judgement, real: Judgement) -> Tensor:
    """The L1 distance of a discriminator's maps, without the scores: a sum over layers and a mean over scales.

    Wang et al. (2018), "High-resolution image synthesis and semantic manipulation with conditional GANs", equation 4,
    with the mean over scales of its authors' code and SPADE's.

    >>> zero, one, score = torch.zeros(1, 2), torch.ones(1, 2), torch.full((1, 1), 9.0)
    >>> feature_matching([[zero, zero, score], [zero, one, score]], [[one, one, zero], [zero, zero, zero]])  # 2 and 1
    tensor(1.5000)
    """
    terms = [
        l1_loss(made, given)
        for made_maps, given_maps in zip(fake, real, strict=True)
        for made, given in zip(made_maps[:-1], given_maps[:-1], strict=True)
    ]
    return torch.stack(terms).sum() / len(fake)


class PerceptualDistance(nn.Module):
    """Generated and real images (n, c, h, w) -> a scalar, the weighted sum of the L1 distances of a network's maps.

    The network is copied, its parameters become buffers, and it stays in evaluation mode; no graph goes through the
    real images.

    Args:
        network: maps images to a list of feature maps, as `gan_modules.perceptual.VGGFeatures` of the layers relu1_1,
            relu2_1, relu3_1, relu4_1 and relu5_1 does.
        weights: one for each map (pix2pixHD's and SPADE's code: 1/32, 1/16, 1/8, 1/4 and 1).
    """

    def __init__(self, network: nn.Module, weights: Sequence[float] = (0.03125, 0.0625, 0.125, 0.25, 1.0)) -> None:
        super().__init__()
        checks.scales(weights=weights)
        self.network, self.weights = frozen(network), tuple(weights)
        self.eval()

    def train(self, mode: bool = True) -> "PerceptualDistance":
        """Stays in evaluation mode, also inside a module that trains."""
        return super().train(False)

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.network(real)
        distances = [l1_loss(made, given) for made, given in zip(self.network(fake), wanted, strict=True)]
        return sum(weight * each for weight, each in zip(self.weights, distances, strict=True))  # type: ignore[return-value]
