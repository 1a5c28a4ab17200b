"""The Fréchet distance: closed forms, other libraries, sets smaller than their features; moments of parts of a set."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torchmetrics.image.fid import _compute_fid

from gan_modules.metrics import FeatureNetwork, FrechetDistance, frechet, frechet_distance

D = 24


def spread(*deviations: float) -> tuple[Tensor, Tensor]:
    """D deviations, these in turn, and the covariance that has them along random axes, always the same."""
    axes = torch.linalg.qr(torch.randn(D, D, dtype=torch.float64, generator=torch.Generator().manual_seed(4))).Q
    repeated = torch.tensor(deviations, dtype=torch.float64).repeat(D)[:D]
    return repeated, axes @ torch.diag(repeated**2) @ axes.T


def sample(n: int, d: int = D, seed: int = 0, offset: float = 0.0) -> Tensor:
    """Features (n, d) of unlike deviations that depend on each other."""
    drawn = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, dtype=torch.float64, generator=torch.Generator().manual_seed(9)) / d**0.5
    return torch.randn(n, d, dtype=torch.float64, generator=drawn) @ mixing * torch.logspace(0, -2, d) + offset


def fitted(features: Tensor) -> tuple[Tensor, Tensor]:
    return features.mean(dim=0), features.T.cov()


def from_singular_values(x: Tensor, y: Tensor) -> float:
    """The distance of sets by another formula, which squares nothing: tr (C C')^(1/2) is the nuclear norm of X Y^T."""
    parts = [(each - each.mean(dim=0)) / (len(each) - 1) ** 0.5 for each in (x, y)]
    shared = np.linalg.svd((parts[0] @ parts[1].T).numpy(), compute_uv=False).sum()
    squares = sum(part.square().sum().item() for part in parts) + (x.mean(0) - y.mean(0)).square().sum().item()
    return squares - 2 * shared


def test_other_libraries_give_the_same() -> None:
    x, y = sample(60), 1.3 * sample(45, seed=1) + 0.1
    distance = frechet_distance(*fitted(x), *fitted(y))
    assert distance.dtype == torch.float64
    root = sqrtm(fitted(x)[1].numpy() @ fitted(y)[1].numpy()).real
    by_scipy = (x.mean(0) - y.mean(0)).square().sum() + (fitted(x)[1] + fitted(y)[1]).trace() - 2 * np.trace(root)
    theirs = fid_statistics_to_metric(fid_features_to_statistics(x), fid_features_to_statistics(y), verbose=False)
    expected = [by_scipy.item(), _compute_fid(*fitted(x), *fitted(y)).item(), *theirs.values()]
    assert [distance.item()] * 3 == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("deviations", [(1.0,), (3.0, 0.1, 0.5), (1.0, 0.0), (2.0, 1e-5, 0.0)])
def test_closed_forms(deviations: tuple[float, ...]) -> None:
    zeros, other = torch.zeros(D), torch.linspace(-1, 1, D)
    (own, covariance), (others, against) = spread(*deviations), spread(*reversed(deviations), 0.7)
    trace = covariance.trace().item()
    assert 0 <= frechet_distance(zeros, covariance, zeros, covariance).item() < 1e-12 * trace
    shift = frechet_distance(zeros, covariance, other, covariance).item()
    assert shift == pytest.approx(other.double().square().sum().item(), rel=1e-7)  # translation: |shift|^2
    scaled = frechet_distance(zeros, covariance, zeros, 9 * covariance).item()
    assert scaled == pytest.approx(4 * trace, rel=1e-7)  # x -> 3 x moves x by 2 x
    apart = (own - others).square().sum().item()  # along equal axes deviations are compared one by one
    for sides in ((covariance, against), (against, covariance)):
        assert frechet_distance(zeros, sides[0], zeros, sides[1]).item() == pytest.approx(apart, rel=1e-7)


@pytest.mark.parametrize(("n", "m"), [(200, 30), (30, 200), (30, 20), (2, 2), (65, 64)])
def test_sets_smaller_than_their_features(n: int, m: int) -> None:
    x, y = sample(n, d=64), 0.8 * sample(m, d=64, seed=1) + 0.3
    expected = from_singular_values(x, y)
    assert frechet_distance(*fitted(x), *fitted(y)).item() == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(*fitted(y), *fitted(x)).item() == pytest.approx(expected, rel=1e-9)
    assert 0 <= frechet_distance(*fitted(x), *fitted(x)).item() < 1e-9


def test_features_that_are_always_zero_change_nothing() -> None:
    x, y = sample(60), sample(50, seed=1) + 0.2
    wider = [torch.nn.functional.pad(each, (3, 5)) for each in (x, y)]
    expected = frechet_distance(*fitted(x), *fitted(y)).item()
    assert frechet_distance(*fitted(wider[0]), *fitted(wider[1])).item() == pytest.approx(expected, rel=1e-9)
    still = torch.zeros(4, D, dtype=torch.float64)
    assert frechet_distance(*fitted(still), *fitted(x)).item() == pytest.approx(from_singular_values(still, x))


@pytest.mark.parametrize(("n", "rank"), [(100, 64), (20, 19), (1, 0)])
def test_factor(n: int, rank: int) -> None:
    covariance = sample(n, d=64).T.cov() if n > 1 else torch.zeros(64, 64)
    root = frechet.factor(covariance)
    assert root.shape == (64, rank)
    torch.testing.assert_close(root @ root.T, covariance.double(), rtol=0, atol=1e-14)


def test_products_leave_out_zeros_and_symmetry() -> None:
    left, right = (torch.randn(60, 60, dtype=torch.float64).tril() for _ in range(2))
    covariance = right @ right.T
    expected, given = left.T @ covariance @ left, covariance.clone()
    torch.testing.assert_close(frechet._congruent(left, covariance).tril(), expected.tril(), rtol=1e-10, atol=1e-8)
    assert torch.equal(covariance, given)


@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_moments_of_parts_are_those_of_the_whole(offset: float) -> None:
    """In doubles 1e5 + x keeps eleven digits of x; sums of squares without a shift would keep six."""
    features = sample(101, offset=offset)
    parts = [features[:0], features[:1], features[1:40], features[40:]]
    found = frechet.merged(torch.stack([frechet.moments(part) for part in parts]))
    mean, covariance = frechet.mean_and_covariance(found)
    assert found.dtype == torch.float64 and (found[0] == 101).all()
    np.testing.assert_allclose(mean, features.numpy().mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(
        covariance, np.cov(features.numpy() - offset, rowvar=False), atol=1e-9 * (offset > 0) + 1e-14
    )


def test_metric_is_the_distance_of_the_features(network: FeatureNetwork, drawings, feed) -> None:  # type: ignore[no-untyped-def]
    x, y = network.body((drawings.real + 1).mul(127.5).round().byte()), network.features(drawings.fake, real=False)
    expected = from_singular_values(x.double(), y.double())
    whole, parts = (feed(FrechetDistance(network), *sizes) for sizes in ([], [(7, 0, 1, 42), (1, 36)]))
    assert whole.compute().item() == pytest.approx(expected, rel=1e-9)
    assert parts.compute().item() == pytest.approx(expected, rel=1e-7)  # the network rounds otherwise
    assert parts.real_moments.shape == parts.fake_moments.shape == (26, 24)  # however many images there are


def test_real_side_is_factored_once(network: FeatureNetwork, drawings, feed, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    fresh = feed(FrechetDistance(network), [50], [36, 1]).compute()
    factored: list[int] = []
    plain = frechet.factor
    monkeypatch.setattr(frechet, "factor", lambda covariance: factored.append(1) or plain(covariance))
    metric = feed(FrechetDistance(network, reset_real=False), [50], [20, 17])
    metric.compute()
    metric.reset()
    metric.update(drawings.fake[:20], real=False)
    assert not torch.isclose(metric.compute(), fresh, rtol=0.01)
    metric.update(drawings.fake[20:], real=False)
    assert torch.isclose(metric.compute(), fresh, rtol=1e-6) and len(factored) == 1
    metric.update(drawings.fake, real=True)
    assert not torch.isclose(metric.compute(), fresh, rtol=0.01) and len(factored) == 2


def test_mistakes_are_named(network: FeatureNetwork, drawings) -> None:  # type: ignore[no-untyped-def]
    metric = FrechetDistance(network)
    with pytest.raises(ValueError, match="at least 2 real and 2 generated images, got 0 and 0"):
        metric.compute()
    metric.update(drawings.real[:1], real=True)
    metric.update(drawings.fake, real=False)
    with pytest.raises(ValueError, match="at least 2 real and 2 generated images, got 1 and 37"):
        FrechetDistance.compute(metric)
    mean, covariance = torch.zeros(3), torch.eye(3)
    with pytest.raises(ValueError, match=r"of one d, got \(3,\), \(3, 3\), \(3,\), \(4, 4\)"):
        frechet_distance(mean, covariance, mean, torch.eye(4))
    with pytest.raises(ValueError, match="finite features, got NaN or infinity"):
        frechet_distance(mean, covariance, mean, covariance * torch.nan)
