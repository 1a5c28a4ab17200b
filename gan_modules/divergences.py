"""The f-divergences of f-GAN (Nowozin, Cseke and Tomioka, 2016): D_f(P, Q) = E_Q f(p / q), from below.

For every function T, E_P T - E_Q f*(T) <= D_f(P, Q), with equality at T = f'(p / q). A network's raw
score v becomes T by the output activation g_f, which keeps it where the conjugate f* is finite. All functions take
tensors of any shape and floating type and are differentiable.

f* is the paper's: the largest of u t - f(u) over u >= 0, or, for `pearson` left of f'(0), over all u, which is no
smaller, so that the bound stays one. Outside the domain of f* its formula means nothing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan_modules import checks

Function = Callable[[Tensor], Tensor]
"""Elementwise."""


@dataclass(frozen=True)
class Divergence:
    """One row of f-GAN's tables.

    Args:
        name: for people.
        f: convex, u = p / q >= 0 -> f(u); 0 at u = 1, except for `gan`.
        derivative: u -> f'(u), the best T; at a kink the middle of the slopes.
        activation: score v -> T = g_f(v), increasing.
        conjugate: T -> f*(T).
        conjugate_of_activation: v -> f*(g_f(v)), right also where T rounds to the end of the domain of f*.
        threshold: f'(1): a T above it says that x is real (section 3.2).
        supremum: the upper end of the domain of f*; `total_variation` has the lower end -1/2, the others have none.
    """

    name: str
    f: Function
    derivative: Function
    activation: Function
    conjugate: Function
    conjugate_of_activation: Function
    threshold: float
    supremum: float = math.inf

    def between(self, p: Tensor, q: Tensor) -> Tensor:
        """sum q f(p / q): the divergence of two vectors of probabilities `(n,)`, q having no zeros.

        >>> kl().between(torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75]))
        tensor(0.1438)
        """
        return (q * self.f(p / q)).sum()

    def bound(self, real: Tensor, fake: Tensor) -> Tensor:
        """E g_f(V(x)) - E f*(g_f(V(G(z)))): the discriminator ascends it, the generator descends it.

        Args:
            real, fake: scores of any shape, of which the mean is taken.
        """
        return self.activation(real).mean() - self.conjugate_of_activation(fake).mean()


def kl() -> Divergence:
    """Kullback-Leibler, E_P log(p / q)."""
    return Divergence(
        name="Kullback-Leibler",
        f=lambda u: torch.xlogy(u, u),
        derivative=lambda u: 1 + u.log(),
        activation=lambda v: v,
        conjugate=lambda t: (t - 1).exp(),
        conjugate_of_activation=lambda v: (v - 1).exp(),
        threshold=1,
    )


def reverse_kl() -> Divergence:
    """Reverse Kullback-Leibler, E_Q log(q / p)."""
    return Divergence(
        name="reverse KL",
        f=lambda u: -u.log(),
        derivative=lambda u: -1 / u,
        activation=lambda v: -(-v).exp(),
        conjugate=lambda t: -1 - (-t).log(),
        conjugate_of_activation=lambda v: v - 1,
        threshold=-1,
        supremum=0,
    )


def pearson() -> Divergence:
    """Pearson's chi-square, E_Q (p / q - 1)^2."""
    return Divergence(
        name="Pearson",
        f=lambda u: (u - 1).square(),
        derivative=lambda u: 2 * (u - 1),
        activation=lambda v: v,
        conjugate=lambda t: t.square() / 4 + t,
        conjugate_of_activation=lambda v: v.square() / 4 + v,
        threshold=0,
    )


def neyman() -> Divergence:
    """Neyman's chi-square, E_P (q / p - 1)^2."""
    return Divergence(
        name="Neyman",
        f=lambda u: (1 - u).square() / u,
        derivative=lambda u: 1 - u**-2,
        activation=lambda v: -torch.expm1(-v),
        conjugate=lambda t: 2 - 2 * (1 - t).sqrt(),
        conjugate_of_activation=lambda v: -2 * torch.expm1(-v / 2),
        threshold=0,
        supremum=1,
    )


def squared_hellinger() -> Divergence:
    """Squared Hellinger distance without its half, the integral of (sqrt p - sqrt q)^2."""
    return Divergence(
        name="squared Hellinger",
        f=lambda u: (u.sqrt() - 1).square(),
        derivative=lambda u: 1 - u.rsqrt(),
        activation=lambda v: -torch.expm1(-v),
        conjugate=lambda t: t / (1 - t),
        conjugate_of_activation=torch.expm1,
        threshold=0,
        supremum=1,
    )


def jensen_shannon() -> Divergence:
    """KL(P, M) + KL(Q, M) with M the even mixture: twice the Jensen-Shannon divergence, as the paper's f has it."""
    return Divergence(
        name="Jensen-Shannon",
        f=lambda u: torch.xlogy(u, u) - torch.xlogy(1 + u, (1 + u) / 2),
        derivative=lambda u: (2 * u / (1 + u)).log(),
        activation=lambda v: math.log(2) - softplus(-v),
        conjugate=lambda t: -(2 - t.exp()).log(),
        conjugate_of_activation=lambda v: softplus(v) - math.log(2),
        threshold=0,
        supremum=math.log(2),
    )


