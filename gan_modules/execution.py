"""How networks are executed, which changes what they compute by rounding alone: compiled, and in channels_last."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

BACKEND = "inductor"
"""What `torch.compile` makes of a graph."""


def compile(networks: Iterable[nn.Module]) -> None:
    """Compile networks in place, for each shape of their inputs; names and values of their states stay.

    Each must become one graph: torch raises an error, as the network is called, instead of running a part as it is.
    """
    for network in networks:
        network.compile(backend=BACKEND, dynamic=False, fullgraph=True)


class Eager(nn.Module):
    """Runs a network as it was before it was compiled, as for inputs of many shapes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Any) -> Any:
        with torch.compiler.set_stance("force_eager"):
            return self.network(*inputs)


def channels_last(networks: Iterable[nn.Module]) -> None:
    """Lay the weights of convolutions out with the channels last, which their activations then follow.

    Raises:
        ValueError: if a network on the CPU has a layer whose gradients torch gets wrong in this format.
    """
    for network in networks:
        for name, layer in network.named_modules():
            if isinstance(layer, nn.InstanceNorm2d) and any(p.device.type == "cpu" for p in network.parameters()):
                raise ValueError(
                    f"{type(network).__name__}.{name} is a torch.nn.InstanceNorm2d, whose gradients for one image are "
                    "wrong on the CPU with channels_last; use gan_modules.networks.InstanceNorm, or leave channels_last"
                )
        network.to(memory_format=torch.channels_last)


def follow_layout(optimizers: Iterable[Optimizer]) -> None:
    """Lay the moments of optimizers out as their parameters are: fused Adam pairs numbers by their place in memory."""
    for state, name, value, parameter in _moments(optimizers):
        if value.stride() != parameter.stride():
            state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _moments(optimizers: Iterable[Optimizer]) -> Iterator[tuple[dict[str, Tensor], str, Tensor, Tensor]]:
    for optimizer in optimizers:
        for parameter, state in optimizer.state.items():
            for name, value in state.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    yield state, name, value, parameter
