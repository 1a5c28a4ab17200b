"""The variants' losses against the papers' formulas, by finite differences, and which networks they reach."""

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, one_hot

from gan_modules import ACGAN, GAN, WGANGP, AdversarialModule, CycleGAN, InfoGAN, Pix2Pix, ProgressiveGAN, randomness
from gan_modules.networks import ProgressiveDiscriminator, ProgressiveGenerator
from gan_modules.objectives import maximum_likelihood_generator, minimax_generator, non_saturating_generator

N, SEED = 6, 5


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    randomness.use(None)


def again() -> None:
    """Start the noise of a step anew."""
    randomness.use(randomness.Stream(SEED))


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 5), nn.Tanh(), nn.Linear(5, outputs))


class Scores(nn.Module):
    """Points (n, 3) -> scores (n,)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = mlp(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(1)


class Counted:
    """In place of an optimizer: the losses of its steps."""

    def __init__(self) -> None:
        self.losses = list[float]()

    def made(self, loss: Tensor) -> Tensor:
        self.losses.append(loss.item())
        return loss.detach()


class Labelled(nn.Module):
    """Noise (n, 2) and labels of 4 classes -> points (n, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = mlp(6, 3)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.layers(torch.cat([z, one_hot(labels, 4).to(z)], dim=1))


class TwoHeads(nn.Module):
    """Points (n, 3) -> two outputs, the first of them flat if it is one number."""

    def __init__(self, inputs: int, first: int, second: int) -> None:
        super().__init__()
        self.first, self.second = mlp(inputs, first), mlp(inputs, second)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first = self.first(x)
        return (first.squeeze(1) if first.shape[1] == 1 else first), self.second(x)


class Patches(nn.Module):
    """Pictures, with or without a source -> a map of scores."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(channels, 3, 3), nn.Tanh(), nn.Conv2d(3, 1, 1))

    def forward(self, images: Tensor, source: Tensor | None = None) -> Tensor:
        return self.layers(images if source is None else torch.cat([images, source], dim=1))


def translator(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, 3, 3, padding=1), nn.Tanh(), nn.Conv2d(3, outputs, 1), nn.Tanh())


def gan(**arguments: Any) -> GAN:
    return GAN(mlp(2, 3), Scores(), latent_dim=2, **arguments).double()


def wgan_gp(**arguments: Any) -> WGANGP:
    return WGANGP(mlp(2, 3), Scores(), latent_dim=2, **arguments).double()


def acgan(**arguments: Any) -> ACGAN:
    return ACGAN(Labelled(), TwoHeads(3, 1, 4), num_classes=4, latent_dim=2, **arguments).double()


def infogan(**arguments: Any) -> InfoGAN:
    networks = mlp(2 + 3 + 2, 3), mlp(3, 4), nn.Sequential(mlp(4, 1), nn.Flatten(0)), TwoHeads(4, 3, 2)
    return InfoGAN(*networks, noise_dim=2, categories=3, continuous=2, **arguments).double()


def pix2pix(**arguments: Any) -> Pix2Pix:
    return Pix2Pix(translator(1, 2), Patches(3), **arguments).double()


def cyclegan(**arguments: Any) -> CycleGAN:
    return CycleGAN(translator(2, 2), translator(2, 2), Patches(2), Patches(2), **arguments).double()


def pggan(**arguments: Any) -> ProgressiveGAN:
    size = {"image_size": 8, "channels": 2, "width": 4}
    networks = ProgressiveGenerator(latent_dim=3, **size), ProgressiveDiscriminator(**size)
    return ProgressiveGAN(*networks, latent_dim=3, **arguments).double()


def log_sigmoid(scores: Tensor) -> Tensor:
    return torch.log(1 / (1 + torch.exp(-scores)))


def slope_lengths(critic: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """|grad f| point by point, by torch's Jacobian."""
    jacobians = [torch.autograd.functional.jacobian(lambda x: critic(x[None])[0], point) for point in points]
    return torch.stack([jacobian.square().sum().sqrt() for jacobian in jacobians])


def close(ours: Tensor, formula: Tensor) -> None:
    assert ours.shape == ()
    torch.testing.assert_close(ours.detach(), formula.detach(), rtol=1e-10, atol=1e-12)


# values, transcribed from the papers


def test_gan_discriminator() -> None:
    module, real = gan(), normal(N, 3)
    again()
    ours = module.discriminator_loss(real)
    again()
    fake = module.generator(randomness.normal(N, 2, dtype=torch.float64))
    d_real, d_fake = module.discriminator(real).sigmoid(), module.discriminator(fake).sigmoid()
    close(ours, -(d_real.log() + (1 - d_fake).log()).mean())


@pytest.mark.parametrize(
    ("objective", "formula"),
    [
        (minimax_generator, lambda d: (1 - d).log().mean()),
        (non_saturating_generator, lambda d: -d.log().mean()),
        (maximum_likelihood_generator, lambda d: -0.5 * (d / (1 - d)).mean()),
    ],
)
def test_gan_generator(objective: Callable[[Tensor], Tensor], formula: Callable[[Tensor], Tensor]) -> None:
    module = gan(generator_objective=objective)
    again()
    ours = module.generator_loss(normal(N, 3))
    again()
    close(ours, formula(module.discriminator(module.generator(randomness.normal(N, 2, dtype=torch.float64))).sigmoid()))


@pytest.mark.parametrize("steps", [1, 3])
def test_gan_generator_steps_are_on_fresh_noise(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module, optimizers = gan(n_generator=steps), [Counted(), Counted()]
    monkeypatch.setattr(module, "optimizers", lambda: optimizers)
    monkeypatch.setattr(module, "descend", lambda optimizer, loss, real: optimizer.made(loss(real)))
    again()
    module.training_step(normal(N, 3), 0)
    assert [len(optimizer.losses) for optimizer in optimizers] == [1, steps]
    assert len(set(optimizers[1].losses)) == steps


def test_wgan_gp_critic() -> None:
    module, real = wgan_gp(penalty_weight=7.0), normal(N, 3)
    again()
    loss, distance = module.critic_loss(real)
    again()
    fake = module.generator(randomness.normal(N, 2, dtype=torch.float64)).detach()
    position = randomness.uniform(N, 1, dtype=torch.float64)
    lengths = slope_lengths(module.critic, real + position * (fake - real))
    expected = (module.critic(fake) - module.critic(real) + 7 * (lengths - 1) ** 2).mean()
    close(loss, expected)
    close(distance, module.critic(real).mean() - module.critic(fake).mean())


@pytest.mark.parametrize("times", [1, 2])
def test_wgan_gp_generator(times: int) -> None:
    module = wgan_gp(generator_batch=times)
    again()
    ours = module.generator_loss(normal(N, 3))
    again()
    close(ours, -module.critic(module.generator(randomness.normal(times * N, 2, dtype=torch.float64))).mean())


def log_likelihood(logits: Tensor, labels: Tensor) -> Tensor:
    probabilities = logits.exp() / logits.exp().sum(1, keepdim=True)
    return probabilities[torch.arange(len(labels)), labels].log().mean()


def test_acgan_discriminator() -> None:
    module, real, labels = acgan(class_weight=0.7), normal(N, 3), torch.tensor([0, 1, 2, 3, 3, 0])
    again()
    ours = module.discriminator_loss(real, labels)
    again()
    wanted = randomness.labels(N, 4)
    fake = module.generator(randomness.normal(N, 2, dtype=torch.float64), wanted)
    (s_real, c_real), (s_fake, c_fake) = module.discriminator(real), module.discriminator(fake)
    source = log_sigmoid(s_real).mean() + log_sigmoid(-s_fake).mean()  # L_S, equation 2
    classes = log_likelihood(c_real, labels) + log_likelihood(c_fake, wanted)  # L_C, equation 3
    close(ours, -(source + 0.7 * classes))


def test_acgan_generator() -> None:
    module = acgan(class_weight=0.7)
    again()
    ours = module.generator_loss(normal(N, 3))
    again()
    wanted = randomness.labels(N, 4)
    scores, classes = module.discriminator(module.generator(randomness.normal(N, 2, dtype=torch.float64), wanted))
    close(ours, -(log_sigmoid(scores).mean() + 0.7 * log_likelihood(classes, wanted)))


def info_prior() -> tuple[Tensor, Tensor, Tensor]:
    noise = randomness.normal(N, 2, dtype=torch.float64)
    category = randomness.labels(N, 3)
    return noise, category, 2 * randomness.uniform(N, 2, dtype=torch.float64) - 1


def info_parts(module: InfoGAN) -> tuple[Tensor, Tensor]:
    """Scores of generated points, and E log Q(c | x) for a category and unit Gaussians."""
    noise, category, numbers = info_prior()
    fake = module.generator(torch.cat([noise, one_hot(category, 3).double(), numbers], dim=1))
    features = module.trunk(fake)
    logits, means = module.recognition_head(features)
    information = log_likelihood(logits, category) - ((numbers - means) ** 2 / 2).sum(1).mean()
    return module.discriminator_head(features), information


def test_infogan_discriminator() -> None:
    module, real = infogan(information_weight=0.3), normal(N, 3)
    again()
    loss, information = module.discriminator_loss(real)
    again()
    fake_scores, bound = info_parts(module)
    real_scores = module.discriminator_head(module.trunk(real))
    close(loss, -(log_sigmoid(real_scores).mean() + log_sigmoid(-fake_scores).mean()) - 0.3 * bound)
    close(information, bound)


def test_infogan_generator() -> None:
    module = infogan(information_weight=0.3)
    again()
    ours = module.generator_loss(normal(N, 3))
    again()
    scores, bound = info_parts(module)
    close(ours, -log_sigmoid(scores).mean() - 0.3 * bound)


def test_pix2pix() -> None:
    module, source, target = pix2pix(l1_weight=30.0), normal(N, 1, 4, 4), normal(N, 2, 4, 4)
    loss, distance, fake = module.generator_loss(source, target)
    expected = module.generator(source)
    d_fake = module.discriminator(torch.cat([expected, source], 1)).sigmoid()
    d_real = module.discriminator(torch.cat([target, source], 1)).sigmoid()
    close(distance, (expected - target).abs().mean())
    close(loss, -d_fake.log().mean() + 30 * (expected - target).abs().mean())
    assert torch.equal(fake, expected)
    close(module.discriminator_loss(source, target, fake), -(d_real.log().mean() + (1 - d_fake).log().mean()) / 2)


def test_pix2pix_without_its_discriminator() -> None:
    module, source, target = pix2pix(distance=mse_loss, adversarial_weight=0.0), normal(N, 1, 4, 4), normal(N, 2, 4, 4)
    module.discriminator.register_forward_hook(lambda *_: pytest.fail("nobody asks it"))
    loss, distance, fake = module.generator_loss(source, target)
    close(distance, ((fake - target) ** 2).mean())
    close(loss, 100 * distance)
    module = pix2pix(adversarial_weight=0.25, l1_weight=0.0)
    score = module.discriminator(torch.cat([module.generator(source), source], 1))
    close(module.generator_loss(source, target)[0], -0.25 * log_sigmoid(score).mean())


@pytest.mark.parametrize("identity_weight", [0.0, 0.5])
def test_cyclegan(identity_weight: float) -> None:
    module, x, y = cyclegan(cycle_weight=8.0, identity_weight=identity_weight), normal(N, 2, 4, 4), normal(N, 2, 4, 4)
    g, f, d_x, d_y = module.generator_g, module.generator_f, module.discriminator_x, module.discriminator_y
    loss, cycle, fake_x, fake_y = module.generator_loss(x, y)
    adversarial = ((d_y(g(x)) - 1) ** 2).mean() + ((d_x(f(y)) - 1) ** 2).mean()
    there_and_back = (f(g(x)) - x).abs().mean() + (g(f(y)) - y).abs().mean()
    identity = (g(y) - y).abs().mean() + (f(x) - x).abs().mean()
    close(cycle, there_and_back)
    close(loss, adversarial + 8 * there_and_back + identity_weight * 8 * identity)
    assert torch.equal(fake_x, f(y)) and torch.equal(fake_y, g(x))
    old_x, old_y = normal(N, 2, 4, 4), normal(N, 2, 4, 4)
    expected = (((d_x(x) - 1) ** 2).mean() + (d_x(old_x) ** 2).mean()) / 2
    expected = expected + (((d_y(y) - 1) ** 2).mean() + (d_y(old_y) ** 2).mean()) / 2
    close(module.discriminator_loss(x, y, old_x, old_y), expected)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_cyclegans_identity_costs_nothing_when_off(weight: float) -> None:
    module, calls = cyclegan(identity_weight=weight), []
    for network in (module.generator_g, module.generator_f):
        network.register_forward_hook(lambda *_: calls.append(1))
    module.generator_loss(normal(2, 2, 4, 4), normal(2, 2, 4, 4))
    assert len(calls) == (4 if weight == 0 else 6)


@pytest.mark.parametrize(("stage", "fade"), [(0, 1.0), (1, 0.4), (1, 1.0)])
def test_pggan(stage: int, fade: float) -> None:
    module, side = pggan(penalty_weight=6.0, drift_weight=0.02), 4 * 2**stage
    real = normal(4, 2, side, side)
    again()
    loss, distance = module.discriminator_loss(real, stage, fade)
    again()
    fake = module.generator(randomness.normal(4, 3, dtype=torch.float64), stage, fade).detach()
    position = randomness.uniform(4, 1, 1, 1, dtype=torch.float64)
    points = (real + position * (fake - real)).requires_grad_()
    (slopes,) = torch.autograd.grad(module.discriminator(points, stage, fade).sum(), points)
    lengths = slopes.flatten(1).square().sum(1).sqrt()
    s_real, s_fake = module.discriminator(real, stage, fade), module.discriminator(fake, stage, fade)
    close(loss, s_fake.mean() - s_real.mean() + 6 * ((lengths - 1) ** 2).mean() + 0.02 * (s_real**2).mean())
    close(distance, s_real.mean() - s_fake.mean())
    again()
    ours = module.generator_loss(real, stage, fade)
    close(ours, -s_fake.mean())


# gradients by finite differences, and which networks they reach


class Case(NamedTuple):
    module: Callable[[], AdversarialModule]
    loss: str
    inputs: Callable[[], tuple[Any, ...]]
    reached: frozenset[str]
    own: frozenset[str]
    """Networks that the player of this loss steps."""


def points() -> tuple[Tensor]:
    return (normal(N, 3),)


def labelled() -> tuple[Tensor, Tensor]:
    return normal(N, 3), torch.tensor([0, 1, 2, 3, 3, 0])


def pair() -> tuple[Tensor, Tensor]:
    return normal(N, 1, 4, 4), normal(N, 2, 4, 4)


def domains() -> tuple[Tensor, Tensor]:
    return normal(N, 2, 4, 4), normal(N, 2, 4, 4)


def growing() -> tuple[Tensor, int, float]:
    return normal(4, 2, 8, 8), 1, 0.4


def case(module: Callable[[], AdversarialModule], loss: str, inputs: Any, reached: str, own: str) -> Case:
    return Case(module, loss, inputs, frozenset(reached.split()), frozenset(own.split()))


CYCLE_D, CYCLE_G = "discriminator_x discriminator_y", "generator_g generator_f"
INFO_D = "trunk discriminator_head recognition_head"
CASES = [
    case(gan, "discriminator_loss", points, "discriminator", "discriminator"),
    case(gan, "generator_loss", points, "discriminator generator", "generator"),
    case(wgan_gp, "critic_loss", points, "critic", "critic"),
    case(wgan_gp, "generator_loss", points, "critic generator", "generator"),
    case(acgan, "discriminator_loss", labelled, "discriminator", "discriminator"),
    case(acgan, "generator_loss", points, "discriminator generator", "generator"),
    case(infogan, "discriminator_loss", points, INFO_D, INFO_D),
    case(infogan, "generator_loss", points, f"{INFO_D} generator", "generator"),
    case(pix2pix, "discriminator_loss", lambda: (*pair(), normal(N, 2, 4, 4)), "discriminator", "discriminator"),
    case(pix2pix, "generator_loss", pair, "discriminator generator", "generator"),
    case(cyclegan, "discriminator_loss", lambda: (*domains(), *domains()), CYCLE_D, CYCLE_D),
    case(cyclegan, "generator_loss", domains, f"{CYCLE_D} {CYCLE_G}", CYCLE_G),
    case(pggan, "discriminator_loss", growing, "discriminator", "discriminator"),
    case(pggan, "generator_loss", growing, "discriminator generator", "generator"),
]

every = pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.module.__name__}-{c.loss}")


def scalar(module: AdversarialModule, case: Case, inputs: tuple[Any, ...]) -> Tensor:
    again()
    outcome = getattr(module, case.loss)(*inputs)
    return outcome[0] if isinstance(outcome, tuple) else outcome


@every
def test_gradient_is_the_slope(case: Case) -> None:
    """Along a random direction in the space of the player's parameters."""
    module, inputs = case.module(), case.inputs()
    parameters = [p for name, p in module.named_parameters() if name.split(".")[0] in case.own]
    directions = [torch.randn_like(parameter) for parameter in parameters]
    gradients = torch.autograd.grad(scalar(module, case, inputs), parameters, allow_unused=True)
    expected = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True) if g is not None)

    def moved(step: float) -> Tensor:
        other = copy.deepcopy(module)
        kept = [p for name, p in other.named_parameters() if name.split(".")[0] in case.own]
        with torch.no_grad():
            for parameter, direction in zip(kept, directions, strict=True):
                parameter.add_(direction, alpha=step)
        return scalar(other, case, inputs).detach()

    # a tiny step, so as not to cross a kink of a leaky ReLU
    slope = (moved(1e-7) - moved(-1e-7)) / 2e-7
    torch.testing.assert_close(expected, slope, rtol=1e-5, atol=1e-7)


