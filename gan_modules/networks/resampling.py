"""A 3 x 3 convolution together with the resampling before or after it, in one strided convolution.

Averaging 2 x 2 outputs of a 3 x 3 kernel is a 4 x 4 kernel at stride 2, and a 3 x 3 kernel over doubled pixels is a
transposed one: the same functions at 4 / 9 of the multiplications (the "fused scale" of Karras et al., 2018).
"""

import torch.nn.functional as F
from torch import Tensor, nn


def conv_downsample(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`avg_pool2d(conv2d(x, weight, bias, padding=1), 2)` for a 3 x 3 kernel; (n, i, h, w) -> (n, o, h/2, w/2)."""
    return F.conv2d(x, F.avg_pool2d(weight, 2, stride=1, padding=1), bias, stride=2, padding=1)


def upsample_conv(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`conv2d(interpolate(x, scale_factor=2), weight, bias, padding=1)`; (n, i, h, w) -> (n, o, 2h, 2w)."""
    kernel = 4 * F.avg_pool2d(weight.flip(2, 3), 2, stride=1, padding=1)
    return F.conv_transpose2d(x, kernel.transpose(0, 1), bias, stride=2, padding=1)


class DownConv2d(nn.Conv2d):
    """Convolve by 3 x 3, then halve the size by averaging; (n, i, h, w) -> (n, o, h/2, w/2), h and w even."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return conv_downsample(x, self.weight, self.bias)


class UpConv2d(nn.Conv2d):
    """Double the size by nearest neighbour, then convolve by 3 x 3; (n, i, h, w) -> (n, o, 2h, 2w)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return upsample_conv(x, self.weight, self.bias)
