"""What every variant must do: train, keep its optimizers apart, stop and go on, and drop in."""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from gan_modules import ACGAN, AdversarialModule, CycleGAN, InfoGAN
from gan_modules.callbacks import Checkpoints
from gan_modules.callbacks.views import views_of
from gan_modules.randomness import Stream, use
from variants import FIRST, LATENT_MODELS, NAMES, build, loader, same, shape_of, trained, trainer, whole_state
from zoo import CASES

every_variant = pytest.mark.parametrize("name", NAMES)
whole_runs = pytest.mark.parametrize(
    "name", [name if name in FIRST else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
Interrupted = Callable[[str], tuple[dict[str, Any], Path]]
MECHANICS: dict[str, Any] = {"average_decay": 0.9, "clip_norm": 1.0}


def weights(module: LightningModule) -> dict[str, Tensor]:
    """Copies of the parameters, by name; the averages are no networks of their own."""
    return {
        name: parameter.detach().clone()
        for name, parameter in module.named_parameters()
        if not name.startswith("averages.")
    }


def networks_of(module: AdversarialModule) -> dict[str, Any]:
    """The networks, as the constructor's arguments that a checkpoint does not carry."""
    ours = ("averages", "history_x", "history_y", "psnr_generator")
    return {name: child for name, child in module.named_children() if name not in ours}


class Descents:
    """Watches `descend`: what each call moved, and the norm of the gradient that it stepped with."""

    def __init__(self, module: AdversarialModule) -> None:
        self.module, self.descend = module, module.descend
        self.moved: list[tuple[set[str], set[str]]] = []
        self.norms: list[float] = []
        module.descend = self  # type: ignore[assignment,method-assign]

    def __call__(self, optimizer: Any, *arguments: Any) -> Any:
        before = weights(self.module)
        returned = self.descend(optimizer, *arguments)
        own = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        names = {name for name, parameter in self.module.named_parameters() if id(parameter) in own}
        moved = {name for name, value in weights(self.module).items() if not torch.equal(value, before[name])}
        gradients = [p.grad for p in self.module.parameters() if id(p) in own and p.grad is not None]
        self.moved.append((names, moved))
        self.norms.append(math.sqrt(sum(float(gradient.double().square().sum()) for gradient in gradients)))
        return returned


@pytest.mark.parametrize("own", [False, True], ids=["ours", "user's networks"])
@every_variant
def test_every_parameter_of_every_network_learns(name: str, own: bool) -> None:
    module = build(name, own)
    before = weights(module)
    trainer().fit(module, loader(name, 12))
    still = {key for key, value in weights(module).items() if torch.equal(value, before[key])}
    assert still == (CASES[name].constant if own else CASES[name].our_constant)
    assert module.batches_seen == 12


@pytest.mark.slow
@every_variant
def test_each_optimizer_moves_its_own_parameters_and_no_others(name: str) -> None:
    module = build(name, average_decay=0.9)
    descents = Descents(module)
    fitted = trainer()
    fitted.fit(module, loader(name, 8))
    assert {frozenset(own) for own, _ in descents.moved} == {
        frozenset(key for key, p in module.named_parameters() if any(p is each for each in group["params"]))
        for optimizer in fitted.optimizers
        for group in optimizer.param_groups
    }
    for own, moved in descents.moved:
        assert moved and moved <= own
    assert {key for own, _ in descents.moved for key in own} == weights(module).keys()


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    """The state of a variant after three epochs, and where the checkpoints of all three are."""

    @cache
    def run(name: str) -> tuple[dict[str, Any], Path]:
        folder = tmp_path_factory.mktemp(name)
        module = build(name, **MECHANICS)
        save = ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1)
        fitted = trainer(max_epochs=3, enable_checkpointing=True, callbacks=[save])
        fitted.fit(module, loader(name, 5), loader(name, 1))
        return whole_state(module, fitted), folder

    return run


@whole_runs
def test_a_checkpoint_restores_everything(name: str, interrupted: Interrupted) -> None:
    expected, folder = interrupted(name)
    module = build(name, seed=1, **MECHANICS)
    fitted = trainer(max_epochs=3)
    fitted.fit(module, loader(name, 5), ckpt_path=str(folder / "epoch=2.ckpt"))
    state = whole_state(module, fitted)
    for part, value in expected.items():
        assert same(state[part], value), part
    assert module.batches_seen == fitted.global_step == 15
    assert module.seed is not None and module.generator_steps > 0


@whole_runs
def test_load_from_checkpoint_needs_only_the_networks(name: str, interrupted: Interrupted) -> None:
    expected, folder = interrupted(name)
    fresh = build(name, seed=1, **MECHANICS)
    module = type(fresh).load_from_checkpoint(folder / "epoch=2.ckpt", map_location="cpu", **networks_of(fresh))
    assert same(dict(module.state_dict()), expected["module"])
    assert {key: getattr(module, key) for key in module.persistent} == expected["counters"]
    assert (module.average_decay, module.clip_norm) == (0.9, 1.0)
    assert module.hparams == fresh.hparams


@whole_runs
def test_a_run_that_was_stopped_equals_the_one_that_was_not(name: str, interrupted: Interrupted) -> None:
    expected, folder = interrupted(name)
    module = build(name, seed=1, **MECHANICS)
    fitted = trainer(max_epochs=3)
    fitted.fit(module, loader(name, 5), loader(name, 1), ckpt_path=str(folder / "epoch=0.ckpt"))
    state = whole_state(module, fitted)
    for part, value in expected.items():
        assert same(state[part], value), part


@pytest.mark.parametrize("name", ["wgan_gp", "pix2pix", "cyclegan", "pggan"])
def test_a_checkpoint_of_an_epochs_last_batch_ends_the_epoch(
    name: str, interrupted: Interrupted, tmp_path: Path
) -> None:
    save = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=5)
    trainer(enable_checkpointing=True, callbacks=[save]).fit(build(name, **MECHANICS), loader(name, 5))
    module = build(name, seed=1, **MECHANICS)
    fitted = trainer(max_epochs=3)
    fitted.fit(module, loader(name, 5), ckpt_path=str(tmp_path / "step=5.ckpt"))
    assert same(whole_state(module, fitted), interrupted(name)[0])


