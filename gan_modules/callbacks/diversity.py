"""How much the translations of one picture differ, while their model trains."""

from functools import cached_property
from pathlib import Path
from typing import get_args

from torchmetrics import Metric

from gan_modules import checks, metrics
from gan_modules.callbacks.scores import Scorer, Scores
from gan_modules.callbacks.views import View
from gan_modules.metrics.perceptual import Backbone, PerceptualNetwork


class Diversity(Scores):
    """Logs `metric/diversity`, the mean distance between translations of one source, after validation.

    Of pixels it is the mean absolute difference of values in [-1, 1]; of a network LPIPS, and it is called so:
    `metric/diversity_lpips` or `metric/diversity_lpips_vgg`. Beside it stands the number of sources, `_samples`. For
    models that show "samples" in validation, several translations of each source. A model with two directions has the
    number for both: `metric/diversity/x_to_y`.

    Args:
        backbone: "alex" or "vgg" for LPIPS by that network; None: pixels are compared.
        weights: a file with the convolutions of torchvision's AlexNet or VGG16; None: their download.
        resize: side that images are brought to for LPIPS, which needs 31 ("alex") or 16 pixels.
        num_samples: use at most so many sources, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.

    Raises:
        ValueError: in validation, where the model has no "samples" in what its `validation_step` returns.
    """

    def __init__(
        self,
        backbone: Backbone | None = None,
        weights: Path | str | None = None,
        resize: int | None = None,
        num_samples: int | None = 1024,
        every_n_epochs: int = 1,
    ) -> None:
        super().__init__(every_n_epochs, num_samples)
        checks.choice(get_args(Backbone), backbone="alex" if backbone is None else backbone)
        checks.whole(16, resize=16 if resize is None else resize)
        self.backbone, self.weights, self.resize = backbone, weights, resize

    @cached_property
    def network(self) -> PerceptualNetwork | None:
        """The network, of which a run has one copy."""
        return PerceptualNetwork(self.backbone, self.weights, self.resize) if self.backbone else None

    def scorers(self) -> list[Scorer]:
        metric = metrics.SampleDiversity(self.network)
        return [Scorer(metric.name, metric, _among_samples)]


def _among_samples(metric: Metric, view: View, real: bool) -> None:
    if "samples" not in view:
        raise ValueError(
            'Diversity needs "samples", several translations of each source, in what validation_step returns, got '
            f"{sorted(view)}; leave it out for a model that has one translation of each"
        )
    if not real:
        metric.update(view["samples"])
