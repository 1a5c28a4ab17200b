"""StyleGAN2's losses, laziness and adaptive augmentation against the papers."""

import inspect
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.nn.functional import softplus

from gan_modules import StyleGAN2, randomness
from gan_modules.adaptive import augmented
from gan_modules.penalties import path_lengths
from gan_modules.randomness import Stream
from variants import build, loader, trainer
from zoo.own import LATENT, Judge
from zoo.style import Styled

N = 6


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    randomness.use(None)


def again() -> None:
    """Start the noise of a step anew."""
    randomness.use(Stream(5))


def module(**options: Any) -> StyleGAN2:
    mapping = nn.Sequential(nn.Linear(LATENT, LATENT), nn.Tanh())
    return StyleGAN2(mapping, Styled(), Judge(), LATENT, **options).double()


def real() -> Tensor:
    return 2 * torch.rand(N, 3, 8, 8, dtype=torch.float64) - 1


def close(ours: Tensor, formula: Tensor) -> None:
    torch.testing.assert_close(ours, formula, rtol=1e-10, atol=1e-12)


# the losses


@pytest.mark.parametrize("p", [0.0, 0.7])
def test_both_players_see_what_is_augmented(p: float) -> None:
    model, x = module(), real()
    model.p.fill_(p)
    again()
    loss, sign = model.discriminator_loss(x)
    again()
    fake = model.generator(model.styles(N))
    scores_real, scores_fake = model.discriminator(augmented(x, model.p)), model.discriminator(augmented(fake, model.p))
    d_real, d_fake = scores_real.sigmoid(), scores_fake.sigmoid()
    close(loss, -(d_real.log() + (1 - d_fake).log()).mean())
    close(sign, ((scores_real > 0).double() - (scores_real < 0).double()).mean())
    again()
    ours = model.generator_loss(x)
    again()
    fake = model.generator(model.styles(N))
    close(ours, softplus(-model.discriminator(augmented(fake, model.p))).mean())
    assert (p == 0) == torch.allclose(scores_real, model.discriminator(x), rtol=1e-9)


def test_without_a_target_nothing_is_augmented() -> None:
    model, x = module(ada_target=None), real()
    model.p.fill_(1.0)
    close(model.scores(x), model.discriminator(x))


def test_r1_is_lazy_gamma_half_of_the_squared_slope() -> None:
    model, x = module(r1_weight=3.0, r1_interval=5, ada_target=None), real()
    slopes = [torch.autograd.functional.jacobian(lambda image: model.discriminator(image[None])[0], each) for each in x]
    close(model.r1_loss(x), 5 * 3 / 2 * torch.stack([slope.square().sum() for slope in slopes]).mean())


def test_r1_differentiates_through_the_augmentation() -> None:
    """Of D(T(x)) by x, as the authors' code does, not by T(x)."""
    model, x = module(r1_weight=2.0, r1_interval=1), real()
    model.p.fill_(0.8)
    again()
    ours = model.r1_loss(x)
    again()
    points = x.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(model.discriminator(augmented(points, model.p)).sum(), points)
    close(ours, slopes.square().sum((1, 2, 3)).mean())


class Tiny(nn.Module):
    """Three styles of two numbers to images of 1 x 2 x 2, smoothly."""

    layers = 3

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 4)

    def forward(self, styles: Tensor) -> Tensor:
        return torch.sin(self.linear(styles.flatten(1))).unflatten(1, (1, 2, 2))


def test_path_lengths_are_those_of_the_jacobian() -> None:
    """Equation 4: the whole Jacobian of an image by its styles, and by finite differences too."""
    network, styles = Tiny().double(), torch.randn(N, 3, 2, dtype=torch.float64)
    again()
    ours = path_lengths(network, styles)
    again()
    y = randomness.normal(N, 1, 2, 2, dtype=torch.float64) / math.sqrt(4)
    for row in range(N):
        whole = torch.autograd.functional.jacobian(lambda style: network(style[None])[0], styles[row])
        steps = 1e-6 * torch.eye(6, dtype=torch.float64).view(6, 3, 2)
        differences = (network(styles[row] + steps) - network(styles[row] - steps)) / 2e-6
        torch.testing.assert_close(differences.permute(1, 2, 3, 0).reshape(1, 2, 2, 3, 2), whole, rtol=1e-6, atol=1e-8)
        products = torch.einsum("chwld,chw->ld", whole, y[row])
        close(ours[row], products.square().sum(1).mean().sqrt())


