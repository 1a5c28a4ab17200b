"""The claims of scripts/prove.py: a few quick ones, and with many tries, slow, those that no other test makes."""

import re
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest
import torch

from script_modules import SCRIPTS, loaded_in_place


def proved(model: str, *options: str) -> list[list[str]]:
    """The cells of the rows that the command prints; it must succeed."""
    command = [sys.executable, str(SCRIPTS / "prove.py"), "--model", model, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")][1:]


@pytest.fixture(scope="module")
def prove() -> Any:
    """The script as a module, its folder being on the path as when it is run."""
    with loaded_in_place("prove") as module:
        yield module


@pytest.fixture
def states(prove: ModuleType) -> Any:
    return sys.modules["proofs.states"]


def claims_of(prove: Any) -> dict[str, Any]:
    """Claims with every kind of outcome."""
    cases, jobs = sys.modules["proofs.cases"], sys.modules["proofs.jobs"]

    def holds(case: Any) -> Any:
        """It holds."""
        return cases.Outcome(case.tries(30), "0 of | 30")

    def fails(case: Any) -> Any:
        """It does not hold."""
        return cases.Outcome(1, "differs by 0.5", False)

    def breaks(case: Any) -> Any:
        """It breaks."""
        raise jobs.Failed("exit codes [1]")

    def waits(case: Any) -> Any:
        """It cannot be tried."""
        return cases.Outcome(0, "not run: no GPU", None)

    return {each.__name__: each for each in (holds, fails, breaks, waits)}


@pytest.mark.parametrize(
    ("names", "code"), [(["holds", "waits"], 0), (["fails"], 1), (["holds", "breaks", "waits"], 1)], ids=str
)
def test_the_exit_code_and_a_row_tell_what_failed(
    prove: Any, names: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prove, "GROUPS", {})
    monkeypatch.setattr(prove, "CLAIMS", claims_of(prove))
    monkeypatch.setattr(prove.jobs, "ready_to_fork", lambda: None)
    monkeypatch.setattr(sys, "argv", ["prove.py", "--quick", "--claims", *names])
    assert prove.main() == code
    rows = {
        "holds": "| It holds | 3 | 0 of / 30 | 0 |",
        "fails": "| It does not hold | 1 | **FAILS**: differs by 0.5 | 0 |",
        "breaks": "| It breaks | 1 | **FAILS**: exit codes [1] | 0 |",
        "waits": "| It cannot be tried | 0 | not run: no GPU | 0 |",
    }
    assert capsys.readouterr().out.splitlines()[-len(names) :] == [rows[name] for name in names]


def test_every_claim_says_what_it_claims(prove: Any) -> None:
    assert len(prove.CLAIMS) == sum(map(len, prove.GROUPS.values())), "two claims have one name"
    assert all(10 < len(prove.title(claim)) < 130 for claim in prove.CLAIMS.values())
    explained = (SCRIPTS.parent / "docs" / "reliability.md").read_text()
    assert [name for name in prove.CLAIMS if f"`{name}`" not in explained] == []


def test_a_bit_is_a_difference(states: Any) -> None:
    one = {"state_dict": {"weight": torch.ones(3), "count": 2}, "moments": [{"step": torch.tensor(1.0)}]}
    other = {"state_dict": {"weight": torch.ones(3), "count": 2}, "moments": [{"step": torch.tensor(1.0)}]}
    states.same_bits(states.flat(one), states.flat(other))
    other["moments"][0]["step"] += 1e-7  # type: ignore[index,call-overload]
    with pytest.raises(states.Failed, match=r"1 of 3 entries differ, moments\.0\.step"):
        states.same_bits(states.flat(one), states.flat(other))
    assert states.distance(states.flat(one), states.flat(other)) == 0, "of weights and averages alone"
    other["state_dict"]["weight"][1] = 1.5  # type: ignore[call-overload]
    assert states.distance(states.flat(one), states.flat(other)) == 0.5


@pytest.mark.slow
def test_claims_hold_on_the_command_line() -> None:
    rows = proved("wgan_gp", "--quick", "--claims", "flipped_bits", "killed_on_one", "bfloat16")
    assert [int(row[1]) for row in rows] == [12, 2, 1]
    assert rows[0][2] == "12 of 12 noticed: 10 flips and 2 cuts"
    assert rows[1][2].startswith("equal bit for bit")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["wgan_gp", "cyclegan", "pggan"])
def test_twenty_kills_leave_no_trace(model: str) -> None:
    (row,) = proved(model, "--claims", "killed_on_one")
    assert int(row[1]) == 20 and row[2].startswith("equal bit for bit")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["wgan_gp", "cyclegan", "pggan"])
def test_kills_of_two_processes_leave_no_trace(model: str) -> None:
    (row,) = proved(model, "--scale", "0.2", "--claims", "killed_on_two")
    assert int(row[1]) == 4 and row[2].startswith("equal bit for bit")


@pytest.mark.slow
def test_other_claims_hold() -> None:
    names = ["moved", "killed_while_saving", "damaged_newest", "full_disk", "bytes_reduced"]
    rows = proved("wgan_gp", "--quick", "--claims", *names)
    assert len(rows) == len(names)
    assert re.search(r"ratio 1\.00 \(one wrapper \d\.\d\d\)", rows[-1][2].replace("n_critic=1 ", ""))