def weighted_jensen_shannon(weight: float) -> Divergence:
    """w KL(P, M) + (1 - w) KL(Q, M) with M = w P + (1 - w) Q; at w = 1/2 the Jensen-Shannon divergence.

    Args:
        weight: w in (0, 1), the paper's pi.
    """
    checks.fraction(weight=weight)
    checks.positive(weight=weight)
    rest = 1 - weight
    return Divergence(
        name=f"Jensen-Shannon, weight {weight:g}",
        f=lambda u: weight * torch.xlogy(u, u) - torch.xlogy(rest + weight * u, rest + weight * u),
        derivative=lambda u: weight * (u / (rest + weight * u)).log(),
        activation=lambda v: -weight * math.log(weight) - softplus(-v),
        conjugate=lambda t: rest * (math.log(rest) - (1 - weight * (t / weight).exp()).log()),
        conjugate_of_activation=lambda v: rest * (math.log(rest) - (-torch.expm1(-softplus(-v) / weight)).log()),
        threshold=0,
        supremum=-weight * math.log(weight),
    )


def gan() -> Divergence:
    """Twice the Jensen-Shannon divergence minus log 4: the game of 2014. Its f(1) is -log 4, where others have 0."""
    return Divergence(
        name="GAN",
        f=lambda u: torch.xlogy(u, u) - torch.xlogy(1 + u, 1 + u),
        derivative=lambda u: (u / (1 + u)).log(),
        activation=lambda v: -softplus(-v),
        conjugate=lambda t: -(-torch.expm1(t)).log(),
        conjugate_of_activation=softplus,
        threshold=-math.log(2),
        supremum=0,
    )


def total_variation() -> Divergence:
    """Total variation, half the integral of |p - q|. f* is finite on [-1/2, 1/2]."""
    return Divergence(
        name="total variation",
        f=lambda u: (u - 1).abs() / 2,
        derivative=lambda u: (u - 1).sign() / 2,
        activation=lambda v: v.tanh() / 2,
        conjugate=lambda t: t,
        conjugate_of_activation=lambda v: v.tanh() / 2,
        threshold=0,
        supremum=0.5,
    )


def jeffrey() -> Divergence:
    """Jeffrey's divergence, KL(P, Q) + KL(Q, P)."""
    return Divergence(
        name="Jeffrey",
        f=lambda u: (u - 1) * u.log(),
        derivative=lambda u: 1 + u.log() - 1 / u,
        activation=lambda v: v,
        conjugate=_jeffrey_conjugate,
        conjugate_of_activation=_jeffrey_conjugate,
        threshold=0,
    )


def alpha(alpha: float) -> Divergence:
    """The alpha-divergence, E_Q ((p / q)^a - 1) / (a (a - 1)).

    1/2 gives twice the squared Hellinger distance, 2 half of Pearson's divergence, -1 half of Neyman's.

    Args:
        alpha: a; neither 0 nor 1, whose limits are `reverse_kl` and `kl`.
    """
    if not isinstance(alpha, Real) or not math.isfinite(alpha) or alpha in (0, 1):
        raise ValueError(f"alpha must be a number, neither 0 nor 1, got {alpha!r}; use reverse_kl for 0, kl for 1")
    power = alpha / (alpha - 1)

    def conjugate(t: Tensor) -> Tensor:
        return ((t * (alpha - 1) + 1).clamp(min=0) ** power - 1) / alpha

    return Divergence(
        name=f"alpha {alpha:g}",
        f=lambda u: (u**alpha - 1 - alpha * (u - 1)) / (alpha * (alpha - 1)),
        derivative=lambda u: (u ** (alpha - 1) - 1) / (alpha - 1),
        activation=(lambda v: 1 / (1 - alpha) - softplus(-v)) if alpha < 1 else (lambda v: v),
        conjugate=conjugate,
        conjugate_of_activation=(
            (lambda v: (((1 - alpha) * softplus(-v)) ** power - 1) / alpha) if alpha < 1 else conjugate
        ),
        threshold=0,
        supremum=1 / (1 - alpha) if alpha < 1 else math.inf,
    )


def _jeffrey_conjugate(t: Tensor) -> Tensor:
    """1 / w + log(1 / w) - 1 with w = W(e^(1 - t)): the paper's W + 1 / W + t - 2, since w + log w = 1 - t."""
    log_w: Tensor = _LogLambert.apply(1 - t)
    return torch.expm1(-log_w) - log_w


class _LogLambert(torch.autograd.Function):
    """y -> log W(e^y), W being Lambert's function: the x with x + e^x = y, of slope 1 / (1 + e^x)."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        x = torch.where(y > 1, y.clamp(min=1).log(), y)  # right of the root, from where Newton's steps only descend
        for _ in range(8):  # each squares the error: more change nothing, in float64 either
            x = x - (x + x.exp() - y) / (1 + x.exp())
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradients[0] / (1 + x.exp())
