"""The models that are tried, made small, and what comes out of a claim."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from proofs.jobs import Failed, Job, Prepare, nothing
from proofs.states import final, state

EPOCH = 17
"""Batches of an epoch: runs begin and end in the middle of one."""

_SMALL: dict[str, Sequence[str]] = {
    "wgan_gp": ("generator.width=4", "critic.width=4"),
    "dcgan": ("generator.width=4", "discriminator.width=4"),
    "acgan": ("generator.width=4", "discriminator.width=4"),
    "infogan": ("generator.width=4", "trunk.width=4"),
    "pix2pix": ("generator.width=4", "discriminator.width=4"),
    "cyclegan": (
        *(f"generator_{each}.{size}" for each in "gf" for size in ("width=4", "blocks=1")),
        *(f"discriminator_{each}.{size}" for each in "xy" for size in ("width=4", "layers=1")),
        *("constant_epochs=1", "decay_epochs=8"),
    ),
    # grown up after 30 batches of 8
    "pggan": (
        *("generator.width=8", "discriminator.width=8", "generator.base_width=64", "discriminator.base_width=64"),
        *("stable_images=80", "fade_images=48", "batch_sizes=null"),
    ),
}


@dataclass
class Outcome:
    """How often a claim was tried and what came out; `holds` is None where it could not be tried."""

    tries: int
    result: str
    holds: bool | None = True


@dataclass
class Case:
    """A model's preset in a small size: 16 pixels, batches of 8, epochs of 17 batches.

    Args:
        model: name of a preset.
        folder: where all runs go.
        scale: by how much the numbers of tries are multiplied; each stays at least 2.
        steps: batches of a run.
        device: Lightning's accelerator, cpu or gpu.
    """

    model: str
    folder: Path
    scale: float = 1.0
    steps: int = 60
    device: str = "cpu"
    runs: int = field(default=0, init=False)
    _finals: dict[str, Path] = field(default_factory=dict, init=False)

    def tries(self, count: int) -> int:
        """The number of tries where `count` are the full one."""
        return max(2, round(self.scale * count))

    def new_folder(self) -> Path:
        """An empty folder for one run."""
        self.runs += 1
        folder = self.folder / f"{self.runs:03d}"
        folder.mkdir(parents=True)
        return folder

    def preset(self, folder: Path, *more: str) -> list[str]:
        """The command line of a run in the preset's own size that leaves all it writes in `folder`."""
        return [
            *(f"--model={self.model}", "--trainer.max_epochs=-1", "--trainer.enable_progress_bar=false"),
            *("--trainer.limit_val_batches=2", "--trainer.callbacks=null", "--samples.every_n_batches=1000000"),
            *(f"--trainer.accelerator={self.device}", f"--trainer.default_root_dir={folder}", *more),
        ]

    def options(self, folder: Path, *more: str) -> list[str]:
        """The command line of a small run."""
        return self.preset(
            folder,
            *(f"--model.{option}" for option in _SMALL.get(self.model, ())),
            *([] if self.model == "gan" else ["--data.image_size=16"]),
            *("--data.batch_size=8", f"--trainer.max_steps={self.steps}", f"--trainer.limit_train_batches={EPOCH}"),
            *("--checkpoint.every_n_train_steps=5", *more),
        )

    def job(self, folder: Path, *more: str, processes: int = 1, prepare: Prepare = nothing) -> Job:
        """Start a small run."""
        return Job(self.options(folder, *more), folder / "log.txt", processes, prepare)

    def run(self, *more: str, processes: int = 1, prepare: Prepare = nothing) -> Path:
        """A whole small run; its folder."""
        folder = self.new_folder()
        self.job(folder, *more, processes=processes, prepare=prepare).succeed()
        return folder

    def reference(self, *more: str, processes: int = 1, prepare: Prepare = nothing) -> Path:
        """The folder of a run that nothing disturbs; made once."""
        key = f"{more} {processes} {prepare.__name__}"
        if key not in self._finals:
            self._finals[key] = self.run(*more, processes=processes, prepare=prepare)
        return self._finals[key]

    def expected(self, *more: str, processes: int = 1, prepare: Prepare = nothing) -> dict[str, object]:
        """What that run ended with."""
        return state(final(self.reference(*more, processes=processes, prepare=prepare)))


Claim = Callable[[Case], Outcome]
"""A function whose docstring is what it claims; it may raise `Failed`."""


def tried(claim: Claim, case: Case) -> tuple[Outcome, float]:
    """What came out of a claim, and the seconds it took."""
    begun = time.monotonic()
    try:
        outcome = claim(case)
    except Failed as failure:
        outcome = Outcome(1, str(failure), False)
    return outcome, time.monotonic() - begun