@pytest.mark.parametrize("count", [1, 5, 6])
def test_the_path_loss_is_that_of_half_the_batch(count: int) -> None:
    model = module(path_weight=3.0, path_interval=7)
    model.mean_length.fill_(0.4)
    again()
    loss, length = model.path_loss(real()[:count])
    again()
    half = math.ceil(count / 2)
    lengths = path_lengths(model.generator, model.styles(half))
    close(loss, 7 * 3 * ((lengths - 0.4) ** 2).mean())
    close(length, lengths.mean())


GENERATOR, JUDGE = {"mapping", "generator"}, {"discriminator"}
CASES = [
    ("generator_loss", GENERATOR | JUDGE, GENERATOR),
    ("path_loss", GENERATOR, GENERATOR),
    ("discriminator_loss", JUDGE, JUDGE),
    ("r1_loss", JUDGE, JUDGE),
]


def scalar(model: StyleGAN2, loss: str, x: Tensor) -> Tensor:
    again()
    outcome = getattr(model, loss)(x)
    return outcome[0] if isinstance(outcome, tuple) else outcome


@pytest.mark.parametrize(("loss", "all_reached", "own"), CASES)
def test_gradients_are_slopes_and_reach_the_right_networks(loss: str, all_reached: set[str], own: set[str]) -> None:
    model, x = module(), real()
    model.p.fill_(0.5)
    for network in (model.mapping, model.generator):
        network.requires_grad_(loss not in ("discriminator_loss", "r1_loss"))  # frozen, as a step does
    scalar(model, loss, x).backward()
    named = list(model.named_parameters())
    assert {n.split(".")[0] for n, q in named if q.grad is not None and q.grad.abs().max() > 0} == all_reached
    moved = [(q, torch.randn_like(q)) for n, q in named if n.split(".")[0] in own and q.grad is not None]
    expected = sum(float((q.grad * direction).sum()) for q, direction in moved if q.grad is not None)
    ends = []
    for step in (1e-6, -2e-6):
        with torch.no_grad():
            for q, direction in moved:
                q.add_(direction, alpha=step)
        ends.append(float(scalar(model, loss, x)))
    assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(expected, rel=2e-4, abs=1e-6)


# styles


