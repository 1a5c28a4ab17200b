"""The sliced Wasserstein distance over patches of Laplacian pyramids.

Karras, Aila, Laine and Lehtinen, "Progressive Growing of GANs" (2018), section 5, with the settings of the authors'
code: 128 patches of 7 x 7 pixels an image and level, normalised by the mean and deviation of each channel over the
whole set, 4 x 128 directions, levels from the full size down to 16 pixels, the distance times 1000.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from gan_modules import checks
from gan_modules.metrics.gathering import in_turn
from gan_modules.metrics.pixels import to_bytes
from gan_modules.metrics.sides import TwoSided
from gan_modules.randomness import mix

PATCH = 7
PATCHES = 128
DIRECTIONS = 512
_SMALLEST_LEVEL = 16
_SLAB = 256  # images, or directions / 2, that are worked on at once: bounds the memory


class SlicedWasserstein(TwoSided):
    """The mean over pyramid levels of the sliced Wasserstein distance between patches, times 1000; less is better.

    Where the patches lie depends on the seed and the image's place among all, and the directions on the seed, so that
    the same images give the same number in any split into batches, over any number of processes that are dealt the
    images in turn, and whatever else draws random numbers. Equal sets have a distance near, not at, zero: their
    patches are drawn independently.

    Images are kept as bytes (c h w bytes each); `compute` holds the patches of one level (25 kB times c an image).

    Args:
        seed: of the patches and the directions.
        reset_real: whether `reset` also forgets the real images.

    >>> images = torch.linspace(-1, 1, 2 * 256).reshape(2, 1, 16, 16)
    >>> metric = SlicedWasserstein()
    >>> metric.update(images, real=True)
    >>> metric.update(images.sign(), real=False)
    >>> metric.compute() > 100
    tensor(True)
    """

    higher_is_better = False
    real_images: list[Tensor]
    fake_images: list[Tensor]

    def __init__(self, seed: int = 0, reset_real: bool = True) -> None:
        super().__init__(reset_real, dist_sync_fn=in_turn)
        checks.seed(seed=seed)
        self.seed = seed
        for state in ("real_images", "fake_images"):
            self.add_state(state, [], dist_reduce_fx="cat")

    def update(self, images: Tensor, real: bool) -> None:
        """Add images (n, c, h, w) in [-1, 1] to the data or to the generated ones; the latter are clamped.

        Raises:
            ValueError: if the data leave [-1, 1], an image is not finite, or a side is shorter than a patch.
        """
        if min(images.shape[-2:]) < PATCH:
            raise ValueError(
                f"the sliced Wasserstein distance needs images of at least {PATCH} x {PATCH} pixels, "
                f"got {images.shape[-2]} x {images.shape[-1]}; use larger images or leave it out"
            )
        pixels = to_bytes(images, real)
        self.look(images, real)
        (self.real_images if real else self.fake_images).append(pixels)

    def compute(self) -> Tensor:
        """The distance, a scalar.

        Raises:
            ValueError: if one side has no images, the images of the two sides differ in shape, or the data seem to be
                in [0, 1].
        """
        self.check_data()
        if not len(self.real_images) or not len(self.fake_images):
            raise ValueError("the sliced Wasserstein distance needs real and fake images; call update with both")
        real, fake = dim_zero_cat(self.real_images), dim_zero_cat(self.fake_images)
        if real.shape[1:] != fake.shape[1:]:
            raise ValueError(
                f"expected real and fake images of one shape, got {tuple(real.shape[1:])} and {tuple(fake.shape[1:])}; "
                "resize or convert one side"
            )
        distances = []
        for level in range(levels_of(*real.shape[-2:])):
            patches = [
                _normalised(_patches(images, level, mix(self.seed, level, side)))
                for side, images in enumerate((real, fake))
            ]
            lines = directions(patches[0].shape[1], mix(self.seed, level, 2)).to(real.device)
            parts = torch.split(lines, _SLAB // 2)
            distances.append(torch.cat([wasserstein(*(part @ p.T for p in patches)) for part in parts]).mean())
        return 1000 * torch.stack(distances).mean()


def levels_of(height: int, width: int) -> int:
    """The number of pyramid levels: halvings until a side would fall below 16 pixels, at least one.

    >>> levels_of(64, 64), levels_of(28, 28), levels_of(8, 8)
    (3, 1, 1)
    """
    return max(1, (min(height, width) // _SMALLEST_LEVEL).bit_length())


def laplacian(images: Tensor, level: int, levels: int) -> Tensor:
    """Level `level` of the Laplacian pyramid (Burt and Adelson, 1983) of images (n, c, h, w); the last is the rest."""
    for _ in range(level):
        images = _smaller(images)
    if level == levels - 1:
        return images
    return images - _larger(_smaller(images), images.shape[-2:])


def positions(images: int, height: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """Top and left of the patches of images numbered 0 to `images` - 1, each (images, 128), uniform."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = height - PATCH + 1, width - PATCH + 1
    drawn = torch.randint(rows * columns, (images, PATCHES), generator=generator)
    return drawn // columns, drawn % columns


