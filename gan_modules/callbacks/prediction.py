"""How far ahead predicted frames are worth something."""

from torchmetrics import Metric

from gan_modules import checks
from gan_modules.callbacks.scores import Feed, Scorer, Scores
from gan_modules.callbacks.views import View
from gan_modules.metrics.psnr import PSNR


class PredictionScores(Scores):
    """Logs the decibels of predicted frames to the true ones: `metric/psnr_1` of the next frame, `metric/psnr_2`, ...

    Beside each stands `metric/psnr_1_identity`, those of the last frame that was seen, copied as if nothing moved, and
    the number of clips, `_samples`. Predictions further ahead are made of earlier predictions. For models that show a
    "rollout" and its "future"; there is no number for a frame beyond those that the data have.

    Args:
        steps: frames ahead.
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.

    Raises:
        ValueError: in validation, where the model shows no roll-out.
    """

    def __init__(self, steps: int = 8, num_samples: int | None = 1024, every_n_epochs: int = 1) -> None:
        checks.whole(1, steps=steps)
        super().__init__(every_n_epochs, num_samples)
        self.steps = steps

    def scorers(self) -> list[Scorer]:
        predicted = [Scorer(f"psnr_{step + 1}", PSNR(), _at(step)) for step in range(self.steps)]
        copied = [
            Scorer(f"psnr_{step + 1}_identity", PSNR(), _at(step, copied=True), once=True) for step in range(self.steps)
        ]
        return predicted + copied


def _at(step: int, copied: bool = False) -> Feed:
    def fed(metric: Metric, view: View, real: bool) -> None:
        if "rollout" not in view:
            raise ValueError(
                f'PredictionScores needs a "rollout" in what validation_step returns, got {sorted(view)}; leave it out '
                "for a model that predicts no frames"
            )
        if not real and step < view["rollout"].shape[1]:
            metric.update(view["history"][:, -1] if copied else view["rollout"][:, step], view["future"][:, step])

    return fed
