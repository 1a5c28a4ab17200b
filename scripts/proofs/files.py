"""Checkpoint files: killed while they are written, damaged, and on a full disk."""

import os
import random
import resource
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer

from gan_modules.saving import SealedCheckpointIO, damage, newest
from proofs.cases import Case, Outcome
from proofs.endings import goes_on
from proofs.jobs import FORK, Failed, giving
from proofs.states import final

OTHER_DISK = Path("/dev/shm")
"""A file system beside that of the runs, for TMPDIR."""
KEPT = {"last.ckpt", "last-previous.ckpt"}


def _save_for_ever(contents: dict[str, Any], path: Path, saved: Any, temporary: Path) -> None:
    os.environ["TMPDIR"] = str(temporary)
    io = SealedCheckpointIO()
    while True:
        io.save_checkpoint({**contents, "version": saved.value + 1}, path)
        saved.value += 1


def _kill_a_saver(contents: dict[str, Any], path: Path, saved: Any, temporary: Path, rng: random.Random) -> None:
    """Save again and again in another process, and kill it at a random moment."""
    saver = FORK.Process(target=_save_for_ever, args=(contents, path, saved, temporary))
    saver.start()
    time.sleep(rng.uniform(0, 0.1))
    saver.kill()
    saver.join()
    if saver.exitcode != -signal.SIGKILL:
        raise Failed(f"saving ended with {saver.exitcode}")
    if damage(path) or newest(path.parent) != path:
        raise Failed(f"last.ckpt {damage(path)}")
    if (version := torch.load(path, weights_only=True).get("version", 0)) not in (saved.value, saved.value + 1):
        raise Failed(f"save {saved.value} was lost, the file is of save {version}")


def killed_while_saving(case: Case) -> Outcome:
    """A kill inside a save damages and loses no checkpoint; after the next start no part of a file is left."""
    folder, rng, kills, inside = case.new_folder(), random.Random(7), 0, 0
    shutil.copytree(case.reference(), folder, dirs_exist_ok=True)
    path, saved = final(folder), FORK.RawValue("l", 0)
    contents = torch.load(path, weights_only=True)
    while inside < case.tries(100):
        temporary = OTHER_DISK if kills % 2 and OTHER_DISK.is_dir() else folder
        _kill_a_saver(contents, path, saved, temporary, rng)
        inside += bool(_orphans(path.parent))
        kills += 1
    case.job(folder, "--resume").succeed()
    orphans = len(_orphans(path.parent))
    result = f"0 files damaged by {inside} kills inside a save and {kills - inside} between; {orphans} parts remain"
    return Outcome(kills, result, orphans == 0)


def _orphans(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - KEPT


def flipped_bits(case: Case) -> Outcome:
    """A flipped bit anywhere in a checkpoint is noticed, and so is a missing end."""
    whole, rng, flips = final(case.reference()).read_bytes(), random.Random(8), case.tries(100)
    path = case.new_folder() / "last.ckpt"
    noticed = 0
    for _ in range(flips):
        path.write_bytes(_flipped(whole, rng))
        noticed += damage(path) is not None
    cuts = [rng.randrange(len(whole)) for _ in range(case.tries(20))]
    for length in cuts:
        path.write_bytes(whole[:length])
        noticed += damage(path) is not None
    path.write_bytes(whole)
    result = f"{noticed} of {flips + len(cuts)} noticed: {flips} flips and {len(cuts)} cuts"
    return Outcome(flips + len(cuts), result, noticed == flips + len(cuts) and damage(path) is None)


def _flipped(whole: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(whole))
    return whole[:place] + bytes([whole[place] ^ (1 << rng.randrange(8))]) + whole[place + 1 :]


def damaged_newest(case: Case) -> Outcome:
    """A damaged newest checkpoint is named and the one before it used; the run ends in the same bits."""
    rng, tries = random.Random(9), case.tries(5)
    for _ in range(tries):
        folder = case.new_folder()
        case.job(folder).train(rng.randrange(16, case.steps)).kill()
        path = final(folder)
        path.write_bytes(_flipped(path.read_bytes(), rng))
        goes_on(case, folder)
        if "last.ckpt" not in (said := (folder / "log.txt").read_text()) or "damaged" not in said:
            raise Failed(f"the damaged file is not named: {said[-300:]}")
    return Outcome(tries, "named, equal bit for bit")


class FullDisk(Callback):
    """From a batch on, no file can grow beyond so many bytes, as if the disk were full."""

    def __init__(self, batch: int, size: int) -> None:
        self.batch, self.size = batch, size

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.batch:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, resource.RLIM_INFINITY))


def full_disk(case: Case) -> Outcome:
    """A disk that fills up while a checkpoint is written leaves the older one; with room again the run goes on."""
    rng, tries, codes = random.Random(10), case.tries(5), set[int]()
    size = final(case.reference()).stat().st_size
    for _ in range(tries):
        folder, batch, room = case.new_folder(), rng.randrange(12, 40), rng.randrange(4096, size)
        job = case.job(folder, prepare=giving(FullDisk(batch, room)))
        codes.update(job.wait())
        if "Traceback" in job.log.read_text():
            raise Failed(f"ended with a traceback: {job.said()}")
        if newest(final(folder).parent) is None:
            raise Failed("no good checkpoint is left")
        goes_on(case, folder)
    return Outcome(tries, f"exit codes {sorted(codes)}, older files good, equal bit for bit when resumed")
