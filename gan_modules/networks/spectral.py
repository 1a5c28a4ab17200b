"""Spectral normalisation of whole networks."""

from torch import nn
from torch.nn.utils import parametrizations, parametrize

_WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.Embedding)


def spectrally_normalised(network: nn.Module) -> nn.Module:
    """Divide every weight of `network` by an estimate of its largest singular value, from now on; returns `network`.

    Miyato et al. (2018), "Spectral normalization for generative adversarial networks", Algorithm 1: the estimate takes
    one power iteration a forward in train mode, and none in eval mode. Its vectors are buffers: they depend on weights
    alone, so processes keep the same ones. A kernel (o, i, h, w) is the matrix (o, i * h * w).

    >>> import torch
    >>> layer = spectrally_normalised(nn.Linear(3, 2)).eval()
    >>> round(torch.linalg.matrix_norm(layer.weight.detach(), 2).item(), 3)
    1.0
    """
    for layer in list(network.modules()):
        if isinstance(layer, _WEIGHTED) and not parametrize.is_parametrized(layer, "weight"):
            parametrizations.spectral_norm(layer)
    return network
