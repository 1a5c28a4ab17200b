"""The Fréchet distance between Gaussians fitted to features of real and of generated images (FID).

Dowson and Landau, "The Fréchet Distance between Multivariate Normal Distributions" (1982); Heusel, Ramsauer,
Unterthiner, Nessler and Hochreiter (2017), equation 6: |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)).
"""

from typing import Any

import torch
from scipy.linalg import lapack
from torch import Tensor

from gan_modules.metrics.features import FeatureNetwork
from gan_modules.metrics.sides import TwoSided

_EPSILON = torch.finfo(torch.float64).eps


class FrechetDistance(TwoSided):
    """The Fréchet distance between real and generated images; less is better.

    It is biased upwards, the more so the fewer the images: compare equal numbers of them alone. Its memory is that of
    two matrices of the features (32 MiB each at 2048), and of a third with the real side's factor, whatever the number
    of images. Any split into batches, and over processes, gives the same number up to rounding. Every process must
    update at least once, if with no images.

    Args:
        network: of the features.
        reset_real: whether `reset` also forgets the data.
        options: torchmetrics'.

    >>> metric = FrechetDistance(FeatureNetwork(torch.nn.Flatten(), label="_pixels"))
    >>> images = torch.linspace(-1, 0, 5 * 3, dtype=torch.float64).reshape(5, 3, 1, 1)
    >>> metric.update(images, real=True)
    >>> metric.update(images + 2 / 255 * 10, real=False)  # by ten steps of a byte in each of three numbers
    >>> round(metric.compute().item(), 3)
    300.0
    """

    higher_is_better = False
    real_moments: Tensor
    fake_moments: Tensor

    def __init__(self, network: FeatureNetwork, reset_real: bool = True, **options: Any) -> None:
        super().__init__(reset_real, **options)
        self.network = network
        for state in ("real_moments", "fake_moments"):
            self.add_state(state, moments(torch.zeros(0, 0)), dist_reduce_fx=merged)
        self._factored: tuple[Tensor, Tensor] | None = None

    def update(self, images: Tensor, real: bool) -> None:
        """Add images (n, 1 or 3, h, w), in [-1, 1] or uint8, to the data or to the generated ones.

        Raises:
            ValueError: as `FeatureNetwork.features`.
        """
        features = self.network.features(images, real)
        self.look(images, real)
        for state in ("real_moments", "fake_moments"):
            if not getattr(self, state).numel():  # the first images of either side tell how many features there are
                setattr(self, state, moments(features[:0]))
        add(features, self.real_moments if real else self.fake_moments)

    def compute(self) -> Tensor:
        """The distance, a float64 scalar.

        Raises:
            ValueError: if one side has fewer than two images, their features are not finite, or the data seem to be
                in [0, 1].
        """
        self.check_data()
        counts = [int(side[0, 0]) if side.numel() else 0 for side in (self.real_moments, self.fake_moments)]
        if min(counts) < 2:
            raise ValueError(
                f"the Fréchet distance needs at least 2 real and 2 generated images, got {counts[0]} and {counts[1]}; "
                "give more"
            )
        real, fake = (mean_and_covariance(side) for side in (self.real_moments, self.fake_moments))
        return frechet_distance(*real, *fake, real_factor=self._factor(real[1]))

    def _factor(self, covariance: Tensor) -> Tensor:
        """Of the data's covariance; computed once for the same data."""
        known, summary = self._factored, self.real_moments[:2].clone()
        if known is None or known[0].device != summary.device or not torch.equal(known[0], summary):
            self._factored = known = summary, factor(covariance)
        return known[1]


def frechet_distance(
    real_mean: Tensor, real_covariance: Tensor, mean: Tensor, covariance: Tensor, real_factor: Tensor | None = None
) -> Tensor:
    """The squared Fréchet (2-Wasserstein) distance of two Gaussians, a float64 scalar without gradient.

    With C = F F^T the trace of (C C')^(1/2) is that of (F^T C' F)^(1/2), whose eigenvalues are real: a symmetric
    problem, where that of C C' is a general one, at many times the cost. The square root of an eigenvalue that should
    be zero is far from it, so that as many count as C' has ranks. Where what is left of rounding could reach 1e-6 of
    the distance, with C' = G G^T the singular values of F^T G take their place, which are several times as dear and
    of which nothing was squared.

    Args:
        real_mean: (d,).
        real_covariance: (d, d), symmetric and positive semi-definite, of any rank.
        mean: (d,).
        covariance: (d, d), likewise.
        real_factor: `factor(real_covariance)`, if it is known.

    Raises:
        ValueError: if the shapes do not agree, or a number is not finite.

    >>> zeros, ones = torch.zeros(2), torch.ones(2)
    >>> frechet_distance(zeros, torch.diag(ones), ones, torch.diag(4 * ones))  # 2 + (1 - 2)^2 + (1 - 2)^2
    tensor(4., dtype=torch.float64)
    """
    sides = [part.detach().double() for part in (real_mean, real_covariance, mean, covariance)]
    _check(sides)
    real_mean, real_covariance, mean, covariance = sides
    root = factor(real_covariance) if real_factor is None else real_factor
    apart = (real_mean - mean).square().sum() + real_covariance.trace() + covariance.trace()
    squares = _overlaps(root, covariance)
    distance = apart - 2 * squares.sqrt().sum()
    if _rounding(squares) > 1e-6 * distance:
        distance = apart - 2 * torch.linalg.svdvals(root.T @ factor(covariance)).sum()
    return distance.clamp(min=0)


