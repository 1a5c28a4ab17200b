"""What was measured: a table to read, and a record with all that is needed to measure it again."""

import json
import os
import platform
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from gan_modules.evaluation.comparison import Comparison
from gan_modules.evaluation.options import Evaluation
from gan_modules.evaluation.scoring import Row
from gan_modules.metrics import FeatureNetwork

_PACKAGES = ("gan-modules", "torch", "torchvision", "torchmetrics", "torch-fidelity", "numpy", "pillow")


def table(rows: Sequence[Row]) -> str:
    """The numbers, aligned.

    >>> print(table([Row("fid@500", "fid", "", 123.456789, None, "less", 500, 379, "Heusel et al. 2017")]))
    metric     value  ±  better  generated  real  reference
    fid@500   123.46     less          500   379  Heusel et al. 2017
    """
    heads = ("metric", "direction", "value", "±", "better", "generated", "real", "reference")
    cells = [
        (
            row.name,
            row.direction,
            _number(row.value),
            "" if row.std is None else f"{row.std:.2g}",
            row.better,
            f"{row.generated:,}",
            "" if row.real is None else f"{row.real:,}",
            row.reference,
        )
        for row in rows
    ]
    columns = [column for column in zip(heads, *cells, strict=True) if column[0] != "direction" or any(column[1:])]
    lines = []
    for line in zip(*(_aligned(column) for column in columns), strict=True):
        lines.append("  ".join(line).rstrip())
    return "\n".join(lines)


def _aligned(column: tuple[str, ...]) -> list[str]:
    width = max(map(len, column))
    right = column[0] in ("value", "generated", "real")
    return [cell.rjust(width) if right else cell.ljust(width) for cell in column]


def _number(value: float) -> str:
    """Five digits that count, and never fewer than the whole number has."""
    return f"{value:.0f}" if abs(value) >= 1e5 else f"{value:.5g}"


def record(
    asked: Evaluation,
    comparison: Comparison,
    network: FeatureNetwork | None,
    device: torch.device,
    rows: Sequence[Row],
    seconds: dict[str, float],
) -> dict[str, Any]:
    """All that the numbers depend on, beside them."""
    return {
        "metrics": [row._asdict() for row in rows],
        **comparison.identity,
        "network": None
        if network is None
        else {
            "name": asked.network,
            "label": network.label,
            "preprocessing": network.preprocessing,
            "precision": asked.precision,
            "fingerprint": network.fingerprint,
        },
        "seed": asked.seed,
        "batch_size": asked.batch_size,
        "n": asked.n,
        "command": shlex.join(asked.command),
        "options": {name: plain(value) for name, value in asdict(asked).items() if name != "command"},
        **surroundings(device),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }


def surroundings(device: torch.device) -> dict[str, Any]:
    """With what, on what and when something was measured."""
    return {
        "device": device.type,
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "hardware": _hardware(device),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def plain(value: Any) -> Any:
    """An option as JSON has it."""
    return str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _hardware(device: torch.device) -> dict[str, Any]:
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {"gpu": gpu, "cpu": _cpu(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}


def _cpu() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def write(contents: dict[str, Any], path: Path) -> None:
    """Write the record whole or not at all.

    Raises:
        ValueError: for a number that JSON has not, such as NaN.
        OSError: if it cannot be written.
    """
    text = json.dumps(contents, indent=2, allow_nan=False, ensure_ascii=False)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_text(f"{text}\n", encoding="utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
