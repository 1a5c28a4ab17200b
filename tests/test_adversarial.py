"""The base class's mechanics, on a module small enough to see through, and on all variants where they share it."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader

from gan_modules import ACGAN, GAN, WGANGP, AdversarialModule, CycleGAN, InfoGAN, Pix2Pix, ProgressiveGAN, randomness
from gan_modules.adversarial import adam
from variants import FIRST, build, loader, same, trainer, whole_state


class Players(AdversarialModule):
    """Two vectors, each with its optimizer; what a step does is an argument."""

    def __init__(self, step: Callable[["Players", Tensor], None], optimizer: Any = None, **mechanics: Any) -> None:
        super().__init__(**mechanics)
        self.generator, self.critic = nn.Linear(3, 1, bias=False), nn.Linear(3, 1, bias=False)
        with torch.no_grad():
            self.generator.weight.copy_(torch.tensor([[1.0, 2.0, 3.0]]))
            self.critic.weight.copy_(torch.tensor([[3.0, 2.0, 1.0]]))
        self.step, self.make_optimizer = step, optimizer or (lambda parameters: SGD(parameters, lr=0.1))
        self.register_generators("generator")

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        self.step(self, batch)

    def configure_optimizers(self) -> Any:
        return [self.make_optimizer(net.parameters()) for net in (self.critic, self.generator)]


def alternate(module: Any, batch: Tensor) -> None:
    """A step of each player."""
    critic, generator = module.optimizers()
    module.record(critic=module.descend(critic, lambda x: module.critic(x).mean(), batch))
    module.record(generator=module.descend(generator, lambda x: module.generator(x).mean(), batch))


def batches(count: int = 4, size: int = 2) -> DataLoader[Tensor]:
    """`count` batches of `size` points (3,)."""
    points = torch.randn(count * size, 3, generator=torch.Generator().manual_seed(0))
    return DataLoader(points, batch_size=size)  # type: ignore[arg-type]


def run(module: LightningModule, data: Any = None, **options: Any) -> Trainer:
    """Fit `module`, to four batches unless others are given."""
    fitted = trainer(**options)
    fitted.fit(module, batches() if data is None else data)
    return fitted


# ---------------------------------------------------------------------------------------------------------------------
# counters


MODES: dict[str, dict[str, Any]] = {
    "gan": {"n_discriminator": 3, "n_generator": 2},
    "wgan_gp": {"n_critic": 5},
    "pggan": {"batch_sizes": {4: 2, 8: 1}},  # several steps of each player a batch
    "cyclegan": {},
}


@pytest.mark.parametrize("name", MODES)
def test_global_step_counts_batches(name: str, tmp_path: Path) -> None:
    module = build(name, **MODES[name])
    save = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=4, save_top_k=-1)
    fitted = run(module, loader(name, 7), max_epochs=-1, max_steps=13, enable_checkpointing=True, callbacks=[save])
    assert fitted.global_step == module.batches_seen == 13
    assert {path.stem for path in tmp_path.iterdir()} == {"step=4", "step=8", "step=12"}
    assert module.generator_steps == {"wgan_gp": 2, "gan": 8}.get(name, 13) or name == "pggan"


def test_lightning_still_has_the_private_names_that_count_steps() -> None:
    optimizer = LightningOptimizer(SGD([nn.Parameter(torch.zeros(1))], lr=1.0))
    assert callable(optimizer._on_before_step) and callable(optimizer._on_after_step)

    class Counted(AdversarialModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(3, 1)

        def training_step(self, batch: Tensor, batch_idx: int) -> None:
            for optimizer in self.optimizers():
                optimizer.step()

        def configure_optimizers(self) -> Any:
            return [SGD(self.net.parameters(), lr=0.1) for _ in range(2)]

    assert run(Counted()).global_step == 8, "Lightning counts batches by itself now: _count_once_a_batch can go"


def test_counters_go_on_over_epochs_and_fits() -> None:
    module = build("wgan_gp", n_critic=4)  # epochs of three batches: G would never be trained by batch_idx
    run(module, loader("wgan_gp", 3), max_epochs=3)
    assert (module.batches_seen, module.generator_steps) == (9, 2)
    run(module, loader("wgan_gp", 3))
    assert (module.batches_seen, module.generator_steps) == (12, 3)


# ---------------------------------------------------------------------------------------------------------------------
# descend


def test_descend_is_a_step_down_the_gradient() -> None:
    module, seen = Players(alternate), batches(1)
    (batch,) = seen
    run(module, seen)
    torch.testing.assert_close(module.critic.weight[0], torch.tensor([3.0, 2.0, 1.0]) - 0.1 * batch.mean(0))
    torch.testing.assert_close(module.generator.weight[0], torch.tensor([1.0, 2.0, 3.0]) - 0.1 * batch.mean(0))


def test_the_others_are_frozen_inside_the_loss_and_free_after_it() -> None:
    seen: list[tuple[bool, bool]] = []

    def step(module: Any, batch: Tensor) -> None:
        def loss(x: Tensor) -> Tensor:
            seen.append((module.critic.weight.requires_grad, module.generator.weight.requires_grad))
            return (module.critic(x) * module.generator(x)).mean()

        for optimizer in module.optimizers():
            module.descend(optimizer, loss, batch)
            assert module.critic.weight.requires_grad and module.generator.weight.requires_grad

    run(Players(step), batches(1))
    assert seen == [(True, False), (False, True)]


def test_freezing_ends_with_an_exception() -> None:
    def step(module: Any, batch: Tensor) -> None:
        def loss(x: Tensor) -> Tensor:
            raise RuntimeError("in the loss")

        with pytest.raises(RuntimeError, match="in the loss"):
            module.descend(module.optimizers()[0], loss, batch)
        assert all(parameter.requires_grad for parameter in module.parameters())
        alternate(module, batch)

    assert run(Players(step)).global_step == 4


def test_what_the_user_froze_stays_as_it_was() -> None:
    module = build("gan")
    layer = next(each for each in module.discriminator.modules() if isinstance(each, nn.Conv2d))  # type: ignore[union-attr]
    layer.requires_grad_(False)
    before = layer.weight.clone()
    run(module, loader("gan", 4))
    assert torch.equal(layer.weight, before) and not layer.weight.requires_grad and layer.weight.grad is None


@pytest.mark.parametrize("parts", [1, 3])
def test_microbatches_cut_tensors_join_by_products_and_pass_the_rest_on(parts: int) -> None:
    returned: list[tuple[Tensor, ...]] = []

    def step(module: Any, batch: Tensor) -> None:
        def loss(x: Tensor, factor: float, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            assert len(x) == len(noise) == 6 // parts and factor == 2.0
            drawn = randomness.normal(len(x), 3)
            scores = factor * module.critic(x + drawn).squeeze(1)
            return scores.mean(), scores, (scores + noise).max()

        optimizer, _ = module.optimizers()
        returned.append(module.descend(optimizer, loss, batch, 2.0, torch.zeros(6)))
        alternate(module, batch)

    torch.manual_seed(0)
    module = Players(step, micro_batches=parts)
    module.seed = 7
    run(module, batches(1, 6))
    ((loss, scores, largest),) = returned
    assert loss.shape == largest.shape == () and scores.shape == (6,)
    assert not (loss.requires_grad or scores.requires_grad)
    torch.testing.assert_close(loss, scores.mean())
    torch.testing.assert_close(largest, torch.stack([scores[part::parts].max() for part in range(parts)]).mean())
    # the same draws for the same samples, however the batch is cut
    randomness.use(randomness.Stream(randomness.mix(7, 1)))
    (batch,) = batches(1, 6)
    expected = 2 * (batch + randomness.normal(6, 3)) @ torch.tensor([3.0, 2.0, 1.0])
    torch.testing.assert_close(scores, expected)


def test_a_single_loss_comes_back_as_a_tensor_and_draws_go_on_after_it() -> None:
    drawn: list[list[float]] = []

    def step(module: Any, batch: Tensor) -> None:
        def loss(x: Tensor) -> Tensor:
            noise = randomness.normal(len(x), 1)
            drawn.append(noise.flatten().tolist())
            return module.critic(x).mean() + 0 * noise.sum()

        optimizer, _ = module.optimizers()
        assert isinstance(module.descend(optimizer, loss, batch), Tensor)
        module.descend(optimizer, loss, batch)

    for parts in (1, 2):
        module = Players(step, micro_batches=parts)
        module.seed = 1
        run(module, batches(1, 4))
    for whole, first, second in ((drawn[0], drawn[2], drawn[3]), (drawn[1], drawn[4], drawn[5])):
        assert whole[0::2] == first and whole[1::2] == second
    assert drawn[0] != drawn[1]


def test_a_batch_that_does_not_divide_is_named() -> None:
    with pytest.raises(ValueError, match="a batch of 3 does not divide into 2 micro-batches; choose a batch_size"):
        run(Players(alternate, micro_batches=2), batches(2, 3))


def test_clipping_acts_on_the_whole_batch_and_on_each_optimizer_alone() -> None:
    module = Players(alternate, clip_norm=0.5, micro_batches=2)
    (batch,) = batches(1, 4)
    run(module, batches(1, 4))
    gradient = batch.mean(0)
    step = 0.1 * gradient * min(1.0, 0.5 / float(gradient.norm()))
    assert gradient.norm() > 0.5
    torch.testing.assert_close(module.critic.weight[0], torch.tensor([3.0, 2.0, 1.0]) - step, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(module.generator.weight[0], torch.tensor([1.0, 2.0, 3.0]) - step, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fused", [False, True])
def test_clipping_is_by_the_true_norm_under_a_gradient_scaler(fused: bool) -> None:
    def optimizer(parameters: Any) -> Optimizer:
        return torch.optim.SGD(parameters, lr=0.1, fused=fused)

    module = Players(alternate, optimizer, clip_norm=0.5)
    before = module.critic.weight.detach().clone()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    run(module, batches(1), plugins=[MixedPrecision("16-mixed", "cpu", scaler)])
    assert float((module.critic.weight - before).norm()) == pytest.approx(0.1 * 0.5, rel=1e-2)


# ---------------------------------------------------------------------------------------------------------------------
# learning rates


def test_schedulers_step_with_their_optimizer_or_with_the_epoch() -> None:
    class Scheduled(Players):
        def configure_optimizers(self) -> Any:
            critic, generator = super().configure_optimizers()
            every_step = LambdaLR(critic, lambda step: 1 / (1 + step))
            every_epoch = LambdaLR(generator, lambda epoch: 0.5**epoch)
            return [critic, generator], [
                {"scheduler": every_step, "interval": "step"},
                {"scheduler": every_epoch, "interval": "epoch"},
            ]

    def step(module: Any, batch: Tensor) -> None:
        critic, generator = module.optimizers()
        for _ in range(2):
            module.descend(critic, lambda x: module.critic(x).mean(), batch)
        rates.append((critic.param_groups[0]["lr"], generator.param_groups[0]["lr"]))
        module.descend(generator, lambda x: module.generator(x).mean(), batch)

    rates: list[tuple[float, float]] = []
    run(Scheduled(step), batches(2), max_epochs=2)
    assert [critic for critic, _ in rates] == pytest.approx([0.1 / 3, 0.1 / 5, 0.1 / 7, 0.1 / 9])
    assert [generator for _, generator in rates] == pytest.approx([0.1, 0.1, 0.05, 0.05])


def test_a_wasserstein_run_ends_at_rate_zero() -> None:
    module = build("wgan_gp", n_critic=2, decay_steps=4)
    fitted = run(module, loader("wgan_gp", 8))
    assert [optimizer.param_groups[0]["lr"] for optimizer in fitted.optimizers] == [0, 0]


# ---------------------------------------------------------------------------------------------------------------------
# logging


def logged_rows(folder: Path) -> list[dict[str, float]]:
    """What a CSVLogger wrote."""
    header, *lines = (folder / "metrics.csv").read_text().splitlines()
    table = [zip(header.split(","), line.split(","), strict=True) for line in lines]
    return [{key: float(value) for key, value in row if value} for row in table]


def test_losses_are_logged_as_means_on_log_steps_together(tmp_path: Path) -> None:
    def recording(module: Any, batch: Tensor) -> None:
        recorded = dict(module._recorded)
        alternate(module, batch)
        module._recorded = recorded
        module.record(critic=torch.tensor(float(module.batches_seen)))
        if module.batches_seen % 5 == 0:
            module.record(generator=torch.tensor(float(module.batches_seen)))

    logger = CSVLogger(tmp_path, name="", version="")
    run(Players(recording), batches(10), max_epochs=2, logger=logger, log_every_n_steps=4)
    rows = logged_rows(tmp_path)
    assert [row["step"] for row in rows] == [3, 7, 11, 15, 19]  # Lightning counts from 0
    assert [row["loss/critic"] for row in rows] == [2.5, 6.5, 10.5, 14.5, 18.5]
    assert [row.get("loss/generator") for row in rows] == [None, 5, 10, 15, 20]


@pytest.mark.parametrize("name", FIRST)
def test_every_variant_logs_its_losses(name: str, tmp_path: Path) -> None:
    run(build(name), loader(name, 4), logger=CSVLogger(tmp_path, name="", version=""))
    first = "critic" if name.startswith("wgan_gp") else "discriminator"
    rows = logged_rows(tmp_path)
    assert len(rows) == 2
    for row in rows:
        assert {f"loss/{first}", "loss/generator"} <= row.keys() and all(map(math.isfinite, row.values()))


# ---------------------------------------------------------------------------------------------------------------------
# the average


def test_the_average_follows_with_a_memory_that_warms_up() -> None:
    values: list[Tensor] = []

    def step(module: Any, batch: Tensor) -> None:
        alternate(module, batch)
        values.append(module.generator.weight.detach().clone())

    module = Players(step, average_decay=0.5)
    average = module.generator.weight.detach().clone()
    run(module, batches(20))
    for count, value in enumerate(values, 1):
        decay = min(0.5, (1 + count) / (10 + count))
        average = decay * average + (1 - decay) * value
    torch.testing.assert_close(module.averages["generator"].weight, average)
    assert not any(parameter.requires_grad for parameter in module.averages.parameters())


def test_the_average_copies_running_statistics() -> None:
    module: Any = build("gan", average_decay=0.9)
    run(module, loader("gan", 4))
    pairs = list(zip(module.averages["generator"].buffers(), module.generator.buffers(), strict=True))
    assert pairs and all(torch.equal(average, buffer) for average, buffer in pairs)


# ---------------------------------------------------------------------------------------------------------------------
# seeds


@pytest.mark.parametrize("name", FIRST)
def test_a_seed_is_a_run(name: str) -> None:
    states = []
    for seed in (1, 1, 2):
        seed_everything(seed, verbose=False)
        module = build(name, seed=0)  # the same weights in all three
        states.append(whole_state(module, run(module, loader(name, 4))))
    assert same(states[0], states[1])
    if name != "cyclegan":  # whose only randomness is a history that is not full yet
        assert not same(states[0]["module"], states[2]["module"])
    assert states[0]["counters"]["seed"] != states[2]["counters"]["seed"]


def test_without_a_seed_a_run_has_one_of_its_own() -> None:
    seeds = set()
    for _ in range(2):
        torch.seed()
        module = Players(alternate)
        run(module)
        seeds.add(module.seed)
    assert len(seeds) == 2 and None not in seeds


# ---------------------------------------------------------------------------------------------------------------------
# speed


class NoReadings(TorchDispatchMode):
    """Fails where a step would wait for the device to read a number, or to count what a mask selects."""

    forbidden = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal")
    allowed = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket._qualified_op_name.split("::")[1] in self.forbidden and not self.allowed:
            raise RuntimeError(f"{func} makes the step wait for the device")
        return func(*args, **(kwargs or {}))


class AllowOneHot(TorchFunctionMode):
    """`one_hot` reads the largest label on the CPU alone."""

    def __init__(self, watch: NoReadings) -> None:
        super().__init__()
        self.watch = watch

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.watch.allowed = func is nn.functional.one_hot
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.watch.allowed = False


def watch(module: Any) -> None:
    """Forbid readings inside `training_step`."""
    step = module.training_step

    def watched(batch: Any, batch_idx: int) -> None:
        readings: Any = NoReadings()  # type: ignore[no-untyped-call]
        with readings, AllowOneHot(readings):
            step(batch, batch_idx)

    module.training_step = watched


@pytest.mark.parametrize("name", FIRST)
def test_no_step_waits_for_the_device(name: str) -> None:
    # the check of gradients reads on the CPU, where that waits for nothing; on a GPU it does not (see below)
    module = build(name, average_decay=0.9, clip_norm=1.0, micro_batches=2, check_finite=False)
    watch(module)
    assert run(module, loader(name, 10, 8)).global_step == 10


def test_the_watch_sees_a_reading() -> None:
    def step(module: Any, batch: Tensor) -> None:
        batch.sum().item()

    module = Players(step)
    watch(module)
    with pytest.raises(RuntimeError, match="wait for the device"):
        run(module)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", FIRST)
def test_no_step_waits_for_a_real_device(name: str) -> None:
    class Strict(Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            if module.batches_seen > 2:  # the first steps load kernels
                torch.cuda.set_sync_debug_mode("error")

        def on_train_batch_end(self, *_: Any) -> None:
            torch.cuda.set_sync_debug_mode("default")

    module = build(name, average_decay=0.9, clip_norm=1.0)
    try:
        run(module, loader(name, 10, 8), accelerator="gpu", callbacks=[Strict()])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert module.batches_seen == 10


# ---------------------------------------------------------------------------------------------------------------------
# hyper-parameters


@pytest.mark.parametrize(
    ("mechanics", "message"),
    [
        ({"average_decay": 1.0}, r"average_decay must be in \[0, 1\), got 1.0"),
        ({"average_decay": -0.1}, r"average_decay must be in \[0, 1\), got -0.1"),
        ({"clip_norm": 0.0}, "clip_norm must be above 0, got 0.0; give a positive number"),
        ({"clip_norm": math.nan}, "clip_norm must be above 0, got nan"),
        ({"micro_batches": 0}, "micro_batches must be a whole number of at least 1, got 0"),
        ({"micro_batches": 1.5}, "micro_batches must be a whole number of at least 1, got 1.5"),
        ({"micro_batches": True}, "micro_batches must be a whole number of at least 1, got True"),
    ],
)
@pytest.mark.parametrize("name", FIRST)
def test_mechanics_are_checked(name: str, mechanics: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(name, **mechanics)


ONE = nn.Identity()


def growing(**options: Any) -> ProgressiveGAN:
    """A progressive GAN, as far as its constructor looks."""
    generator = nn.Identity()
    generator.stages = 2  # type: ignore[assignment]
    return ProgressiveGAN(generator, nn.Identity(), **options)


BUILD: dict[str, Callable[..., AdversarialModule]] = {
    "gan": lambda **options: GAN(ONE, ONE, **options),
    "wgan_gp": lambda **options: WGANGP(ONE, ONE, **options),
    "acgan": lambda **options: ACGAN(ONE, ONE, **options),
    "infogan": lambda **options: InfoGAN(ONE, ONE, ONE, ONE, **options),
    "pix2pix": lambda **options: Pix2Pix(ONE, ONE, **options),
    "cyclegan": lambda **options: CycleGAN(ONE, ONE, ONE, ONE, **options),
    "pggan": growing,
}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    *((name, {"betas": (0.5, 0.9, 0.99)}, r"betas must be two numbers in \[0, 1\), got") for name in BUILD),
    *((name, {"betas": (0.5, 1.0)}, r"betas must be two numbers in \[0, 1\), got") for name in BUILD),
    *(
        (name, {rate: value}, "must be above 0, got")
        for name in BUILD
        for rate in (
            ("generator_learning_rate", "discriminator_learning_rate")
            if name in ("gan", "infogan")
            else ("learning_rate",)
        )
        for value in (0.0, -1e-4, math.nan)
    ),
    *((name, {"latent_dim": 0}, "latent_dim must be a whole number") for name in ("gan", "wgan_gp", "acgan", "pggan")),
    ("wgan_gp", {"n_critic": 0}, "n_critic must be a whole number of at least 1, got 0"),
    ("wgan_gp", {"n_critic": 2.5}, "n_critic must be a whole number of at least 1, got 2.5"),
    ("wgan_gp", {"penalty_weight": -1.0}, "penalty_weight must not be negative, got -1.0; give 0 to turn it off"),
    ("wgan_gp", {"generator_batch": 0}, "generator_batch must be a whole number"),
    ("wgan_gp", {"decay_steps": 0}, "decay_steps must be a whole number"),
    ("acgan", {"num_classes": 0}, "num_classes must be a whole number"),
    ("acgan", {"class_weight": -0.5}, "class_weight must not be negative"),
    ("infogan", {"noise_dim": -1}, "noise_dim must be a whole number"),
    ("infogan", {"categories": 0}, "categories must be a whole number"),
    ("infogan", {"continuous": -1}, "continuous must be a whole number"),
    ("infogan", {"information_weight": -1.0}, "information_weight must not be negative"),
    ("pix2pix", {"l1_weight": -1.0}, "l1_weight must not be negative"),
    ("pix2pix", {"l1_weight": math.nan}, "l1_weight must not be negative"),
    ("pix2pix", {"constant_epochs": -1}, "constant_epochs must be a whole number"),
    ("cyclegan", {"cycle_weight": -1.0}, "cycle_weight must not be negative"),
    ("cyclegan", {"identity_weight": -1.0}, "identity_weight must not be negative"),
    ("cyclegan", {"history_size": -1}, "size must be a whole number of at least 0, got -1"),
    ("cyclegan", {"decay_epochs": 1.5}, "decay_epochs must be a whole number"),
    ("pggan", {"penalty_weight": -1.0}, "penalty_weight must not be negative"),
    ("pggan", {"drift_weight": -1.0}, "drift_weight must not be negative"),
    ("pggan", {"stable_images": 0}, "stable_images must be a whole number"),
    ("pggan", {"fade_images": 0}, "fade_images must be a whole number"),
    ("pggan", {"batch_sizes": {4: 0}}, r"batch_sizes\[4\] must be a whole number of at least 1, got 0"),
]


@pytest.mark.parametrize(("name", "options", "message"), WRONG)
def test_hyper_parameters_are_checked_in_one_sentence(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        BUILD[name](**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["gan", "acgan", "pix2pix"])
def test_data_of_another_kind_are_named(name: str) -> None:
    other = {"gan": "cyclegan", "acgan": "wgan_gp", "pix2pix": "acgan"}[name]
    with pytest.raises(ValueError, match="expected .* got .*; choose data of that kind"):
        run(build(name), loader(other, 1))


def test_adam_is_fused() -> None:
    optimizer = adam([nn.Parameter(torch.zeros(1))], 1e-3, (0.0, 0.9))
    assert optimizer.defaults["fused"] and optimizer.defaults["betas"] == (0.0, 0.9)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_device_the_step_is_left_out_and_the_run_stops_a_batch_later() -> None:
    module = Players(alternate, optimizer=lambda parameters: adam(parameters, 0.1, (0.5, 0.9)))
    module.critic.weight.register_hook(lambda gradient: gradient / (module.batches_seen < 2))
    with pytest.raises(FloatingPointError, match="for critic is not finite at batch 2"):
        run(module, batches(8), accelerator="gpu")
    assert module.batches_seen == 3 and all(value.isfinite().all() for value in module.parameters())
