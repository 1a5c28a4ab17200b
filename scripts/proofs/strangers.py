"""What strangers give: their files and their options, tried by the tests that list them."""

import re
import subprocess
import sys
from pathlib import Path

from proofs.cases import Case, Outcome

TESTS = Path(__file__).parents[2] / "tests"


def _tested(name: str, done: str) -> Outcome:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS / name)]
    said = subprocess.run(command, capture_output=True, text=True, cwd=TESTS.parent, check=False).stdout
    counts = {kind: int(count) for count, kind in re.findall(r"(\d+) (passed|failed|error|skipped)", said)}
    passed, others = counts.pop("passed", 0), {kind: count for kind, count in counts.items() if count}
    result = f"{passed} {done}" + "".join(f", {count} {kind}" for kind, count in others.items())
    return Outcome(passed + sum(others.values()), result, passed > 0 and not others)


def hostile_files(case: Case) -> Outcome:
    """No checkpoint of a stranger is executed or changes anything unseen (tests/test_hostile.py)."""
    return _tested("test_hostile.py", "kinds of file refused or harmless")


def bad_inputs(case: Case) -> Outcome:
    """A bad input ends a command with one sentence within 10 s; a good neighbour trains (tests/test_bad_inputs.py)."""
    return _tested("test_bad_inputs.py", "as they should")
