"""How much of a mixture a generator reaches, while it trains."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torchmetrics import Metric

from gan_modules.callbacks.scores import Scorer, Scores
from gan_modules.callbacks.views import View
from gan_modules.metrics.features import Unavailable
from gan_modules.metrics.modes import ModeCoverage


class Modes(Scores):
    """Logs `metric/modes`, `metric/high_quality` and `metric/reverse_kl` after validation on a mixture of Gaussians.

    They are those of `gan_modules.metrics.ModeCoverage`, of as many samples as there are validation data
    (`metric/modes_samples`). The data module gives `modes` (k, d) and `sigma`, as `datamodules.Ring` and `Grid` do;
    with other data the run says so and goes on without.

    Args:
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.
    """

    def __init__(self, num_samples: int | None = None, every_n_epochs: int = 1) -> None:
        super().__init__(every_n_epochs, num_samples)
        self._data: Any = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._data = getattr(trainer, "datamodule", None)
        super().setup(trainer, pl_module, stage)

    def scorers(self) -> list[Scorer]:
        modes, sigma = getattr(self._data, "modes", None), getattr(self._data, "sigma", None)
        if not isinstance(modes, Tensor) or sigma is None:
            raise Unavailable("the data module has no modes and sigma, as Ring and Grid have.")
        return [Scorer("modes", ModeCoverage(modes, sigma), _generated)]


def _generated(metric: Metric, view: View, real: bool) -> None:
    if not real:
        metric.update(view["fake"])
