"""Loss-sensitive GAN against the formula of Qi (2017), from LS-GAN at slope 0 to Wasserstein GAN at slope 1."""

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan_modules import LossSensitiveGAN
from gan_modules.objectives import l1_distance, wasserstein_critic, wasserstein_generator
from variants import loader, trainer
from zoo.games import Scores, check_slope, close, fakes, generator, networks_reached, once, points, schedule_of

OPTIONS: list[dict[str, Any]] = [
    {},
    {"slope": 0.3},
    {"slope": 1.0},
    {"slope": 0.3, "loss_weight": 0.7},
    {"slope": 0.0, "penalty_weight": 3.0},
]
every_option = pytest.mark.parametrize("options", OPTIONS, ids=str)


def ls_gan(**arguments: Any) -> LossSensitiveGAN:
    """Some pairs are beyond their margin, and some are not."""
    options = {"distance_weight": 0.02, **arguments}
    return LossSensitiveGAN(generator(), Scores(), latent_dim=2, **options).double()


def pairs(module: LossSensitiveGAN, real: Tensor) -> np.ndarray[Any, Any]:
    """margin + L(x) - L(G(z)) of each pair, margins by hand."""
    fake = fakes(module).detach()
    margins = [0.02 * sum(abs(a - b) for a, b in zip(x, y, strict=True)) for x, y in zip(real, fake, strict=True)]
    losses = (module.loss_network(x).detach().numpy() for x in (real, fake))
    return np.array(margins) + np.subtract(*losses)


@every_option
def test_the_losses_are_the_papers(options: dict[str, Any]) -> None:
    module, real = ls_gan(**options), points()
    a, slope = pairs(module, real), options.get("slope", 0.0)
    assert (a > 0).any() and (a < 0).any()
    formula = (
        np.where(a > 0, a, slope * a).mean() + options.get("loss_weight", 0) * module.loss_network(real).mean().item()
    )
    jacobians = [torch.autograd.functional.jacobian(lambda x: module.loss_network(x[None])[0], x) for x in real]
    norm = sum(float(jacobian.square().sum().sqrt()) for jacobian in jacobians) / len(real)
    close(once(lambda m: m.discriminator_loss(real), module), formula + options.get("penalty_weight", 0) * norm)
    close(once(lambda m: m.generator_loss(real), module), module.loss_network(fakes(module)).mean().item())


@every_option
def test_each_player_has_its_gradient(options: dict[str, Any]) -> None:
    module, real = ls_gan(**options), points()
    check_slope(module, lambda m: m.discriminator_loss(real), "loss_network")
    check_slope(module, lambda m: m.generator_loss(real), "generator")
    assert networks_reached(module, lambda m: m.discriminator_loss(real)) == {"loss_network"}
    assert networks_reached(module, lambda m: m.generator_loss(real)) == {"loss_network", "generator"}


def gradient(loss: Tensor, module: LossSensitiveGAN) -> Tensor:
    parameters = module.loss_network.parameters()
    return torch.cat([each.flatten() for each in torch.autograd.grad(loss, list(parameters))])


def test_at_slope_1_it_is_wasserstein_gan_and_a_constant() -> None:
    module, real = ls_gan(slope=1.0), points()
    fake = fakes(module).detach()
    critic = [-module.loss_network(x) for x in (real, fake)]
    ours, theirs = once(lambda m: m.discriminator_loss(real), module), wasserstein_critic(*critic)
    close(ours, theirs.detach() + 0.02 * l1_distance(real, fake).mean())
    torch.testing.assert_close(gradient(ours, module), gradient(theirs, module))
    close(once(lambda m: m.generator_loss(real), module), wasserstein_generator(critic[1]).detach())


def test_at_slope_0_pairs_beyond_their_margin_are_left_alone() -> None:
    module, real = ls_gan(), points()
    fake, poor = fakes(module).detach(), torch.from_numpy(pairs(module, real) > 0)
    left = (module.loss_network(real) - module.loss_network(fake))[poor].sum() / len(real)
    torch.testing.assert_close(
        gradient(once(lambda m: m.discriminator_loss(real), module), module), gradient(left, module)
    )
    with torch.no_grad():
        for parameter in module.loss_network.layers[2].parameters():  # type: ignore[union-attr]
            parameter.mul_(0)
    assert once(lambda m: m.discriminator_loss(real), module) > 0, "equal losses are within every margin"


def test_the_loss_is_zero_where_it_is_the_distance_to_the_data() -> None:
    """The cone of the non-parametric solution: L(x) the distance to the one real point."""

    class Cone(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 0.02 * (x - 1).abs().sum(1)

    module = LossSensitiveGAN(generator(), Cone(), latent_dim=2, distance_weight=0.0199).double()
    assert module.discriminator_loss(torch.ones(6, 3, dtype=torch.float64)) == 0
    module.distance_weight = 0.0201
    assert module.discriminator_loss(torch.ones(6, 3, dtype=torch.float64)) > 0


def test_the_distance_is_an_argument() -> None:
    module, real = ls_gan(slope=1.0, distance=lambda x, y: (x - y).square().sum(1)), points()
    plain = ls_gan(slope=1.0)
    plain.load_state_dict(module.state_dict())
    fake = fakes(module).detach()
    expected = 0.02 * ((real - fake).square().sum(1) - (real - fake).abs().sum(1)).mean()
    ours, theirs = (once(lambda m: m.discriminator_loss(real), each) for each in (module, plain))
    close(ours - theirs, expected)


def test_a_step_of_each_on_every_batch() -> None:
    networks = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 1, bias=False), nn.Flatten(0))
    module = LossSensitiveGAN(*networks, latent_dim=2, slope=0.5)
    schedule = schedule_of(module)
    trainer().fit(module, loader("gan on points", 3))
    assert schedule == ["discriminator_loss", "generator_loss"] * 3


def test_the_defaults_are_the_authors() -> None:
    defaults = {name: each.default for name, each in inspect.signature(LossSensitiveGAN).parameters.items()}
    assert (defaults["distance"], defaults["distance_weight"]) == (l1_distance, 2e-4)
    assert (defaults["slope"], defaults["loss_weight"], defaults["penalty_weight"]) == (0, 0, 0)
    assert (defaults["learning_rate"], defaults["betas"], defaults["latent_dim"]) == (1e-4, (0.5, 0.999), 100)
