"""How well a classifier withstands an attack, while the attack is learnt."""

from collections.abc import Callable

from torch import Tensor
from torchmetrics import MeanMetric, Metric

from gan_modules.callbacks.scores import Feed, Scorer, Scores
from gan_modules.callbacks.views import View


class AttackSuccess(Scores):
    """Logs what an attack does to held-out pictures, after validation.

    `metric/attack_success`: the share of the pictures that the classifier named right and names otherwise once they are
    attacked. `metric/accuracy` and `metric/attacked_accuracy`: the share named right before and after.
    `metric/perturbation` and `metric/perturbation_l2`: the largest change of a value and the Euclidean length of the
    change, a mean over pictures, in units of images in [-1, 1]. For models whose validation shows "labels" and what the
    classifier says "before" and "after", as `AdvGAN` does.

    Args:
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.
    """

    def __init__(self, num_samples: int | None = None, every_n_epochs: int = 1) -> None:
        super().__init__(every_n_epochs, num_samples)

    def scorers(self) -> list[Scorer]:
        measures: dict[str, Callable[[View], Tensor]] = {
            "attack_success": lambda view: (view["after"] != view["labels"])[view["before"] == view["labels"]],
            "accuracy": lambda view: view["before"] == view["labels"],
            "attacked_accuracy": lambda view: view["after"] == view["labels"],
            "perturbation": lambda view: (view["fake"] - view["source"]).flatten(1).abs().amax(1),
            "perturbation_l2": lambda view: (view["fake"] - view["source"]).flatten(1).norm(dim=1),
        }
        return [Scorer(name, MeanMetric(), _mean_of(measure)) for name, measure in measures.items()]


def _mean_of(measure: Callable[[View], Tensor]) -> Feed:
    def fed(metric: Metric, view: View, real: bool) -> None:
        if not {"labels", "before", "after"} <= view.keys():
            raise ValueError(
                'AttackSuccess needs "labels", "before" and "after" in what validation_step returns, got '
                f"{sorted(view)}; leave it out for a model that attacks no classifier"
            )
        if not real and len(values := measure(view).float()):
            metric.update(values)

    return fed
