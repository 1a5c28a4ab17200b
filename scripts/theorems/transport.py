"""A critic's estimate of the Wasserstein distance: Arjovsky et al. (2017), equation 2; Gulrajani et al. (2017).

The soft penalty overestimates. In one dimension the best critic is known: where the distribution functions F_P and F_Q
differ by d(x), raising the slope by h gains |d| h and costs w r h^2, r being the density of the points at which the
penalty of weight w is taken. So |f'| = 1 + |d| / (2 w r), and the estimate is the distance, the integral of |d|, plus
the integral of d^2 / (2 w r).
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import wasserstein_distance
from torch import Tensor, nn
from torch.distributions import Distribution, Normal
from torch.optim import RMSprop

from gan_modules.objectives import wasserstein_critic
from gan_modules.penalties import gradient_penalty
from theorems.densities import GRID, density, distribution_function, gaussian, integral, mixture, samples
from theorems.drawing import DATA, EXACT, GENERATED, label
from theorems.findings import Finding, Row
from theorems.training import adam, network, on_grid, train

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BATCH, WEIGHT, CLIP = 512, 10.0, 0.01


def exact_distance(real: Distribution, fake: Distribution) -> float:
    """The Wasserstein distance, by scipy, of the densities on the grid."""
    return wasserstein_distance(GRID, GRID, density(real), density(fake))


def points_density(real: Distribution, fake: Distribution) -> Tensor:
    """The density of the penalty's points (1 - t) x + t y, for Gaussians x ~ P and y ~ Q or mixtures of them."""
    times = (torch.arange(100, dtype=torch.float64)[:, None] + 0.5) / 100
    total = torch.zeros_like(GRID)
    for p, p_share in components(real):
        for q, q_share in components(fake):
            mean = torch.lerp(p.mean, q.mean, times)
            deviation = ((1 - times) ** 2 * p.variance + times**2 * q.variance).sqrt()
            total += p_share * q_share * Normal(mean, deviation).log_prob(GRID).exp().mean(0)
    return total


def components(distribution: Distribution) -> list[tuple[Normal, float]]:
    """The Gaussians of a mixture with their shares."""
    if isinstance(distribution, Normal):
        return [(distribution, 1.0)]
    parts, shares = distribution.component_distribution, distribution.mixture_distribution.probs
    return [(Normal(*each), share) for *each, share in zip(parts.loc, parts.scale, shares.tolist(), strict=True)]


def excess_slope(real: Distribution, fake: Distribution, weight: float) -> tuple[Tensor, Tensor]:
    """d(x) = F_Q - F_P, and |d| / (2 w r), by which the best critic's slope exceeds 1."""
    d = distribution_function(density(fake)) - distribution_function(density(real))
    r = points_density(real, fake)
    return d, torch.where(r > 1e-10, d.abs() / (2 * weight * r), 0)  # beyond, d is rounding


def predicted_estimate(real: Distribution, fake: Distribution, weight: float) -> float:
    """The estimate of the best critic under the soft penalty."""
    d, excess = excess_slope(real, fake, weight)
    return integral(d.abs() * (1 + excess))


def best_critic(real: Distribution, fake: Distribution) -> Tensor:
    """The Kantorovich potential on the grid: its slope is the sign of F_Q - F_P."""
    d, _ = excess_slope(real, fake, WEIGHT)
    return distribution_function(d.sign())


def penalised_critic(
    real: Distribution, fake: Distribution, weight: float, steps: int, start: nn.Module | None = None
) -> nn.Module:
    """A critic trained as WGAN-GP's, on fresh samples."""
    return ascend(lambda: (samples(real, BATCH), samples(fake, BATCH)), start or network(), weight, steps, not start)


