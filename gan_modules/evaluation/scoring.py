"""Metrics by name: what each needs of what is compared, how it is fed, and what its numbers are called."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric
from tqdm import tqdm

from gan_modules.callbacks.translation_scores import as_target
from gan_modules.evaluation.comparison import Comparison
from gan_modules.evaluation.options import DTYPES, Evaluation
from gan_modules.evaluation.sides import Part, Side
from gan_modules.metrics import (
    LPIPS,
    PRDC,
    PSNR,
    SSIM,
    ClassificationAccuracy,
    FeatureNetwork,
    FrechetDistance,
    InceptionScore,
    IntraFrechetDistance,
    KernelDistance,
    LPIPSDiversity,
    ModeCoverage,
    MultiScaleSSIM,
    PathLength,
    PerceptualNetwork,
    Sharpness,
    SlicedWasserstein,
)
from gan_modules.metrics.inception import Resize, inception
from gan_modules.metrics.networks import dinov2, torchvision_network
from gan_modules.metrics.perceptual import Backbone
from gan_modules.metrics.pixels import to_bytes, to_floats
from gan_modules.metrics.structure import scales_of

PUBLISHED = 50_000
"""Generated pictures from which on a Fréchet distance is that of the published protocol."""

RESIZES: dict[str, Resize] = {"inception": "published", "inception-clean": "clean"}
"""The resizes of the Inception, by the name of the network."""

SMALLEST = 32
"""The side below which pictures are enlarged to 64 pixels for LPIPS, which cannot see them, as its name then says."""

NEEDS = {
    "pictures": "pictures",
    "equal": "pictures of one size and kind on both sides, as --size or --data.image_size can make them",
    "labels": "labels on both sides",
    "truth": "the truth of each translation",
    "latent": "a model that makes pictures from noise",
    "modes": "a mixture of points",
}
"""What a metric may need, in words."""


@dataclass(frozen=True)
class Context:
    """What metrics are made from.

    Args:
        network: of features, which all metrics share; None where none of them needs it.
        perceptual: makes the network of LPIPS for a backbone and the shorter side of pictures; may raise `Unavailable`.
        comparison: what is compared.
        direction: in which this is.
        asked: how.
    """

    network: FeatureNetwork | None
    perceptual: Callable[[Backbone, int], PerceptualNetwork]
    comparison: Comparison
    direction: str
    asked: Evaluation

    @property
    def count(self) -> int:
        """How many items are generated."""
        return self.comparison.counts[self.direction]

    @property
    def real(self) -> Side:
        """The side of the data."""
        return self.comparison.real[self.direction]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the pictures, where these are known."""
        _, height, width = self.real.shape or (3, SMALLEST, SMALLEST)
        return height, width


class Scorer(NamedTuple):
    """A metric, how it is shown parts of a side, what it is called where it does not say itself, and what it does when
    it has seen all."""

    metric: Metric
    feed: Callable[[Any, Part, bool], None]
    name: str
    finish: Callable[[Any], None] | None = None

    def results(self) -> dict[str, tuple[float, float | None]]:
        """Values with their deviations, by name.

        Raises:
            ValueError: if a value is not finite.
        """
        if self.finish is not None:
            self.finish(self.metric)
        found = self.metric.compute()
        if not isinstance(found, Mapping):
            numbers = found if isinstance(found, Sequence) else (found,)
            found = dict(zip((self.name, f"{self.name}_std"), numbers, strict=False))
        values = {name: float(value) for name, value in found.items()}
        for name, value in values.items():
            if not abs(value) < float("inf"):
                raise ValueError(f"{name} came out as {value}, which is no result; look at the pictures of both sides")
        return {name: (value, values.get(f"{name}_std")) for name, value in values.items() if name[-4:] != "_std"}


