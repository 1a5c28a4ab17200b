"""f-GAN: the two losses are the bound of every divergence, and one step of both is one step up and one down."""

import dataclasses
import inspect
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan_modules import FGAN, checkpoints, divergences, networks
from gan_modules.divergences import Divergence
from variants import loader, trainer
from zoo.games import (
    FAKE,
    REAL,
    Outcomes,
    P,
    Q,
    Scores,
    Table,
    again,
    check_slope,
    close,
    fakes,
    generator,
    networks_reached,
    once,
    optimal_scores,
    points,
    schedule_of,
)

ALL: list[Divergence] = [
    divergences.kl(),
    divergences.reverse_kl(),
    divergences.pearson(),
    divergences.neyman(),
    divergences.squared_hellinger(),
    divergences.jensen_shannon(),
    divergences.weighted_jensen_shannon(0.3),
    divergences.gan(),
    divergences.total_variation(),
    divergences.jeffrey(),
    divergences.alpha(0.4),
    divergences.alpha(2.6),
]
every = pytest.mark.parametrize("divergence", ALL, ids=lambda divergence: divergence.name)
SWITCHES = [(False, False), (True, False), (False, True), (True, True)]


def f_gan(divergence: Any, **arguments: Any) -> FGAN:
    return FGAN(generator(), Scores(), latent_dim=2, divergence=divergence, **arguments).double()


@every
def test_the_losses_are_the_bound_with_its_signs(divergence: Divergence) -> None:
    module, real = f_gan(divergence), points()
    t_real, t_fake = (divergence.activation(module.discriminator(x)).detach() for x in (real, fakes(module)))
    bound = t_real.mean() - divergence.conjugate(t_fake).mean()  # the paper's F
    close(once(lambda m: m.discriminator_loss(real), module), -bound)
    close(once(lambda m: m.generator_loss(real), module), bound - t_real.mean())
    module = f_gan(divergence, non_saturating=True)
    close(
        once(lambda m: m.generator_loss(real), module),
        -divergence.activation(module.discriminator(fakes(module))).mean(),
    )


TABLE: dict[Any, tuple[Any, Any]] = {  # T(x) - f*(T(G(z))) by hand, of the scores
    divergences.kl: (lambda v: v, lambda v: np.exp(v - 1)),
    divergences.pearson: (lambda v: v, lambda v: v**2 / 4 + v),
    divergences.squared_hellinger: (lambda v: 1 - np.exp(-v), lambda v: np.exp(v) - 1),
    divergences.gan: (lambda v: -np.log(1 + np.exp(-v)), lambda v: np.log(1 + np.exp(v))),
}


@pytest.mark.parametrize("divergence", TABLE)
def test_the_losses_are_tables_2_and_6(divergence: Any) -> None:
    module, real = f_gan(divergence), points()
    v_real, v_fake = (module.discriminator(x).detach().numpy() for x in (real, fakes(module)))
    t, conjugate = TABLE[divergence]
    close(once(lambda m: m.discriminator_loss(real), module), conjugate(v_fake).mean() - t(v_real).mean())
    close(once(lambda m: m.generator_loss(real), module), -conjugate(v_fake).mean())


@every
def test_each_player_has_its_gradient(divergence: Divergence) -> None:
    module, real = f_gan(divergence), points()
    check_slope(module, lambda m: m.discriminator_loss(real), "discriminator")
    check_slope(module, lambda m: m.generator_loss(real), "generator")
    assert networks_reached(module, lambda m: m.discriminator_loss(real)) == {"discriminator"}
    assert networks_reached(module, lambda m: m.generator_loss(real)) == {"discriminator", "generator"}


@every
@pytest.mark.parametrize("non_saturating", [False, True])
def test_the_single_step_has_the_simultaneous_gradients_of_one_value(
    divergence: Divergence, non_saturating: bool
) -> None:
    """Up in the discriminator's parameters, down in the generator's, or up in the value that takes its place."""
    module, real = f_gan(divergence, single_step=True, non_saturating=non_saturating), points()
    players = [list(module.discriminator.parameters()), list(module.generator.parameters())]
    ours = [torch.autograd.grad(once(lambda m: m.single_step_loss(real), module), each) for each in players]
    value = divergence.bound(module.discriminator(real), module.discriminator(fakes(module)))
    ascent, descent = (torch.autograd.grad(value, each, retain_graph=True) for each in players)
    if non_saturating:
        raised = -divergence.activation(module.discriminator(fakes(module))).mean()
        descent = torch.autograd.grad(raised, players[1])
    for found, expected in zip(ours[0], ascent, strict=True):
        torch.testing.assert_close(found, -expected)
    for found, expected in zip(ours[1], descent, strict=True):
        torch.testing.assert_close(found, expected)
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_the_single_step_sums_both_losses_and_hands_them_on() -> None:
    module, real = f_gan(divergences.jeffrey, single_step=True), points()
    again()
    loss, against, deceiving, *rates = module.single_step_loss(real)
    close(against, once(lambda m: m.discriminator_loss(real), module))
    close(deceiving, once(lambda m: m.generator_loss(real), module))
    close(loss, against + deceiving)
    again()
    assert torch.equal(torch.stack(rates), torch.stack(module.discriminator_loss(real)[1:]))