@every
def test_which_networks_get_a_gradient(case: Case) -> None:
    module = case.module()
    scalar(module, case, case.inputs()).backward()
    named = [(name.split(".")[0], p) for name, p in module.named_parameters()]
    assert {name for name, p in named if p.grad is not None and p.grad.abs().max() > 0} == case.reached
    assert all(p.grad is None for name, p in named if name not in case.reached)


@every
def test_each_parameter_of_the_player_learns(case: Case) -> None:
    module = case.module()
    scalar(module, case, case.inputs()).backward()
    idle = {
        name
        for name, p in module.named_parameters()
        if name.split(".")[0] in case.own and (p.grad is None or not p.grad.abs().max() > 1e-12)
    }
    # a Wasserstein critic's last bias cancels between real and generated
    allowed = {"critic.layers.2.bias"} if case.module is wgan_gp else set()
    assert idle <= allowed


def test_information_reaches_all_but_the_real_fake_head() -> None:
    module = infogan()
    z = module.prior(N)
    module.information(z, module.trunk(module(z))).backward()
    reached = {n.split(".")[0] for n, p in module.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert reached == {"generator", "trunk", "recognition_head"}
    assert all(parameter.grad is None for parameter in module.discriminator_head.parameters())


@pytest.mark.parametrize(
    ("module", "weights"),
    [
        (acgan, {"class_weight": 0.0}),
        (infogan, {"information_weight": 0.0}),
    ],
)
def test_weights_of_zero_leave_the_plain_game(module: Callable[..., Any], weights: dict[str, float]) -> None:
    plain = module(**weights)
    again()
    ours = plain.generator_loss(normal(N, 3))
    again()
    if module is acgan:
        wanted = randomness.labels(N, 4)
        scores, _ = plain.discriminator(plain.generator(randomness.normal(N, 2, dtype=torch.float64), wanted))
    else:
        scores, _ = info_parts(plain)
    close(ours, -log_sigmoid(scores).mean())
