"""Every variant on a CUDA device: half precision, compiled, in channels_last, and resumed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from variants import NAMES, build, loader, losses_of, same, trainer, whole_state

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
every_variant = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def full_float32() -> Iterator[None]:
    """Convolutions of float32 in float32 (as products of matrices are by default), so that they can be compared."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def ran(name: str, batches: int = 4, **options: Any) -> tuple[Any, Trainer, list[Tensor]]:
    """A variant after some batches on the device, its trainer, and the losses of all its steps."""
    fitted = trainer(accelerator="gpu", precision=options.pop("precision", "32-true"))
    module = build(name, **options)
    losses = losses_of(module)
    module.seed = 3
    fitted.fit(module, loader(name, batches))
    return module, fitted, [loss.float().cpu() for loss in losses]


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
@every_variant
def test_half_precision(name: str, precision: str) -> None:
    _, _, expected = ran(name, clip_norm=1.0)
    module, fitted, losses = ran(name, precision=precision, clip_norm=1.0, average_decay=0.9)
    assert len(losses) == len(expected)
    assert all(p.is_cuda and p.dtype == torch.float32 and p.isfinite().all() for p in module.parameters())
    assert all(value.isfinite() for value in [*losses, *fitted.callback_metrics.values()])
    # the losses of the first batch come before any weight can differ by more than one step
    first = len(losses) // 4
    torch.testing.assert_close(losses[:first], expected[:first], rtol=0.05, atol=0.05)


@pytest.mark.parametrize("player", [0, 1])
def test_a_step_that_overflows_is_left_out_for_that_optimizer_alone(player: int) -> None:
    module: Any = build("gan", clip_norm=1.0)
    fitted = trainer(accelerator="gpu", precision="16-mixed")
    descend, moved = module.descend, []

    def watched(optimizer: Any, loss: Any, *inputs: Any) -> Any:
        who = [o.optimizer for o in module.optimizers()].index(optimizer.optimizer)
        hit = (who, module.batches_seen) == (player, 10)  # the scaler has found its scale by then
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        before = [p.detach().clone() for p in parameters]
        returned = descend(optimizer, (lambda *parts: loss(*parts) * 1e38) if hit else loss, *inputs)
        if module.batches_seen == 10:
            moved.append(any(not torch.equal(old, p) for old, p in zip(before, parameters, strict=True)))
        return returned

    module.descend = watched
    fitted.fit(module, loader("gan", 12))
    assert moved == [player != 0, player != 1]


@pytest.mark.parametrize("name", ["gan", "wgan_gp", "pix2pix", "cyclegan", "pggan"])
def test_compiled(name: str) -> None:
    torch.compiler.reset()
    _, _, expected = ran(name)
    module, _, losses = ran(name, compile=True)
    assert module.compiled
    torch.testing.assert_close(losses, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "gan on points"])
def test_channels_last(name: str, precision: str) -> None:
    _, _, expected = ran(name, precision=precision)
    module, _, losses = ran(name, precision=precision, channels_last=True)
    weights = [p for p in module.parameters() if p.ndim == 4 and p.shape[1] > 1 and p.shape[2] > 1]
    assert weights and all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
    tolerance = 1e-3 if precision == "32-true" else 0.05
    first = len(losses) if precision == "32-true" else len(losses) // 4
    torch.testing.assert_close(losses[:first], expected[:first], rtol=tolerance, atol=tolerance)


# reflection padding and adaptive pooling, of the translators, have no deterministic gradient on CUDA devices
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("name", ["gan", "wgan_gp", "acgan", "infogan", "pggan"])
def test_a_resumed_run_is_the_uninterrupted_one(
    name: str, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    states = []
    for start in (None, tmp_path / "epoch=0.ckpt"):
        module = build(name, seed=0 if start is None else 1, average_decay=0.9, clip_norm=1.0)
        module.seed = 3
        save = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
        fitted = trainer(
            accelerator="gpu",
            precision=precision,
            deterministic=True,
            max_epochs=3,
            enable_checkpointing=True,
            callbacks=[save],
        )
        try:
            fitted.fit(module, loader(name, 5), ckpt_path=start and str(start))
        finally:
            torch.use_deterministic_algorithms(False)
        states.append(whole_state(module, fitted))
    assert same(*states)
