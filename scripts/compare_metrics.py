"""Our metrics beside the packages that others quote, for the same pictures, as a table.

python scripts/compare_metrics.py REAL FAKE [--count N] [--weights FILE]

REAL and FAKE are folders of pictures of one size, a folder for each class, of which N are taken, evenly over the sorted
paths. Either side has its own network of features (torch-fidelity's and ours, with the same weights) and its own
formulas. prdc and clean-fid are compared where they are installed (pip install prdc clean-fid).
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from itertools import chain
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from gan_modules.cli import ScriptParser, main
from gan_modules.metrics import frechet_by_class, inception_score, kernel_distance, prdc
from gan_modules.metrics.frechet import frechet_distance, mean_and_covariance, moments
from gan_modules.metrics.inception import inception
from gan_modules.metrics.kernel import all_pairs
from gan_modules.metrics.weights import found as file_of

BATCH = 50


class Side(NamedTuple):
    """Byte images (n, 3, h, w), their classes (n,), and the names of the classes."""

    images: Tensor
    labels: Tensor
    classes: list[str]


class Features(NamedTuple):
    """Of both sides, and the logits of the generated one."""

    real: Tensor
    fake: Tensor
    logits: Tensor


def folder(path: Path, count: int) -> Side:
    """`count` pictures of a folder, evenly over the sorted paths.

    Raises:
        ValueError: if there are fewer.
    """
    paths = sorted(each for each in path.rglob("*") if each.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"))
    if len(paths) < count:
        raise ValueError(f"expected at least {count} pictures in {path}, found {len(paths)}; lower --count")
    chosen = [paths[place * len(paths) // count] for place in range(count)]
    classes = sorted({each.parent.name for each in paths})
    pixels = [np.asarray(Image.open(each).convert("RGB")) for each in chosen]
    labels = torch.tensor([classes.index(each.parent.name) for each in chosen])
    return Side(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous(), labels, classes)


def in_batches(network: Callable[[Tensor], tuple[Tensor, ...]], images: Tensor) -> list[Tensor]:
    """What a network gives for all images."""
    parts = []
    for done, part in enumerate(images.split(BATCH), start=1):
        parts.append(network(part))
        print(f"\r{min(done * BATCH, len(images))} of {len(images)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return [torch.cat(each) for each in zip(*parts, strict=True)]


def our_features(real: Tensor, fake: Tensor, weights: Path) -> Features:
    network = inception(weights)

    def both(images: Tensor) -> tuple[Tensor, Tensor]:
        features = network.features(images, real=True)
        return features, network.logits(features)

    return Features(in_batches(both, real)[0], *in_batches(both, fake))


def their_features(real: Tensor, fake: Tensor, weights: Path) -> Features:
    network = FeatureExtractorInceptionV3("reference", ["2048", "logits_unbiased"], str(weights))
    return Features(in_batches(network, real)[0], *in_batches(network, fake))


def fidelitys_fid(real: Tensor, fake: Tensor) -> float:
    statistics = [fid_features_to_statistics(side) for side in (real, fake)]
    return float(fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"])


Row = tuple[str, float, str, float]
"""What a number is, ours, whose the reference is, and what that says."""


def distances(ours: Features, theirs: Features, real: Side, fake: Side) -> Iterator[Row]:
    """The Fréchet distance, of all pictures and within classes."""
    found = frechet_distance(*mean_and_covariance(moments(ours.real)), *mean_and_covariance(moments(ours.fake)))
    yield "FID", found.item(), "torch-fidelity", fidelitys_fid(*theirs[:2])
    if real.classes == fake.classes:
        within = frechet_by_class(ours.real, real.labels, ours.fake, fake.labels)
        each = [fidelitys_fid(theirs.real[real.labels == c], theirs.fake[fake.labels == c]) for c in within]
        name = f"intra FID, {len(within)} classes"
        yield name, mean(distance.item() for distance in within.values()), "torch-fidelity", mean(each)


def kernels(ours: Features, theirs: Features) -> Iterator[Row]:
    """The kernel distance of all pairs, and the mean over subsets, which each package draws otherwise."""
    count, subsets, size = len(ours.fake), 100, len(ours.fake) // 2
    exact = all_pairs(*ours[:2]).item()
    whole = kid_features_to_metric(*theirs[:2], kid_subsets=1, kid_subset_size=count, verbose=False)
    yield "KID, all pairs", exact, "torch-fidelity", whole["kernel_inception_distance_mean"]
    if find_spec("cleanfid"):
        from cleanfid.fid import kernel_distance as cleanfids

        sides = [side.double().numpy() for side in theirs[:2]]
        yield "KID, all pairs", exact, "clean-fid", float(cleanfids(*sides, num_subsets=1, max_subset_size=count))
    drawn = kid_features_to_metric(*theirs[:2], kid_subsets=subsets, kid_subset_size=size, verbose=False)
    kid, deviation = kernel_distance(ours.real, ours.fake, subsets, size)
    name = f"KID, {subsets} subsets of {size} of its own"
    yield name, kid.item(), "torch-fidelity", drawn["kernel_inception_distance_mean"]
    yield "their deviation", deviation.item(), "torch-fidelity", drawn["kernel_inception_distance_std"]


def shares(ours: Features, theirs: Features) -> Iterator[Row]:
    """Precision and recall, density and coverage."""
    four = {key: value.item() for key, value in prdc(ours.real, ours.fake).items()}
    reference = prc_features_to_metric(theirs.fake, theirs.real, prc_neighborhood=3, verbose=False)
    for key in ("precision", "recall"):
        yield f"{key}, k = 3", four[key], "torch-fidelity", reference[key]
    if find_spec("prdc"):
        from prdc import compute_prdc

        with redirect_stdout(StringIO()):
            reference = compute_prdc(*(side.double().numpy() for side in theirs[:2]), nearest_k=5)
        for key in ("density", "coverage"):
            yield f"{key}, k = 5", four[key], "prdc", float(reference[key])


def scores(ours: Features, theirs: Features) -> Iterator[Row]:
    """The Inception Score over ten splits in the order of the pictures, where the last layer is a real one."""
    if ours.logits.any():
        mean, deviation = (value.item() for value in inception_score(ours.logits, seed=None))
        reference = isc_features_to_metric(theirs.logits, shuffle=False)
        yield "Inception Score", mean, "torch-fidelity", reference["inception_score_mean"]
        yield "its deviation", deviation, "torch-fidelity", reference["inception_score_std"]


def run(arguments: Sequence[str]) -> None:
    """Print the table."""
    parser = ScriptParser(__doc__)
    parser.add_argument("real", type=Path, help="folder of the data")
    parser.add_argument("fake", type=Path, help="folder of generated pictures, or of other data")
    parser.add_argument("--count", type=int, default=1000, help="pictures of either folder; at least 40")
    parser.add_argument("--weights", type=Path, help="a file of torch-fidelity's Inception weights; else its download")
    options = parser.parse_args(arguments)
    if options.count < 40:
        parser.error(f"expected --count of at least 40, got {options.count}")
    real, fake = (folder(path, options.count) for path in (options.real, options.fake))
    weights = file_of(options.weights, "torch-fidelity's Inception weights", URL_INCEPTION_V3)
    start = time.perf_counter()
    ours = our_features(real.images, fake.images, weights)
    middle = time.perf_counter()
    theirs = their_features(real.images, fake.images, weights)
    print(f"features: ours {middle - start:.0f} s, torch-fidelity's {time.perf_counter() - middle:.0f} s")
    print(f"largest difference of a feature: {(ours.real - theirs.real).abs().max():.1e}\n")
    print("| number | ours | reference | its value | difference |\n|---|---|---|---|---|")
    found = distances(ours, theirs, real, fake), kernels(ours, theirs), shares(ours, theirs), scores(ours, theirs)
    for name, value, whose, reference in chain(*found):
        print(f"| {name} | {value:.7g} | {whose} | {reference:.7g} | {value - reference:.1e} |", flush=True)


if __name__ == "__main__":
    main(run, sys.argv[1:], memory="lower --count")