def test_a_conjugate_of_a_rounded_activation_is_never_taken() -> None:
    def refused(_: Tensor) -> Tensor:
        raise AssertionError

    divergence = dataclasses.replace(divergences.squared_hellinger(), conjugate=refused)
    module, real = f_gan(divergence, single_step=True), points()
    module.single_step_loss(real)
    with torch.no_grad():
        module.discriminator.layers[2].bias += 60  # type: ignore[index,operator]
    assert all(loss.isfinite().all() for loss in (*module.discriminator_loss(real), module.generator_loss(real)))


@every
def test_at_the_optimum_the_loss_is_the_divergence_and_t_says_where_p_is_larger(divergence: Divergence) -> None:
    """Equations 4 and 5, through the class; total variation comes near its bound as scores grow."""
    table = Table()
    module = FGAN(Outcomes(), table, latent_dim=2, divergence=divergence)
    scores = optimal_scores(table, lambda: module.discriminator_loss(REAL)[0])
    loss, hits, rejections = module.discriminator_loss(REAL)
    assert P[P > Q].sum() - 1e-9 < hits < P[P >= Q].sum() + 1e-9  # where p = q rounding decides
    assert Q[P < Q].sum() - 1e-9 < rejections < Q[P <= Q].sum() + 1e-9
    if divergence.name == "total variation":
        torch.testing.assert_close(-loss.detach(), divergence.between(P, Q), rtol=0, atol=1e-4)
        return
    torch.testing.assert_close(-loss.detach(), divergence.between(P, Q), rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(divergence.activation(scores), divergence.derivative(P / Q), rtol=1e-4, atol=1e-5)
    assert module.generator_loss(FAKE) > loss.detach() - 10  # finite


@pytest.mark.parametrize(("non_saturating", "single_step"), SWITCHES)
def test_the_schedules(non_saturating: bool, single_step: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    players = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
    module = FGAN(*players, 2, divergences.pearson, non_saturating, single_step)
    schedule, backward, passes = schedule_of(module), module.manual_backward, list[Tensor]()
    monkeypatch.setattr(module, "manual_backward", lambda *a, **b: (passes.append(a[0]), backward(*a, **b)))
    fitted = trainer()
    fitted.fit(module, loader("gan on points", 4))
    once_a_batch = ["single_step_loss"] if single_step else ["discriminator_loss", "generator_loss"]
    assert schedule == once_a_batch * 4 and len(passes) == len(schedule) and module.generator_steps == 4
    logged = {"loss/discriminator", "loss/generator", "loss/true_positives", "loss/true_negatives"}
    assert logged <= fitted.callback_metrics.keys()


def test_the_defaults_are_the_papers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(FGAN).parameters.items()}
    assert (defaults["learning_rate"], defaults["betas"], defaults["latent_dim"]) == (2e-4, (0.5, 0.999), 100)
    assert not defaults["single_step"] and not defaults["non_saturating"]


def test_a_divergence_is_given_as_itself_or_as_what_gives_it() -> None:
    half = partial(divergences.alpha, 0.5)
    for given, name in ((divergences.pearson, "Pearson"), (divergences.kl(), "Kullback-Leibler"), (half, "alpha 0.5")):
        assert f_gan(given).divergence.name == name
    with pytest.raises(ValueError, match="divergence must be a function that returns a Divergence, got one .* {}"):
        f_gan(dict)


@pytest.mark.parametrize(
    ("given", "divergence"),
    [
        ("gan_modules.divergences.pearson", divergences.pearson()),
        ({"class_path": "gan_modules.divergences.alpha", "init_args": {"alpha": 0.5}}, divergences.alpha(0.5)),
    ],
)
def test_yaml_and_checkpoints_name_the_divergence(given: Any, divergence: Divergence, tmp_path: Path) -> None:
    module = FGAN(networks.MLPGenerator(hidden=(4,)), networks.MLPDiscriminator(hidden=(4,)), 2, divergence)
    fitted = trainer(default_root_dir=tmp_path)
    fitted.fit(module, loader("gan on points", 1))
    fitted.save_checkpoint(tmp_path / "plain.ckpt")
    players = {"generator": module.generator, "discriminator": module.discriminator}
    assert FGAN.load_from_checkpoint(tmp_path / "plain.ckpt", **players, divergence=divergence).divergence is divergence
    named = {name: f"gan_modules.networks.{type(net).__name__}" for name, net in players.items()}
    config = {name: {"class_path": path, "init_args": {"hidden": [4]}} for name, path in named.items()}
    model = {"class_path": "gan_modules.FGAN", "init_args": {**config, "latent_dim": 2, "divergence": given}}
    saved = torch.load(tmp_path / "plain.ckpt", weights_only=True)
    torch.save({**saved, "config": {"model": model}}, tmp_path / "fit.ckpt")
    loaded: Any = checkpoints.load(tmp_path / "fit.ckpt")
    assert loaded.divergence.name == divergence.name
