"""What metrics have in common that compare pictures two by two: with their truth, or with one another."""

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from gan_modules import checks
from gan_modules.metrics.gathering import in_turn
from gan_modules.metrics.means import MeanOverImages
from gan_modules.metrics.pixels import to_bytes, to_floats
from gan_modules.randomness import mix

_SLAB = 32  # pairs that are compared at once: bounds the memory


class Paired(MeanOverImages):
    """The mean over images of a comparison of each with its truth.

    Those that inherit say what `compare` is, and in `name` what the number is called.
    """

    @abstractmethod
    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        """A number for each pair of images (n, c, h, w), float32 in [-1, 1]: (n,)."""

    def update(self, images: Tensor, truth: Tensor) -> None:
        """Add images (n, c, h, w) and their truths of the same shape, in [-1, 1] or uint8; the images are clamped.

        Raises:
            ValueError: if the shapes differ, an image is not finite, a truth leaves [-1, 1], or as `compare`.
        """
        if images.shape != truth.shape:
            raise ValueError(
                f"{self.name} compares images of one shape, got {tuple(images.shape)} and {tuple(truth.shape)}; "
                "resize or convert one of them"
            )
        slabs = (part.split(_SLAB) for part in (to_floats(images, real=False), to_floats(truth, real=True)))
        for first, second in zip(*slabs, strict=True):
            self.add(_compared(self.compare, first, second))


class Diversity(Metric):
    """The mean of a comparison over pairs of generated images, and beside it over pairs of real ones.

    The images stand in a random circle, which depends on the seed and their number alone, and each is compared with the
    next ones: so all images are in equally many pairs, and the same images give the same number in any split into
    batches, over any number of processes that are dealt the images in turn. Images are kept as bytes (c h w each).

    Those that inherit say what `compare` is, and in `named` what the number is called.

    Args:
        pairs_per_image: how many of the next images each is compared with: n images have so many times n pairs.
        within_classes: compare images of one class alone; the mean is over classes, each with the mean of its pairs.
        seed: of the circle.
        reset_real: whether `reset` also forgets the real images.
    """

    is_differentiable = False
    full_state_update = False
    real_images: list[Tensor]
    fake_images: list[Tensor]
    real_labels: list[Tensor]
    fake_labels: list[Tensor]

    def __init__(
        self, pairs_per_image: int = 1, within_classes: bool = False, seed: int = 0, reset_real: bool = True
    ) -> None:
        super().__init__(dist_sync_fn=in_turn)
        checks.whole(1, pairs_per_image=pairs_per_image)
        checks.seed(seed=seed)
        checks.switch(within_classes=within_classes, reset_real=reset_real)
        self.pairs_per_image, self.within_classes = pairs_per_image, within_classes
        self.seed, self.reset_real = seed, reset_real
        self._real_value: Tensor | None = None
        for state in ("real_images", "fake_images", "real_labels", "fake_labels"):
            self.add_state(state, [], dist_reduce_fx="cat")

    @abstractmethod
    def named(self, images: Tensor) -> str:
        """What the number is called for images (n, c, h, w)."""

    @abstractmethod
    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        """A number for each pair of images (n, c, h, w), float32 in [-1, 1]: (n,)."""

    def update(self, images: Tensor, real: bool, labels: Tensor | None = None) -> None:
        """Add images (n, c, h, w), in [-1, 1] or uint8, to the data or to the generated ones; the latter are clamped.

        Args:
            images: of one shape in all calls.
            real: whether these are data.
            labels: classes (n,), needed and used by `within_classes` alone.

        Raises:
            ValueError: if the images are not finite, are of another shape than before, or are data outside [-1, 1]; or
                if there are no labels where they are needed.
        """
        pixels = to_bytes(images, real)
        for kept in (self.real_images, self.fake_images):
            check_shape(pixels, kept)
        if not self.within_classes:
            labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        if labels is None or labels.shape != images.shape[:1]:
            given = "none" if labels is None else f"a tensor {tuple(labels.shape)}"
            raise ValueError(
                f"pairs within classes need a label for each of {len(images)} images, got {given}; give them, or leave "
                "within_classes out"
            )
        (self.real_images if real else self.fake_images).append(pixels)
        (self.real_labels if real else self.fake_labels).append(labels.long())
        if real:
            self._real_value = None

    def compute(self) -> dict[str, Tensor]:
        """The mean over pairs of generated images by its name, and with "_real" at its end that over pairs of data.

        Raises:
            ValueError: if there are no two generated images (of one class).
        """
        if not len(self.fake_images):
            raise ValueError("a diversity needs generated images, got none; call update first")
        fakes = dim_zero_cat(self.fake_images)
        name = self.named(fakes)
        values = {name: self._mean(fakes, dim_zero_cat(self.fake_labels))}
        if len(self.real_images):
            if self._real_value is None:
                self._real_value = self._mean(dim_zero_cat(self.real_images), dim_zero_cat(self.real_labels))
            values[f"{name}_real"] = self._real_value
        return values

    def reset(self) -> None:
        """Forget the images; with `reset_real=False` the generated ones alone."""
        kept = list(self.real_images), list(self.real_labels)  # reset empties the lists themselves
        super().reset()
        if self.reset_real:
            self._real_value = None
        else:
            self.real_images, self.real_labels = kept

    def _mean(self, images: Tensor, labels: Tensor) -> Tensor:
        means = []
        for circle in circles(labels, self.pairs_per_image, self.seed):
            slabs = ((to_floats(images[side], real=False) for side in part.T) for part in circle.split(_SLAB))
            means.append(torch.cat([_compared(self.compare, *slab) for slab in slabs]).mean())
        if not means:
            place = " of one class" if self.within_classes else ""
            raise ValueError(f"a diversity needs at least 2 images{place}, got {len(images)} in all; give it more")
        return torch.stack(means).mean()


def check_shape(pixels: Tensor, kept: Sequence[Tensor]) -> None:
    """Raise ValueError unless images (n, c, h, w) are of the shape of those that were kept before."""
    for before in kept[:1]:
        if before.shape[1:] != pixels.shape[1:]:
            raise ValueError(
                f"expected images of one shape, got {tuple(before.shape[1:])} and {tuple(pixels.shape[1:])}; "
                "resize or convert some of them"
            )


def circles(labels: Tensor, pairs_per_image: int, seed: int) -> list[Tensor]:
    """Pairs (m, 2) of places in `labels` (n,), for each class that has at least two.

    A class's places stand in a random circle; each is paired with the next, the next but one, and so on, as far as no
    pair comes twice.

    >>> [pairs.shape for pairs in circles(torch.tensor([0, 1, 0, 0, 2]), 1, seed=0)]
    [torch.Size([3, 2])]
    """
    found = []
    for label in labels.unique().tolist():
        places = torch.nonzero(labels == label).flatten().cpu()
        if len(places) < 2:
            continue
        generator = torch.Generator().manual_seed(mix(seed, label))
        circle = places[torch.randperm(len(places), generator=generator)]
        steps = range(1, 1 + min(pairs_per_image, max(1, (len(places) - 1) // 2)))
        found.append(torch.cat([torch.stack([circle, circle.roll(-step)], dim=1) for step in steps]))
    return found


@torch.no_grad()
def _compared(compare: Callable[[Tensor, Tensor], Tensor], first: Tensor, second: Tensor) -> Tensor:
    """A number for each pair, never computed in half precision."""
    if not len(first):
        return first.new_zeros(0)
    with torch.autocast(first.device.type, enabled=False):
        return compare(first, second)
