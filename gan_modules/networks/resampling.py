"""Halving and doubling the size: with a filter, or together with the 3 x 3 convolution before or after.

Averaging 2 x 2 outputs of a 3 x 3 kernel is a 4 x 4 kernel at stride 2, and a 3 x 3 kernel over doubled pixels is a
transposed one: the same functions at 4 / 9 of the multiplications (the "fused scale" of Karras et al., 2018).
"""

import torch
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


class Blur(nn.Module):
    """Filter by [1, 3, 3, 1] in both directions, each channel for itself; sides of s + 2 padding - 3 over stride."""

    kernel: Tensor

    def __init__(self, padding: int, stride: int = 1, gain: float = 1.0) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", gain * torch.outer(taps, taps).view(1, 1, 4, 4), persistent=False)
        self.padding, self.stride = padding, stride

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.kernel.to(x.dtype).expand(x.shape[1], -1, -1, -1)
        return F.conv2d(x, kernel, stride=self.stride, padding=self.padding, groups=x.shape[1])


class BlurUpsample(Blur):
    """Double the size and filter by [1, 3, 3, 1]; (n, c, h, w) -> (n, c, 2h, 2w)."""

    def __init__(self) -> None:
        super().__init__(padding=1, stride=2, gain=4)

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.kernel.to(x.dtype).expand(x.shape[1], -1, -1, -1)
        return F.conv_transpose2d(x, kernel, stride=self.stride, padding=self.padding, groups=x.shape[1])
