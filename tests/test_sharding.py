"""Networks that are shared out train as they do on one device. All checks share one launch of two gloo processes."""

import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.strategies import DDPStrategy

from gan_modules import WGANGP
from gan_modules.checkpoints import load
from gan_modules.cli import fit
from gan_modules.sharding import AdversarialModelParallel
from gan_modules.strategies import check
from launching import launch
from sharded_processes import BATCH, PARTS, RESUMED, interrupted, penalty_alone, resumed, run, states, variations
from variants import FIRST, assert_close, build, loader, same, trainer

slow = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs leave their checkpoints: `alone` those of one process, `shared` those of two."""
    return tmp_path_factory.mktemp("shared_out")


@pytest.fixture(scope="module")
def alone(folder: Path) -> dict[str, Any]:
    """What one process finds on the same global batches."""
    return {
        "states": states(0, 1),
        "interrupted": interrupted(0, 1, folder / "alone"),
        "penalty alone": penalty_alone(0, 1),
        "variations": variations(0, 1),
    }


@pytest.fixture(scope="module")
def ranks(alone: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """What each of two processes found."""
    return launch(Path(__file__).with_name("sharded_processes.py"), 2, folder)


@slow
@pytest.mark.parametrize(("kind", "name"), [*product(["states"], FIRST), *product(["parts"], PARTS)])
def test_two_processes_equal_one(kind: str, name: str, ranks: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    first, second = (each[kind][name] for each in ranks)
    assert same(first, second)
    assert first["counters"]["batches_seen"] == first["global_step"] == 6
    assert any(key.startswith("averages.") for key in first["module"])
    assert_close(first, alone["states"][name], name)


@slow
@pytest.mark.parametrize("kind", ["penalty alone", "penalty alone in parts"])
def test_a_penalty_may_stand_alone(kind: str, ranks: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    assert_close(ranks[0][kind], alone["penalty alone"], kind)


@slow
@pytest.mark.parametrize("kind", ["micro-batches", "again"])
def test_two_processes_equal_one_also_in(kind: str, ranks: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    assert_close(ranks[0]["variations"][kind], alone["variations"][kind], kind)


@slow
@pytest.mark.parametrize("name", RESUMED)
def test_resumed_equals_uninterrupted(name: str, ranks: list[dict[str, Any]]) -> None:
    for each in ranks:
        assert same(each["resumed"][name], each["interrupted"][name])


@slow
@pytest.mark.parametrize("name", RESUMED)
def test_a_checkpoint_does_not_know_how_many_wrote_it(
    name: str, ranks: list[dict[str, Any]], alone: dict[str, Any], folder: Path
) -> None:
    assert_close(ranks[0]["resumed from one"][name], alone["interrupted"][name], name)
    files = [folder / kind / name / "epoch=0.ckpt" for kind in ("shared", "alone")]
    shared, single = (torch.load(file, weights_only=True) for file in files)
    for part in ("state_dict", "optimizer_states", "adversarial"):
        assert_close(shared[part], single[part], f"{name}.{part}")


@slow
def test_one_process_goes_on_from_a_checkpoint_of_two(
    ranks: list[dict[str, Any]], alone: dict[str, Any], folder: Path
) -> None:
    for name, state in resumed(0, 1, folder / "shared").items():
        assert_close(state, alone["interrupted"][name], name)
    networks = {name: getattr(build("wgan_gp", own=True, seed=1), name) for name in ("generator", "critic")}
    module = WGANGP.load_from_checkpoint(folder / "shared" / "wgan_gp" / "epoch=0.ckpt", **networks)
    saved = torch.load(folder / "shared" / "wgan_gp" / "epoch=0.ckpt", weights_only=True)["state_dict"]
    assert same(dict(module.state_dict()), {key: value.float() for key, value in saved.items()})


@slow
@pytest.mark.parametrize("name", ["wgan_gp", "infogan", "cyclegan"])
def test_a_descent_reduces_its_own_gradients_once(name: str, ranks: list[dict[str, Any]]) -> None:
    for each in ranks:
        reduced, needed = each["traffic"][name]
        assert reduced == needed and min(needed) > 0 and len(set(needed)) == 2


@slow
def test_each_process_holds_its_share(ranks: list[dict[str, Any]]) -> None:
    for kind in ("parameters", "moments"):
        (first, total), (second, _) = (each["shares"][kind] for each in ranks)
        assert first + second == total and 0.4 * total < first < 0.6 * total, kind


@slow
def test_batch_statistics_stay_together(ranks: list[dict[str, Any]]) -> None:
    first, second = (each["batch norm"] for each in ranks)
    assert same(first, second) and any("running_mean" in key for key in first["gan"]["module"])


@slow
def test_bfloat16_stays_finite(ranks: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    state = ranks[0]["bfloat16"]["wgan_gp"]["module"]
    for key, value in alone["states"]["wgan_gp"]["module"].items():
        assert state[key].dtype == torch.float32
        torch.testing.assert_close(state[key].double(), value, rtol=0, atol=2e-3)


@slow
def test_the_trained_module_samples_and_is_validated_again(ranks: list[dict[str, Any]]) -> None:
    module, _ = run("wgan_gp", 0, 1)
    torch.manual_seed(0)
    expected = module.eval().sample(4).detach()
    torch.testing.assert_close(ranks[0]["samples"], expected, rtol=0, atol=1e-12)
    assert torch.equal(ranks[0]["samples"], ranks[1]["samples"])


@slow
def test_what_cannot_be_shared_out_is_said(ranks: list[dict[str, Any]]) -> None:
    said = ranks[0]["refused"]
    assert said["loose parameter"].startswith("temperature cannot be shared out among processes; make it")
    for option in ("compile", "channels_last"):
        assert said[option] == f"{option} does not go with networks that are shared out; leave it out"
    assert said["strategy"].endswith('use the strategy "adversarial_model_parallel"')


@slow
def test_the_command_line_shares_out(tmp_path: Path) -> None:
    scripts = Path(__file__).parents[1] / "scripts"
    options = "--model gan --trainer.strategy model_parallel --trainer.devices 2 --trainer.accelerator cpu"
    limits = "--trainer.max_steps 3 --trainer.enable_progress_bar false --trainer.num_sanity_val_steps 0"
    command = [sys.executable, str(scripts / "fit.py"), *options.split(), *limits.split()]
    subprocess.run([*command, "--trainer.default_root_dir", str(tmp_path)], check=True, timeout=180)
    (checkpoint,) = tmp_path.glob("gan/*/checkpoints/last.ckpt")
    module: Any = load(checkpoint)
    assert module.batches_seen == 3 and module.sample(4).isfinite().all()


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        ("deepspeed_stage_2", "DeepSpeed takes one optimizer, and a GAN has several"),
        ("lightning.pytorch.strategies.DeepSpeedStrategy", "DeepSpeed takes one optimizer"),
        ("fsdp", "the first FSDP cannot run a gradient penalty"),
    ],
)
def test_strategies_of_one_optimizer_are_refused_in_a_sentence(strategy: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"{reason}.*adversarial_ddp.*adversarial_model_parallel"):
        fit(["--model", "gan", "--trainer.strategy", strategy])


def test_plain_ddp_is_refused_before_it_fails() -> None:
    with pytest.raises(ValueError, match='plain DDP fails .* use the strategy "adversarial_ddp"'):
        check(DDPStrategy())
    check(DDPStrategy(find_unused_parameters=True))
    module = build("gan")
    fitted = trainer()
    fitted.fit(module, loader("gan", 1, BATCH))
    assert module.device_mesh is None and type(module.generator).__name__ == "DCGANGenerator"


def test_half_precision_with_a_scaler_is_refused() -> None:
    strategy = AdversarialModelParallel()
    strategy.precision_plugin = MixedPrecision("bf16-mixed", "cpu")
    strategy.precision_plugin.precision = "16-mixed"
    with pytest.raises(ValueError, match="use precision bf16-mixed"):
        strategy.setup(trainer())