def ascend(
    draw: Callable[[], tuple[Tensor, Tensor]], critic: nn.Module, weight: float, steps: int, free: bool = True
) -> nn.Module:
    """Train a critic of the points that `draw` draws; `free`: first without a penalty, so that they choose the signs of
    its slopes, which the penalty then keeps."""

    def loss(weight: float) -> Tensor:
        x, y = draw()
        penalty = weight * gradient_penalty(critic, x, y) if weight else 0
        return wasserstein_critic(critic(x), critic(y)) + penalty

    if free:
        train(partial(loss, 0), adam(critic, 2e-3, (0.0, 0.9)), 50)
    train(partial(loss, weight), adam(critic, 2e-3, (0.0, 0.9)), steps)
    return critic


def clipped_critic(real: Distribution, fake: Distribution, steps: int) -> nn.Module:
    """A critic trained as WGAN's: weights clipped to [-0.01, 0.01], by RMSprop (Arjovsky et al., 2017, Algorithm 1)."""
    critic = network(activation=nn.ReLU)

    @torch.no_grad()
    def clip(step: int) -> None:
        for weights in critic.parameters():
            weights.clamp_(-CLIP, CLIP)

    def loss() -> Tensor:
        return wasserstein_critic(critic(samples(real, BATCH)), critic(samples(fake, BATCH)))

    train(loss, RMSprop(critic.parameters(), 5e-4), steps, clip)
    return critic


def estimate(scores: Tensor, real: Distribution, fake: Distribution) -> float:
    """E_P f - E_Q f by quadrature, from f on the grid."""
    return integral((density(real) - density(fake)) * scores)


def slope(scores: Tensor, real: Distribution, fake: Distribution) -> float:
    """The largest slope of f where there is density: its Lipschitz constant."""
    seen = (density(real) + density(fake))[1:] > 1e-3
    return (scores.diff() / GRID.diff()).abs()[seen].max().item()


def plane(n: int) -> tuple[Tensor, Tensor]:
    """`n` points (n, 2) each of a ring of 8 Gaussians of radius 2, and of one in its middle."""
    angle = torch.randint(8, (n,)) * torch.pi / 4
    ring = 2 * torch.stack([angle.cos(), angle.sin()], 1)
    return ring + 0.1 * torch.randn(n, 2), 0.7 * torch.randn(n, 2)


def exact_transport(real: Tensor, fake: Tensor) -> float:
    """The Wasserstein distance of two sets of points of one size: the cheapest pairing."""
    costs = torch.cdist(real.double(), fake.double()).numpy()
    return costs[linear_sum_assignment(costs)].mean().item()