@dataclass(frozen=True)
class Measure:
    """A metric that can be asked for.

    Args:
        make: its scorers in one direction.
        reference: where it is from; by the name of the number where these are from several papers.
        needs: keys of `NEEDS`.
        network: whether it needs the network of features.
        real: whether it is shown the data.
        least: items of either side that it needs.
        better: "higher" or "lower", by the name of the number, where the metric itself does not say it of all.
    """

    make: Callable[[Context], list[Scorer]]
    reference: str | Mapping[str, str]
    needs: tuple[str, ...] = ("pictures",)
    network: bool = False
    real: bool = True
    least: int = 2
    better: Mapping[str, str] = field(default_factory=dict)


class Row(NamedTuple):
    """A number: its own name, that of the metric as it was asked for, a translator's direction, the deviation where
    there is one, which is better, of how many samples of either side, and where the metric is from."""

    name: str
    metric: str
    direction: str
    value: float
    std: float | None
    better: str
    generated: int
    real: int | None
    reference: str


def both(metric: Any, part: Part, real: bool) -> None:
    """Feed a metric that compares two sides."""
    metric.update(part.images, real=real)


def one(side: bool) -> Callable[[Any, Part, bool], None]:
    """Feeds a metric of the pictures of one side: of the data (True), or of what was generated."""

    def fed(metric: Any, part: Part, real: bool) -> None:
        if real == side:
            metric.update(part.images)

    return fed


def points(metric: Any, part: Part, real: bool) -> None:
    """Feed a metric of generated points."""
    if not real:
        metric.update(part.images)


def translations(metric: Any, part: Part, real: bool) -> None:
    """Feed a metric of pictures and their truth."""
    if not real and part.truth is not None:
        metric.update(to_floats(part.images, real=True), to_floats(part.truth, real=True))


def nothing_done(metric: Any, part: Part, real: bool) -> None:
    """Feed a metric of pictures and their truth with the sources as they are."""
    if not real and part.truth is not None:
        metric.update(_source(part), to_floats(part.truth, real=True))


def nothing_done_to_both(metric: Any, part: Part, real: bool) -> None:
    """Feed a metric that compares two sides with the data and the sources as they are."""
    metric.update(part.images if real else to_bytes(_source(part), real=False), real=real)


def _source(part: Part) -> Tensor:
    """What doing nothing shows: the sources in the channels and the size of the translations, in [-1, 1]."""
    if part.source is None:
        raise ValueError("what doing nothing is worth is asked of translations alone")
    return as_target(to_floats(part.source, real=True), part.images)


def labelled(metric: Any, part: Part, real: bool) -> None:
    """Feed a metric that compares two sides class by class."""
    metric.update(part.images, real=real, labels=part.labels)


def learnt(metric: Any, part: Part, real: bool) -> None:
    """Feed a metric that learns classes from what was generated, and is tried on data."""
    metric.update(part.images, part.labels, real=real, held_out=real)


def unshown(metric: Any, part: Part, real: bool) -> None:
    """Show a metric nothing: it looks at the model."""


def _of_features(
    metric: Callable[..., Metric], name: str, feed: Callable[[Any, Part, bool], None] = both
) -> Callable[[Context], list[Scorer]]:
    return lambda context: [Scorer(metric(context.network), feed, name)]


def _kid(context: Context) -> list[Scorer]:
    size = min(1000, context.count, context.real.count)
    return [Scorer(KernelDistance(_network(context), subset_size=size, seed=context.asked.seed), both, "kid")]


def _network(context: Context) -> FeatureNetwork:
    if context.network is None:
        raise ValueError("there is no network of features")
    return context.network


def _to_truth(name: str, metric: Callable[[], Metric]) -> list[Scorer]:
    return [Scorer(metric(), translations, name), Scorer(metric(), nothing_done, f"{name}_identity")]


