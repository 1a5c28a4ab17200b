"""Modes, high quality and reverse KL against the same in numpy, an element at a time."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules import Grid, Ring
from gan_modules.metrics import ClassCoverage, ModeCoverage
from gan_modules.metrics.modes import reverse_kl

MIXTURES = [(Ring().modes, 0.01), (Grid().modes, 0.05)]


def drawn(modes: Tensor, sigma: float, count: int, among: int | None = None) -> Tensor:
    """Points of the mixture, or of its first `among` modes."""
    mode = torch.randint(among or len(modes), (count,))
    return modes[mode] + sigma * torch.randn(count, 2)


def scores(modes: Tensor, sigma: float, *parts: Tensor) -> dict[str, float]:
    metric = ModeCoverage(modes, sigma)
    for part in parts:
        metric.update(part)
    return {name: value.item() for name, value in metric.compute().items()}


def reference(points: NDArray[np.float64], modes: NDArray[np.float64], sigma: float) -> dict[str, float]:
    counts = np.zeros(len(modes))
    for point in points:
        distances = [math.dist(point, mode) for mode in modes]
        if min(distances) < 3 * sigma:
            counts[int(np.argmin(distances))] += 1
    p = counts[counts > 0] / counts.sum()
    divergence = sum(share * math.log(share / (1 / len(modes))) for share in p)
    return {"modes": float((counts > 0).sum()), "high_quality": counts.sum() / len(points), "reverse_kl": divergence}


@pytest.mark.parametrize(("modes", "sigma"), MIXTURES)
def test_equals_numpy_in_any_split(modes: Tensor, sigma: float) -> None:
    points = torch.cat([drawn(modes, sigma * 1.5, 300, among=5), torch.randn(40, 2) * 2])
    expected = reference(points.double().numpy(), modes.double().numpy(), sigma)
    assert 0 < expected["high_quality"] < 1 and expected["modes"] >= 5 and expected["reverse_kl"] > 0.1
    for sizes in ([340], [1, 0, 39, 300]):
        assert scores(modes, sigma, *points.split(sizes)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("modes", "sigma"), MIXTURES)
def test_a_perfect_sampler_has_what_theory_says(modes: Tensor, sigma: float) -> None:
    found = [scores(modes, sigma, drawn(modes, sigma, 2500)) for _ in range(40)]
    assert all(each["modes"] == len(modes) for each in found)
    quality, divergence = (np.array([each[name] for each in found]) for name in ("high_quality", "reverse_kl"))
    within = 1 - math.exp(-4.5)  # the length of two normal numbers has Rayleigh's distribution
    assert quality.mean() == pytest.approx(within, abs=4 * math.sqrt(within * (1 - within) / 100_000))
    degrees = len(modes) - 1  # 2 n times the divergence is about chi-square with so many degrees of freedom
    assert divergence.mean() == pytest.approx(degrees / 5000, rel=4 * math.sqrt(2 / degrees / 40) + 0.03)


def test_a_collapsed_generator_has_log_k_and_a_useless_one_as_well() -> None:
    modes, sigma = MIXTURES[0]
    collapsed = scores(modes, sigma, drawn(modes, sigma / 3, 500, among=1))
    assert collapsed == pytest.approx({"modes": 1, "high_quality": 1, "reverse_kl": math.log(8)})
    nowhere = torch.tensor([[0.0, 0.0], [math.nan, 1.0], [math.inf, 0.0]])
    assert scores(modes, sigma, nowhere) == pytest.approx({"modes": 0, "high_quality": 0, "reverse_kl": math.log(8)})


def test_the_distance_is_euclidean_and_the_border_is_outside() -> None:
    modes = torch.tensor([[0.0, 0.0], [8.0, 0.0]])
    inside, corner, border = torch.tensor([[2.9, 0.0]]), torch.tensor([[2.5, 2.5]]), torch.tensor([[3.0, 0.0]])
    assert [scores(modes, 1.0, point)["high_quality"] for point in (inside, corner, border)] == [1, 0, 0]


@pytest.mark.parametrize("classes", [8, 1000])
def test_classes_equal_numpy_in_any_split(classes: int) -> None:
    labels = torch.randint(classes // 2, (700,)) ** 2 % classes
    counts = np.bincount(labels.numpy(), minlength=classes)
    p = counts[counts > 0] / counts.sum()
    for sizes in ([700], [1, 299, 400]):
        metric = ClassCoverage(classes)
        for part in labels.split(sizes):
            metric.update(part)
        found = metric.compute()
        assert found["modes"] == (counts > 0).sum()
        assert found["reverse_kl"].item() == pytest.approx(float(np.sum(p * np.log(p * classes))), rel=1e-5)


def test_two_processes_add_their_counts() -> None:
    modes, sigma = MIXTURES[1]
    points = drawn(modes, sigma, 200)
    parts = [ModeCoverage(modes, sigma) for _ in range(2)]
    for metric, part in zip(parts, points.split([70, 130]), strict=True):
        metric.update(part)
    parts[0]._reduce_states({name: getattr(parts[1], name) for name in parts[1].metric_state})
    assert {name: value.item() for name, value in parts[0].compute().items()} == scores(modes, sigma, points)


def test_bad_input_is_named() -> None:
    metric = ModeCoverage(*MIXTURES[0])
    for wrong in (torch.zeros(3, 1), torch.zeros(3, 3, 8, 8)):
        with pytest.raises(ValueError, match=r"expected points \(n, 2\)"):
            metric.update(wrong)
    for empty in (metric, ClassCoverage(3)):
        with pytest.raises(ValueError, match="needs at least one"):
            empty.compute()
    with pytest.raises(ValueError, match=r"classes must be in \[0, 3\), got 0 to 3"):
        ClassCoverage(3).update(torch.tensor([0, 3]))
    assert reverse_kl(torch.full((5,), 7)).item() == 0
