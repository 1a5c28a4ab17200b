"""How colourful generated pictures are, beside the data."""

from torchmetrics import Metric

from gan_modules.callbacks.scores import Scorer, Scores
from gan_modules.callbacks.views import View
from gan_modules.metrics.saturation import MeanSaturation


class Saturation(Scores):
    """Logs `metric/saturation`, the mean saturation of generated pictures, and `metric/saturation_real`, the data's.

    For pictures in three channels; see `gan_modules.metrics.MeanSaturation`.

    Args:
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.
    """

    def __init__(self, num_samples: int | None = None, every_n_epochs: int = 1) -> None:
        super().__init__(every_n_epochs, num_samples)

    def scorers(self) -> list[Scorer]:
        return [
            Scorer("saturation", MeanSaturation(), _generated),
            Scorer("saturation_real", MeanSaturation(), _data, once=True),
        ]


def _generated(metric: Metric, view: View, real: bool) -> None:
    if not real and view["fake"].shape[1] == 3:
        metric.update(view["fake"])


def _data(metric: Metric, view: View, real: bool) -> None:
    if real and view["real"].shape[1] == 3:
        metric.update(view["real"])