def _lpips(context: Context) -> list[Scorer]:
    network = context.perceptual("alex", min(context.shape))
    of_pairs = Scorer(LPIPSDiversity(network, seed=context.asked.seed), both, "lpips_diversity")
    has_truth = "truth" in context.comparison.facts
    return [*(_to_truth(network.named("lpips"), lambda: LPIPS(network)) if has_truth else []), of_pairs]


def _swd(context: Context) -> list[Scorer]:
    feeds = {"swd": both} | ({"swd_identity": nothing_done_to_both} if "sources" in context.comparison.facts else {})
    return [Scorer(SlicedWasserstein(context.asked.seed), feed, name) for name, feed in feeds.items()]


def _ssim(context: Context) -> list[Scorer]:
    scales_of(*context.shape)  # refuses pictures that are too small
    return _to_truth("ssim", SSIM)


def _ms_ssim(context: Context) -> list[Scorer]:
    scales_of(*context.shape)
    return [Scorer(MultiScaleSSIM(seed=context.asked.seed), both, "ms_ssim")]


def _sharpness(context: Context) -> list[Scorer]:
    return [Scorer(Sharpness(), one(False), "sharpness"), Scorer(Sharpness(), one(True), "sharpness_real")]


def _cas(context: Context) -> list[Scorer]:
    metric = ClassificationAccuracy(seed=context.asked.seed)

    def train(metric: Any) -> None:
        with progress("cas", metric.epochs * context.count) as bar:
            metric.progress = bar.update
            metric.compute()

    return [Scorer(metric, learnt, "cas", train)]


def _ppl(context: Context) -> list[Scorer]:
    asked = context.asked
    metric = PathLength(
        context.perceptual("vgg", min(context.shape)), asked.n, batch_size=asked.batch_size, seed=asked.seed
    )

    def walk(metric: Any) -> None:
        with progress("ppl", asked.n, "path") as bar:
            metric.update(context.comparison.module, bar.update)

    return [Scorer(metric, unshown, "ppl", walk)]


def _modes(context: Context) -> list[Scorer]:
    data: Any = context.comparison.data
    return [Scorer(ModeCoverage(data.modes, data.sigma), points, "modes")]


_PRDC = dict.fromkeys(("precision", "recall"), "Kynkäänniemi et al. 2019")
_PRDC |= dict.fromkeys(("density", "coverage"), "Naeem et al. 2020")
MEASURES = {
    "fid": Measure(_of_features(FrechetDistance, "fid"), "Heusel et al. 2017", network=True),
    "kid": Measure(_kid, "Bińkowski et al. 2018", network=True),
    "prdc": Measure(_of_features(PRDC, "prdc"), _PRDC, network=True, least=6),
    "is": Measure(_of_features(InceptionScore, "is"), "Salimans et al. 2016", network=True, real=False),
    "intra_fid": Measure(
        _of_features(IntraFrechetDistance, "intra_fid", labelled), "Miyato and Koyama 2018", ("labels",), network=True
    ),
    "cas": Measure(_cas, "Ravuri and Vinyals 2019", ("labels", "equal")),
    "swd": Measure(_swd, "Karras et al. 2018", ("equal",)),
    "sharpness": Measure(_sharpness, "", ("equal",)),
    "ms_ssim": Measure(_ms_ssim, "Odena et al. 2017", ("equal",)),
    "lpips": Measure(_lpips, "Zhang et al. 2018", ("equal",)),
    "ppl": Measure(_ppl, "Karras et al. 2019", ("latent",), real=False),
    "psnr": Measure(lambda context: _to_truth("psnr", PSNR), "", ("truth",), real=False),
    "ssim": Measure(_ssim, "Wang et al. 2004", ("truth",), real=False),
    "modes": Measure(
        _modes,
        "Lin et al. 2018",
        ("modes",),
        real=False,
        better={"modes": "higher", "high_quality": "higher", "reverse_kl": "lower"},
    ),
}
"""The metrics by the names by which they are asked for."""


