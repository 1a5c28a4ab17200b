"""Distances of pictures to their truths, by pixels and by slopes."""

from torch import Tensor


def lp_distance(images: Tensor, truth: Tensor, p: float) -> Tensor:
    """E |x - y|^p, a mean over all pixels: half-way between absolute (p = 1) and squared errors (p = 2) or either.

    >>> import torch
    >>> lp_distance(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 3.0]), 2)
    tensor(5.)
    """
    return (images - truth).abs().pow(p).mean()


def gradient_difference(images: Tensor, truth: Tensor, power: float = 1.0) -> Tensor:
    """E | |slope of x| - |slope of y| |^power, the slopes downwards and to the right being added.

    Mathieu, Couprie and LeCun (2016), "Deep multi-scale video prediction beyond mean square error", with
    a mean over neighbouring pixels in each direction, as in the authors' code, where the paper has a sum. It is zero
    for pictures that are as steep as their truths at every place: blur costs, another brightness does not. A picture
    that is one pixel wide or high has no slope that way.

    Args:
        images, truth: (n, c, h, w).
        power: the paper's alpha.

    >>> import torch
    >>> steep, flat = torch.tensor([[[[0.0, 2.0], [0.0, 2.0]]]]), torch.zeros(1, 1, 2, 2)
    >>> gradient_difference(steep, flat), gradient_difference(steep, 1 - steep)
    (tensor(2.), tensor(0.))
    """
    terms = [
        lp_distance(images.diff(dim=side).abs(), truth.diff(dim=side).abs(), power)
        for side in (-2, -1)
        if images.shape[side] > 1
    ]
    return sum(terms, images.new_zeros(()))