def critics_estimate(steps: int = 800, n: int = 512) -> Finding:
    """A critic estimates the Wasserstein distance: with the soft penalty a little too much, clipped a small share."""
    shifts, rows = (0.5, 1.0, 2.0, 4.0), []
    penalised, clipped = [], []
    for shift in shifts:
        pair, name = (gaussian(0.0, 1.0), gaussian(shift, 1.0)), f"Gaussians {shift:g} apart"
        rows.append(Row(f"distance, {name}", shift, computed=exact_distance(*pair)))
        penalised.append(estimate(on_grid(penalised_critic(*pair, WEIGHT, steps)), *pair))
        predicted = predicted_estimate(*pair, WEIGHT)
        rows.append(Row(f"penalised estimate, {name}", predicted, penalised[-1], tolerance=0.02 * shift))
        scores = on_grid(clipped_critic(*pair, steps // 2))
        clipped.append(estimate(scores, *pair) / slope(scores, *pair))
        if shift == 2:
            rows.append(Row(f"clipped estimate, {name}", shift, estimate(scores, *pair), tolerance=0, at_most=True))
            rows.append(Row(f"clipped estimate / slope, {name}", shift, clipped[-1], at_most=True))
    around, around_rows = critics_around(steps)
    (real, fake), critic, plane_row = critic_of_points(2 * steps, n)
    rows += [other_valley(steps), *around_rows, plane_row]

    def draw(figure: "Figure") -> None:
        left, middle, right = figure.subplots(1, 3)
        line = [x / 2 for x in range(1, 10)]
        pairs = [(gaussian(0.0, 1.0), gaussian(shift, 1.0)) for shift in line]
        left.plot(line, line, color=EXACT, label="exact")
        left.plot(line, [predicted_estimate(*pair, WEIGHT) for pair in pairs], "--", color=GENERATED, label="predicted")
        left.plot(shifts, penalised, "o", color=GENERATED, label="penalised critic")
        left.plot(shifts, clipped, "s", color=DATA, label="clipped critic / its slope")
        label(left, "distance of two unit Gaussians", "estimate", "The critic's estimate")
        for (name, scores), style, colour in zip(
            around.items(), ("-", "--", "-"), (EXACT, GENERATED, DATA), strict=True
        ):
            middle.plot(GRID, scores - scores[len(GRID) // 2], style, color=colour, label=name)
        label(middle, "x", "f(x)", "Data on both sides of the generated", loc="upper center")
        middle.set(xlim=(-3, 3), ylim=(-0.4, 3.6))
        draw_plane(figure, right, critic, real, fake)

    return Finding(rows, draw, (11, 3.7), ("trained critic", "by scipy", "exact or predicted"))


def other_valley(steps: int) -> Row:
    """A critic that begins with slopes of -1 cannot pass 0, where the two-sided penalty is highest: it stays wrong."""
    pair = gaussian(0.0, 1.0), gaussian(0.5, 1.0)
    d, excess = excess_slope(*pair, WEIGHT)
    start = penalised_critic(pair[1], pair[0], WEIGHT, steps // 2)
    critic = penalised_critic(*pair, WEIGHT, steps // 2, start)
    name = "penalised estimate, Gaussians 0.5 apart, from the wrong side"
    return Row(name, integral(d.abs() * (excess - 1)), estimate(on_grid(critic), *pair))


def critics_around(steps: int) -> tuple[dict[str, Tensor], list[Row]]:
    """The best critic and trained ones, where the data lies on both sides of what is generated."""
    pair = mixture([-1.5, 1.5], [0.3, 0.3]), gaussian(0.0, 0.5)
    exact, best = exact_distance(*pair), best_critic(*pair)
    penalised = on_grid(penalised_critic(*pair, WEIGHT, steps))
    clipped = on_grid(clipped_critic(*pair, steps))
    clipped = clipped / slope(clipped, *pair)
    name = "data on both sides"
    rows = [
        Row(f"estimate of the best critic, {name}", exact, computed=estimate(best, *pair), precision=1e-4),
        Row(
            f"penalised estimate, {name}",
            predicted_estimate(*pair, WEIGHT),
            estimate(penalised, *pair),
            tolerance=0.05,
        ),
        Row(f"clipped estimate / slope, {name}", exact, estimate(clipped, *pair), at_most=True),
    ]
    return {"best": best, "penalised": penalised, "clipped, / its slope": clipped}, rows


def critic_of_points(steps: int, n: int) -> tuple[tuple[Tensor, Tensor], nn.Module, Row]:
    """Two sets of points of the plane, newly paired in each step, their critic, and its estimate as a share of the
    exact distance."""
    real, fake = points = plane(n)
    critic = ascend(lambda: (real[torch.randperm(n)], fake), network(2), WEIGHT, steps)
    with torch.no_grad():
        found = -wasserstein_critic(*map(critic, points)).item()
    name = f"penalised estimate / distance, {n} points of the plane"
    return points, critic, Row(name, 1, found / exact_transport(*points), tolerance=0.15)


def draw_plane(figure: "Figure", axes: "Axes", critic: nn.Module, real: Tensor, fake: Tensor) -> None:
    """The critic's level sets under the points."""
    line = torch.linspace(-2.6, 2.6, 60)
    with torch.no_grad():
        heights = critic(torch.cartesian_prod(line, line)).reshape(60, 60).T
    levels = axes.contourf(line, line, heights - heights.min(), 12, cmap="Greys", alpha=0.6)
    figure.colorbar(levels, ax=axes, label="f(x, y)")
    axes.scatter(*real[:250].T, s=4, color=DATA, label="data")
    axes.scatter(*fake[:250].T, s=4, color=GENERATED, label="generated")
    label(axes, "x", "y", "Points of the plane", loc="upper right", frameon=True, markerscale=3)
    axes.set(aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6))
    axes.grid(False)
