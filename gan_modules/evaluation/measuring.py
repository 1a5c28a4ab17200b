"""Both sides shown to all metrics, once."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torchmetrics import Metric

from gan_modules.evaluation import reporting, scoring
from gan_modules.evaluation.comparison import Comparison, compared
from gan_modules.evaluation.options import Evaluation
from gan_modules.evaluation.scoring import MEASURES, Context, Row, Scorer
from gan_modules.evaluation.sides import Part
from gan_modules.metrics import FeatureNetwork, Unavailable, cache


def evaluate(asked: Evaluation) -> list[Row]:
    """Measure what is asked, print a table, and write a JSON with all that is needed to measure it again.

    Whatever can be known to fail does so before the work begins. Nothing is written before the end.

    Raises:
        ValueError, OSError: for options that cannot be, files that cannot be read, metrics that do not fit.
    """
    began = time.perf_counter()
    asked.check()
    names = scoring.checked(asked.metrics)
    asked.check_result()
    device = torch.device("cuda" if asked.device != "cpu" and torch.cuda.is_available() else "cpu")
    with isolate_rng():
        comparison = compared(asked, device)
        scoring.check_fit(names, comparison)
        names, network = _affordable(names, comparison, asked)
        perceptual = lru_cache(lambda backbone, side: scoring.perceptual_network(backbone, asked, side))
        contexts = [Context(network, perceptual, comparison, direction, asked) for direction in comparison.real]
        rows, seconds = _measured(contexts, names, device)
    seconds["total"] = time.perf_counter() - began
    print(reporting.table(rows))
    reporting.write(reporting.record(asked, comparison, network, device, rows, seconds), asked.result)
    print(f"the record is in {asked.result}")
    return rows


def _affordable(names: list[str], comparison: Comparison, asked: Evaluation) -> tuple[list[str], FeatureNetwork | None]:
    """The metrics to measure, and their network, if they need one that can be had."""
    wanted = names or scoring.default(comparison, network=True)
    network = None
    if any(MEASURES[name].network for name in wanted):
        try:
            network = scoring.feature_network(asked)
        except Unavailable as reason:
            if names:
                raise ValueError(str(reason)) from reason
            wanted = scoring.default(comparison, network=False)
            print(f"{reason} What needs no network is measured instead: {', '.join(wanted) or 'nothing'}.")
    if not wanted:
        raise ValueError("no metric fits what is compared; choose other data with --data")
    return wanted, network


@dataclass(frozen=True, eq=False)
class _Job:
    """A scorer at work: for which metric, in which direction."""

    name: str
    scorer: Scorer
    context: Context

    @property
    def metric(self) -> Metric:
        return self.scorer.metric


def _measured(contexts: list[Context], names: list[str], device: torch.device) -> tuple[list[Row], dict[str, float]]:
    """The rows of the table, and how long each side and the metrics took."""
    jobs = [job for context in contexts for job in _jobs(context, names, device)]
    comparison, asked = contexts[0].comparison, contexts[0].asked
    seconds: dict[str, float] = {}
    with _clocked(seconds, "real"):
        for context in contexts:
            own = [job for job in jobs if job.context is context and MEASURES[job.name].real]
            _show_real(context, own, cache.folder_of(asked.cache), device)
    with _clocked(seconds, "generated"):
        _show(comparison.generated(asked.batch_size), jobs, device, False, sum(comparison.counts.values()))
    with _clocked(seconds, "metrics"):
        found = [row for job in jobs for row in scoring.rows(job.name, job.scorer, job.context)]
    return found, seconds


def _jobs(context: Context, names: list[str], device: torch.device) -> list[_Job]:
    try:
        made = [_Job(name, scorer, context) for name in names for scorer in MEASURES[name].make(context)]
    except Unavailable as reason:
        raise ValueError(str(reason)) from reason
    for job in made:
        job.metric.to(device)
    return made


@torch.no_grad()
def _show(
    parts: Iterator[tuple[str, Part]], jobs: Sequence[_Job], device: torch.device, real: bool, total: int
) -> None:
    """Show the metrics one side, in all directions."""
    with scoring.progress("real" if real else "generated", total) as bar:
        for direction, part in parts:
            moved = part.to(device)
            for job in jobs:
                if job.context.direction == direction:
                    job.scorer.feed(job.metric, moved, real)
            bar.update(len(part.images))


def _show_real(context: Context, jobs: Sequence[_Job], folder: Path | None, device: torch.device) -> None:
    """Show the metrics the data, save those that have what they need of these on the disk."""
    headers = {}
    if folder is not None and jobs:
        first = next(context.real.parts(1)).to(device)
        headers = {job: header for job in jobs if (header := _header(job, first))}
        for job in headers:
            job.scorer.feed(job.metric, first.none(), False)  # now it knows what it is that it keeps
    known = {job: cache.load(folder, header, job.metric) for job, header in headers.items()} if folder else {}
    fresh = [job for job in jobs if known.get(job) is None]
    if fresh:
        parts = ((context.direction, part) for part in context.real.parts(context.asked.batch_size))
        _show(parts, fresh, device, True, context.real.count)
    for job, header in headers.items():
        statistics = known[job]
        if statistics is not None:
            cache.take(statistics, header, job.metric)
        elif folder is not None:
            cache.keep(folder, header, job.metric)


def _header(job: _Job, first: Part) -> cache.Header | None:
    """What the statistics of the data depend on; None where that is not known, or they are soon made again."""
    identity, network = job.context.real.identity, getattr(job.metric, "network", None)
    if not isinstance(network, FeatureNetwork) or not identity.get("fingerprint"):
        return None
    name = identity.get("class_path") or identity.get("folder") or identity.get("file")
    return {
        "data": str(name).rpartition(".")[2],
        "fingerprint": str(identity["fingerprint"]),
        "items": f"{job.context.real.count} of {identity['of']} of column {identity.get('column', 0)}",
        "shape": f"{first.images.dtype} {tuple(first.images.shape[1:])}",
        "classes": " ".join(job.context.real.classes),
        "samples": job.context.real.count,
        "network": f"{type(network.body).__name__}{network.label}",
        "weights": network.fingerprint,
        "device": first.images.device.type,
        "states": " ".join(cache.real_states(job.metric)),
    }


@contextmanager
def _clocked(seconds: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - began
