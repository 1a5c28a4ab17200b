"""Runs that are stopped or killed, and gone on with."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from gan_modules.saving import damage
from proofs.cases import Case, Outcome
from proofs.jobs import Failed, Job
from proofs.processes import DOUBLE, by_sample
from proofs.states import distance, final, same_bits, state

FIT = Path(__file__).parents[1] / "fit.py"
LONG, WORKERS = "--trainer.max_steps=100000", "--data.num_workers=2"


def good(folder: Path) -> Path:
    """The newest checkpoint below the folder of a run's runs, which must be whole.

    Raises:
        Failed: if there is none or it is damaged.
    """
    path = final(folder)
    if why := damage(path):
        raise Failed(f"{path.name} is damaged: {why}")
    return path


def goes_on(case: Case, folder: Path, *options: str, processes: int = 1) -> None:
    """Resume a run to its end and compare it with the one that nothing disturbed.

    Raises:
        Failed: if it does not end in the same bits.
    """
    case.job(folder, *options, "--resume", processes=processes).succeed()
    same_bits(case.expected(*options, processes=processes), state(final(folder)))


def stopped(case: Case, processes: int, rank: int, rng: random.Random) -> tuple[float, int]:
    """SIGTERM to one process at a random batch: the seconds that the job took to end, and the batches it still began.

    Raises:
        Failed: if the job does not end with 143, or does not go on from there to the same bits.
    """
    folder = case.new_folder()
    job = case.job(folder, processes=processes).train(rng.randrange(1, case.steps // 2))
    time.sleep(rng.uniform(0, 0.02))
    batch, told = job.batches[0], time.monotonic()
    job.send(signal.SIGTERM, rank)
    codes, seconds = job.wait(), time.monotonic() - told
    if codes[0] != 143 or set(codes) - {0, 143}:
        raise Failed(f"SIGTERM to process {rank} of {processes} ended with {codes}: {job.said()}")
    more = job.batches[0] - batch
    if state(good(folder))["adversarial.batches_seen"] != job.batches[0]:
        raise Failed("the last batch is not in the checkpoint")
    goes_on(case, folder, processes=processes)
    return seconds, more


def sigterm(case: Case) -> Outcome:
    """SIGTERM to any process ends the job within a batch and 5 s, with code 143; resumed, it ends in the same bits."""
    rng, kinds, each = random.Random(0), [(1, 0), (2, 0), (2, 1)], case.tries(3)
    found = [stopped(case, processes, rank, rng) for processes, rank in kinds for _ in range(each)]
    seconds, batches = max(seconds for seconds, _ in found), max(more for _, more in found)
    result = f"at most {seconds:.1f} s and {batches} batches (alone, first and second of two processes)"
    return Outcome(len(found), result, seconds <= 5 and batches <= 1)


def sigkill_to_one(case: Case) -> Outcome:
    """SIGKILL to one of two processes ends the other within 30 s, not with code 0; the last checkpoint is good."""
    rng, times = random.Random(1), []
    for attempt in range(case.tries(6)):
        folder = case.new_folder()
        job = case.job(folder, LONG, processes=2).train(rng.randrange(10, 40))
        job.send(signal.SIGKILL, attempt % 2)
        told = time.monotonic()
        if 0 in (codes := job.wait()):
            raise Failed(f"exit codes {codes}")
        times.append(time.monotonic() - told)
        good(folder)
    return Outcome(len(times), f"at most {max(times):.1f} s", max(times) <= 30)


def interrupted_twice(case: Case) -> Outcome:
    """A second Ctrl-C at any distance from the first destroys nothing; resumed, the run ends in the same bits."""
    rng, tries = random.Random(2), case.tries(10)
    for attempt in range(tries):
        folder, processes = case.new_folder(), 1 + attempt % 2
        job = case.job(folder, processes=processes).train(rng.randrange(6, case.steps // 2))
        for _ in range(2):
            job.send(signal.SIGINT)
            time.sleep(rng.uniform(0, 0.1))
        if job.wait()[0] == 0:
            raise Failed("two Ctrl-C ended with code 0")
        good(folder)
        goes_on(case, folder, processes=processes)
    return Outcome(tries, "all checkpoints good, equal bit for bit")


class Launched:
    """`scripts/fit.py --trainer.devices 2 --trainer.strategy ddp`, which starts its second process itself."""

    def __init__(self, case: Case, folder: Path) -> None:
        options = case.options(folder, LONG, "--trainer.devices=2")
        self.folder = folder
        with (folder / "log.txt").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(FIT), *options, "--trainer.strategy=ddp"], stdout=log, stderr=log
            )
        until = time.monotonic() + 120
        while not list(folder.glob("*/*/checkpoints/last.ckpt")):
            if self.process.poll() is not None or time.monotonic() > until:
                self.process.kill()
                raise Failed(f"the launcher did not begin to train: {(folder / 'log.txt').read_text()[-300:]}")
            time.sleep(0.05)
        self.pids = [self.process.pid, *_children(self.process.pid)]

    def end_by(self, number: int, rank: int) -> tuple[int, float]:
        """Send a signal to a process; the job's exit code, and the seconds until no process is left."""
        told = time.monotonic()
        os.kill(self.pids[rank], number)
        try:
            code = self.process.wait(60)
            while any(map(_alive, self.pids)) and time.monotonic() - told < 60:
                time.sleep(0.02)
        except subprocess.TimeoutExpired:
            code = 0
        seconds = time.monotonic() - told
        for pid in filter(_alive, self.pids):
            os.kill(pid, signal.SIGKILL)
        good(self.folder)
        return code, seconds


