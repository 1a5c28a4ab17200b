"""What happens to a run, whatever happens to it: each claim tried on a small run of a model, a row a claim.

python scripts/prove.py --model wgan_gp [--claims NAME ...] [--quick] [--keep FOLDER]

Claims are tried on the real command line, in forked processes on the CPU: two processes against one, signals and
kills at random moments, damaged files, micro-batches, files of strangers. The table says what was claimed, how many
times it was tried and what came out; the exit code is 1 if a claim does not hold. --list prints the claims.
"""

import argparse
import os
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

from proofs import endings, files, gpu, jobs, numerics, processes, strangers
from proofs.cases import Case, Claim, tried

CLAIMS: dict[str, list[Claim]] = {
    "processes": [
        processes.two_processes_equal_one,
        processes.two_processes_equal_one_in_single_precision,
        processes.processes_end_identical,
    ],
    "traffic": [processes.bytes_reduced, processes.no_slower_than_one_wrapper],
    "signals": [endings.sigterm, endings.sigkill_to_one, endings.interrupted_twice],
    "launcher": [endings.launcher],
    "resume": [endings.killed_on_one, endings.killed_on_two, endings.killed_with_workers, endings.moved],
    "files": [files.killed_while_saving, files.flipped_bits, files.damaged_newest, files.full_disk],
    "watching": [numerics.watching],
    "precision": [
        numerics.micro_batches,
        numerics.clipping,
        numerics.bfloat16,
        numerics.exact_penalties,
        numerics.channels_last,
        numerics.compiled,
    ],
    "finite": [numerics.not_finite, numerics.cost_of_the_check],
    "strangers": [strangers.hostile_files, strangers.bad_inputs],
    "gpu": [gpu.resumed, gpu.finite, gpu.compiled],
}


def title(claim: Claim) -> str:
    """What it claims: its docstring."""
    return " ".join((claim.__doc__ or "").split()).rstrip(".")


def prove(case: Case, names: list[str]) -> bool:
    """Print a row a claim; whether all hold that could be tried."""
    print("| claim | tries | result | s |\n|---|---|---|---|")
    good = True
    for claim in (claim for name in names for claim in CLAIMS[name]):
        outcome, seconds = tried(claim, case)
        good = good and outcome.holds is not False
        result = outcome.result if outcome.holds is not False else f"**FAILS**: {outcome.result}"
        print(f"| {title(claim)} | {outcome.tries} | {result.replace('|', '/')} | {seconds:.0f} |", flush=True)
    return good


def main() -> int:
    """Print the table; the exit code tells whether all claims hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="wgan_gp", help="a preset, such as wgan_gp, cyclegan or pggan")
    parser.add_argument("--claims", nargs="+", choices=CLAIMS, default=list(CLAIMS), metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print the claims by name")
    parser.add_argument("--quick", action="store_true", help="a tenth of the tries")
    parser.add_argument("--keep", type=Path, help="folder that keeps all runs with their logs; must not exist")
    options = parser.parse_args()
    if options.list:
        for name, claims in CLAIMS.items():
            print("\n".join([f"{name}:", *(f"  {title(claim)}" for claim in claims)]))
        return 0
    jobs.ready_to_fork()
    warnings.filterwarnings("ignore")
    print(f"{options.model}, torch {version('torch')}, lightning {version('lightning')}, {os.cpu_count()} cores\n")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch) / "runs"
        folder.mkdir(parents=True)
        good = prove(Case(options.model, folder, scale=0.1 if options.quick else 1.0), options.claims)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
