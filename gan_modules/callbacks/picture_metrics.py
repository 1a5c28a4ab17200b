"""Metrics of how pictures look to people, during training: their variety, their truth, and how smoothly they change."""

from functools import cached_property
from pathlib import Path

from lightning.pytorch import LightningModule, Trainer
from torchmetrics import Metric

from gan_modules import checks, metrics
from gan_modules.callbacks.scores import Scorer, Scores, compared, labelled, labels_of, to_truth
from gan_modules.callbacks.translation_scores import untouched
from gan_modules.callbacks.views import View
from gan_modules.metrics.perceptual import Backbone, PerceptualNetwork


class MSSSIM(Scores):
    """Logs the variety of generated images: `metric/ms_ssim`, that of data `metric/ms_ssim_real`, and `_samples`.

    The mean multi-scale structural similarity of pairs of images: above that of the data, the generator has collapsed.
    Images below 176 pixels have fewer scales than the published five, which the name says: `metric/ms_ssim@3`.

    Args:
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.
        within_classes: compare images of one class alone (Odena et al., 2017), for models that have labels.
    """

    def __init__(self, num_samples: int | None = 1024, every_n_epochs: int = 1, within_classes: bool = False) -> None:
        checks.switch(within_classes=within_classes)
        super().__init__(every_n_epochs, num_samples)
        self.within_classes = within_classes

    def scorers(self) -> list[Scorer]:
        metric = metrics.MultiScaleSSIM(within_classes=self.within_classes, reset_real=False)
        return [Scorer("ms_ssim", metric, labelled if self.within_classes else compared)]


class LPIPS(Scores):
    """Logs perceptual distances, of translators to the truth, of other models among their own images.

    `metric/lpips` of translations to their truths, less being better, and `metric/lpips_identity` of the sources as
    they are; `metric/lpips_diversity` of pairs of generated images, more being more varied, and of data
    `metric/lpips_diversity_real`. Each has its `_samples`.

    Args:
        backbone: "alex", the usual choice, or "vgg".
        weights: a file with the convolutions of torchvision's AlexNet or VGG16; None: their download.
        resize: side that images are brought to, which the name says; the networks need 31 ("alex") or 16 pixels.
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.
    """

    def __init__(
        self,
        backbone: Backbone = "alex",
        weights: Path | str | None = None,
        resize: int | None = None,
        num_samples: int | None = 1024,
        every_n_epochs: int = 1,
    ) -> None:
        super().__init__(every_n_epochs, num_samples)
        self.backbone, self.weights, self.resize = backbone, weights, resize

    @cached_property
    def network(self) -> PerceptualNetwork:
        """The network, of which a run has one copy."""
        return PerceptualNetwork(self.backbone, self.weights, self.resize)

    def scorers(self) -> list[Scorer]:
        name = self.network.named("lpips")
        return [
            Scorer(name, metrics.LPIPS(self.network), to_truth),
            Scorer(f"{name}_identity", metrics.LPIPS(self.network), untouched(to_truth), once=True),
            Scorer(name, metrics.LPIPSDiversity(self.network, reset_real=False), _of_no_source),
        ]


class Accuracy(Scores):
    """Logs `metric/accuracy`, the share of real images whose class the model itself names right, and `_samples`.

    For models that show "classes", the true ones, and "predicted" in validation, as semi-supervised ones do.

    Args:
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.
    """

    def __init__(self, num_samples: int | None = None, every_n_epochs: int = 1) -> None:
        super().__init__(every_n_epochs, num_samples)

    def scorers(self) -> list[Scorer]:
        return [Scorer("accuracy", metrics.Accuracy(), _predicted)]


class PerceptualPathLength(Scores):
    """Logs `metric/ppl`, the perceptual path length of the generator, `metric/ppl_std` and `metric/ppl_samples`.

    Karras, Laine and Aila (2019): how fast images change as a latent moves; less is smoother. The samples are paths of
    their own, whatever the validation data are. For models with a `prior`.

    Args:
        weights: a file with the convolutions of torchvision's VGG16; None: their download.
        resize: side that images are brought to, which the name says; the network needs 16 pixels.
        num_samples: paths (the paper: 100,000), over all processes.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.
    """

    def __init__(
        self,
        weights: Path | str | None = None,
        resize: int | None = None,
        num_samples: int = 10_000,
        every_n_epochs: int = 1,
    ) -> None:
        super().__init__(every_n_epochs, None)
        checks.whole(self.least, num_samples=num_samples)
        checks.whole(16, resize=16 if resize is None else resize)
        self.weights, self.resize, self.paths = weights, resize, num_samples

    @cached_property
    def network(self) -> PerceptualNetwork:
        """The network, of which a run has one copy."""
        return PerceptualNetwork("vgg", self.weights, self.resize)

    def scorers(self) -> list[Scorer]:
        return [Scorer("ppl", metrics.PathLength(self.network, self.paths), _nothing, samples=self.paths)]

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for direction in self._seen:
            self._scorers[direction][0].metric.update(pl_module)
        super().on_validation_epoch_end(trainer, pl_module)


class ClassificationAccuracy(Scores):
    """Logs `metric/cas_convnet`, what a classifier that learns from generated images knows of real ones, `_samples`.

    Ravuri and Vinyals (2019), with a small network that learns from as many generated images as are validated with:
    the share of real images that it names right. For models that show "labels" in validation.

    Args:
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.
        epochs: that the classifier learns for.
    """

    def __init__(self, num_samples: int | None = None, every_n_epochs: int = 1, epochs: int = 10) -> None:
        checks.whole(1, epochs=epochs)
        super().__init__(every_n_epochs, num_samples)
        self.epochs = epochs

    def scorers(self) -> list[Scorer]:
        return [Scorer("cas", metrics.ClassificationAccuracy(epochs=self.epochs, reset_real=False), _classified)]


def _classified(metric: Metric, view: View, real: bool) -> None:
    labels = labels_of(view, metric)
    if real:
        metric.update(view["real"], labels, real=True, held_out=True)
    else:
        metric.update(view["fake"], labels, real=False)


def _predicted(metric: Metric, view: View, real: bool) -> None:
    if not view.keys() >= {"classes", "predicted"}:
        raise ValueError(
            f'Accuracy needs "classes" and "predicted" in what validation_step returns, got {sorted(view)}; leave it '
            "out for a model that does not classify"
        )
    if real:
        metric.update(view["predicted"], view["classes"])


def _of_no_source(metric: Metric, view: View, real: bool) -> None:
    if "source" not in view:
        compared(metric, view, real)


def _nothing(metric: Metric, view: View, real: bool) -> None:
    pass
