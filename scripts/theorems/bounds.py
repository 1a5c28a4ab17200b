"""f-GAN's variational bounds: Nowozin et al. (2016), section 2."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.distributions import Normal
from torch.special import ndtr

from gan_modules import divergences
from gan_modules.divergences import Divergence
from theorems.densities import GRID, density, gaussian, integral, samples
from theorems.drawing import EXACT, TRAINED
from theorems.findings import Finding, Row
from theorems.training import adam, network, on_grid, train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P, Q = gaussian(0.0, 1.0), gaussian(0.7, 1.1)
BATCH = 1024


def power_integral(a: float) -> float:
    """The integral of p^a q^(1 - a), of which the alpha-divergences of Gaussians are made."""
    variance = a * Q.variance + (1 - a) * P.variance
    exponent = -a * (1 - a) * (P.mean - Q.mean) ** 2 / (2 * variance)
    return (P.stddev ** (1 - a) * Q.stddev**a / variance.sqrt() * exponent.exp()).item()


def kl(p: Normal, q: Normal) -> float:
    """KL(P, Q) of Gaussians."""
    return torch.distributions.kl_divergence(p, q).item()


def variation() -> float:
    """Total variation: the difference of the probabilities of where p > q, between the two points at which p = q."""
    a = 1 / Q.variance - 1 / P.variance
    b = 2 * (P.mean / P.variance - Q.mean / Q.variance)
    c = Q.mean**2 / Q.variance - P.mean**2 / P.variance + 2 * (Q.stddev / P.stddev).log()
    ends = (-b + torch.tensor([-1.0, 1.0]) * (b**2 - 4 * a * c).sqrt()) / (2 * a)
    inside = [ndtr((ends - each.mean) / each.stddev).diff() for each in (P, Q)]
    return (inside[0] - inside[1]).abs().item()


# With the closed form for these Gaussians, where there is one.
CASES: list[tuple[Divergence, float | None]] = [
    (divergences.kl(), kl(P, Q)),
    (divergences.reverse_kl(), kl(Q, P)),
    (divergences.jeffrey(), kl(P, Q) + kl(Q, P)),
    (divergences.pearson(), power_integral(2) - 1),
    (divergences.neyman(), power_integral(-1) - 1),
    (divergences.squared_hellinger(), 2 - 2 * power_integral(0.5)),
    (divergences.alpha(0.3), (power_integral(0.3) - 1) / (0.3 * -0.7)),
    (divergences.alpha(1.5), (power_integral(1.5) - 1) / (1.5 * 0.5)),
    (divergences.jensen_shannon(), None),
    (divergences.weighted_jensen_shannon(0.3), None),
    (divergences.gan(), None),
    (divergences.total_variation(), variation()),
]


def ratio() -> Tensor:
    """p / q on the grid."""
    return (P.log_prob(GRID) - Q.log_prob(GRID)).exp()


def bound(real: Tensor, fake: Tensor) -> float:
    """E_P real - E_Q fake by quadrature, with T and f*(T) on the grid."""
    return integral(density(P) * real - density(Q) * fake)


def trained_scores(divergence: Divergence, steps: int) -> Tensor:
    """The scores on the grid of a network that has ascended the bound on fresh samples."""
    scores = network()

    def loss() -> Tensor:
        return -divergence.bound(*(scores(samples(side, BATCH)) for side in (P, Q)))

    train(loss, adam(scores, 3e-3), steps)
    return on_grid(scores)


def variational_bounds(steps: int = 800) -> Finding:
    """The bound of every f-divergence is tight at T = f'(p / q), and training finds it."""
    u, outputs, rows = ratio(), [], []
    for divergence, closed in CASES:
        exact = integral(density(Q) * divergence.f(u)) if closed is None else closed
        best = divergence.derivative(u)
        v = trained_scores(divergence, steps)
        outputs.append((divergence, best, divergence.activation(v)))
        rows.append(
            Row(
                divergence.name + (" (by quadrature)" if closed is None else ""),
                exact,
                bound(divergence.activation(v), divergence.conjugate_of_activation(v)),
                bound(best, divergence.conjugate(best)),
                tolerance=0.04 * abs(exact),
            )
        )
    above = max(row.trained - row.exact for row in rows if row.trained is not None)
    rows.append(Row("largest excess of a trained bound", 0, above, tolerance=1e-6, at_most=True))

    def draw(figure: "Figure") -> None:
        panels = figure.subplots(3, 4, sharex=True).flat
        for axes, (divergence, best, output), row in zip(panels, outputs, rows, strict=False):
            axes.plot(GRID, output, color=TRAINED, label="trained T")
            axes.plot(GRID, best, "--", color=EXACT, label="f'(p / q)")
            axes.axhline(divergence.threshold, color="#999999", linewidth=0.8, linestyle=":", label="f'(1)")
            axes.set_title(f"{divergence.name}\n{row.trained:.4f} of {row.exact:.4f}")
            shown = best[(GRID > -2.2) & (GRID < 3)]
            room = 0.15 * (shown.max() - shown.min()).item()
            axes.set(xlim=(-2.2, 3), ylim=(shown.min().item() - room, shown.max().item() + room))
        for axes in figure.axes[8:]:
            axes.set_xlabel("x")
        for axes in figure.axes[::4]:
            axes.set_ylabel("T(x)")
        figure.axes[0].legend(fontsize=8)

    return Finding(rows, draw, (11, 7.5), ("at the trained T", "at T = f'(p / q)", "divergence"))
