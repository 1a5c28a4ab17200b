"""What becomes of a run, whatever happens to it: every claim tried on small runs of a model, a row a claim.

python scripts/prove.py --model wgan_gp [--claims NAME ...] [--quick | --scale SHARE] [--keep FOLDER]

Claims are tried on the real command line, in forked processes on the CPU: two processes against one, signals and
kills at random moments, damaged files, full disks, micro-batches, files of strangers. A row says what is claimed, how
many times it was tried and what came out. The exit code is 1 if a claim does not hold. --list prints the claims, which
docs/reliability.md explains.
"""

import os
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

from gan_modules.cli import ScriptParser
from proofs import endings, files, gpu, jobs, numerics, processes, strangers
from proofs.cases import Case, Claim, tried

GROUPS: dict[str, list[Claim]] = {
    "processes": [
        processes.two_processes_equal_one,
        processes.two_processes_equal_one_in_float32,
        processes.processes_end_identical,
        processes.bytes_reduced,
        processes.no_slower_than_one_wrapper,
    ],
    "signals": [endings.sigterm, endings.sigkill_to_one, endings.interrupted_twice, endings.launcher],
    "resume": [endings.killed_on_one, endings.killed_on_two, endings.killed_with_workers, endings.moved],
    "files": [files.killed_while_saving, files.flipped_bits, files.damaged_newest, files.full_disk],
    "numbers": [
        numerics.watching,
        numerics.micro_batches,
        numerics.clipping,
        numerics.bfloat16,
        numerics.exact_penalties,
        numerics.channels_last,
        numerics.compiled,
        numerics.not_finite,
        numerics.cost_of_the_check,
    ],
    "strangers": [strangers.hostile_files, strangers.bad_inputs],
    "gpu": [gpu.gpu_resumed, gpu.gpu_finite, gpu.gpu_compiled],
}
CLAIMS = {claim.__name__: claim for group in GROUPS.values() for claim in group}


def title(claim: Claim) -> str:
    """What it claims: its docstring."""
    return " ".join((claim.__doc__ or "").split()).rstrip(".")


def listing() -> str:
    """The claims in their groups."""
    lines = []
    for group, claims in GROUPS.items():
        lines += [f"{group}:", *(f"  {claim.__name__:44s} {title(claim)}" for claim in claims)]
    return "\n".join(lines)


def prove(case: Case, names: list[str]) -> bool:
    """Print a row for each claim, or claim of a group, in `names`; whether all hold that could be tried."""
    print("| claim | tries | result | seconds |\n|---|---|---|---|", flush=True)
    good = True
    for claim in (claim for name in names for claim in GROUPS.get(name) or [CLAIMS[name]]):
        outcome, seconds = tried(claim, case)
        failed = outcome.holds is False
        good = good and not failed
        result = ("**FAILS**: " if failed else "") + outcome.result.replace("|", "/").replace("\n", " ")
        print(f"| {title(claim)} | {outcome.tries} | {result} | {seconds:.0f} |", flush=True)
    return good


def main() -> int:
    """Print the table; the exit code tells whether all claims hold."""
    parser = ScriptParser(__doc__)
    parser.add_argument("--model", default="wgan_gp", help="a preset, such as wgan_gp, cyclegan or pggan")
    parser.add_argument("--claims", nargs="+", choices=[*GROUPS, *CLAIMS], default=list(GROUPS), metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print the names of the claims and of their groups")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the tries, each at least 2 (default: 1)")
    parser.add_argument("--quick", dest="scale", action="store_const", const=0.1, help="a tenth of the tries")
    parser.add_argument("--keep", type=Path, help="a new folder that keeps all runs and what they printed")
    options = parser.parse_args()
    if options.list:
        print(listing())
        return 0
    jobs.ready_to_fork()
    warnings.filterwarnings("ignore")
    print(f"{options.model}, torch {version('torch')}, lightning {version('lightning')}, {os.cpu_count()} cores\n")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch) / "runs"
        folder.mkdir(parents=True)
        try:
            return 0 if prove(Case(options.model, folder, options.scale), options.claims) else 1
        finally:
            jobs.kill_all()


if __name__ == "__main__":
    sys.exit(main())