def launcher(case: Case) -> Outcome:
    """A job that fit.py --trainer.devices 2 launched itself ends as one that torchrun launched."""
    results, holds = [], True
    for number, allowed in ((signal.SIGTERM, 5), (signal.SIGKILL, 30)):
        for rank in range(2):
            code, seconds = Launched(case, case.new_folder()).end_by(number, rank)
            holds = holds and seconds <= allowed and (code == 143 if number == signal.SIGTERM else code != 0)
            results.append(f"{number.name} to process {rank}: code {code}, {seconds:.1f} s")
    return Outcome(4, "; ".join(results), holds)


def struck(case: Case, job: Job, rng: random.Random) -> bool:
    """SIGKILL at a random moment: before training in one of five, else in one of 15 batches; False if it had ended."""
    if rng.random() < 0.2:
        time.sleep(rng.uniform(0, 0.3))
    else:
        job.train(job.train().batches[0] + rng.randrange(15))
        time.sleep(rng.uniform(0, 0.03))
    alive = job.running
    if alive:
        job.kill()
    return alive


def killed_often(case: Case, kills: int, rng: random.Random, *options: str, processes: int = 1) -> int:
    """Kill a run at `kills` random moments, resuming it each time; one that ends before is compared and begun anew.

    Returns:
        The number of runs that it took.

    Raises:
        Failed: if a run ends in other bits than the one that was never killed.
    """
    expected, folder, ended = case.expected(*options, processes=processes), case.new_folder(), 0
    while kills or not ended:
        resume = ["--resume"] if list(folder.glob("*/*/checkpoints/last*.ckpt")) else []
        job = case.job(folder, *options, *resume, processes=processes)
        if kills and struck(case, job, rng):
            kills -= 1
            continue
        job.succeed()
        same_bits(expected, state(final(folder)))
        ended += 1
        folder = case.new_folder() if kills else folder
    return ended


def killed_on_one(case: Case) -> Outcome:
    """Killed with SIGKILL at random moments and resumed each time, a run ends in the bits of the one never killed."""
    kills = case.tries(20)
    runs = killed_often(case, kills, random.Random(3))
    return Outcome(kills, f"equal bit for bit ({_runs(runs)})")


def killed_on_two(case: Case) -> Outcome:
    """On two processes, killed at random moments and resumed each time: the same bits."""
    kills = case.tries(20)
    runs = killed_often(case, kills, random.Random(4), processes=2)
    return Outcome(kills, f"equal bit for bit ({_runs(runs)})")


def killed_with_workers(case: Case) -> Outcome:
    """With two workers that read ahead, killed at random moments and resumed each time: the same bits."""
    same_bits(case.expected(), case.expected(WORKERS))
    kills = case.tries(10)
    runs = killed_often(case, kills, random.Random(5), WORKERS)
    return Outcome(kills, f"equal bit for bit ({_runs(runs)})")


def moved(case: Case) -> Outcome:
    """Begun on one process, resumed on two and on one again: the weights of one process, in float64 to 1e-12."""
    rng, tries, differences = random.Random(6), case.tries(3), []
    for _ in range(tries):
        folder, resume = case.new_folder(), list[str]()
        for processes, batch in ((1, case.steps // 3), (2, 2 * case.steps // 3)):
            job = case.job(folder, DOUBLE, *resume, processes=processes, prepare=by_sample)
            job.train(batch + rng.randrange(5)).kill()
            resume = ["--resume"]
        case.job(folder, DOUBLE, *resume, prepare=by_sample).succeed()
        differences.append(distance(case.expected(DOUBLE, prepare=by_sample), state(final(folder))))
    return Outcome(tries, f"largest relative difference {max(differences):.1e}", max(differences) <= 1e-12)


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _children(pid: int) -> list[int]:
    """Processes whose parent this is."""
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    parents = {int(text.split()[0]): int(text.rpartition(")")[2].split()[1]) for text in stats}
    return [child for child, parent in parents.items() if parent == pid]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
