"""Averages of networks: over time, saved with the module that holds them, and of two."""

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from gan_modules import checks


class Averages(nn.ModuleDict):
    """Averages of `networks`, by name: copies that start where the networks are and follow them.

    Parameters are averaged and buffers (running statistics) copied, as in progressive growing's and BigGAN's code.
    """

    def __init__(self, networks: Mapping[str, nn.Module] | None = None) -> None:
        super().__init__({name: deepcopy(network) for name, network in (networks or {}).items()})
        self.requires_grad_(False)

    @torch.no_grad()
    def follow(self, networks: Mapping[str, nn.Module], decay: float) -> None:
        """average <- decay * average + (1 - decay) * network, in one fused call for all parameters."""
        averages = [p for name in networks for p in self[name].parameters()]
        current = [p for network in networks.values() for p in network.parameters()]
        get_ema_multi_avg_fn(decay)(averages, current, 0)
        for name, network in networks.items():
            for average, buffer in zip(self[name].buffers(), network.buffers(), strict=True):
                average.copy_(buffer)


def interpolated(first: Mapping[str, Tensor], second: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """(1 - alpha) first + alpha second, weight by weight: network interpolation (Wang et al., 2018, section 3.4).

    Counts and other integers are those of the second.

    Args:
        first, second: state dicts of one network, trained for different ends from the same start.
        alpha: in [0, 1].

    Raises:
        ValueError: if they are not of one network.

    >>> interpolated({"w": torch.tensor(1.0)}, {"w": torch.tensor(3.0)}, 0.25)
    {'w': tensor(1.5000)}
    """
    checks.portion(alpha=alpha)
    if {name: value.shape for name, value in first.items()} != {name: value.shape for name, value in second.items()}:
        raise ValueError("expected the weights of one network twice, got those of two; train both from the same start")
    return {
        name: torch.lerp(value, second[name], alpha) if value.is_floating_point() else second[name]
        for name, value in first.items()
    }
