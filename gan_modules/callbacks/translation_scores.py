"""The numbers that need no downloaded network, each for a translator beside the same number for doing nothing."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from gan_modules.callbacks.scores import Scores
from gan_modules.callbacks.views import View
from gan_modules.metrics.pixels import match_channels
from gan_modules.metrics.psnr import PSNR
from gan_modules.metrics.sliced_wasserstein import SlicedWasserstein


class SWD(Scores):
    """Logs `metric/swd`, the sliced Wasserstein distance of generated images, and `metric/swd_samples`.

    Args:
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.
    """

    def __init__(self, num_samples: int | None = 1024, every_n_epochs: int = 1) -> None:
        super().__init__(["swd"], _distances, every_n_epochs, num_samples)


class TranslationScores(Scores):
    """Logs what translations are worth, and what doing nothing is worth, after validation.

    `metric/swd`: the sliced Wasserstein distance between translations and target domain; where the truth is known
    `metric/psnr`: the decibels to it. `metric/swd_identity` and `metric/psnr_identity` are the same of the sources as
    they are (in the target's channels and size), computed once a run. A model with two directions has each of these
    for both: `metric/swd/x_to_y`.

    Args:
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.

    Raises:
        ValueError: in validation, where the model has no "source" in what its `validation_step` returns.
    """

    def __init__(self, num_samples: int | None = 1024, every_n_epochs: int = 1) -> None:
        super().__init__(["swd", "psnr"], _translations, every_n_epochs, num_samples)


def _distances() -> Callable[[], "_Distance"]:
    return _Distance


def _translations() -> Callable[[], "_Translation"]:
    return _Translation


class _Distance:
    """The sliced Wasserstein distance between the real and the generated images of a view."""

    def __init__(self) -> None:
        self.metric = SlicedWasserstein(reset_real=False)
        self.knows_real = False

    def to(self, device: torch.device) -> None:
        self.metric.to(device)

    def update(self, view: View) -> None:
        if not self.knows_real:
            self.metric.update(view["real"], real=True)
        self.metric.update(view["fake"], real=False)

    def compute(self) -> dict[str, Tensor]:
        self.knows_real = True
        return {"swd": _taken(self.metric)}


class _Translation:
    """Distance and decibels of the translations, and, the first time, of the sources."""

    def __init__(self) -> None:
        self.distance, self.psnr = _Distance(), PSNR()
        self.identity_distance, self.identity_psnr = SlicedWasserstein(), PSNR()
        self.doing_nothing: dict[str, Tensor] = {}

    def to(self, device: torch.device) -> None:
        self.distance.to(device)
        for metric in (self.psnr, self.identity_distance, self.identity_psnr):
            metric.to(device)

    def update(self, view: View) -> None:
        if "source" not in view:
            raise ValueError(
                'TranslationScores needs the "source" of each translation in what validation_step returns, got '
                f"{sorted(view)}; use SWD for a model that does not translate"
            )
        self.distance.update(view)
        if "truth" in view:
            self.psnr.update(view["fake"], view["truth"])
        if not self.doing_nothing:
            self._update_identity(view, as_target(view["source"], view["fake"]))

    def compute(self) -> dict[str, Tensor]:
        values = self.distance.compute()
        if self.psnr.update_called:
            values["psnr"] = _taken(self.psnr)
        if not self.doing_nothing:
            self.doing_nothing["swd_identity"] = _taken(self.identity_distance)
            if self.identity_psnr.update_called:
                self.doing_nothing["psnr_identity"] = _taken(self.identity_psnr)
        return values | self.doing_nothing

    def _update_identity(self, view: View, source: Tensor) -> None:
        self.identity_distance.update(view["real"], real=True)
        self.identity_distance.update(source, real=False)
        if "truth" in view:
            self.identity_psnr.update(source, view["truth"])


def as_target(source: Tensor, target: Tensor) -> Tensor:
    """Source images with the target's channels and size: what doing nothing would show."""
    source = match_channels(source.float(), target.shape[1])
    if source.shape[-2:] == target.shape[-2:]:
        return source
    return F.interpolate(source, target.shape[-2:], mode="bilinear", antialias=True)


def _taken(metric: Metric) -> Tensor:
    """The value of a metric, which starts anew."""
    value = metric.compute()
    metric.reset()
    return value
