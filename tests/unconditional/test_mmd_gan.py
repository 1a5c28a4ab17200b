"""Both MMD GANs against transcriptions of the authors' code."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from gan_modules import MMDGAN, randomness
from gan_modules.kernels import gaussian, rational_quadratic_and_linear, root_mmd, unbiased_mmd
from variants import build, loader, trainer

N = 6
LI: dict[str, Any] = {
    "kernel": gaussian,
    "distance": root_mmd,
    "penalty_weight": 0.0,
    "feature_weight": 0.0,
    "ranking_weight": 16.0,
    "clip_value": 0.01,
}


def small(decoder: nn.Module | None = None, **options: Any) -> MMDGAN:
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4))
    return MMDGAN(nn.Linear(2, 3), critic, decoder, latent_dim=2, **options).double()


def data() -> Tensor:
    return torch.randn(N, 3, dtype=torch.float64) + 1


def stream() -> None:
    randomness.use(randomness.Stream(3))


def off() -> None:
    randomness.use(None)


def rq_pair(a: Tensor, b: Tensor) -> Tensor:
    square = ((a - b) ** 2).sum()
    return sum(((1 + square / (2 * e)) ** (-e) for e in (0.2, 0.5, 1, 2, 5)), a @ b)


def rbf_pair(a: Tensor, b: Tensor) -> Tensor:
    square = ((a - b) ** 2).sum()
    return sum((torch.exp(-square / (2 * s**2)) for s in (1, 2, 4, 8, 16)), torch.zeros(()))


def means(pair: Any, x: Tensor, y: Tensor, diagonal: bool) -> Tensor:
    """MMD^2 pair by pair, with or without a sample and itself."""

    def mean(a: Tensor, b: Tensor, keep: bool) -> Tensor:
        return torch.stack([pair(p, q) for i, p in enumerate(a) for j, q in enumerate(b) if keep or i != j]).mean()

    return mean(x, x, diagonal) + mean(y, y, diagonal) - 2 * mean(x, y, True)


def same_slopes(ours: Tensor, theirs: Tensor, parameters: list[nn.Parameter]) -> None:
    """Two losses of the same value and gradient."""
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)
    for a, b in zip(torch.autograd.grad(ours, parameters), torch.autograd.grad(theirs, parameters), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)


def test_the_critic_of_2018() -> None:
    """-MMD^2 + lambda (|grad witness| - 1)^2 + features, the slope of the witness by torch's Jacobian."""
    module, real = small(penalty_weight=3.0, feature_weight=0.5), data()
    stream()
    fake = module.generator(randomness.normal(N, 2, dtype=torch.float64)).detach()
    position = randomness.uniform(N, 1, dtype=torch.float64)
    points, f = real + position * (fake - real), module.critic
    slopes = []
    for point in points:
        point = point.clone().requires_grad_()
        at = f(point)
        seen = torch.stack([rq_pair(at, f(x)) for x in real]).mean()
        seen = seen - torch.stack([rq_pair(at, f(y)) for y in fake]).mean()
        (slope,) = torch.autograd.grad(seen, point, create_graph=True)
        slopes.append(((slope**2).sum().sqrt() - 1) ** 2)
    distance = means(rq_pair, f(real), f(fake), diagonal=False)
    activations = (f(real) ** 2).mean() + (f(fake) ** 2).mean()
    expected = -distance + 3 * torch.stack(slopes).mean() + 0.5 * activations
    stream()
    loss, reported = module.critic_loss(real)
    off()
    torch.testing.assert_close(reported, distance)
    same_slopes(loss, expected, list(f.parameters())[:-1])  # the last bias matters to the dot product alone


def test_the_generator_of_2018() -> None:
    module, real = small(), data()
    stream()
    fake = module.generator(randomness.normal(N, 2, dtype=torch.float64))
    expected = means(rq_pair, module.critic(real), module.critic(fake), diagonal=False)
    stream()
    same_slopes(module.generator_loss(real), expected, list(module.generator.parameters()))
    off()


