"""Two processes are one, and move no more than they need. All checks share one launch of two gloo processes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from gan_modules.strategies import AdversarialDDP
from launching import launch
from two_processes import BATCHES, states
from variants import FIRST, NAMES, assert_close, build, loader, same, trainer
from zoo import CASES

every_variant = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes found."""
    return launch(Path(__file__).with_name("two_processes.py"), 2, tmp_path_factory.mktemp("ranks"))


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """What one process finds on the same global batches."""
    return states(0, 1)


@pytest.mark.slow
@every_variant
def test_the_ranks_end_identical(name: str, ranks: list[dict[str, Any]]) -> None:
    first, second = (each["states"][name] for each in ranks)
    assert same(first, second)
    assert first["counters"]["batches_seen"] == first["global_step"] == BATCHES


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if not CASES[name].coupled])
def test_two_processes_equal_one(name: str, ranks: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    pair, single = ranks[0]["states"][name], alone[name]
    assert pair["counters"] == single["counters"] and pair["schedulers"] == single["schedulers"]
    assert_close(pair["module"], single["module"], name)


@pytest.mark.slow
@pytest.mark.parametrize("name", FIRST)
def test_lightnings_own_ddp_gives_the_same_run(name: str, ranks: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    first, second = (each["lightning"][name] for each in ranks)
    assert same(first, second)
    assert_close(first["module"], alone[name]["module"], name)


@pytest.mark.slow
@pytest.mark.parametrize("case", [("wgan_gp", 1), ("wgan_gp", 5), ("pggan", None), ("infogan", None)])
def test_a_step_reduces_the_gradients_that_it_uses_and_nothing_else(
    case: tuple[str, int | None], ranks: list[dict[str, Any]]
) -> None:
    for each in ranks:
        reduced, needed = each["traffic"][case]
        assert reduced == needed and len(needed) == BATCHES and min(needed) > 0
    if case[0] == "wgan_gp":
        critic, both = needed[0], max(needed)
        assert [count == both for count in needed] == [(batch + 1) % (case[1] or 1) == 0 for batch in range(BATCHES)]
        assert (critic < both) == (case[1] == 5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gan", "gan on points", "infogan", "wgan_gp", "pix2pix", "sngan"])
def test_batch_statistics_stay_together(name: str, ranks: list[dict[str, Any]]) -> None:
    assert same(*(each["batch norm"][name] for each in ranks))
    assert ranks[0]["said"][name] and not ranks[1]["said"][name], "the first process says that they are apart"


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_batch_norm_is_synchronised_on_gpus() -> None:
    options: Any = {"accelerator": "gpu", "devices": 2, "strategy": AdversarialDDP(start_method="spawn")}
    trainer(callbacks=[Synchronised()], **options).fit(build("gan"), loader("gan"))


class Synchronised(Callback):
    """Looks at the kinds of layers that train."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        kinds = set(map(type, pl_module.modules()))
        assert torch.nn.SyncBatchNorm in kinds and torch.nn.BatchNorm2d not in kinds


@pytest.mark.slow
def test_processes_without_a_seed_agree_on_one(ranks: list[dict[str, Any]]) -> None:
    assert ranks[0]["seed"] == ranks[1]["seed"] is not None


@pytest.mark.slow
def test_compiled_networks_are_reduced_alike(ranks: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    first, second = (each["compiled"] for each in ranks)
    assert same(first, second)
    assert_close(first["module"], alone["wgan_gp"]["module"], "wgan_gp")


@pytest.mark.slow
def test_a_step_that_overflows_on_one_process_is_left_out_on_all(ranks: list[dict[str, Any]]) -> None:
    first, second = (each["overflow"] for each in ranks)
    assert same(first, second)
    assert first["moved"] == [batch != 4 for batch in range(1, BATCHES + 1)] and first["scale"] == 0.5
    assert first["state"]["counters"]["generator_steps"] == BATCHES // 2
