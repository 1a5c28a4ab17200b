"""Metz et al. (2017): the look-ahead against real optimizers on a copy, and what it leaves alone."""

import copy
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import SGD, Adam, Optimizer, RMSprop

from gan_modules import GAN, UnrolledGAN, randomness
from gan_modules.objectives import minimax_generator
from gan_modules.unrolling import look_ahead
from tiny import Scores
from variants import same, trainer
from zoo.own import Draw, Judge

N = 6
Made = tuple[UnrolledGAN, Optimizer, Tensor]


@pytest.fixture(autouse=True)
def _streamed() -> Iterator[None]:
    randomness.use(randomness.Stream(5))
    yield
    randomness.use(None)


def made(steps: int, sgd: bool = False, before: int = 3) -> Made:
    """A module, the optimizer of its discriminator after some steps, and real samples."""
    generator = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 3))
    module = UnrolledGAN(generator, Scores(), 2, steps, discriminator_learning_rate=0.05, sgd=sgd).double()
    optimizer, _ = module.configure_optimizers()
    real = torch.randn(N, 3, dtype=torch.float64) + 1
    for _ in range(before):
        optimizer.zero_grad()
        module.discriminator_loss(real).backward()
        optimizer.step()
    optimizer.zero_grad()
    return module, optimizer, real


def generators_loss(module: UnrolledGAN, optimizer: Optimizer, real: Tensor) -> Tensor:
    randomness.use(randomness.Stream(9))
    return module.generator_loss(real, optimizer)


def by_a_copy(module: UnrolledGAN, optimizer: Optimizer, real: Tensor) -> float:
    """The generator's loss, by torch's own optimizer on a copy of the discriminator."""
    randomness.use(randomness.Stream(9))
    fake = module.sample(N).detach()
    twin = copy.deepcopy(module.discriminator)
    follower = (SGD if isinstance(optimizer, SGD) else Adam)(twin.parameters())
    follower.load_state_dict(copy.deepcopy(optimizer.state_dict()))

    def loss() -> Tensor:
        return (softplus(-twin(real)) + softplus(twin(fake))).mean()

    for _ in range(module.unrolling_steps):
        follower.zero_grad()
        loss().backward()
        follower.step()
    return -loss().item()


@pytest.mark.parametrize("sgd", [False, True], ids=["adam", "sgd"])
@pytest.mark.parametrize(("steps", "before"), [(0, 3), (1, 3), (3, 3), (3, 0)])
def test_the_look_ahead_is_the_real_optimizers_steps_and_its_gradient(steps: int, before: int, sgd: bool) -> None:
    module, optimizer, real = made(steps, sgd, before)
    loss = generators_loss(module, optimizer, real)
    assert loss.item() == pytest.approx(by_a_copy(module, optimizer, real), rel=1e-10)
    loss.backward()
    for parameter in module.generator.parameters():
        assert parameter.grad is not None
        for place in list(np.ndindex(*parameter.shape))[::3]:
            sides = []
            for step in (1e-5, -2e-5):
                parameter.data[place] += step
                sides.append(by_a_copy(module, optimizer, real))
            parameter.data[place] += 1e-5
            assert parameter.grad[place].item() == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-4, abs=1e-8)


def test_the_discriminators_answer_is_part_of_the_gradient() -> None:
    """The second term of equation 8, which is lost where the look-ahead is detached."""
    module, optimizer, real = made(3)
    gradients = torch.autograd.grad(generators_loss(module, optimizer, real), list(module.generator.parameters()))
    randomness.use(randomness.Stream(9))
    fake = module.sample(N)

    def loss(at: dict[str, Tensor]) -> Tensor:
        judge = lambda x: torch.func.functional_call(module.discriminator, at, (x,))  # noqa: E731
        return (softplus(-judge(real)) + softplus(judge(fake.detach()))).mean()

    ahead = look_ahead(optimizer, dict(module.discriminator.named_parameters()), loss, 3)
    fixed = torch.func.functional_call(module.discriminator, {k: v.detach() for k, v in ahead.items()}, (fake,))
    direct = torch.autograd.grad(-softplus(fixed).mean(), list(module.generator.parameters()))
    for whole, part in zip(gradients, direct, strict=True):
        assert (whole - part).norm() > 1e-2 * whole.norm()


def test_the_discriminator_and_its_optimizer_stay_as_they_are() -> None:
    module, optimizer, real = made(4)
    module.discriminator.layers.insert(1, nn.BatchNorm1d(5).double())
    before = copy.deepcopy((module.discriminator.state_dict(), optimizer.state_dict()))
    parameters = [*module.discriminator.parameters()]
    calls: list[int] = []
    module.discriminator.register_forward_hook(lambda *_: calls.append(1))
    for parameter in parameters:
        parameter.requires_grad_(False)  # as `descend` does
    generators_loss(module, optimizer, real).backward()
    assert same((dict(module.discriminator.state_dict()), optimizer.state_dict()), (dict(before[0]), before[1]))
    assert all(one is other for one, other in zip(parameters, module.discriminator.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in parameters)
    assert len(calls) == 2 * (4 + 1), "real and generated samples once a step and once at its end"


def test_the_second_derivative_exists_where_a_gradient_is_zero() -> None:
    idle = nn.Parameter(torch.ones(2))
    given = torch.zeros((), requires_grad=True)
    after = look_ahead(Adam([idle]), {"idle": idle}, lambda at: (at["idle"] * given).sum(), 2)["idle"]
    (slope,) = torch.autograd.grad(after.sum(), given)
    assert slope.isfinite()


def test_without_look_ahead_it_is_the_minimax_game_exactly() -> None:
    data = torch.utils.data.DataLoader(torch.rand(24, 3, 8, 8), batch_size=4)
    rates = {"generator_learning_rate": 1e-3, "discriminator_learning_rate": 1e-4}
    builds: list[Callable[..., Any]] = [
        lambda *pair: UnrolledGAN(*pair, 4, unrolling_steps=0, **rates),
        lambda *pair: GAN(*pair, 4, generator_objective=minimax_generator, **rates),
    ]
    states = []
    for build in builds:
        torch.manual_seed(3)
        module = build(Draw(), Judge())
        module.seed = 7
        trainer(max_epochs=2).fit(module, data)
        states.append(dict(module.state_dict()))
    assert same(*states)


def test_other_optimizers_are_refused() -> None:
    weight = nn.Parameter(torch.ones(1))
    for optimizer in (RMSprop([weight]), SGD([weight], momentum=0.9)):
        with pytest.raises(ValueError, match="expected Adam, or SGD without momentum, got"):
            look_ahead(optimizer, {"weight": weight}, lambda at: at["weight"].sum(), 1)


def test_defaults_are_the_notebooks() -> None:
    defaults = {name: each.default for name, each in inspect.signature(UnrolledGAN).parameters.items()}
    assert defaults["unrolling_steps"] == 5 and defaults["latent_dim"] == 256 and not defaults["sgd"]
    assert (defaults["generator_learning_rate"], defaults["discriminator_learning_rate"]) == (1e-3, 1e-4)
    assert defaults["betas"] == (0.5, 0.999)
