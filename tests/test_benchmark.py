"""`Trainer.fit` of a module is the bare loop: the same losses and, bit for bit, the same weights."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from script_modules import loaded


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return loaded("benchmark")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dcgan", "wgan_gp", "wgan_gp_autograd"])
def test_fit_and_the_bare_loop_end_with_the_same_weights(benchmark: ModuleType, name: str) -> None:
    case = benchmark.CASES[name](image_size=16, width=4, batch_size=4)
    found = benchmark.compare(case, steps=20, rounds=2, warm_up=10, device=torch.device("cpu"))
    assert found.weights == 0
    assert found.losses < 1e-6  # means over ten batches, summed in another order
    assert found.bare > 0 and found.ours > 0


def test_both_sides_learn_something_and_log_every_loss(benchmark: ModuleType) -> None:
    case = benchmark.wgan_gp(image_size=16, width=4, batch_size=4)
    run = benchmark.ours(case, 20, 10, torch.device("cpu"))
    assert {name: len(values) for name, values in run.losses.items()} == {"critic": 2, "distance": 2, "generator": 2}
    for player in case.players:
        for name, before in getattr(case.module, player).named_parameters():
            if name.endswith("weight"):  # a constant added to all scores changes no Wasserstein distance
                assert not torch.equal(run.weights[f"{player}.{name}"], before), f"{player}.{name} did not move"


def test_a_difference_is_seen(benchmark: ModuleType) -> None:
    case, other = (benchmark.dcgan(image_size=16, width=4, batch_size=4) for _ in range(2))

    def other_networks(generator: nn.Module, discriminator: nn.Module, batches: Any) -> Any:
        return case.loop(other.module.generator, other.module.discriminator, batches)

    case_with_them = benchmark.replace(case, loop=other_networks)
    found = benchmark.compare(case_with_them, steps=20, rounds=1, warm_up=10, device=torch.device("cpu"))
    assert found.weights > 1e-3 and found.losses > 1e-3


def test_the_command_prints_a_row_a_model(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "--models", "dcgan", "--steps", "10"])
    with pytest.raises(SystemExit, match="2"):
        benchmark.main()
    assert "--steps 20" in capsys.readouterr().err
    monkeypatch.setattr(benchmark, "CASES", {"dcgan": lambda width: benchmark.dcgan(16, width, 4)})
    monkeypatch.setattr(
        sys, "argv", ["benchmark.py", "--models", "dcgan", "--steps", "20", "--rounds", "1", "--width", "4"]
    )
    assert benchmark.main() == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("dcgan ")


def test_the_check_of_gradients_takes_turns(benchmark: ModuleType) -> None:
    found: list[float] = []
    turns, module, checked = benchmark.CheckTurns(found), SimpleNamespace(device=torch.device("cpu")), []
    for step in range(31):
        turns.on_train_batch_start(SimpleNamespace(global_step=step), module)
        checked.append(module.check_finite)
    turns.on_train_end()
    assert checked == [step % 10 < 5 for step in range(31)]
    assert [len(turns.turns[each]) for each in (True, False)] == [2, 2], "the first two turns are left out"
    assert len(found) == 2 and min(found) > 0


def test_the_cost_of_the_check_is_measured(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark, "CASES", {"dcgan": lambda: benchmark.dcgan(16, 4, 4)})
    monkeypatch.setattr(
        sys, "argv", ["benchmark.py", "--models", "dcgan", "--steps", "20", "--rounds", "1", "--finite"]
    )
    assert benchmark.main() == 0
    checked, unchecked = capsys.readouterr().out.splitlines()[-2:]
    assert "with the check" in checked and "without the check" in unchecked
    assert float(checked.split()[-1]) == pytest.approx(
        float(checked.split()[-2]) / float(unchecked.split()[-1]), abs=0.01
    )
