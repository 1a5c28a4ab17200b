"""The changes of ADA against the authors' formulas, and that they do not leak."""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_modules import adaptive, randomness
from gan_modules.randomness import Stream


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    randomness.use(None)


def images(n: int, side: int = 8, channels: int = 3) -> Tensor:
    return 2 * torch.rand(n, channels, side, side, dtype=torch.float64) - 1


def smooth(n: int, side: int = 32) -> Tensor:
    """Waves of several pixels, which sampling between pixels keeps."""
    line = torch.linspace(0, 1, side, dtype=torch.float64)
    phases = torch.rand(n, 3, 1, 1, dtype=torch.float64) * 6
    return torch.sin(7 * line[:, None] + phases) * torch.cos(5 * line - phases)


def scalar(p: float) -> Tensor:
    return torch.tensor(p, dtype=torch.float64)


def test_at_zero_nothing_is_changed() -> None:
    x = images(6, 9)
    for change in (adaptive.blitted, adaptive.coloured):
        torch.testing.assert_close(change(x, scalar(0)), x, rtol=0, atol=1e-15)
    # the published coefficients of the symlet have 12 digits
    torch.testing.assert_close(adaptive.augmented(x, scalar(0)), x, rtol=0, atol=1e-11)


# the group of the blits


def orbit(image: np.ndarray) -> dict[bytes, tuple[int, int]]:
    """The image mirrored or not, then turned by quarters."""
    return {
        np.ascontiguousarray(np.rot90(image[:, :, ::-1] if flip else image, turns, (1, 2))).tobytes(): (flip, turns)
        for flip, turns in product(range(2), range(4))
    }


@pytest.mark.parametrize("p", [0.0, 0.3, 0.8, 1.0])
def test_the_blits_mix_the_uniform_distribution_and_the_identity(p: float) -> None:
    """P(flip) = p/2, P(each quarter turn) = p/4, P(none) = 1 - 3p/4: by the numbers drawn, and exactly so.

    Without shifts images stay on the orbit of the group, in which each element is another image.
    """
    n = 4000
    x = images(1).expand(n, -1, -1, -1)
    randomness.use(Stream(2))
    u = randomness.uniform(n, 7).double()
    expected = [(int(row[0] < p and row[3] < 0.5), int(row[1] < p) * int(4 * row[4])) for row in u.tolist()]
    made = adaptive._rearranged(
        x,
        torch.tensor([bool(f) for f, _ in expected]),
        torch.tensor([t for _, t in expected]),
        torch.zeros(n, 2).long(),
    )
    elements = orbit(x[0].numpy())
    assert len(elements) == 8
    assert [elements[image.tobytes()] for image in made.numpy()] == expected
    counts = Counter(expected)
    for flip, turn in product(range(2), range(4)):
        chance = (p / 2 if flip else 1 - p / 2) * (p / 4 if turn else 1 - 3 * p / 4)
        assert counts[flip, turn] / n == pytest.approx(chance, abs=4 * math.sqrt(chance / n) + 1e-12)


def test_the_blits_of_a_step_are_those_that_its_numbers_say() -> None:
    x, p = images(60), scalar(0.7)
    randomness.use(Stream(2))
    u = randomness.uniform(60, 7).double().numpy()
    randomness.use(Stream(2))
    for image, made, row in zip(x.numpy(), adaptive.blitted(x, p).numpy(), u, strict=True):
        expected = image[:, :, ::-1] if row[0] < 0.7 and row[3] < 0.5 else image
        expected = np.rot90(expected, int(4 * row[4]) if row[1] < 0.7 else 0, (1, 2))
        down, right = (int(np.round((2 * each - 1) * 8 / 8)) if row[2] < 0.7 else 0 for each in row[5:])
        wide = np.pad(expected, ((0, 0), (1, 1), (1, 1)), mode="reflect")
        assert np.array_equal(made, wide[:, 1 - down : 9 - down, 1 - right : 9 - right])


def test_the_mean_of_all_that_p_shows_can_be_undone() -> None:
    """Images that differ in distribution still do after the mirrors, exactly when p < 1 (Bora et al., 2018).

    As a matrix on (image, its mirror image) the flip is [[1 - p/2, p/2], [p/2, 1 - p/2]], of determinant 1 - p.
    """
    for p in (0.0, 0.4, 0.9, 1.0):
        matrix = torch.tensor([[1 - p / 2, p / 2], [p / 2, 1 - p / 2]])
        n = 20_000
        randomness.use(Stream(4))
        x = torch.zeros(1, 1, 2, 2)
        x[..., 0] = 1  # its mirror image is another
        u = randomness.uniform(n, 7)
        shown = ((u[:, 0] < p) & (u[:, 3] < 0.5)).float().mean()
        assert shown.item() == pytest.approx(matrix[0, 1].item(), abs=0.012)
        assert torch.linalg.det(matrix).item() == pytest.approx(1 - p, abs=1e-6)


# geometry


def still(n: int) -> dict[str, Tensor]:
    return {"matrix": torch.eye(2).double().expand(n, 2, 2), "offset": torch.zeros(n, 2).double()}


def test_sampling_at_twice_the_rate_and_back_changes_nothing() -> None:
    x = images(3, 11)
    torch.testing.assert_close(adaptive._resampled(x, **still(3)), x, rtol=0, atol=1e-11)


