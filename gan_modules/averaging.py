"""Exponential moving averages of networks, saved with the module that holds them."""

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


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
