"""The best discriminator and its value: Goodfellow et al. (2014), proposition 1 and theorem 1."""

import math
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.distributions import Distribution

from gan_modules.objectives import minimax_discriminator
from theorems.densities import (
    GRID,
    density,
    gaussian,
    integral,
    jensen_shannon,
    mixture,
    samples,
    segment,
    shifted_jensen_shannon,
)
from theorems.drawing import DATA, EXACT, GENERATED, LIGHT, TRAINED, label
from theorems.findings import Finding, Row
from theorems.training import adam, network, on_grid, train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH = 1024


def trained_scores(real: Distribution, fake: Distribution, steps: int, keep: tuple[int, ...] = ()) -> list[Tensor]:
    """The scores on the grid of a discriminator after the steps in `keep` and at the end, by fresh samples alone."""
    discriminator = network()
    kept: list[Tensor] = []

    def loss() -> Tensor:
        return minimax_discriminator(*(discriminator(samples(side, BATCH)) for side in (real, fake)))

    train(loss, adam(discriminator), steps, lambda step: kept.append(on_grid(discriminator)) if step in keep else None)
    return [*kept, on_grid(discriminator)]


def value(p: Tensor, q: Tensor, scores: Tensor) -> float:
    """V(D) = E_P log D + E_Q log(1 - D), by quadrature."""
    return integral(p * nn.functional.logsigmoid(scores) + q * nn.functional.logsigmoid(-scores))


def optimal_discriminator(steps: int = 3000) -> Finding:
    """A discriminator trained on samples becomes p / (p + q)."""
    real, fake = mixture([-1.5, 1.5], [0.5, 0.8]), gaussian(0.0, 1.2)
    p, q = density(real), density(fake)
    stages = (steps // 100, steps // 10)
    found = [scores.sigmoid() for scores in trained_scores(real, fake, steps, stages)]
    equal = trained_scores(fake, fake, steps // 3)[-1].sigmoid()
    exact, seen = p / (p + q), (p + q) / 2 > 0.01
    error = (found[-1] - exact).abs()
    rows = [
        Row("largest error where (p + q) / 2 > 0.01", 0, error[seen].max().item(), tolerance=0.06),
        Row("mean error over (P + Q) / 2", 0, integral((p + q) / 2 * error), tolerance=0.01),
        *(
            Row(f"D({x:g})", exact[at].item(), found[-1][at].item(), tolerance=0.03)
            for x in (-1.5, 0.0, 1.5)
            for at in [int((GRID - x).abs().argmin())]
        ),
        Row(
            "largest distance of D from 1/2 where P = Q", 0, (equal - 0.5)[q > 0.01].abs().max().item(), tolerance=0.03
        ),
    ]

    def draw(figure: "Figure") -> None:
        left, right = figure.subplots(1, 2)
        for each, name, colour in ((p, "p, data", DATA), (q, "q, generated", GENERATED)):
            left.plot(GRID, each, color=colour, label=name)
            left.fill_between(GRID, each, color=colour, alpha=0.15, linewidth=0)
        label(left, "x", "density", "Two densities")
        left.set(ylim=(0, 0.55))
        for each, step, alpha in zip(found, (*stages, steps), (0.3, 0.6, 1.0), strict=True):
            right.plot(GRID, each, color=TRAINED, alpha=alpha, label=f"D after {step} steps")
        right.plot(GRID, exact, "--", color=EXACT, label="p / (p + q)")
        right.fill_between(GRID, 0, 1, where=~seen, color="#f0f0f0", linewidth=0)
        label(right, "x", "D(x)", "The discriminator trained on samples (grey: hardly any)", loc="upper right")
        right.set(ylim=(0, 1.5), yticks=[0, 0.25, 0.5, 0.75, 1])
        for axes in (left, right):
            axes.set(xlim=(-4.5, 4.5))

    return Finding(rows, draw, (9, 3.4))


def optimal_value(steps: int = 600) -> Finding:
    """The value of the best discriminator is -log 4 + 2 JSD."""
    unit = gaussian(0.0, 1.0)
    shifts = (0.0, 0.5, 1.0, 2.0, 4.0)
    progress: list[tuple[int, float]] = []
    rows, dots = [], []
    for shift in shifts:
        p, q = density(unit), density(gaussian(shift, 1.0))
        keep = tuple(range(2, steps // 6 + 1, 2)) if shift == 1 else ()
        *early, scores = trained_scores(unit, gaussian(shift, 1.0), steps, keep)
        if keep:
            progress = [(step, value(p, q, each)) for step, each in zip(keep, early, strict=True)]
        exact = 2 * jensen_shannon(p, q) - math.log(4)
        dots.append(value(p, q, scores))
        best = value(p, q, unit.log_prob(GRID) - gaussian(shift, 1.0).log_prob(GRID))
        rows.append(Row(f"V(D), Gaussians {shift:g} apart", exact, dots[-1], best, tolerance=0.005))
    rows += [uniform_row(shift) for shift in (0.0, 0.25, 0.75, 1.0)]
    above = max(dot - row.exact for dot, row in zip(dots, rows, strict=False))
    rows.append(Row("largest excess of a trained V(D)", 0, above, tolerance=1e-9, at_most=True))

    def draw(figure: "Figure") -> None:
        left, right = figure.subplots(1, 2)
        line, name = [x / 20 for x in range(101)], "-log 4 + 2 JSD"
        left.plot(line, [2 * shifted_jensen_shannon(x) - math.log(4) for x in line], color=EXACT, label=name)
        left.plot(shifts, dots, "o", color=TRAINED, label="V of the trained D")
        right.plot(*zip(*progress, strict=True), color=TRAINED, label="V of D in training")
        right.axhline(rows[shifts.index(1.0)].exact, color=EXACT, linestyle="--", label=name)
        left.axhline(-math.log(4), color=LIGHT, linestyle=":", label="-log 4")
        left.axhline(0, color=GENERATED, linestyle=":", label="0, of a D that is always right")
        label(left, "distance of the means", "V(D)", "Two unit Gaussians", loc=(0.42, 0.14))
        label(right, "steps", "V(D)", "One apart: from below, never above", loc="lower right")

    return Finding(rows, draw, (9, 3.4))


def uniform_row(shift: float) -> Row:
    """Two segments of length 1: the share `shift` of each lies outside the other, where the discriminator is sure."""
    p, q = (segment(start, 1.0) for start in (0.0, shift))
    return Row(
        f"V of the best D, segments of length 1, {shift:g} apart",
        2 * (shift - 1) * math.log(2),
        computed=2 * jensen_shannon(p, q) - math.log(4),
    )