def test_turns_shifts_and_scales_are_about_the_centre() -> None:
    x = smooth(2)
    quarter = adaptive._turn(torch.full((2,), math.pi / 2).double())
    turned = adaptive._resampled(x, quarter, torch.zeros(2, 2).double())
    assert (turned - x.rot90(-1, (2, 3)))[:, :, 2:-2, 2:-2].abs().max() < 0.03
    shifted = adaptive._resampled(x, **{**still(2), "offset": torch.tensor([[-3.0, 2.0]]).double().expand(2, 2)})
    torch.testing.assert_close(shifted[:, :, 4:-6, 7:-4], x[:, :, 6:-4, 4:-7], rtol=0, atol=1e-10)
    half = adaptive._resampled(x, 2 * still(2)["matrix"], still(2)["offset"])
    assert (half[:, :, 10:-10, 10:-10] - torch.nn.functional.avg_pool2d(x, 2)[:, :, 2:-2, 2:-2]).abs().max() < 0.05


def test_the_warp_is_the_authors_matrix() -> None:
    """G_inv = scale, rotation, stretch, rotation, shift, each inverted, as `augment.py` multiplies them."""
    n, p, side = 40, 0.6, 16
    randomness.use(Stream(5))
    u, z = randomness.uniform(n, 7).double().numpy(), randomness.normal(n, 4).double().numpy()
    seen = []
    resampled, adaptive._resampled = adaptive._resampled, lambda *given: seen.append(given) or given[0]  # type: ignore[func-returns-value]
    try:
        randomness.use(Stream(5))
        adaptive.warped(images(n, side), scalar(p))
    finally:
        adaptive._resampled = resampled
    once = 1 - math.sqrt(1 - p)

    def rotation(angle: float) -> np.ndarray:
        return np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])

    for row in range(n):
        scale = 2 ** (0.2 * z[row, 0]) if u[row, 0] < p else 1.0
        before = math.pi * (2 * u[row, 2] - 1) if u[row, 1] < once else 0.0
        stretch = 2 ** (0.2 * z[row, 1]) if u[row, 3] < p else 1.0
        after = math.pi * (2 * u[row, 5] - 1) if u[row, 4] < once else 0.0
        x, y = z[row, 2:] * side / 8 if u[row, 6] < p else (0.0, 0.0)
        inverse = np.diag([1 / scale, 1 / scale, 1]) @ rotation(-before) @ np.diag([1 / stretch, stretch, 1])
        inverse = inverse @ rotation(-after) @ np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]])
        np.testing.assert_allclose(seen[0][1][row], inverse[:2, :2], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(seen[0][2][row], inverse[:2, 2], rtol=1e-9, atol=1e-12)


# colour


@pytest.mark.parametrize("channels", [1, 3])
def test_the_colours_are_the_authors_matrix(channels: int) -> None:
    """C = saturation, hue, luma flip, contrast, brightness, as homogeneous matrices (`augment.py`)."""
    n, p = 40, 0.6
    x = images(n, 4, channels)
    randomness.use(Stream(5))
    u, z = randomness.uniform(n, 7).double().numpy(), randomness.normal(n, 3).double().numpy()
    randomness.use(Stream(5))
    made = adaptive.coloured(x, scalar(p)).numpy()
    v = np.array([1, 1, 1, 0]) / math.sqrt(3)
    for row in range(n):
        matrix = np.eye(4)
        if u[row, 0] < p:
            matrix[:3, 3] = 0.2 * z[row, 0]
        if u[row, 1] < p:
            matrix = np.diag([*[2 ** (0.5 * z[row, 1])] * 3, 1]) @ matrix
        if u[row, 2] < p and u[row, 3] < 0.5:
            matrix = (np.eye(4) - 2 * np.outer(v, v)) @ matrix
        if u[row, 4] < p:
            angle = math.pi * (2 * u[row, 5] - 1)
            cross = np.cross(v[:3], np.eye(3)).T  # cross @ x = v x x
            turn = np.eye(4)
            turn[:3, :3] = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
            matrix = turn @ matrix
        if u[row, 6] < p:
            matrix = (np.outer(v, v) + (np.eye(4) - np.outer(v, v)) * 2 ** z[row, 2]) @ matrix
        pixels = x[row].numpy().reshape(channels, -1)
        if channels == 3:
            expected = matrix[:3, :3] @ pixels + matrix[:3, 3:]
        else:
            mean = matrix[:3].mean(0, keepdims=True)
            expected = pixels * mean[:, :3].sum() + mean[:, 3:]
        np.testing.assert_allclose(made[row].reshape(channels, -1), expected, rtol=1e-9, atol=1e-12)


# gradients, and refusals


@pytest.mark.parametrize("change", [adaptive.blitted, adaptive.warped, adaptive.coloured])
def test_gradients_of_both_orders_reach_the_image(change: object) -> None:
    x = images(2, 4).requires_grad_()

    def seeded(points: Tensor) -> Tensor:
        randomness.use(Stream(1))
        return change(points, scalar(0.8))  # type: ignore[operator]

    assert torch.autograd.gradcheck(seeded, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda points: seeded(points) ** 2, x, fast_mode=True)


def test_half_precision_is_raised() -> None:
    x = images(4).to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        randomness.use(Stream(1))
        half = adaptive.augmented(x, torch.tensor(0.8))
    randomness.use(Stream(1))
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, adaptive.augmented(x.float(), torch.tensor(0.8)))


@pytest.mark.parametrize("shape", [(2, 2), (2, 3, 8, 4), (2, 2, 8, 8)])
def test_other_samples_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="square images of 1 or 3 channels, got the shape"):
        adaptive.augmented(torch.zeros(shape), torch.tensor(0.5))
