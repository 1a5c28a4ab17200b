"""Trained models side by side, each on its own held-out data: what `scripts/compare.py` does."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from tqdm import tqdm

from gan_modules import checks
from gan_modules.evaluation import models, reporting
from gan_modules.evaluation.columns import COLUMNS, Measures
from gan_modules.evaluation.models import Act, DataModules, Model
from gan_modules.evaluation.options import DEVICES, check_result


@dataclass(frozen=True)
class Table:
    """Which models are compared, and how.

    Args:
        checkpoints: files that `scripts/fit.py` wrote, by what their rows are called.
        columns: keys of `COLUMNS`; empty: all that some model has a number for.
        n: score at most so many held-out pictures of each; None: as many as the smallest data hold.
        out: the JSON to write.
        overwrite: replace what is there.
        seed: of noise.
        batch_size: pictures at once.
        repeats: how often the translation of a batch is timed.
        device: where the networks run.
        weights: a file of the published Inception, for FID and KID.
        lpips_weights: a file with the convolutions of torchvision's AlexNet, for LPIPS.
        trust: packages beside this one whose classes a checkpoint may name.
        command: what was typed, for the record.
    """

    checkpoints: Mapping[str, Path]
    columns: Sequence[str] = ()
    n: int | None = None
    out: Path = Path("comparison.json")
    overwrite: bool = False
    seed: int = 0
    batch_size: int = 16
    repeats: int = 20
    device: str = "auto"
    weights: Path | None = None
    lpips_weights: Path | None = None
    trust: tuple[str, ...] = ()
    command: Sequence[str] = ()

    def check(self) -> None:
        """Raise a ValueError for options that mean nothing, or a JSON that cannot be written."""
        checks.whole(2, n=2 if self.n is None else self.n)
        checks.whole(1, batch_size=self.batch_size, repeats=self.repeats)
        checks.seed(seed=self.seed)
        checks.choice(DEVICES, device=self.device)
        for name in self.columns:
            checks.choice(tuple(COLUMNS), columns=name)
        for option, needing in (("weights", ("fid", "kid")), ("lpips_weights", ("lpips", "diversity_lpips"))):
            if getattr(self, option) is None and (asked := [name for name in self.columns if name in needing]):
                raise ValueError(f"the column {asked[0]} needs a network; give the file of its weights by --{option}")
        check_result(self.out, self.overwrite)


@dataclass(frozen=True)
class Row:
    """A model's numbers in one direction, by the keys of `COLUMNS` and other names of what was measured."""

    model: Model
    direction: str
    values: dict[str, float]


def compare(asked: Table) -> list[Row]:
    """Score and time all models, print a table, and write a JSON with all that is needed to do it again.

    Every model is scored with one seed, on as many pictures as the others.

    Raises:
        ValueError, OSError: for options that cannot be, files that cannot be read, models that make no pictures.
    """
    asked.check()
    device = torch.device("cuda" if asked.device != "cpu" and torch.cuda.is_available() else "cpu")
    with isolate_rng():
        data = DataModules(asked.batch_size, asked.trust)
        compared = [Model.of(name, path, device, data) for name, path in asked.checkpoints.items()]
        held_out = min(model.held_out for model in compared)
        count = held_out if asked.n is None else min(held_out, asked.n)
        measures = Measures(count, asked.weights, asked.lpips_weights)
        with torch.inference_mode():
            rows = _scored(compared, measures, count, asked.seed)
            _add_costs(rows, min(asked.batch_size, count), asked, device)
    text = f"{_caption(rows, count, asked, device)}\n\n{markdown(rows, asked.columns)}"
    print(text)
    reporting.write(_record(rows, count, asked, device), asked.out)
    print(f"\nthe record is in {asked.out}")
    return rows


def _scored(compared: Sequence[Model], measures: Measures, count: int, seed: int) -> list[Row]:
    rows = []
    for model in tqdm(compared, unit="model", disable=None):
        found = models.scores(model, measures, count, seed)
        rows += [Row(model, direction, values) for direction, values in found.items()]
    return rows


def _add_costs(rows: Sequence[Row], size: int, asked: Table, device: torch.device) -> None:
    """Parameters, and pictures a second, of what can be used without data beside it."""
    acts: list[tuple[Row, Act]] = []
    for row in rows:
        row.values["parameters_in_all"] = models.parameters(row.model.module)
        act = row.model.acts(next(row.model.views(size, asked.seed)), size).get(row.direction)
        if act is not None:
            row.values["parameters"] = models.parameters_in_use(row.model.module, act)
            acts.append((row, act))
    clocked = models.seconds([act for _, act in acts], asked.repeats, device)
    for (row, act), seconds in zip(acts, clocked, strict=True):
        row.values["images_per_second"] = len(act()) / seconds


def markdown(rows: Sequence[Row], columns: Sequence[str] = ()) -> str:
    """A table in Markdown: a row for each model and direction, and the columns that are asked for.

    Args:
        rows: of one or more models.
        columns: keys of `COLUMNS`, in the order wanted; empty: those that some row has.
    """
    shown = columns or [name for name in COLUMNS if any(name in row.values for row in rows)]
    directions = any(row.direction for row in rows)
    heads = ["", *(["direction"] if directions else []), *(COLUMNS[name].heading for name in shown)]
    lines = [heads, ["---"] * len(heads)]
    for row in rows:
        lead = [f"`{row.model.name}`", *([row.direction.replace("_", " ")] if directions else [])]
        lines.append([*lead, *(_cell(row, name) for name in shown)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(row: Row, name: str) -> str:
    return format(row.values[name], COLUMNS[name].form) if name in row.values else ""


def _caption(rows: Sequence[Row], count: int, asked: Table, device: torch.device) -> str:
    """What holds for all rows."""
    data = {row.model.identity["fingerprint"] for row in rows}
    which = "of the same held-out data" if len(data) == 1 and None not in data else "of each model's own held-out data"
    threads = f"{torch.get_num_threads()} CPU thread{'s' * (torch.get_num_threads() > 1)}"
    where = threads if device.type == "cpu" else torch.cuda.get_device_name(device)
    return (
        f"{count} pictures {which}, seed {asked.seed}; images/s: the median of {asked.repeats} batches of "
        f"{min(asked.batch_size, count)}, {where}."
    )


def _record(rows: Sequence[Row], count: int, asked: Table, device: torch.device) -> dict[str, Any]:
    """All that the numbers depend on, beside them."""
    options = {name: value for name, value in asdict(asked).items() if name not in ("checkpoints", "command")}
    return {
        "rows": [
            {"name": row.model.name, "direction": row.direction, "values": row.values, **row.model.identity}
            for row in rows
        ],
        "pictures": count,
        "command": shlex.join(asked.command),
        "options": {name: reporting.plain(value) for name, value in options.items()},
        **reporting.surroundings(device),
    }
