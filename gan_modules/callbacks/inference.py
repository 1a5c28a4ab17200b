"""What encoders are worth, and how sharp the pictures are, while they train."""

from collections.abc import Callable

from torch import Tensor
from torchmetrics import Metric

from gan_modules import metrics
from gan_modules.callbacks.scores import Feed, Scorer, Scores
from gan_modules.callbacks.views import View
from gan_modules.metrics.structure import WINDOW


class Reconstruction(Scores):
    """Logs how near reconstructions are to their originals, after validation, hence on held-out pictures.

    `metric/reconstruction_psnr`: decibels; `metric/reconstruction_ssim`: structural similarity, for images of 11 pixels
    or more; `metric/reconstruction_l1`: the mean absolute difference of values in [-1, 1]. Beside each the number of
    pictures, `_samples`. For models that show "reconstruction", one of each of the "real" images.

    Args:
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.

    Raises:
        ValueError: in validation, where the model shows no reconstructions.
    """

    def __init__(self, num_samples: int | None = 1024, every_n_epochs: int = 1) -> None:
        super().__init__(every_n_epochs, num_samples)

    def scorers(self) -> list[Scorer]:
        return [
            Scorer("reconstruction_psnr", metrics.PSNR(), _to_original),
            Scorer("reconstruction_ssim", metrics.SSIM(), _structured),
            Scorer("reconstruction_l1", metrics.L1(), _to_original),
        ]


class NearestNeighbour(Scores):
    """Logs whether codes know the classes of pictures that they were not learnt from, after validation.

    `metric/nearest_neighbour`: the share of pictures whose nearest neighbour among the other validated ones, by the
    distance of their codes, is of their class. `metric/nearest_neighbour_identity`: the same by the distance of their
    pixels. Beside each the number of pictures, `_samples`. For models that show "codes", and data with classes: where
    these have none, there is no number.

    Args:
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.

    Raises:
        ValueError: in validation, where the model shows no codes.
    """

    def __init__(self, num_samples: int | None = 1024, every_n_epochs: int = 1) -> None:
        super().__init__(every_n_epochs, num_samples)

    def scorers(self) -> list[Scorer]:
        return [
            Scorer("nearest_neighbour", metrics.NearestNeighbour(), _by("codes")),
            Scorer("nearest_neighbour_identity", metrics.NearestNeighbour(), _by("real"), once=True),
        ]


class Sharpness(Scores):
    """Logs the mean gradient energy (`metrics.Sharpness`) of generated images, and of data, after validation.

    `metric/sharpness`, that of samples; `metric/sharpness_reconstruction`, of models that show them; and beside them
    `metric/sharpness_real`. Blur has less than the data, noise more.

    Args:
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.
    """

    def __init__(self, num_samples: int | None = 1024, every_n_epochs: int = 1) -> None:
        super().__init__(every_n_epochs, num_samples)

    def scorers(self) -> list[Scorer]:
        return [
            Scorer("sharpness", metrics.Sharpness(), _sharp("fake")),
            Scorer("sharpness_reconstruction", metrics.Sharpness(), _sharp("reconstruction")),
            Scorer("sharpness_real", metrics.Sharpness(), _sharp("real"), once=True),
        ]


def _original(view: View) -> tuple[Tensor, Tensor]:
    if "reconstruction" not in view:
        raise ValueError(
            'Reconstruction needs "reconstruction" beside "real" in what validation_step returns, got '
            f"{sorted(view)}; leave it out for a model without an encoder"
        )
    return view["reconstruction"], view["real"]


def _to_original(metric: Metric, view: View, real: bool) -> None:
    if not real:
        metric.update(*_original(view))


def _structured(metric: Metric, view: View, real: bool) -> None:
    if min(view["real"].shape[-2:]) >= WINDOW:
        _to_original(metric, view, real)


def _by(key: str) -> Feed:
    def fed(metric: Metric, view: View, real: bool) -> None:
        if "codes" not in view:
            raise ValueError(
                f'NearestNeighbour needs "codes" in what validation_step returns, got {sorted(view)}; leave it out for '
                "a model without an encoder"
            )
        if not real and "classes" in view:
            metric.update(view[key], view["classes"])

    return fed


def _sharp(key: str) -> Callable[[Metric, View, bool], None]:
    def fed(metric: Metric, view: View, real: bool) -> None:
        if not real and key in view:
            metric.update(view[key])

    return fed
