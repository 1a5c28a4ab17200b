"""What strangers give: their files and their options, tried by the tests that list them."""

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from proofs.cases import Case, Outcome
from proofs.jobs import FORK, Failed

ROOT = Path(__file__).parents[2]


class Counting:
    """A plugin of pytest's that counts the tests, and what the class `Tally` of tests/test_hostile.py counts."""

    def __init__(self) -> None:
        self.tests = Counter[str]()
        self.kinds = set[str]()
        self.tallies: list[Any] = []

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        tally = getattr(items[0].module, "Tally", None) if items else None
        if tally is None:
            return
        take = tally.take

        def counting(this: Any, kind: str, *arguments: Any) -> None:
            self.kinds.add(kind)
            if this not in self.tallies:
                self.tallies.append(this)
            take(this, kind, *arguments)

        tally.take = counting

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.tests[report.outcome] += 1
            self.tests[report.nodeid.split("::")[1].split("[")[0]] += report.outcome == "passed"

    def found(self) -> dict[str, int]:
        """All counts by name."""
        return {
            **self.tests,
            "kinds": len(self.kinds),
            "tries": sum(tally.tried for tally in self.tallies),
            "executed": sum(len(tally.executed) for tally in self.tallies),
            "changed": sum(len(tally.changed) for tally in self.tallies),
        }


def _tested(name: str, case: Case) -> Counter[str]:
    """The counts of a file of tests, which must all pass."""
    log, (receiver, sender) = case.new_folder() / "log.txt", FORK.Pipe(duplex=False)
    sys.stdout.flush()
    tester = FORK.Process(target=_test, args=(ROOT / "tests" / name, log, sender))
    tester.start()
    sender.close()
    try:
        found = Counter[str](receiver.recv())
    except EOFError:
        raise Failed(f"{name} broke off: {log.read_text()[-300:]}") from None
    finally:
        tester.join()
    if found["failed"] or found["error"] or not found["passed"]:
        raise Failed(f"{found['failed']} of {found['failed'] + found['passed']} tests failed")
    return found


def _test(path: Path, log: Path, sender: Any) -> None:
    counting = Counting()
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        sys.stdout = sys.stderr = file
        os.chdir(ROOT)
        pytest.main(["-q", "-p", "no:cacheprovider", str(path)], plugins=[counting])
        sender.send(counting.found())


def hostile_files(case: Case) -> Outcome:
    """No checkpoint of a stranger is executed or changes anything unseen (tests/test_hostile.py)."""
    found = _tested("test_hostile.py", case)
    result = f"{found['kinds']} kinds of file: {found['executed']} executions, {found['changed']} silent changes"
    return Outcome(found["tries"], result, found["kinds"] >= 10 and not found["executed"] + found["changed"])


def bad_inputs(case: Case) -> Outcome:
    """A bad input ends a command with one sentence within 10 s; a good neighbour trains (tests/test_bad_inputs.py)."""
    found = _tested("test_bad_inputs.py", case)
    bad = found["test_a_mistake_gets_one_sentence"] + found["test_a_process_ends_with_one_sentence"]
    return Outcome(bad, f"{bad} bad inputs ended so; good neighbours trained", bad >= 60)
