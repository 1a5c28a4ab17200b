"""Supports that do not meet: Arjovsky and Bottou (2017), theorems 2.1 to 2.4; Arjovsky et al. (2017), example 1."""

import math
from typing import TYPE_CHECKING

import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from gan_modules.objectives import minimax_discriminator, minimax_generator, non_saturating_generator
from theorems.densities import GRID, jensen_shannon, segment, slope_of_two_jensen_shannon
from theorems.drawing import DATA, EXACT, GENERATED, OTHER, TRAINED, label
from theorems.findings import Finding, Row
from theorems.games import slope_by_shift
from theorems.training import adam, network, train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, NARROW = 0.2, 0.1
"""Length of the segments, deviation of the Gaussians."""


def segments_apart(shift: float) -> tuple[float, float]:
    """JSD by quadrature, and the transport distance by scipy, of two segments of which one is moved by `shift`."""
    p, q = segment(0.0, WIDTH), segment(shift, WIDTH)
    return jensen_shannon(p, q), wasserstein_distance(GRID, GRID, p, q)


def trained_slopes(shift: float, steps: int, every: int) -> list[float]:
    """The minimax slope by `shift` for the generator shift + noise, again and again as a discriminator is trained."""
    discriminator, slopes = network(), []

    def loss() -> Tensor:
        real, noise = NARROW * torch.randn(2, 512, 1)
        return minimax_discriminator(discriminator(real), discriminator(shift + noise))

    def measure(step: int) -> None:
        if step % every == 0:
            moved = torch.tensor(shift, requires_grad=True)
            objective = minimax_generator(discriminator(moved + NARROW * torch.randn(4096, 1)))
            slopes.append(torch.autograd.grad(objective, moved)[0].item())

    train(loss, adam(discriminator, 1e-3), steps, measure)
    return slopes


def disjoint_supports(steps: int = 1500) -> Finding:
    """Where supports do not meet JSD is log 2, and the minimax slope vanishes; the transport distance knows the way."""
    rows = []
    for shift in (0.1, 0.2, 0.5, 1.0):
        jsd, distance = segments_apart(shift)
        exact = min(shift / WIDTH, 1) * math.log(2)
        rows += [
            Row(f"JSD of segments of length {WIDTH:g}, {shift:g} apart", exact, computed=jsd),
            Row(f"transport distance of the same, {shift:g} apart", shift, computed=distance),
        ]
    for shift in (0.1, 0.5, 1.0):
        slope = slope_by_shift(minimax_generator, shift, NARROW)
        name = f"minimax slope, Gaussians of deviation {NARROW:g}, {shift:g} apart"
        rows += [
            Row(f"{name}: d 2 JSD", slope_of_two_jensen_shannon(shift, NARROW), computed=slope),
            Row(f"{name}: bound", bound(shift), computed=slope, at_most=True),
        ]
    every = max(steps // 50, 1)
    slopes = {shift: trained_slopes(shift, steps, every) for shift in (0.5, 1.0)}
    rows += [
        Row(
            f"minimax slope through a trained D, {shift:g} apart",
            slope_of_two_jensen_shannon(shift, NARROW),
            found[-1],
            tolerance=0.1,
        )
        for shift, found in slopes.items()
    ]

    def draw(figure: "Figure") -> None:
        left, middle, right = figure.subplots(1, 3)
        line = [x / 100 for x in range(-100, 101, 2)]
        jsd, distance = zip(*map(segments_apart, line), strict=True)
        left.plot(line, jsd, color=DATA, label="JSD")
        left.plot(line, distance, color=GENERATED, label="transport")
        left.axhline(math.log(2), color=EXACT, linestyle=":", label="log 2")
        label(left, "one moved by", "distance", "Two segments of length 0.2", loc="upper center")
        left.set(ylim=(0, 1.45))
        right_half = [x / 100 for x in range(2, 101, 2)]
        for name, objective, colour in (
            ("non-saturating", non_saturating_generator, TRAINED),
            ("minimax", minimax_generator, DATA),
        ):
            middle.semilogy(
                right_half, [slope_by_shift(objective, x, NARROW) for x in right_half], color=colour, label=name
            )
        middle.semilogy(right_half, [bound(x) for x in right_half], ":", color=EXACT, label="bound of minimax")
        middle.axhline(1, color=GENERATED, label="transport")
        label(
            middle,
            "distance of the Gaussians",
            "slope by the distance",
            "Best D, deviation 0.1",
            loc="lower left",
        )
        middle.set(ylim=(1e-5, 1e3))
        for (shift, found), colour in zip(slopes.items(), (DATA, OTHER), strict=True):
            at = range(every, steps + 1, every)
            right.semilogy(at, [abs(x) + 1e-12 for x in found], color=colour, label=f"minimax, {shift:g} apart")
        right.axhline(1, color=GENERATED, label="transport")
        label(right, "steps of D", "slope by the distance", "The better D, the smaller the slope")

    return Finding(rows, draw, (11, 3.5))


def bound(shift: float) -> float:
    """Of the minimax slope, E_Q D shift / s^2, because p q / (p + q) is at most sqrt(p q) / 2."""
    return shift / (2 * NARROW**2) * math.exp(-(shift**2) / (8 * NARROW**2))
