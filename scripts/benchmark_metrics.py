"""What our FID costs, and what it gives, beside torchmetrics and torch-fidelity on the same pictures.

python scripts/benchmark_metrics.py --images FILE.npz|FOLDER [--weights FILE] [--n N] [--rounds N] [--json FILE]
                                    [--parts features distance memory]

features: the networks take turns, a batch each, so that other work on the machine slows all alike. Rates are medians
    over batches, ratios medians over batches of the quotients, with the first and third quartile. The distance of the
    first N pictures from the next N is computed with one formula from what each network gave.
distance: the formulas, in turns, on moments of 2048 dimensions and 4096 random features a side whose deviations fall
    from 1 to 1e-2. "matrix root" is what torch-fidelity did until 0.3, and pytorch-fid does; "kept" is ours where the
    data's factor is known, as from the second validation of a training on.
memory: the most that this process had in memory after so many images, as the distance takes them in through a network
    that costs nothing. torchmetrics keeps the same; torch-fidelity keeps the features, 8 kB an image.

A .npz file has pictures (n, h, w, 3) of bytes in its array `x_train`, or in its only array of that kind.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_statistics_to_metric
from torchmetrics.image.fid import NoTrainInceptionV3, _compute_fid
from tqdm import tqdm

from datamodules.pictures import find_pictures, load_picture
from gan_modules import checks
from gan_modules.cli import ScriptParser, main
from gan_modules.metrics import FeatureNetwork, FrechetDistance, Unavailable, frechet_distance
from gan_modules.metrics.frechet import factor, mean_and_covariance, moments
from gan_modules.metrics.inception import URL_INCEPTION_V3, inception
from gan_modules.metrics.per_class import frechet_of_features
from gan_modules.metrics.weights import found

PARTS = ("features", "distance", "memory")
DIMENSIONS, FEATURES = 2048, 4096
Contestants = dict[str, Callable[[], Any]]
Report = dict[str, Any]


def parser() -> ScriptParser:
    made = ScriptParser(__doc__)
    made.add_argument("--images", type=Path, help="a .npz file, or a folder of pictures of one size")
    made.add_argument("--weights", type=Path, help="torch-fidelity's Inception weights; default: their download")
    made.add_argument("--n", type=int, default=400, help="pictures a side; default: %(default)s")
    made.add_argument("--batch_size", type=int, default=32, help="pictures at once; default: %(default)s")
    made.add_argument("--rounds", type=int, default=3, help="turns of each formula; default: %(default)s")
    made.add_argument("--dimensions", type=int, default=DIMENSIONS, help="of the moments; default: %(default)s")
    made.add_argument("--json", type=Path, help="file to write the report to")
    made.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    return made


def pictures(source: Path, n: int) -> Tensor:
    """The first n pictures of a file or folder, bytes (n, 3, h, w).

    Raises:
        ValueError: if there are fewer, they are no pictures, or are of several sizes.
        OSError: if there is nothing to read.
    """
    if source.is_dir():
        paths = find_pictures(source)
        loaded = [load_picture(path, 3, None) for path in paths[:n]]
        if len({each.shape for each in loaded}) > 1:
            raise ValueError(f"expected pictures of one size in {source}, got several; resize them first")
        images = torch.stack(loaded) if loaded else torch.empty(0)
    else:
        images = _from_arrays(source)[:n]
    if len(images) < n:
        raise ValueError(f"expected {n} pictures in {source}, found {len(images)}; lower --n")
    return images


def _from_arrays(source: Path) -> Tensor:
    expected = f"expected an array of byte pictures (n, h, w, 3) in {source}"
    try:
        with np.load(source, allow_pickle=False) as file:
            arrays = dict(file) if isinstance(file, np.lib.npyio.NpzFile) else {"": file}
    except (ValueError, EOFError) as error:
        raise ValueError(f"{expected}, could not read the file; give a .npz file or a folder") from error
    fitting = {k: a for k, a in arrays.items() if a.dtype == np.uint8 and a.ndim == 4 and a.shape[-1] == 3}
    name = "x_train" if "x_train" in fitting else next(iter(fitting), None)
    if name is None or (len(fitting) > 1 and name != "x_train"):
        raise ValueError(f"{expected}, got {', '.join(arrays) or 'none'}; name the one to take `x_train`")
    return torch.from_numpy(fitting[name]).permute(0, 3, 1, 2).contiguous()


def networks(weights: Path | None) -> dict[str, Callable[[Tensor], Tensor]]:
    """Byte images -> features, by the name of who computes them; ours first."""
    path = str(found(weights, "torch-fidelity's Inception weights", URL_INCEPTION_V3))
    fidelity = FeatureExtractorInceptionV3("torch-fidelity", ["2048"], path)
    return {
        "ours": inception(path).body,
        "ours, bfloat16": inception(path, dtype=torch.bfloat16).body,
        "torchmetrics": NoTrainInceptionV3("torchmetrics", ["2048"], path, antialias=False),
        "torch-fidelity": lambda images: fidelity(images)[0],
    }


def compare_features(images: Tensor, batch_size: int, weights: Path | None) -> Report:
    """Rates, their ratios to ours, and the distance between the halves of the images, by each network."""
    bodies = networks(weights)
    kept: dict[str, list[Tensor]] = {name: [] for name in bodies}
    seconds: dict[str, list[float]] = {name: [] for name in bodies}
    batches = images.split(batch_size)
    with torch.inference_mode():
        for body in bodies.values():
            body(batches[0])  # the first pass of a network also prepares it
        for place, batch in enumerate(tqdm(batches, desc="features", unit="batch")):
            for name in _turned(list(bodies), place):
                took, features = timed(partial(bodies[name], batch))
                seconds[name].append(took / len(batch))
                kept[name].append(features)
    distances = {name: _distance(torch.cat(parts)) for name, parts in tqdm(kept.items(), desc="distances")}
    reference = distances["torch-fidelity"]
    return {
        name: {
            "images_per_second": 1 / float(np.median(seconds[name])),
            "times_torchmetrics": quartiles(seconds["torchmetrics"], seconds[name]),
            "times_torch_fidelity": quartiles(seconds["torch-fidelity"], seconds[name]),
            "fid": distances[name],
            "fid_minus_torch_fidelity": distances[name] - reference,
        }
        for name in bodies
    }


def compare_distances(dimensions: int, rounds: int) -> Report:
    """Seconds of each formula, how many times as long they take as ours, and how far their values are from ours."""
    real, fake = (_statistics(dimensions, seed) for seed in (0, 1))
    root = factor(real[1])
    numbers = [{"mu": mean.numpy(), "sigma": covariance.numpy()} for mean, covariance in (real, fake)]
    contestants: Contestants = {
        "ours": lambda: frechet_distance(*real, *fake).item(),
        "ours, kept": lambda: frechet_distance(*real, *fake, root).item(),
        "torchmetrics": lambda: _compute_fid(*real, *fake).item(),
        "torch-fidelity": lambda: fid_statistics_to_metric(*numbers, verbose=False)["frechet_inception_distance"],
        "matrix root": lambda: _by_matrix_root(*numbers),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    values: dict[str, float] = {}
    for place in tqdm(range(rounds), desc="distance", unit="round"):
        for name in _turned(list(contestants), place):
            took, values[name] = timed(contestants[name])
            seconds[name].append(took)
    return {
        name: {
            "seconds": float(np.median(seconds[name])),
            "times_torchmetrics": quartiles(seconds["torchmetrics"], seconds[name]),
            "times_torch_fidelity": quartiles(seconds["torch-fidelity"], seconds[name]),
            "times_matrix_root": quartiles(seconds["matrix root"], seconds[name]),
            "relative_difference": abs(values[name] / values["ours"] - 1),
        }
        for name in contestants
    }


def compare_memory(dimensions: int) -> Report:
    """MiB that this process had in memory at most, by the number of images that the distance was given."""
    metric = FrechetDistance(FeatureNetwork(Wide(dimensions), "_wide"))
    most, given = {}, 0
    for count in tqdm((256, 1024, 4096, 16384), desc="memory"):
        while given < count:
            drawn = torch.randint(256, (64, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(given))
            for real in (True, False):
                metric.update(drawn, real=real)
            given += 64
        most[str(count)] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return most


class Wide(nn.Module):
    """Byte images (n, 3, 4, 4) -> their pixels, over and over, as `dimensions` features."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.dimensions = dimensions

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1).float().repeat(1, -(-self.dimensions // 48))[:, : self.dimensions]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that `work` takes, and what it gives."""
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def quartiles(theirs: Sequence[float], ours: Sequence[float]) -> list[float]:
    """Median, first and third quartile of the quotients of times."""
    return [float(each) for each in np.quantile(np.divide(theirs, ours), (0.5, 0.25, 0.75))]


def show(report: Report) -> None:
    """Print the tables."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {report['images']} pictures a side")
    for part, unit in (("features", "images_per_second"), ("distance", "seconds")):
        for name, row in report.get(part, {}).items():
            spread = [
                f"{times[0]:.2f} ({times[1]:.2f} to {times[2]:.2f}) x {library}"
                for library in ("torchmetrics", "torch-fidelity", "matrix root")
                if (times := row.get("times_" + library.replace("-", "_").replace(" ", "_")))
            ]
            values = [f"{key} {row[key]:.7g}" for key in row if key.startswith(("fid", "relative"))]
            print(f"{part:9s} {name:15s} {row[unit]:8.3f} {unit}", *spread, *values, sep="  ")
    for count, most in report.get("memory", {}).items():
        print(f"memory    {count:>6s} images a side  {most:.0f} MiB")


def _turned(names: list[str], place: int) -> list[str]:
    """The names in turn, each round from another one on: nobody always follows the same neighbour's warm caches."""
    return names[place % len(names) :] + names[: place % len(names)]


def _by_matrix_root(real: dict[str, Any], fake: dict[str, Any]) -> float:
    """The formula as torch-fidelity up to 0.3, pytorch-fid and clean-fid write it."""
    root = scipy.linalg.sqrtm(real["sigma"] @ fake["sigma"])
    between = real["mu"] - fake["mu"]
    return float(between @ between + np.trace(real["sigma"]) + np.trace(fake["sigma"]) - 2 * np.trace(root).real)


def _distance(features: Tensor) -> float:
    half = len(features) // 2
    return frechet_of_features(features[:half], features[half:]).item()


def _statistics(dimensions: int, seed: int) -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    axes = torch.linalg.qr(torch.randn(dimensions, dimensions, generator=torch.Generator().manual_seed(9))).Q
    count = FEATURES * dimensions // DIMENSIONS
    return mean_and_covariance(
        moments(torch.randn(count, dimensions, generator=drawn) * torch.logspace(0, -2, dimensions) @ axes)
    )


def run(arguments: Sequence[str]) -> None:
    """Compare, print and write."""
    options = parser().parse_args(arguments)
    checks.whole(2, n=options.n, dimensions=options.dimensions)
    checks.whole(1, batch_size=options.batch_size, rounds=options.rounds)
    report: Report = {"torch": torch.__version__, "threads": torch.get_num_threads(), "images": options.n}
    if "memory" in options.parts:  # first: the most that was in memory never falls
        report["memory"] = compare_memory(options.dimensions)
    if "features" in options.parts:
        if options.images is None:
            raise ValueError("expected --images FILE.npz or FOLDER, got none; or leave out the part `features`")
        try:
            report["features"] = compare_features(
                pictures(options.images, 2 * options.n), options.batch_size, options.weights
            )
        except Unavailable as reason:
            raise ValueError(str(reason)) from reason
    if "distance" in options.parts:
        report["distance"] = compare_distances(options.dimensions, options.rounds)
    show(report)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main(run, sys.argv[1:], "lower --batch_size or --n")
