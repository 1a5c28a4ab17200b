"""Games small enough to check by hand: on points in double precision, and on six outcomes, where means are exact."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gan_modules import AdversarialModule, randomness

N, LATENT = 6, 2
Loss = Callable[[Any], Tensor]
"""Of a module."""


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    """A smooth network."""
    return nn.Sequential(nn.Linear(inputs, 5), nn.Tanh(), nn.Linear(5, outputs))


class Scores(nn.Module):
    """Points (n, 3) -> scores (n,)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = mlp(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(1)


def generator() -> nn.Module:
    """Noise (n, 2) -> points (n, 3)."""
    return mlp(LATENT, 3)


def points(count: int = N) -> Tensor:
    """Real points."""
    return torch.randn(count, 3, dtype=torch.float64)


def again() -> None:
    """Start the noise of a step anew."""
    randomness.use(randomness.Stream(5))


def fakes(module: Any, count: int = N) -> Tensor:
    """What the generator makes of the first noise of the step."""
    again()
    return module.generator(randomness.normal(count, LATENT, dtype=torch.float64))


def once(loss: Loss, module: Any) -> Tensor:
    """The loss with the first noise of the step, without its by-products."""
    again()
    outcome: Any = loss(module)
    return outcome[0] if isinstance(outcome, tuple) else outcome


def close(ours: Tensor, formula: Any) -> None:
    """A scalar that is the formula's number."""
    assert ours.shape == ()
    torch.testing.assert_close(ours.detach(), torch.as_tensor(formula, dtype=ours.dtype), rtol=1e-10, atol=1e-12)


def networks_reached(module: AdversarialModule, loss: Loss) -> set[str]:
    """Names of the networks whose parameters get a gradient."""
    module.zero_grad()
    once(loss, module).backward()
    return {n.split(".")[0] for n, p in module.named_parameters() if p.grad is not None and p.grad.abs().max() > 1e-12}


def check_slope(module: AdversarialModule, loss: Loss, player: str) -> None:
    """The gradient of the parameters of `player` is the slope by finite differences, along a random direction."""
    parameters = list(getattr(module, player).parameters())
    directions = [torch.randn_like(parameter) for parameter in parameters]
    gradients = torch.autograd.grad(once(loss, module), parameters)
    expected = torch.stack([(g * d).sum() for g, d in zip(gradients, directions, strict=True)]).sum()

    def moved(step: float) -> Tensor:
        other = copy.deepcopy(module)
        with torch.no_grad():
            for parameter, direction in zip(getattr(other, player).parameters(), directions, strict=True):
                parameter.add_(direction, alpha=step)
        return once(loss, other).detach()

    torch.testing.assert_close(expected, (moved(1e-6) - moved(-1e-6)) / 2e-6, rtol=1e-6, atol=1e-8)


def schedule_of(module: AdversarialModule) -> list[str]:
    """Names of the losses of all steps that the module will take, as it takes them."""
    names, descend = list[str](), module.descend

    def watched(optimizer: Any, loss: Any, *inputs: Any) -> Any:
        names.append(loss.__name__)
        return descend(optimizer, loss, *inputs)

    module.descend = watched  # type: ignore[assignment,method-assign]
    return names


# six outcomes, as often as p and q say: a mean over these samples is an expectation, without error
P_COUNTS, Q_COUNTS = torch.tensor([5, 1, 3, 7, 2, 2]), torch.tensor([1, 6, 3, 2, 4, 4])
P, Q = (counts.double() / counts.sum() for counts in (P_COUNTS, Q_COUNTS))
REAL, FAKE = (torch.arange(6).repeat_interleave(counts)[:, None].double() for counts in (P_COUNTS, Q_COUNTS))


class Outcomes(nn.Module):
    """A generator of q, whatever its noise."""

    def forward(self, z: Tensor) -> Tensor:
        return FAKE


class Table(nn.Module):
    """A discriminator that can be any function of an outcome."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(6, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.scores[x[:, 0].long()]


def optimal_scores(table: Table, loss: Callable[[], Tensor]) -> Tensor:
    """The scores (6,) that minimise `loss`, by L-BFGS; the table keeps them."""
    optimizer = torch.optim.LBFGS(
        table.parameters(), max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)  # type: ignore[arg-type]
    return table.scores.detach()
