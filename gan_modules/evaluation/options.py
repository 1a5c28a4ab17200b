"""What is to be evaluated, and how: the options of `scripts/evaluate.py`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from gan_modules import checks
from gan_modules.evaluation.sides import SPLITS

LABELS = ("data", "balanced")
DEVICES = ("auto", "cpu", "cuda")
DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Evaluation:
    """What is to be evaluated, and how.

    Args:
        checkpoint: a file that `scripts/fit.py` wrote; or
        images: a folder of pictures, or an `.npz` file of them, in its place.
        data: what to compare with: a data preset, a class path, a folder or an `.npz` file; "": what the checkpoint
            was trained on.
        data_options: of the data module, as `--data.image_size=32`.
        metrics: their names; empty: those that can be had without choice.
        n: samples to make, or pictures of a folder to take; of the data as many, or all where there are fewer.
        split: of a data module.
        out: the JSON to write; None: beside the checkpoint or the folder.
        overwrite: replace what is there.
        seed: of noise, labels, and what metrics draw.
        batch_size: samples that are made, and pictures that are looked at, at once.
        device, precision: where the networks run; the precision is the feature network's alone.
        network, weights: the network of features, and its file of weights.
        lpips_weights, ppl_weights: files with the convolutions of torchvision's AlexNet and VGG16.
        size: side that pictures of folders are resized to; None: as they are.
        truncation: bound of the noise; None: none.
        labels: of conditional models' samples: drawn from those of the data, or balanced.
        cache: keep the statistics of data on the disk, and use those that are there.
        trust: packages beside this one whose classes a checkpoint may name.
        command: what was typed, for the record.
    """

    checkpoint: Path | None = None
    images: Path | None = None
    data: str = ""
    data_options: Sequence[str] = ()
    metrics: Sequence[str] = ()
    n: int = 50_000
    split: str | None = None
    out: Path | None = None
    overwrite: bool = False
    seed: int = 0
    batch_size: int = 64
    device: str = "auto"
    precision: str = "float32"
    network: str = "inception"
    weights: Path | None = None
    lpips_weights: Path | None = None
    ppl_weights: Path | None = None
    size: int | None = None
    truncation: float | None = None
    labels: str | None = None
    cache: bool = True
    trust: tuple[str, ...] = ()
    command: Sequence[str] = ()

    def check(self) -> None:
        """Raise a ValueError for options that mean nothing, alone or together."""
        if (self.checkpoint is None) == (self.images is None):
            raise ValueError("expected --checkpoint FILE or --images FOLDER, one of them; give what is to be evaluated")
        if self.images is not None and not self.data:
            raise ValueError("--images is compared with --data, got none; give a folder or a data set's name")
        checks.whole(2, n=self.n)
        checks.whole(1, batch_size=self.batch_size, size=1 if self.size is None else self.size)
        checks.seed(seed=self.seed)
        checks.choice(DEVICES, device=self.device)
        checks.choice(tuple(DTYPES), precision=self.precision)
        checks.choice(SPLITS, split=self.split or SPLITS[0])
        checks.choice(LABELS, labels=self.labels or LABELS[0])
        if self.truncation is not None:
            checks.positive(truncation=self.truncation)
        if self.images is not None and (self.truncation is not None or self.labels is not None):
            raise ValueError("--truncation and --labels are for making pictures; leave them out for --images")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("--device cuda needs a GPU that torch can use, and there is none; use cpu or auto")

    @property
    def subject(self) -> Path:
        """What is evaluated."""
        return self.checkpoint or self.images or Path()

    @property
    def result(self) -> Path:
        """The JSON to write: by default beside what is evaluated."""
        subject = self.subject.resolve()
        name = subject.stem if subject.is_file() else subject.name
        return self.out or subject.with_name(f"{name}-evaluation.json")

    def check_result(self) -> None:
        """Raise a ValueError if the JSON cannot be written."""
        check_result(self.result, self.overwrite)


def check_result(path: Path, overwrite: bool) -> None:
    """Raise a ValueError if a JSON cannot be written."""
    if path.suffix != ".json" or path.is_dir():
        raise ValueError(f"--out expected a .json file, got {path}")
    if path.exists() and not overwrite:
        raise ValueError(f"{path} is there already; choose another --out, or add --overwrite")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"{path.parent} cannot be written into; choose another --out")
