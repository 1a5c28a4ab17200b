"""Gradient penalties: against numpy, by finite differences, and who gets a gradient."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan_modules import randomness
from gan_modules.penalties import divergence_penalty, gradient_norm, gradient_penalty, perturbed_penalty, zero_centred

SEED = 11


@pytest.fixture(autouse=True)
def _stream_off() -> object:
    torch.manual_seed(0)
    yield
    randomness.use(None)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def critic_of(weight: Tensor, output: Tensor) -> Callable[[Tensor], Tensor]:
    """f(x) = output . tanh(weight x), whose gradient is weight' (output * (1 - tanh^2))."""
    return lambda points: torch.tanh(points.flatten(1) @ weight.T) @ output


def gradients_of(weight: np.ndarray, output: np.ndarray, points: np.ndarray) -> np.ndarray:
    return ((1 - np.tanh(points @ weight.T) ** 2) * output) @ weight


def two_sided(weight: np.ndarray, output: np.ndarray, points: np.ndarray) -> float:
    return float(((np.sqrt((gradients_of(weight, output, points) ** 2).sum(1)) - 1) ** 2).mean())


def centred(weight: np.ndarray, output: np.ndarray, points: np.ndarray) -> float:
    return float((gradients_of(weight, output, points) ** 2).sum(1).mean())


def sixth_power(weight: np.ndarray, output: np.ndarray, points: np.ndarray) -> float:
    return float(((gradients_of(weight, output, points) ** 2).sum(1) ** 3).mean())


def points_between(real: Tensor, fake: Tensor) -> Tensor:
    randomness.use(randomness.Stream(SEED))
    position = randomness.uniform(len(real), 1, dtype=torch.float64)
    return real + position * (fake - real)


def ours_two_sided(weight: Tensor, output: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    randomness.use(randomness.Stream(SEED))
    return gradient_penalty(critic_of(weight, output), real, fake)


def slopes(function: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Central differences, entry by entry."""
    found = np.zeros_like(at)
    for index in np.ndindex(*at.shape):
        shift = np.zeros_like(at)
        shift[index] = step
        found[index] = (function(at + shift) - function(at - shift)) / (2 * step)
    return found


def test_gradient_penalty_against_numpy() -> None:
    weight, output, real, fake = normal(5, 3).requires_grad_(), normal(5), normal(4, 3), normal(4, 3)
    points = points_between(real, fake).numpy()
    penalty = ours_two_sided(weight, output, real, fake)
    start = weight.detach().numpy()
    np.testing.assert_allclose(penalty.item(), two_sided(start, output.numpy(), points), rtol=1e-12)
    (gradient,) = torch.autograd.grad(penalty, weight)
    expected = slopes(lambda w: two_sided(w, output.numpy(), points), start)
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-6, atol=1e-8)


def test_zero_centred_against_numpy() -> None:
    weight, output, points = normal(5, 3).requires_grad_(), normal(5), normal(4, 3)
    penalty = zero_centred(critic_of(weight, output), points)
    start = weight.detach().numpy()
    np.testing.assert_allclose(penalty.item(), centred(start, output.numpy(), points.numpy()), rtol=1e-12)
    (gradient,) = torch.autograd.grad(penalty, weight)
    expected = slopes(lambda w: centred(w, output.numpy(), points.numpy()), start)
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-6, atol=1e-8)


def test_divergence_penalty_against_numpy() -> None:
    """The sixth power of the norm: the cube of the sum of squares, without a root."""
    weight, output, real, fake = normal(5, 3).requires_grad_(), normal(5), normal(4, 3), normal(4, 3)
    points = points_between(real, fake).numpy()
    randomness.use(randomness.Stream(SEED))
    penalty = divergence_penalty(critic_of(weight, output), real, fake, 6)
    start = weight.detach().numpy()
    np.testing.assert_allclose(penalty.item(), sixth_power(start, output.numpy(), points), rtol=1e-12)
    (gradient,) = torch.autograd.grad(penalty, weight)
    expected = slopes(lambda w: sixth_power(w, output.numpy(), points), start)
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-5, atol=1e-7)


def test_perturbed_penalty_against_numpy() -> None:
    """x + a * 0.7 std(batch) u: u for every number, a for every sample, std of the whole batch."""
    weight, output, real = normal(5, 6).requires_grad_(), normal(5), normal(4, 2, 3)
    randomness.use(randomness.Stream(SEED))
    noise, position = randomness.uniform(4, 2, 3, dtype=torch.float64), randomness.uniform(4, 1, 1, dtype=torch.float64)
    points = (real + position * 0.7 * np.std(real.numpy()) * noise).flatten(1).numpy()
    randomness.use(randomness.Stream(SEED))
    penalty = perturbed_penalty(critic_of(weight, output), real, spread=0.7, slope=1.5)

    def expected(weight: np.ndarray) -> float:
        lengths = np.sqrt((gradients_of(weight, output.numpy(), points) ** 2).sum(1))
        return float(((lengths - 1.5) ** 2).mean())

    start = weight.detach().numpy()
    np.testing.assert_allclose(penalty.item(), expected(start), rtol=1e-12)
    (gradient,) = torch.autograd.grad(penalty, weight)
    np.testing.assert_allclose(gradient.numpy(), slopes(expected, start), rtol=1e-6, atol=1e-8)
    assert noise.min() >= 0 and len(noise.unique()) == 24 and len(position.unique()) == 4


def test_first_and_second_derivatives_by_finite_differences() -> None:
    weight, output, real, fake = normal(3, 2).requires_grad_(), normal(3).requires_grad_(), normal(3, 2), normal(3, 2)

    def penalty(weight: Tensor, output: Tensor) -> Tensor:
        return ours_two_sided(weight, output, real, fake)

    def r1(weight: Tensor, output: Tensor) -> Tensor:
        return zero_centred(critic_of(weight, output), real)

    for function in (penalty, r1):
        assert torch.autograd.gradcheck(function, (weight, output))
        assert torch.autograd.gradgradcheck(function, (weight, output))


class Spy(nn.Module):
    """A small critic of pictures that keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 1))
        self.shown: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.shown.append(images.detach())
        return self.layers(images).squeeze(1)


