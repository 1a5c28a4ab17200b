"""Structural similarity: to a known truth, and at several scales between samples, whose variety it measures.

Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity" (2004);
Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image quality assessment" (2003).
"""

from typing import cast

import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from gan_modules.metrics.comparing import Diversity, Paired

WINDOW = 11
EXPONENTS = 0.0448, 0.2856, 0.3001, 0.2363, 0.1333  # of the scales, from the finest (2003, section 3.2)


class SSIM(Paired):
    """The mean over images of the structural similarity to their truths, at most 1; more is better.

    With the paper's settings: a Gaussian window of 11 x 11 pixels and deviation 1.5, K1 = 0.01, K2 = 0.03, the mean
    over channels and over the places where the window lies inside the image. (torchmetrics' own also counts a border,
    in which it sees reflections.)

    >>> import torch
    >>> metric = SSIM()
    >>> images = torch.linspace(-1, 1, 2 * 3 * 256).reshape(2, 3, 16, 16)
    >>> metric.update(images, images)
    >>> metric.compute()
    tensor(1.)
    """

    higher_is_better = True
    name = "ssim"

    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        """The structural similarity of each pair, (n,).

        Raises:
            ValueError: if a side is below 11 pixels.
        """
        return ssim(first, second)


class MultiScaleSSIM(Diversity):
    """The mean multi-scale structural similarity of pairs of generated images: less is more varied.

    Odena, Olah and Shlens (2017) compare images of one class (`within_classes`), Karras et al. (2018) any two.
    `compute` has it as "ms_ssim" where images are of 176 pixels or more, for the paper's five scales; smaller images
    have fewer, which the name says: "ms_ssim@3" from 44 pixels, "ms_ssim@2" from 22. Within classes it is
    "ms_ssim_intra". The same of pairs of data ends in "_real".

    Args:
        pairs_per_image, within_classes, seed, reset_real: as of `Diversity`.

    >>> import torch
    >>> metric = MultiScaleSSIM()
    >>> metric.update(torch.linspace(-1, 1, 32 * 32).expand(4, 3, -1).reshape(4, 3, 32, 32), real=False)
    >>> metric.compute()
    {'ms_ssim@2': tensor(1.)}
    """

    higher_is_better = False

    def named(self, images: Tensor) -> str:
        """What the number is called for images (n, c, h, w)."""
        scales = scales_of(*images.shape[-2:])
        name = "ms_ssim_intra" if self.within_classes else "ms_ssim"
        return name if scales == len(EXPONENTS) else f"{name}@{scales}"

    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        """The multi-scale structural similarity of each pair, (n,)."""
        return multi_scale_ssim(first, second)


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """The structural similarity (2004, equation 13) of images (n, c, h, w) in [-1, 1]: (n,).

    Raises:
        ValueError: if a side is below 11 pixels.
    """
    scales_of(*first.shape[-2:])
    inside = slice(WINDOW // 2, -(WINDOW // 2))
    return _terms(first, second, everywhere=True)[..., inside, inside].mean(dim=(1, 2, 3))


def multi_scale_ssim(first: Tensor, second: Tensor) -> Tensor:
    """The multi-scale structural similarity (2003, equation 7) of images (n, c, h, w) in [-1, 1]: (n,), in [0, 1].

    Contrast and structure at each scale, luminance at the coarsest; a scale that disagrees (below 0) counts as 0. Of
    fewer than five scales the exponents are shared out anew, to the sum 1.

    Raises:
        ValueError: if a side is below 11 pixels.
    """
    scales = scales_of(*first.shape[-2:])
    total = sum(EXPONENTS[:scales]) if scales < len(EXPONENTS) else 1.0
    *finer, coarsest = (exponent / total for exponent in EXPONENTS[:scales])
    product = first.new_ones(len(first))
    for exponent in finer:
        product *= _terms(first, second, everywhere=False).relu() ** exponent
        first, second = F.avg_pool2d(first, 2), F.avg_pool2d(second, 2)
    return product * ssim(first, second).relu() ** coarsest


def scales_of(height: int, width: int) -> int:
    """How many scales images have: as long as the window fits into the coarsest, at most five.

    Raises:
        ValueError: if a side is below 11 pixels.

    >>> scales_of(176, 256), scales_of(64, 64), scales_of(28, 28), scales_of(11, 11)
    (5, 3, 2, 1)
    """
    if min(height, width) < WINDOW:
        raise ValueError(
            f"structural similarity needs images of at least {WINDOW} x {WINDOW} pixels, got {height} x {width}; use "
            "larger images or leave it out"
        )
    return min(len(EXPONENTS), (min(height, width) // WINDOW).bit_length())


def _terms(first: Tensor, second: Tensor, everywhere: bool) -> Tensor:
    """The similarity at each place (n, c, h, w), or the mean of its contrast and structure alone (n,)."""
    intensities = (first + 1) / 2, (second + 1) / 2  # the luminance term is meant for numbers from 0 on
    found = structural_similarity_index_measure(
        *intensities,
        data_range=1.0,
        reduction="none",
        return_full_image=everywhere,
        return_contrast_sensitivity=not everywhere,
    )
    return cast(tuple[Tensor, Tensor], found)[1]
