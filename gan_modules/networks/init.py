"""Weight initialisation as the papers have it; the networks' constructors apply it."""

import torch
from torch import nn

_WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.SyncBatchNorm, nn.InstanceNorm2d, nn.GroupNorm)


@torch.no_grad()
def init_normal(module: nn.Module, std: float = 0.02) -> None:
    """Draw weights from N(0, std**2) and the scales of norms from N(1, std**2); set biases to zero.

    Radford et al. (2016), "Unsupervised representation learning with deep convolutional GANs", section 4; pix2pix and
    CycleGAN have the same.
    """
    for layer in module.modules():
        if isinstance(layer, _WEIGHTED):
            layer.weight.normal_(0.0, std)
        elif isinstance(layer, _NORMS) and layer.affine:
            layer.weight.normal_(1.0, std)
        else:
            continue
        if layer.bias is not None:
            layer.bias.zero_()


@torch.no_grad()
def init_glorot(module: nn.Module, gain: float = 1.0) -> None:
    """Draw weights from U(-a, a) with variance gain**2 * 2 / (fan_in + fan_out); set biases to zero.

    Glorot and Bengio (2010), eq. 16. The ResNets of WGAN-GP and SNGAN have a gain of sqrt(2) in the residual branches
    and of 1 elsewhere.
    """
    for layer in module.modules():
        if isinstance(layer, _WEIGHTED):
            nn.init.xavier_uniform_(layer.weight, gain)
            if layer.bias is not None:
                layer.bias.zero_()


@torch.no_grad()
def init_orthogonal(module: nn.Module) -> None:
    """Draw weights and embeddings as random matrices with orthonormal rows or columns; set biases to zero.

    Saxe et al. (2014), "Exact solutions to the nonlinear dynamics of learning in deep linear networks"; what BigGAN
    starts from. A kernel (o, i, h, w) is the matrix (o, i * h * w).
    """
    for layer in module.modules():
        if isinstance(layer, (*_WEIGHTED, nn.Embedding)):
            nn.init.orthogonal_(layer.weight)
        if isinstance(layer, _WEIGHTED) and layer.bias is not None:
            layer.bias.zero_()


@torch.no_grad()
def init_kaiming(module: nn.Module) -> None:
    """Draw weights from N(0, 2 / fan_in); set biases to zero.

    He et al. (2015), "Delving deep into rectifiers", eq. 10; what the generators of UNIT and MUNIT start from.
    """
    for layer in module.modules():
        if isinstance(layer, _WEIGHTED):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                layer.bias.zero_()
