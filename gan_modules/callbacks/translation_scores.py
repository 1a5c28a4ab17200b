"""The numbers that need no downloaded network, each for a translator beside the same number for doing nothing."""

import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from gan_modules.callbacks.scores import Feed, Scorer, Scores, compared, to_truth
from gan_modules.callbacks.views import View
from gan_modules.metrics.pixels import match_channels
from gan_modules.metrics.psnr import PSNR
from gan_modules.metrics.sliced_wasserstein import SlicedWasserstein
from gan_modules.metrics.structure import SSIM, WINDOW


class SWD(Scores):
    """Logs `metric/swd`, the sliced Wasserstein distance of generated images, and `metric/swd_samples`.

    Args:
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.
    """

    def __init__(self, num_samples: int | None = 1024, every_n_epochs: int = 1) -> None:
        super().__init__(every_n_epochs, num_samples)

    def scorers(self) -> list[Scorer]:
        return [Scorer("swd", SlicedWasserstein(reset_real=False))]


class TranslationScores(Scores):
    """Logs what translations are worth, and what doing nothing is worth, after validation.

    `metric/swd`: the sliced Wasserstein distance between translations and target domain; where the truth is known
    `metric/psnr`: the decibels to it, and `metric/ssim`: the structural similarity to it, for images of 11 pixels or
    more. `metric/swd_identity`, `metric/psnr_identity` and `metric/ssim_identity` are the same of the sources as they
    are (in the target's channels, and bicubically in its size), computed once a run. Where the model shows which pixels
    were missing, as "hole", `metric/psnr_hole` and `metric/psnr_hole_identity` are the decibels of these alone. A model
    with two directions has each of these for both: `metric/swd/x_to_y`.

    Args:
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.

    Raises:
        ValueError: in validation, where the model has no "source" in what its `validation_step` returns.
    """

    def __init__(self, num_samples: int | None = 1024, every_n_epochs: int = 1) -> None:
        super().__init__(every_n_epochs, num_samples)

    def scorers(self) -> list[Scorer]:
        return [
            Scorer("swd", SlicedWasserstein(reset_real=False), _translated),
            Scorer("psnr", PSNR(), to_truth),
            Scorer("ssim", SSIM(), _structured),
            Scorer("swd_identity", SlicedWasserstein(), untouched(compared), once=True),
            Scorer("psnr_identity", PSNR(), untouched(to_truth), once=True),
            Scorer("ssim_identity", SSIM(), untouched(_structured), once=True),
            Scorer("psnr_hole", PSNR(), _inside),
            Scorer("psnr_hole_identity", PSNR(), untouched(_inside), once=True),
        ]


def untouched(feed: Feed) -> Feed:
    """Feeds the sources in place of the translations, where there are any and they are pictures, not maps of labels."""

    def fed(metric: Metric, view: View, real: bool) -> None:
        if "source" in view and view["source"].shape[1] in (1, 3):
            feed(metric, {**view, "fake": as_target(view["source"], view["fake"])}, real)

    return fed


def as_target(source: Tensor, target: Tensor) -> Tensor:
    """Source images with the target's channels and size (bicubic): what doing nothing would show."""
    source = match_channels(source.float(), target.shape[1])
    if source.shape[-2:] == target.shape[-2:]:
        return source
    return F.interpolate(source, target.shape[-2:], mode="bicubic", antialias=True)


def _translated(metric: Metric, view: View, real: bool) -> None:
    if "source" not in view:
        raise ValueError(
            'TranslationScores needs the "source" of each translation in what validation_step returns, got '
            f"{sorted(view)}; use SWD for a model that does not translate"
        )
    compared(metric, view, real)


def _structured(metric: Metric, view: View, real: bool) -> None:
    if min(view["fake"].shape[-2:]) >= WINDOW:
        to_truth(metric, view, real)


def _inside(metric: Metric, view: View, real: bool) -> None:
    """Feed the pixels of each hole, and of no more, beside their truth."""
    if real or not {"hole", "truth"} <= view.keys():
        return
    for fake, truth, hole in zip(view["fake"], view["truth"], view["hole"], strict=True):
        inside = (hole > 0).expand_as(truth)
        if inside.any():
            metric.update(fake[inside][None], truth[inside][None])