def test_each_picture_has_one_point_of_its_own_on_its_segment() -> None:
    spy, real, fake = Spy().double(), normal(64, 2, 4, 4), normal(64, 2, 4, 4)
    gradient_penalty(spy, real, fake)
    position = (spy.shown[0] - real) / (fake - real)
    along = position.flatten(1).median(dim=1).values
    torch.testing.assert_close(position, along.view(-1, 1, 1, 1).expand_as(position), atol=1e-6, rtol=0)
    assert along.min() >= 0 and along.max() < 1
    assert len(along.unique()) == 64
    assert along.min() < 0.2 and along.max() > 0.8


def test_the_norm_is_over_all_dimensions_of_one_sample() -> None:
    spy, points = Spy().double(), normal(5, 2, 4, 4)
    norms = gradient_norm(spy, points)
    for point, norm in zip(points, norms, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: spy(x[None])[0], point)
        torch.testing.assert_close(norm, jacobian.square().sum().sqrt())


@pytest.mark.parametrize("kind", ["gradient_penalty", "divergence", "perturbed", "r1", "r2"])
def test_the_critic_gets_a_gradient_and_the_generator_none(kind: str) -> None:
    critic, generator, real = Spy().double(), nn.Conv2d(2, 2, 1).double(), normal(6, 2, 4, 4).requires_grad_()
    fake = generator(normal(6, 2, 4, 4))
    if kind == "gradient_penalty":
        gradient_penalty(critic, real, fake).backward()
    elif kind == "divergence":
        divergence_penalty(critic, real, fake).backward()
    elif kind == "perturbed":
        perturbed_penalty(critic, real).backward()
    else:
        zero_centred(critic, real if kind == "r1" else fake).backward()
    assert real.grad is None
    assert all(parameter.grad is None for parameter in generator.parameters())
    reached = {name for name, p in critic.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert reached == {"layers.0.weight", "layers.0.bias", "layers.3.weight"}  # a last bias has no slope


def test_works_without_a_surrounding_graph() -> None:
    critic, points = Spy().double(), normal(3, 2, 4, 4)
    with torch.no_grad():
        inside = zero_centred(critic, points)
    torch.testing.assert_close(inside, zero_centred(critic, points).detach())


def test_a_flat_critic_gives_a_penalty_of_one_and_no_nan() -> None:
    weight = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    penalty = gradient_penalty(lambda points: points @ weight, normal(5, 4), normal(5, 4))
    (gradient,) = torch.autograd.grad(penalty, weight)
    assert penalty.item() == 1
    assert gradient.isfinite().all()
    free = divergence_penalty(lambda points: points @ weight, normal(5, 4), normal(5, 4))
    (gradient,) = torch.autograd.grad(free, weight)
    assert free.item() == gradient.abs().max().item() == 0


def test_full_precision_under_autocast() -> None:
    critic, real, fake = Spy(), torch.randn(4, 2, 4, 4), torch.randn(4, 2, 4, 4)
    randomness.use(randomness.Stream(SEED))
    expected = gradient_penalty(critic, real, fake)
    randomness.use(randomness.Stream(SEED))
    kinds = set()
    critic.layers[0].register_forward_hook(lambda _, inputs, output: kinds.update({inputs[0].dtype, output.dtype}))
    with torch.autocast("cpu", torch.bfloat16):
        found = gradient_penalty(critic, real, fake)
        r2 = zero_centred(critic, fake.bfloat16())
        around = perturbed_penalty(critic, real)
    assert found.dtype == r2.dtype == around.dtype == torch.float32 and kinds == {torch.float32}
    assert torch.equal(found, expected)


def test_a_network_in_low_precision_is_taken_as_it_is() -> None:
    critic, points = Spy().bfloat16(), torch.randn(4, 2, 4, 4).bfloat16()
    penalties = gradient_penalty(critic, points, points + 1), divergence_penalty(critic, points, points + 1)
    for penalty in (*penalties, perturbed_penalty(critic, points), zero_centred(critic, points)):
        assert penalty.dtype == torch.bfloat16 and penalty.isfinite()


@pytest.mark.parametrize("shape", [(5, 1), (5, 1, 2, 2)])
def test_scores_may_be_maps(shape: tuple[int, ...]) -> None:
    slope = normal(3)

    def critic(points: Tensor) -> Tensor:
        return (points @ slope).view(-1, *[1] * (len(shape) - 1)).expand(shape)

    total = math.prod(shape[1:]) * slope.norm()
    torch.testing.assert_close(zero_centred(critic, normal(5, 3)), total**2)
