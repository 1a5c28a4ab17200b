"""Half precision for every variant: true penalties, steps that overflow, accumulation and clipping under a scaler."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor, nn

from gan_modules import AdversarialModule, networks
from gan_modules.penalties import gradient_penalty, zero_centred
from variants import FIRST, build, loader, same, trainer

FAST = ("wgan_gp", "cyclegan")
every_variant = pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in FIRST]
)


def half(scale: float = 2.0**10) -> tuple[Trainer, torch.amp.GradScaler]:
    """A trainer for 16-mixed on the CPU, and its scaler."""
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    return trainer(plugins=[MixedPrecision("16-mixed", "cpu", scaler)]), scaler


# ---------------------------------------------------------------------------------------------------------------------
# penalties


class Penalised(AdversarialModule):
    """A critic that is shown nothing but its penalty."""

    def __init__(self, critic: nn.Module, penalty: Callable[..., Tensor], **mechanics: Any) -> None:
        super().__init__(**mechanics)
        self.critic, self.penalty = critic, penalty

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        (optimizer,) = self.optimizers()
        real, fake = batch[0].chunk(2)
        self.value = self.descend(optimizer, lambda x, y: self.penalty(self.critic, x, y), real, fake)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.critic.parameters(), lr=0.0)


PENALTIES: dict[str, Callable[..., Tensor]] = {
    "gradient penalty": gradient_penalty,
    "r1": lambda critic, real, fake: zero_centred(critic, real),
    "r2": lambda critic, real, fake: zero_centred(critic, fake),
}
CRITICS: dict[str, Callable[[], nn.Module]] = {
    "resnet": lambda: networks.ResNetCritic(8, 3, 4),
    "resnet with layer norm": lambda: networks.ResNetCritic(16, 3, 4, norm=networks.LayerNorm),
    "progressive": lambda: networks.ProgressiveDiscriminator(8, 3, 8),
    "dcgan": lambda: networks.DCGANDiscriminator(8, 3, 4, norm=None),
    "mlp": lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.Tanh(), nn.Linear(8, 1)),
}


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("critic", CRITICS)
def test_penalties_and_their_gradients_have_full_precision(critic: str, penalty: str, parts: int) -> None:
    found = []
    for fitted in (trainer(), trainer(precision="bf16-mixed"), half()[0]):
        torch.manual_seed(0)
        module = Penalised(CRITICS[critic](), PENALTIES[penalty], micro_batches=parts, clip_norm=1e9)
        module.seed = 3
        size = 16 if critic == "resnet with layer norm" else 8
        fitted.fit(module, torch.utils.data.DataLoader([torch.randn(8, 3, size, size)]))  # type: ignore[arg-type]
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        assert len(gradients) > 1 and max(float(g.abs().max()) for g in gradients) > 1e-4
        found.append((module.value, gradients))
    full, bfloat, float16 = found
    assert same(bfloat, full)
    torch.testing.assert_close(float16, full, rtol=1e-6, atol=1e-9)  # its gradients were scaled and scaled back


# ---------------------------------------------------------------------------------------------------------------------
# overflow


class Overflow:
    """Makes the gradients of one optimizer overflow in one batch, and keeps what each of its steps changed."""

    def __init__(self, module: AdversarialModule, player: int, batch: int) -> None:
        self.module, self.descend, self.player, self.batch = module, module.descend, player, batch
        self.changed: dict[tuple[int, int], list[bool]] = {}
        module.descend = self  # type: ignore[method-assign]

    def __call__(self, optimizer: Any, loss: Any, *inputs: Any) -> Any:
        player = [o.optimizer for o in self.module.optimizers()].index(optimizer.optimizer)

        def overflowing(*parts: Any) -> Any:
            outcome = loss(*parts)
            first, *rest = outcome if isinstance(outcome, tuple) else (outcome,)
            return (first * 1e38, *rest) if rest else first * 1e38

        hit = (player, self.module.batches_seen) == (self.player, self.batch)
        before = self.state(optimizer)
        returned = self.descend(optimizer, overflowing if hit else loss, *inputs)
        self.changed.setdefault((player, self.module.batches_seen), []).append(not same(before, self.state(optimizer)))
        return returned

    @staticmethod
    def state(optimizer: Any) -> Any:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        moments = [dict(optimizer.state.get(p, {})) for p in parameters]
        return copy.deepcopy([[p.detach() for p in parameters], moments])


@pytest.mark.parametrize("clip_norm", [None, 1.0], ids=["", "clipped"])
@pytest.mark.parametrize("player", [0, 1])
@every_variant
def test_a_step_that_overflows_is_left_out_for_that_optimizer_alone(
    name: str, player: int, clip_norm: float | None
) -> None:
    module = build(name, own=True, clip_norm=clip_norm, average_decay=0.9)
    batch = 6  # on which WGAN-GP's generator steps too
    watched = Overflow(module, player, batch)
    fitted, scaler = half(1.0)
    fitted.fit(module, loader(name, 7))
    assert {key for key, steps in watched.changed.items() if not all(steps)} == {(player, batch)}
    assert (1 - player, batch) in watched.changed and not any(watched.changed[player, batch])
    assert scaler.get_scale() == 0.5 ** len(watched.changed[player, batch])
    assert module.generator_steps == sum(len(steps) for (who, _), steps in watched.changed.items() if who == 1)
    assert all(value.isfinite().all() for value in module.parameters())


# ---------------------------------------------------------------------------------------------------------------------
# accumulation and clipping


class FirstGradients:
    """The gradients with which each optimizer made its first step."""

    def __init__(self, module: Any) -> None:
        self.module, self.found = module, dict[int, Tensor]()
        module.on_before_optimizer_step, self.hook = self, module.on_before_optimizer_step

    def __call__(self, optimizer: Any) -> None:
        self.hook(optimizer)
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        player = [o.optimizer for o in self.module.optimizers()].index(optimizer)
        self.found.setdefault(player, torch.cat([p.grad.flatten() for p in parameters]).double())


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
@every_variant
def test_accumulation_gives_the_gradient_of_the_batch_in_half_precision(name: str, precision: str) -> None:
    gradients = []
    for parts in (1, 2):
        module = build(name, own=True, micro_batches=parts, clip_norm=1e9)  # which unscales, and clips nothing
        module.seed = 3
        first = FirstGradients(module)
        fitted = half()[0] if precision == "16-mixed" else trainer(precision=precision)
        fitted.fit(module, loader(name, 2, 8))
        gradients.append(first.found)
    whole, cut = gradients
    assert whole.keys() == cut.keys() == {0, 1}
    for player, gradient in whole.items():
        difference = float((cut[player] - gradient).norm() / gradient.norm())
        assert difference < (2e-2 if precision == "bf16-mixed" else 3e-3)


@every_variant
def test_clipping_is_by_true_gradients_under_a_scaler(name: str) -> None:
    module: Any = build(name, clip_norm=0.01)
    norms, descend = [], module.descend

    def watched(optimizer: Any, *arguments: Any) -> Any:
        returned = descend(optimizer, *arguments)  # fused Adam leaves the gradients with which it stepped, unscaled
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norms.append(math.sqrt(sum(float(gradient.double().square().sum()) for gradient in gradients)))
        return returned

    module.descend = watched
    half()[0].fit(module, loader(name, 4))
    assert max(norms) == pytest.approx(0.01, rel=1e-3)


# ---------------------------------------------------------------------------------------------------------------------
# schedules and counters


@pytest.mark.parametrize("parts", [1, 2])
def test_each_schedule_follows_its_own_counter(parts: int) -> None:
    wgan_gp = build("wgan_gp", own=True, n_critic=2, decay_steps=10, micro_batches=parts)
    fitted = trainer(max_epochs=2)
    fitted.fit(wgan_gp, loader("wgan_gp", 4))  # eight critic steps, four of the generator: four tenths of the way
    assert [o.param_groups[0]["lr"] / 1e-4 for o in fitted.optimizers] == pytest.approx([0.6, 0.6])
    for name in ("cyclegan", "pix2pix"):
        fitted = trainer(max_epochs=3)
        fitted.fit(build(name, own=True, constant_epochs=1, decay_epochs=3, micro_batches=parts), loader(name, 4))
        assert [o.param_groups[0]["lr"] / 2e-4 for o in fitted.optimizers] == pytest.approx([0.25, 0.25])
    pggan: Any = build("pggan", own=True, stable_images=20, fade_images=40, micro_batches=parts)
    trainer().fit(pggan, loader("pggan", 5, 8))
    assert pggan.images_shown == 40 and pggan.growth.at(pggan.images_shown) == (1, 0.5)
