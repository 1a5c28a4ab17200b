"""When a progressive network grows: its stage and fade as a function of the images shown."""

from dataclasses import dataclass
from math import isclose

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from gan_modules import checks


@dataclass(frozen=True)
class Growth:
    """Each stage is trained for `stable_images`, then the next is faded in over `fade_images` (Karras et al., 2018).

    Args:
        stages: number of stages; stage s makes images of 4 * 2**s pixels.
        stable_images: images shown at a stage before the next one starts to fade in (appendix A: 800k, code: 600k).
        fade_images: images shown while a stage is faded in.
    """

    stages: int
    stable_images: int = 600_000
    fade_images: int = 600_000

    def __post_init__(self) -> None:
        checks.whole(1, stages=self.stages, stable_images=self.stable_images, fade_images=self.fade_images)

    def at(self, images_shown: int) -> tuple[int, float]:
        """Stage, and how far it has been faded in, in (0, 1].

        >>> [Growth(3, 10, 10).at(shown) for shown in (0, 9, 15, 20, 35, 1000)]
        [(0, 1.0), (0, 1.0), (1, 0.5), (1, 1.0), (2, 0.5), (2, 1.0)]
        """
        stage, shown = divmod(images_shown, self.stable_images + self.fade_images)
        if stage >= self.stages - 1:
            return self.stages - 1, 1.0
        if shown <= self.stable_images:
            return stage, 1.0
        return stage + 1, (shown - self.stable_images) / self.fade_images


def images_at(images: Tensor, stage: int, fade: float) -> Tensor:
    """Real images `(n, c, h, w)` as a network of this stage sees them: area-averaged to 4 * 2**stage pixels.

    While the stage fades in, they are blended with their own next lower resolution, as the network's are.

    Raises:
        ValueError: if the images are smaller than the stage, or no multiple of it.
    """
    size = 4 * 2**stage
    if images.shape[-1] % size or images.shape[-2] % size:
        raise ValueError(
            f"stage {stage} shows images of {size} pixels, got {tuple(images.shape[-2:])}; "
            "give images of the generator's image_size"
        )
    images = avg_pool2d(images, (images.shape[-2] // size, images.shape[-1] // size))
    if stage == 0 or isclose(fade, 1):
        return images
    return torch.lerp(interpolate(avg_pool2d(images, 2), scale_factor=2.0), images, fade)