@pytest.mark.parametrize("offset", [-2.0, 2.0])
def test_both_players_of_2017(offset: float) -> None:
    """sqrt(MMD^2) + 16 (-mean relu(E f(y) - E f(x))) and 8 times both reconstructions, on either side of the set."""
    module, real = small(nn.Linear(4, 3), **LI), data() + offset
    stream()
    fake = module.generator(randomness.normal(N, 2, dtype=torch.float64))
    of_real, of_fake, of_data = module.critic(real), module.critic(fake), module.critic(fake.detach())

    def one_sided(difference: Tensor) -> Tensor:
        return -relu(-difference).mean()

    game = means(rbf_pair, of_real, of_fake, diagonal=True).sqrt() + 16 * one_sided(of_real.mean(0) - of_fake.mean(0))
    stream()
    same_slopes(module.generator_loss(real), game, list(module.generator.parameters()))

    distance = means(rbf_pair, of_real, of_data, diagonal=True).sqrt()
    rebuilt = ((module.decoder(of_real) - real) ** 2).mean() + ((module.decoder(of_data) - fake.detach()) ** 2).mean()
    expected = -(distance + 16 * one_sided(of_real.mean(0) - of_data.mean(0)) - 8 * rebuilt)
    stream()
    loss, reported = module.critic_loss(real)
    off()
    torch.testing.assert_close(reported, distance)
    same_slopes(loss, expected, [*module.critic.parameters(), *module.decoder.parameters()])


def test_which_networks_get_a_gradient() -> None:
    module = small(nn.Linear(4, 3), **LI)
    module.critic_loss(data())[0].backward()
    assert all(p.grad is None for p in module.generator.parameters())
    assert all(p.grad.abs().max() > 0 for net in (module.critic, module.decoder) for p in net.parameters())
    module.zero_grad()
    module.generator_loss(data()).backward()
    assert all(p.grad.abs().max() > 0 for p in module.generator.parameters())
    assert all(p.grad is None for p in module.decoder.parameters())


def test_the_encoder_is_clipped_and_the_decoder_is_not() -> None:
    module: Any = build("mmd_gan_rbf", clip_value=0.02)
    descend, seen = module.descend, []

    def largest(network: nn.Module) -> float:
        return max(float(p.detach().abs().max()) for p in network.parameters())

    def watched(optimizer: Any, loss: Any, *inputs: Any) -> Any:
        if loss == module.critic_loss:
            seen.append([largest(net) for net in (module.critic, module.decoder)])
        return descend(optimizer, loss, *inputs)

    module.descend = watched
    trainer().fit(module, loader("mmd_gan_rbf", 6))
    critic, decoder = zip(*seen, strict=True)
    assert len(seen) == 6 and max(critic) == pytest.approx(0.02) and min(decoder) > 0.5


def test_the_schedule_counts_generator_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 critic steps before each of the first 20 and every 500th generator step, then 5."""
    module, stepped = small(), list[int]()
    monkeypatch.setattr(module, "optimizers", lambda: ["critic", "generator"])

    def descend(optimizer: str, *_: Any) -> Any:
        if optimizer == "critic":
            return torch.zeros(()), torch.zeros(())
        module.generator_steps += 1
        stepped.append(module.batches_seen)
        return torch.zeros(())

    monkeypatch.setattr(module, "descend", descend)
    for batch in range(1, 2701):
        module.batches_seen = batch
        module.training_step(torch.zeros(2, 3), 0)
    gaps = [after - before for before, after in zip([0, *stepped], stepped, strict=False)]
    assert gaps[:20] == [10] * 20 and gaps[20:500] == [5] * 480 and gaps[500] == 10 and set(gaps[501:]) == {5}


def test_defaults_are_those_of_2018() -> None:
    module = small()
    assert (module.kernel, module.distance) == (rational_quadratic_and_linear, unbiased_mmd)
    assert (module.penalty_weight, module.feature_weight, module.clip_value) == (1, 1, None)
    for optimizer in module.configure_optimizers():
        assert (optimizer.defaults["lr"], optimizer.defaults["betas"]) == (1e-4, (0.5, 0.9))
    assert inspect.signature(MMDGAN).parameters["reconstruction_weight"].default == 8


def test_scores_are_features_of_one_dimension() -> None:
    module = MMDGAN(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)), latent_dim=2).double()
    assert module.features(data()).shape == (N, 1)
    assert module.critic_loss(data())[0].isfinite()


def test_only_a_critic_without_a_decoder_judges_single_pictures() -> None:
    """Augmented pictures must not be compared with what a decoder makes of their features."""
    alone = small()
    assert [*alone.judges()] == [alone.critic] and not small(nn.Linear(4, 3), **LI).judges()
