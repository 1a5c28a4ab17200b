"""The generator's three objectives: Goodfellow (2016), section 3.2; Arjovsky and Bottou (2017), theorems 2.4 to 2.6."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gan_modules.objectives import maximum_likelihood_generator, minimax_generator, non_saturating_generator
from theorems.densities import expectation, slope_of_two_jensen_shannon
from theorems.drawing import THREE, label
from theorems.findings import Finding, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Objective = Callable[[Tensor], Tensor]

# Each objective with its slope by the score s, and by the distance of the generator's N(shift, 1) from N(0, 1).
GAMES: list[tuple[str, Objective, Objective, Callable[[float], float]]] = [
    ("minimax", minimax_generator, lambda s: -s.sigmoid(), slope_of_two_jensen_shannon),
    (
        "non-saturating",
        non_saturating_generator,
        lambda s: -(-s).sigmoid(),
        lambda shift: shift - slope_of_two_jensen_shannon(shift),
    ),
    ("maximum likelihood", maximum_likelihood_generator, lambda s: -s.exp() / 2, lambda shift: shift / 2),
]


def of_each(objective: Objective, scores: Tensor) -> Tensor:
    """The objective of every score by itself."""
    return torch.func.vmap(objective)(scores[:, None])


def slope_by_score(objective: Objective, score: float) -> float:
    """d objective / d score, by autograd."""
    s = torch.tensor([score], dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(objective(s), s)[0].item()


def slope_by_shift(objective: Objective, shift: float, deviation: float = 1.0) -> float:
    """What the generator shift + deviation * noise gets from the best discriminator, which is held fixed: by autograd,
    the mean over the noise by quadrature. The data is N(0, deviation^2)."""
    moved = torch.tensor(shift, dtype=torch.float64, requires_grad=True)

    def losses(noise: Tensor) -> Tensor:
        x = moved + deviation * noise
        return of_each(objective, (shift**2 - 2 * shift * x) / (2 * deviation**2))  # log p / q

    return torch.autograd.grad(expectation(losses), moved)[0].item()


def three_games() -> Finding:
    """The three objectives of the generator differ in what they make of a score."""
    rows = [
        Row(
            f"{name}: slope by the score at {score:g}",
            slope(torch.tensor(score, dtype=torch.float64)).item(),
            computed=slope_by_score(objective, score),
        )
        for name, objective, slope, _ in GAMES
        for score in (-5.0, 0.0, 2.0)
    ]
    rows += [
        Row(f"{name}: slope for a generator {shift:g} away", exact(shift), computed=slope_by_shift(objective, shift))
        for name, objective, _, exact in GAMES
        for shift in (1.0, 4.0)
    ]

    def draw(figure: "Figure") -> None:
        left, middle, right = figure.subplots(1, 3)
        probabilities, scores = torch.linspace(0.01, 0.99, 199), torch.linspace(-8, 8, 161)
        shifts = torch.linspace(0, 6, 61).tolist()
        for (name, objective, slope, exact), colour in zip(GAMES, THREE, strict=True):
            left.plot(probabilities, of_each(objective, probabilities.logit()), color=colour, label=name)
            middle.semilogy(scores, slope(scores).abs(), color=colour, label=name)
            right.plot(shifts, [exact(shift) for shift in shifts], color=colour, label=name)
            right.plot(shifts[::10], [slope_by_shift(objective, x) for x in shifts[::10]], "o", color=colour)
        left.set(ylim=(-6, 6))
        middle.set(ylim=(1e-4, 1e3))
        label(left, "D(G(z))", "objective", "What each asks for")
        label(middle, "score s of a sample, D = sigmoid(s)", "absolute slope by s", "What it makes of a score")
        label(right, "distance of the generator from the data", "slope by the distance", "What the generator gets")

    return Finding(rows, draw, (11, 3.5), ("by training", "by autograd", "closed form"))