class Listed(nn.Module):
    """A generator of so many styles."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = layers


def styled(layers: int, **options: Any) -> StyleGAN2:
    return StyleGAN2(nn.Identity(), Listed(layers), nn.Linear(1, 1), 3, **options).double()


def test_styles_are_mixed_from_a_random_layer_on() -> None:
    n, layers = 2000, 4
    model = styled(layers, mixing=0.75)
    again()
    styles = model.styles(n)
    again()
    first, second = model.prior(n), model.prior(n)
    starts = []
    for row in range(n):
        of_second = [torch.equal(styles[row, layer], second[row]) for layer in range(layers)]
        assert of_second == sorted(of_second) and not of_second[0]
        assert all(torch.equal(styles[row, layer], first[row]) for layer in range(layers) if not of_second[layer])
        starts.append(of_second.index(True) if any(of_second) else layers)
    frequencies = np.bincount(starts, minlength=5) / n
    np.testing.assert_allclose(frequencies, [0, 0.25, 0.25, 0.25, 0.25], atol=0.04)


@pytest.mark.parametrize("options", [{"layers": 4, "mixing": 0.0}, {"layers": 1}])
def test_what_is_not_mixed_has_one_style(options: dict[str, Any]) -> None:
    styles = styled(**options).styles(50)
    assert torch.equal(styles, styles[:, :1].expand_as(styles)) and styles.shape == (50, options["layers"], 3)


def test_truncation_goes_to_the_mean_style() -> None:
    model = module().eval()
    z = model.prior(4)
    mean = model.mean_style()
    assert (mean - model.mapping(model.prior(200_000)).mean(0)).abs().max() < 0.05
    plain, styles = model(z), model.mapping(z)
    close(model(z, 1.0), plain)
    close(model(z, 0.0), model.generator(mean.expand(4, 2, -1)))
    close(model(z, 0.3), model.generator((mean + 0.3 * (styles - mean))[:, None].expand(-1, 2, -1)))
    again()
    sampled = model.sample(4, truncation=0.3)
    again()
    close(sampled, model(model.prior(4), 0.3))


def test_a_generator_without_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="must say how many styles it takes, got layers=None"):
        StyleGAN2(nn.Identity(), nn.Linear(1, 1), nn.Linear(1, 1))


# the schedule


class Steps:
    """The losses that are descended, batch by batch, with what `descend` returned."""

    def __init__(self, model: StyleGAN2) -> None:
        self.model, self.descend = model, model.descend
        self.taken: list[tuple[int, str]] = []
        self.returned: dict[str, list[Any]] = {}
        model.descend = self  # type: ignore[assignment,method-assign]

    def __call__(self, optimizer: Any, loss: Any, *inputs: Any) -> Any:
        self.taken.append((self.model.batches_seen, loss.__name__))
        returned = self.descend(optimizer, loss, *inputs)
        self.returned.setdefault(loss.__name__, []).append(returned)
        return returned


def fitted(model: StyleGAN2, batches: int, size: int = 4, **options: Any) -> Steps:
    steps = Steps(model)
    trainer(precision="64-true", **options).fit(model, loader("stylegan2", batches, size))
    return steps


def test_the_regularisers_are_lazy_and_in_the_authors_order() -> None:
    steps = fitted(module(r1_interval=16, path_interval=4), 18)
    for batch in range(1, 19):
        expected = ["generator_loss"] + ["path_loss"] * (batch % 4 == 1)
        expected += ["discriminator_loss"] + ["r1_loss"] * (batch in (1, 17))
        assert [name for seen, name in steps.taken if seen == batch] == expected


def test_weights_of_zero_leave_the_regularisers_and_the_corrections_out() -> None:
    model = module(r1_weight=0.0, path_weight=0.0)
    assert {name for _, name in fitted(model, 3).taken} == {"generator_loss", "discriminator_loss"}
    for optimizer in model.trainer.optimizers:
        assert optimizer.param_groups[0]["lr"] == 2e-3 and optimizer.param_groups[0]["betas"] == (0.0, 0.99)


def test_adam_is_corrected_for_the_regularisers_steps() -> None:
    model = module(learning_rate=1e-3, betas=(0.5, 0.99))
    fitted(model, 1)
    for optimizer, part in zip(model.trainer.optimizers, (4 / 5, 16 / 17), strict=True):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(part * 1e-3)
        assert optimizer.param_groups[0]["betas"] == pytest.approx((0.5**part, 0.99**part))


def test_defaults_are_the_papers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(StyleGAN2).parameters.items()}
    expected = {"latent_dim": 512, "mixing": 0.9, "r1_weight": 10, "r1_interval": 16, "path_weight": 2}
    expected |= {"path_decay": 0.01, "path_interval": 4, "ada_target": 0.6, "ada_interval": 4, "ada_images": 500_000}
    expected |= {"learning_rate": 0.002, "betas": (0, 0.99)}
    assert {name: defaults[name] for name in expected} == expected


def test_the_target_length_is_the_running_mean_before_the_batch() -> None:
    model = module(path_interval=2, path_decay=0.2)
    steps = fitted(model, 8)
    mean = 0.0
    for _, length in steps.returned["path_loss"]:
        mean += 0.2 * (float(length) - mean)
    assert len(steps.returned["path_loss"]) == 4 and mean > 0
    assert float(model.mean_length) == pytest.approx(mean, rel=1e-12)


# adaptive augmentation


@pytest.mark.parametrize("target", [0.1, 0.6])
def test_p_follows_the_papers_recursion(target: float) -> None:
    """Every 4 batches by the sign of (mean sign of D(real) - target) times the images since over 500k, in [0, 1]."""
    signs = np.random.default_rng(0).choice([-1.0, 0.5, 0.75, 1.0], 48, p=[0.1, 0.2, 0.2, 0.5])
    model, p, values, expected = module(ada_target=target, ada_images=64), 0.0, list[float](), list[float]()
    model.trainer = trainer()
    for batch in range(1, 49):
        model.batches_seen = batch
        model.adapt(torch.tensor(signs[batch - 1]), 4)
        values.append(float(model.p))
        if batch % 4 == 0:
            p = min(max(p + np.sign(signs[batch - 4 : batch].mean() - target) * 4 * 4 / 64, 0), 1)
        expected.append(p)
    np.testing.assert_allclose(values, expected, atol=1e-12)
    assert max(expected) > 0.2 and len(set(expected)) > 2


def test_p_and_what_it_gathers_survive_a_checkpoint(tmp_path: Path) -> None:
    """Stopped after 5 batches, amid the 4 after which p changes."""
    states, options = [], {"ada_interval": 4, "ada_target": 0.0, "ada_images": 64}
    for stopped in (False, True):
        model: Any = build("stylegan2", seed=int(stopped), **options)
        model.p.fill_(0.0 if stopped else 0.5)
        save = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
        fit = trainer(enable_checkpointing=True, callbacks=[save], max_epochs=2)
        fit.fit(model, loader("stylegan2", 5), ckpt_path=str(tmp_path / "epoch=0.ckpt") if stopped else None)
        states.append([float(model.p), float(model.signs), float(model.mean_length)])
    saved = torch.load(tmp_path / "epoch=0.ckpt", weights_only=True)["state_dict"]
    assert states[0] == states[1]
    assert states[0][0] != float(saved["p"]) and float(saved["signs"]) != 0 and float(saved["mean_length"]) > 0