def factor(covariance: Tensor) -> Tensor:
    """F (d, r), float64, with F F^T the covariance (d, d) of rank r, up to rounding."""
    covariance = covariance.detach().double()
    if (lower := _cholesky(covariance)) is not None:
        return lower
    values, vectors = torch.linalg.eigh(covariance)
    above = values > _negligible(values)
    return vectors[:, above] * values[above].sqrt()


def moments(features: Tensor) -> Tensor:
    """How many features (n, d) there are, their mean, and the sums of products of what they have beside it: (d + 2, d).

    In float64 and around their own mean: sums of squares that are not lose the digits that mean and deviation do not
    share, which where n < d is enough to hide the rank of a covariance. The number is repeated d times.
    """
    made = torch.zeros(features.shape[1] + 2, features.shape[1], dtype=torch.float64, device=features.device)
    add(features, made)
    return made


def add(features: Tensor, moments: Tensor) -> None:
    """Add features (n, d) to moments (d + 2, d), in place: the step of Chan, Golub and LeVeque (see `merged`)."""
    if not len(features):
        return
    rows, before = features.detach().double(), moments[0, 0].clone()
    shift = rows.mean(dim=0) - moments[1]
    share = len(rows) / (before + len(rows))
    rows = torch.cat([rows - rows.mean(dim=0), (shift * (before * share).sqrt())[None]])
    moments[2:].addmm_(rows.T, rows)
    moments[1] += share * shift
    moments[0] += len(features)


def merged(parts: Tensor) -> Tensor:
    """The moments (d + 2, d) of all features, from those of parts of them (p, d + 2, d).

    Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances" (1979).
    """
    counts, means = parts[:, 0], parts[:, 1]
    total = counts.sum(dim=0)
    mean = (counts * means).sum(dim=0) / total.clamp(min=1)
    away = means - mean
    return torch.cat([total[None], mean[None], parts[:, 2:].sum(dim=0) + (counts * away).T @ away])


def mean_and_covariance(moments: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (d,) and the unbiased covariance (d, d) of at least two features, from their moments (d + 2, d)."""
    return moments[1], moments[2:] / (moments[0] - 1)


def _check(sides: list[Tensor]) -> None:
    d = sides[0].numel()
    shapes = [tuple(side.shape) for side in sides]
    if shapes != [(d,), (d, d), (d,), (d, d)]:
        raise ValueError(
            f"the Fréchet distance needs means (d,) and covariances (d, d) of one d, got {str(shapes)[1:-1]}; "
            "give features of one network"
        )
    if not all(side.sum().isfinite() or side.isfinite().all() for side in sides):  # a sum is many times as fast
        raise ValueError(
            "the Fréchet distance needs finite features, got NaN or infinity; look at the network's output"
        )


def _overlaps(root: Tensor, covariance: Tensor) -> Tensor:
    """The eigenvalues of F^T C' F that may differ from zero: as many as C' has ranks."""
    squares = torch.linalg.eigvalsh(_congruent(root, covariance)).clamp(min=0)
    full = len(squares) == len(covariance) and squares[0] > _negligible(squares)
    if full or _cholesky(covariance) is not None:
        return squares
    values = torch.linalg.eigvalsh(covariance)
    rank = int((values > _negligible(values)).sum())
    return squares[max(len(squares) - rank, 0) :]


def _congruent(root: Tensor, covariance: Tensor) -> Tensor:
    """The lower half of F^T C' F."""
    if root.device.type != "cpu" or root.shape != covariance.shape or root.triu(1).any():
        return root.T @ covariance @ root
    # a quarter of the products' work: LAPACK leaves out the zeros of a triangle and what is symmetric
    product, _ = lapack.dsygst(covariance.numpy().T, root.numpy().T, itype=3, lower=0)
    return torch.from_numpy(product.T)


def _cholesky(covariance: Tensor) -> Tensor | None:
    """The lower factor, if the rank is full beyond doubt."""
    lower, failed = torch.linalg.cholesky_ex(covariance)
    pivots = lower.diagonal().square()
    return None if failed or (pivots <= _negligible(covariance.diagonal())).any() else lower


def _rounding(squares: Tensor) -> Tensor:
    """How far the sum of roots of eigenvalues may be off by their rounding, which is that of the largest for all.

    Errors of eigenvalues that are rounding alone all make the sum larger; those of others are of either sign.
    """
    if not len(squares):
        return squares.sum()
    error = 10 * _EPSILON * squares.amax()  # as found with matrices of 2048 rows
    errors, lost = error / (squares + error).sqrt(), squares < 10 * error
    return 2 * (errors[lost].sum() + errors[~lost].norm())


def _negligible(values: Tensor) -> Tensor:
    """What is rounding beside the largest of values (d,), as numpy's and LAPACK's ranks have it."""
    return len(values) * _EPSILON * values.amax()