def test_the_checkpoints_hold_what_they_claim(interrupted: Interrupted) -> None:
    assert len({key for name in FIRST for key in interrupted(name)[0]["counters"]}) == 5
    history = interrupted("cyclegan")[0]["module"]["history_x._extra_state"]
    assert history["count"] == 6 and history["images"].abs().sum() > 0
    assert interrupted("pggan")[0]["counters"]["images_shown"] == 60
    assert interrupted("pix2pix")[0]["schedulers"][0]["last_epoch"] == 3
    assert interrupted("wgan_gp")[0]["schedulers"][0]["last_epoch"] == 15


class Sampling(Callback):
    """Samples in evaluation mode after every batch, as a grid of pictures does."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        pl_module.eval()
        with torch.no_grad():
            if isinstance(pl_module, CycleGAN):
                pl_module(torch.randn(2, 3, 8, 8))
            elif hasattr(pl_module, "sample"):
                cast(Any, pl_module).sample(3)
        torch.rand(7)
        pl_module.train()


@pytest.mark.parametrize("own", [False, True], ids=["ours", "user's networks"])
@whole_runs
def test_validation_and_sampling_do_not_change_training(name: str, own: bool) -> None:
    states = []
    for watched in (False, True):
        module = build(name, own, **MECHANICS)
        options: dict[str, Any] = {"callbacks": [Sampling()], "val_check_interval": 2, "num_sanity_val_steps": 1}
        fitted = trainer(max_epochs=2, **(options if watched else {}))
        fitted.fit(module, loader(name, 4), loader(name, 2) if watched else None)
        states.append(whole_state(module, fitted))
    assert same(*states)


@pytest.mark.parametrize("own", [False, True], ids=["ours", "user's networks"])
@whole_runs
def test_bfloat16_stays_finite(name: str, own: bool) -> None:
    module = build(name, own, **MECHANICS)
    fitted = trainer(precision="bf16-mixed")
    fitted.fit(module, loader(name, 8), loader(name, 1))
    assert all(value.isfinite().all() and value.dtype == torch.float32 for value in weights(module).values())
    assert fitted.callback_metrics and all(value.isfinite() for value in fitted.callback_metrics.values())


@whole_runs
def test_microbatches_are_the_batch(name: str) -> None:
    if CASES[name].coupled:
        pytest.skip("its losses couple the samples of a batch")
    states = []
    for parts in (1, 2):
        module = build(name, own=True, micro_batches=parts, **MECHANICS)
        trainer(precision="64-true").fit(module, loader(name, 6, 8))
        states.append(weights(module))
    assert all(value.dtype == torch.float64 for value in states[0].values())
    for key, value in states[0].items():
        torch.testing.assert_close(states[1][key], value, rtol=1e-10, atol=1e-11)


@whole_runs
def test_clipping_bounds_the_gradient_of_every_step(name: str) -> None:
    module = build(name, clip_norm=0.01)
    descents = Descents(module)
    trainer().fit(module, loader(name, 6))
    assert max(descents.norms) <= 0.01 * (1 + 1e-5)
    assert max(descents.norms) == pytest.approx(0.01, rel=1e-3)


@every_variant
def test_validation_step_returns_what_the_callbacks_read(name: str) -> None:
    module = trained(name, batches=2).eval()
    batch = next(iter(loader(name, 1)))
    with torch.no_grad():
        returned: Any = module.validation_step(batch, 0)
    views = views_of(returned)
    assert name != "cyclegan" or set(views) == {"x_to_y", "y_to_x"}
    named = {"labels", "before", "after", "classes", "predicted", "codes"}
    kinds = {
        "labelled": {"labels"},
        "few labels": {"classes", "predicted"},
        "pairs": {"source", "truth"},
        "coded pairs": {"source", "truth", "samples"},
        "domains": {"source"},
        "coded domains": {"source", "samples"},
        "styles": {"source"},
        "adapted": {"source", "samples", "classes", "predicted"},
        "attacked": {"source", "labels", "before", "after"},
        "encoded": {"reconstruction", "codes", "classes"},
        "enlarged": {"source", "truth"},
        "holes": {"source", "truth", "hole"},
        "context": {"source", "truth", "hole", "classes", "predicted"},
        "films": {"source", "truth", "history", "rollout", "future"},
    }.get(CASES[name].data, set())
    for view in views.values():
        assert set(view) == {"real", "fake"} | kinds
        for kind in set(view) - named:
            several = {"samples": (3,), "history": (2,), "rollout": (1,), "future": (1,)}.get(kind, ())
            channels, *sides = shape_of(name) if kind != "hole" else (1, *shape_of(name)[1:])
            sides = [side // 4 for side in sides] if (kind, CASES[name].data) == ("source", "enlarged") else sides
            assert tuple(view[kind].shape) == (4, *several, channels, *sides), kind
            assert view[kind].isfinite().all() and not view[kind].requires_grad
    if CASES[name].data == "labelled":
        assert returned["labels"].dtype == torch.int64 and torch.equal(returned["real"], batch[0])


def test_cyclegan_hands_the_truth_on_where_the_data_know_it() -> None:
    module = trained("cyclegan", batches=1).eval()
    x, y, x_as_y, y_as_x = torch.randn(4, 2, 3, 8, 8)
    views: Any = module.validation_step((x, y, x_as_y, y_as_x), 0)
    forth, back = views["x_to_y"], views["y_to_x"]
    assert torch.equal(forth["source"], x) and torch.equal(forth["real"], y) and torch.equal(forth["truth"], x_as_y)
    assert torch.equal(back["source"], y) and torch.equal(back["real"], x) and torch.equal(back["truth"], y_as_x)
    assert torch.equal(forth["fake"], module(x)) and torch.equal(back["fake"], cast(CycleGAN, module).inverse(y))


@pytest.mark.parametrize("name", LATENT_MODELS)
def test_samples_follow_the_stream_and_come_from_the_average(name: str) -> None:
    module: Any = trained(name, batches=8, average_decay=0.9).eval()

    def drawn(seed: int) -> Tensor:
        use(Stream(seed))
        with torch.no_grad():
            samples = module.sample(6)
            torch.manual_seed(seed)
            grid = module(*module.grid_inputs(2, 3))
        use(None)
        assert samples.shape == grid.shape == (6, *shape_of(name))
        return torch.cat([samples, grid])

    first = drawn(3)
    assert torch.equal(first, drawn(3)) and not torch.equal(first, drawn(4))
    before = module.generator.state_dict()
    module.generator.load_state_dict({key: torch.zeros_like(value) for key, value in before.items()})
    assert torch.equal(first, drawn(3)), "in evaluation mode the average generates"
    assert module.serving("generator") is module.averages["generator"]
    assert module.train().serving("generator") is module.generator


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
def test_translators_use_the_average_too(name: str) -> None:
    module: Any = trained(name, batches=4, average_decay=0.9).eval()
    (generator, *_), source = module.generators, next(iter(loader(name, 1)))[0]
    use(Stream(0))
    translated = module(source)
    use(Stream(0))
    assert torch.equal(translated, module.averages[generator](source))
    use(Stream(0))
    assert not torch.equal(translated, getattr(module, generator)(source))


def test_grids_are_laid_out_as_the_model_wants_them() -> None:
    acgan, infogan = cast(ACGAN, build("acgan")), cast(InfoGAN, build("infogan"))
    noise, labels = (each.unflatten(0, (3, 4)) for each in acgan.grid_inputs(3, 4))
    assert torch.equal(labels, torch.arange(3)[:, None].expand(3, 4)), "a class a row"
    assert torch.equal(noise, noise[:1].expand_as(noise)) and not torch.equal(noise[:, 0], noise[:, 1])
    (inputs,) = infogan.grid_inputs(5, 4)
    z, category, code = inputs.unflatten(0, (5, 4)).split([4, 3, 2], dim=2)
    assert torch.equal(z, z[:1, :1].expand_as(z)), "one noise"
    assert torch.equal(category[:3], torch.eye(3)[:, None].expand(3, 4, 3)), "a category a row"
    torch.testing.assert_close(code[0, :, 0], torch.linspace(-1, 1, 4))
    torch.testing.assert_close(code[3, :, 0], torch.linspace(-2, 2, 4))
    torch.testing.assert_close(code[4, :, 1], torch.linspace(-2, 2, 4))


@whole_runs
def test_a_gradient_that_is_not_finite_stops_the_run_before_its_step(name: str, tmp_path: Path) -> None:
    networks = networks_of(build(name))
    for child in [name for name, network in networks.items() if any(True for _ in network.parameters())]:
        module = build(name, **MECHANICS)
        poisoned = next(getattr(module, child).parameters())
        poisoned.register_hook(lambda gradient, module=module: gradient / (module.batches_seen < 4))
        saves = Checkpoints(dirpath=tmp_path, save_last=True, save_top_k=0, save_on_exception=True)
        with pytest.raises(FloatingPointError, match=rf"the gradient of \w+_loss for .*{child}.* at batch [45], so"):
            trainer(callbacks=[saves], enable_checkpointing=True).fit(module, loader(name, 8))
        assert all(value.isfinite().all() for value in module.state_dict().values() if isinstance(value, Tensor))
        saved = torch.load(tmp_path / "stopped.ckpt", weights_only=True)
        assert (
            same(dict(module.state_dict()), saved["state_dict"])
            and saved["adversarial"]["batches_seen"] == module.batches_seen
        )
        assert not (tmp_path / "last.ckpt").exists()


def test_gradients_are_not_checked_where_that_is_not_wanted() -> None:
    module = build("gan", check_finite=False)
    next(module.discriminator.parameters()).register_hook(lambda gradient: gradient * math.nan)  # type: ignore
    trainer().fit(module, loader("gan", 2))
    assert any(not value.isfinite().all() for value in weights(module).values())
