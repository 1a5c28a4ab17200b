"""Both sides shown to all metrics, once."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from lightning.pytorch.utilities.seed import isolate_rng

from gan_modules.evaluation import reporting, scoring
from gan_modules.evaluation.comparison import Comparison, compared
from gan_modules.evaluation.options import Evaluation
from gan_modules.evaluation.scoring import MEASURES, Context, Row, Scorer
from gan_modules.evaluation.sides import Part
from gan_modules.metrics import FeatureNetwork, Unavailable

Scorers = dict[str, dict[str, list[Scorer]]]
"""By direction, and by the name of the metric."""


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
        scoring.check_fit(names, comparison.facts)
        names, network = _affordable(names, comparison, asked)
        perceptual = cache(lambda backbone, side: scoring.perceptual_network(backbone, asked, side))
        contexts = [Context(network, perceptual, comparison, direction, asked) for direction in comparison.real]
        rows, seconds = _measured(contexts, names, device)
    seconds["total"] = time.perf_counter() - began
    print(reporting.table(rows))
    reporting.write(reporting.record(asked, comparison, network, device, rows, seconds), asked.result)
    print(f"the record is in {asked.result}")
    return rows


def _affordable(names: list[str], comparison: Comparison, asked: Evaluation) -> tuple[list[str], FeatureNetwork | None]:
    """The metrics to measure, and their network, if they need one that can be had."""
    wanted = names or scoring.default(comparison.facts, network=True)
    network = None
    if any(MEASURES[name].network for name in wanted):
        try:
            network = scoring.feature_network(asked)
        except Unavailable as reason:
            if names:
                raise ValueError(str(reason)) from reason
            wanted = scoring.default(comparison.facts, network=False)
            print(f"{reason} What needs no network is measured instead: {', '.join(wanted) or 'nothing'}.")
    if not wanted:
        raise ValueError("no metric fits what is compared; choose other data with --data")
    return wanted, network


def _measured(contexts: list[Context], names: list[str], device: torch.device) -> tuple[list[Row], dict[str, float]]:
    """The rows of the table, and how long each side and the metrics took."""
    scorers = {context.direction: _scorers(context, names, device) for context in contexts}
    comparison, asked = contexts[0].comparison, contexts[0].asked
    needy = [name for name in names if MEASURES[name].real]
    seconds: dict[str, float] = {}
    with _clocked(seconds, "real"):
        sides = comparison.real.items() if needy else ()
        shown = ((direction, part) for direction, side in sides for part in side.parts(asked.batch_size))
        _show(shown, scorers, needy, device, True, sum(side.count for _, side in sides))
    with _clocked(seconds, "generated"):
        _show(comparison.generated(asked.batch_size), scorers, names, device, False, sum(comparison.counts.values()))
    with _clocked(seconds, "metrics"):
        found = [
            row
            for context in contexts
            for name in names
            for scorer in scorers[context.direction][name]
            for row in scoring.rows(name, scorer, context)
        ]
    return found, seconds


def _scorers(context: Context, names: list[str], device: torch.device) -> dict[str, list[Scorer]]:
    try:
        made = {name: MEASURES[name].make(context) for name in names}
    except Unavailable as reason:
        raise ValueError(str(reason)) from reason
    for scorer in [each for several in made.values() for each in several]:
        scorer.metric.to(device)
    return made


@torch.no_grad()
def _show(
    parts: Iterator[tuple[str, Part]],
    scorers: Scorers,
    names: list[str],
    device: torch.device,
    real: bool,
    total: int,
) -> None:
    """Show the metrics one side, in all directions."""
    with scoring.progress("real" if real else "generated", total) as bar:
        for direction, part in parts:
            moved = part.to(device)
            for scorer in [each for name in names for each in scorers[direction][name]]:
                scorer.feed(scorer.metric, moved, real)
            bar.update(len(part.images))


@contextmanager
def _clocked(seconds: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - began
