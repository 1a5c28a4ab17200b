"""The file of a run's metrics, which goes on where the run does."""

import csv
import errno
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only, rank_zero_warn
from torch import Tensor

Row = Mapping[str, Any]


class MetricsFile(Logger):
    """`metrics.csv` in the run's folder: a row each time that the trainer logs, a column for each metric.

    Lightning's `CSVLogger` deletes the file of a run that goes on; this one continues it. Where the file cannot be
    written, as on a full disk, that is said once, and training goes on.

    Args:
        folder: the run's folder, which the trainer takes for its own as well.
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.path = Path(folder) / "metrics.csv"
        self._columns: list[str] = []
        self._failed = False

    @property
    def name(self) -> str:
        return ""  # Lightning makes paths of save_dir, name and version

    @property
    def version(self) -> str:
        return ""

    @property
    def save_dir(self) -> str:
        return str(self.path.parent)

    @rank_zero_only
    def log_hyperparams(self, params: Any, *_: Any) -> None:
        """They are in `config.yaml`."""

    @rank_zero_only
    def log_metrics(self, metrics: Row, step: int | None = None) -> None:
        """Add a row; `step` counts batches from 0."""
        row = {key: value.item() if isinstance(value, Tensor) else value for key, value in metrics.items()}
        row["step"] = step
        with self._failure_said():
            if not self._columns and self.path.exists():
                self._columns = self._read()[0]
            if not row.keys() <= set(self._columns):
                self._write(self._read()[1], sorted({*self._columns, *row}))
            self._append(row)

    @rank_zero_only
    def go_on(self, batches: int) -> None:
        """Drop the rows of batches that come after `batches` of them, as they come again."""
        with self._failure_said():
            columns, rows = self._read()
            if columns:
                kept = [row for row in rows if (row.get("step") or "").isdigit() and int(row["step"]) < batches]
                self._write(kept, columns)

    def has_after(self, batches: int) -> bool:
        """Whether something was logged after so many batches."""
        return any((row.get("step") or "").isdigit() and int(row["step"]) >= batches for row in self._read()[1])

    def _read(self) -> tuple[list[str], list[Row]]:
        if not self.path.exists():
            return [], []
        with open(self.path, newline="") as file:
            reader = csv.DictReader(file)
            return list(reader.fieldnames or []), list(reader)

    def _write(self, rows: list[Row], columns: list[str]) -> None:
        """Write the file anew, all of it or nothing."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(".metrics.csv.tmp")
        try:
            temporary.write_bytes(_lines([dict(zip(columns, columns, strict=True)), *rows], columns))
            os.replace(temporary, self.path)
        finally:
            temporary.unlink(missing_ok=True)
        self._columns = columns

    def _append(self, row: Row) -> None:
        """Add a line, all of it or nothing."""
        line, written = _lines([row], self._columns), 0
        with open(self.path, "ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            try:
                written = file.write(line)
            finally:
                if written < len(line):
                    file.truncate(size)
        if written < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    @contextmanager
    def _failure_said(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not self._failed:
                rank_zero_warn(f"metrics cannot be written to {self.path} ({error.strerror}); training goes on.")
            self._failed = True


def _lines(rows: list[Row], columns: list[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