def checked(names: Sequence[str]) -> list[str]:
    """Names of metrics, each once.

    Raises:
        ValueError: for a name that is none; the sentence has the nearest ones.
    """
    for name in names:
        if name not in MEASURES:
            near = get_close_matches(name, MEASURES, n=3, cutoff=0.4)
            advice = f"did you mean {' or '.join(near)}? " if near else ""
            raise ValueError(f"--metrics expected names, got {name!r}; {advice}there are {', '.join(MEASURES)}")
    return list(dict.fromkeys(names))


def fitting(comparison: Comparison) -> list[str]:
    """The metrics that fit what is compared."""
    fewest = min(*comparison.counts.values(), *(side.count for side in comparison.real.values()))
    facts = comparison.facts
    return [name for name, each in MEASURES.items() if facts.issuperset(each.needs) and fewest >= each.least]


def check_fit(names: Sequence[str], comparison: Comparison) -> None:
    """Raise a ValueError for a metric that needs what is not there; the sentence has those that fit."""
    fits = fitting(comparison)
    for name in names:
        if name not in fits:
            measure = MEASURES[name]
            lacking = [NEEDS[need] for need in measure.needs if need not in comparison.facts]
            what = lacking[0] if lacking else f"at least {measure.least} items on each side"
            raise ValueError(f"{name} needs {what}; what is compared here fits {', '.join(fits) or 'no metric'}")


def default(comparison: Comparison, network: bool) -> list[str]:
    """The metrics that are measured where none is asked for, with and without a network of features."""
    names = ("fid", "kid", "prdc") if network else ("swd",)
    return [name for name in (*names, "psnr", "ssim", "modes") if name in fitting(comparison)]


def feature_network(asked: Evaluation) -> FeatureNetwork:
    """The network of features that is asked for.

    Raises:
        Unavailable: if its weights cannot be had here.
        ValueError: if there is no such network, or its weights are damaged.
    """
    if asked.network in RESIZES:
        return inception(asked.weights, RESIZES[asked.network], DTYPES[asked.precision])
    if DTYPES[asked.precision] != torch.float32:
        raise ValueError(f"--precision {asked.precision} is for Inception; leave it out for --network {asked.network}")
    if asked.network == "dinov2":
        if asked.weights is not None:
            raise ValueError("--weights is a file for Inception or torchvision's networks; leave it out for dinov2")
        return dinov2()
    return torchvision_network(asked.network, asked.weights)


def perceptual_network(backbone: Backbone, asked: Evaluation, side: int) -> PerceptualNetwork:
    """The network of LPIPS ("alex") or of path lengths ("vgg"), for pictures whose shorter side has so many pixels.

    Raises:
        Unavailable: if its weights cannot be had here.
        ValueError: if they are damaged.
    """
    weights = asked.lpips_weights if backbone == "alex" else asked.ppl_weights
    return PerceptualNetwork(backbone, weights, resize=64 if side < SMALLEST else None)


def rows(name: str, scorer: Scorer, context: Context) -> list[Row]:
    """The numbers of one metric.

    Raises:
        ValueError: if one of them is not finite.
    """
    measure, found = MEASURES[name], []
    says = {True: "higher", False: "lower", None: ""}[scorer.metric.higher_is_better]
    for own, (value, std) in scorer.results().items():
        named = _network(context).named(own) if measure.network else own
        if name == "fid" and context.count < PUBLISHED:
            named = f"{named}@{context.count}"
        real = context.real.count if measure.real else None
        better = measure.better.get(own, says)
        reference = measure.reference if isinstance(measure.reference, str) else measure.reference[own]
        found.append(Row(named, name, context.direction, value, std, better, context.count, real, reference))
    return found


def progress(title: str, total: int, unit: str = "picture") -> "tqdm[Any]":
    """A bar with the time that is left, where somebody watches."""
    return tqdm(total=total, desc=title, unit=unit, disable=None, dynamic_ncols=True)