def directions(dimensions: int, seed: int) -> Tensor:
    """512 unit vectors, uniform over the sphere: (512, dimensions)."""
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(DIRECTIONS, dimensions, generator=generator, dtype=torch.float32), dim=1)


def wasserstein(first: Tensor, second: Tensor) -> Tensor:
    """The Wasserstein-1 distance between the rows of (d, n) and those of (d, m): (d,), exact also where n is not m.

    >>> wasserstein(torch.tensor([[0.0, 1.0]]), torch.tensor([[3.0]]))
    tensor([2.5000])
    """
    first, second = _sorted(first), _sorted(second)
    n, m = first.shape[1], second.shape[1]
    if n == m:
        return (first - second).abs().mean(dim=1)
    # The two quantile functions are steps; between neighbouring starts of a step both are constant.
    starts = torch.cat([torch.arange(n, device=first.device) * m, torch.arange(m, device=first.device) * n])
    starts = torch.unique(starts)
    widths = torch.diff(starts, append=starts.new_tensor([n * m])).to(first.dtype) / (n * m)
    return (first[:, starts // m] - second[:, starts // n]).abs() @ widths


def _sorted(rows: Tensor) -> Tensor:
    """Each row in ascending order."""
    if rows.device.type == "cpu":  # where numpy's vectorised sort is some thirty times as fast as torch's
        return torch.from_numpy(np.sort(rows.numpy(), axis=1))
    return rows.sort(dim=1).values


def _patches(images: Tensor, level: int, seed: int) -> Tensor:
    """The patches (128 n, c, 7, 7) of one level of byte images (n, c, h, w)."""
    levels = levels_of(*images.shape[-2:])
    found = []
    height, width = laplacian(images[:1].float(), level, levels).shape[-2:]
    tops, lefts = (place.to(images.device) for place in positions(len(images), height, width, seed))
    for slab, top, left in zip(*(torch.split(each, _SLAB) for each in (images, tops, lefts)), strict=True):
        windows = laplacian(slab.float(), level, levels).unfold(2, PATCH, 1).unfold(3, PATCH, 1)
        which = torch.arange(len(slab), device=images.device)[:, None]
        found.append(windows[which, :, top, left].flatten(0, 1))
    return torch.cat(found)


def _normalised(patches: Tensor) -> Tensor:
    """Patches (n, c, 7, 7) as vectors (n, 49 c), each channel with mean 0 and deviation 1 over the whole set."""
    deviation, mean = torch.std_mean(patches, dim=(0, 2, 3), correction=0, keepdim=True)
    return ((patches - mean) / deviation.where(deviation > 0, 1)).flatten(1)


def _binomial(images: Tensor) -> Tensor:
    """The 5 x 5 binomial filter, (1 4 6 4 1) / 16 in both directions, with reflected borders."""
    channels = images.shape[1]
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=images.device, dtype=images.dtype) / 16
    weight = torch.outer(row, row).expand(channels, 1, 5, 5)
    return F.conv2d(F.pad(images, (2, 2, 2, 2), mode="reflect"), weight, groups=channels)


def _smaller(images: Tensor) -> Tensor:
    return _binomial(images)[..., ::2, ::2]


def _larger(images: Tensor, size: torch.Size) -> Tensor:
    spread = images.new_zeros(*images.shape[:2], *size)
    spread[..., ::2, ::2] = images
    return 4 * _binomial(spread)
