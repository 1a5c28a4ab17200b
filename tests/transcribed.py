"""A loss against its formula, written out a second time: the same value, and the same gradient for each network."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gan_modules.randomness import Stream, using


def assert_same(ours: Callable[[], Tensor], formula: Callable[[], Tensor], *networks: nn.Module) -> None:
    """Compare two scalars that draw from the same stream, and their gradients, in double precision.

    Args:
        ours, formula: compute the scalars.
        networks: what they are differentiated for; each has a gradient that is not zero.
    """
    parameters = [parameter for network in networks for parameter in network.parameters()]
    found = []
    for compute in (ours, formula):
        with using(Stream(5)):
            value = compute()
        assert value.shape == ()
        found.append((value.detach(), torch.autograd.grad(value, parameters)))
    (value, gradients), (expected, slopes) = found
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)
    for gradient, slope in zip(gradients, slopes, strict=True):
        torch.testing.assert_close(gradient, slope, rtol=1e-9, atol=1e-12)
    for network in networks:
        reached = {id(parameter) for parameter in network.parameters()}
        assert any(bool(g.abs().max() > 0) for p, g in zip(parameters, gradients, strict=True) if id(p) in reached)


def unreached(loss: Tensor, network: nn.Module) -> bool:
    """Whether no parameter of the network has any gradient of the loss."""
    gradients = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True, retain_graph=True)
    return all(gradient is None for gradient in gradients)
