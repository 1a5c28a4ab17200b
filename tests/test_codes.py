"""Latent codes: their distribution, the likelihood against numpy, and the bound on the mutual information."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_modules import randomness
from gan_modules.codes import draw_codes, negative_log_likelihood

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _stream_off() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    randomness.use(None)


def test_codes_are_one_hot_and_uniform() -> None:
    codes = draw_codes(20_000, 5, 2, CPU, torch.float32)
    assert codes.shape == (20_000, 7)
    category, continuous = codes[:, :5], codes[:, 5:]
    assert torch.equal(category.sum(1), torch.ones(20_000)) and set(category.unique().tolist()) == {0, 1}
    assert (category.mean(0) - 0.2).abs().max() < 0.02
    assert continuous.min() >= -1 and continuous.max() < 1
    assert (continuous.mean(0)).abs().max() < 0.02
    assert (continuous.var(0) - 1 / 3).abs().max() < 0.02


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_codes_have_the_dtype_asked_for_and_may_have_no_numbers(dtype: torch.dtype) -> None:
    codes = draw_codes(3, 4, 0, CPU, dtype)
    assert codes.shape == (3, 4) and codes.dtype == dtype


def test_parts_make_the_whole() -> None:
    randomness.use(randomness.Stream(1))
    whole = draw_codes(8, 3, 2, CPU, torch.float32)
    pieces = []
    for part in range(2):
        randomness.use(randomness.Stream(1, part, 2))
        pieces.append(draw_codes(4, 3, 2, CPU, torch.float32))
    assert torch.equal(torch.stack(pieces, dim=1).flatten(0, 1), whole)


def given(n: int = 5, categories: int = 3, continuous: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    codes = draw_codes(n, categories, continuous, CPU, torch.float64)
    return codes, torch.randn(n, categories).double(), torch.randn(n, continuous).double()


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits)
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("continuous", [0, 2])
def test_value_and_gradient_against_numpy(continuous: int) -> None:
    codes, logits, means = given(continuous=continuous)
    logits, means = logits.requires_grad_(), means.requires_grad_()
    value = negative_log_likelihood(codes, logits, means)
    gradients = torch.autograd.grad(value, [logits, means])
    c, l, m = codes.numpy(), logits.detach().numpy(), means.detach().numpy()  # noqa: E741
    categorical = -np.log((softmax(l) * c[:, :3]).sum(1)).mean()
    # -log N(c; m, 1), less the constant log(2 pi) / 2 of each number
    gaussian = sum(0.5 * (c[i, 3 + j] - m[i, j]) ** 2 for i in range(5) for j in range(continuous)) / 5
    np.testing.assert_allclose(value.item(), categorical + gaussian, rtol=1e-12)
    np.testing.assert_allclose(gradients[0].numpy(), (softmax(l) - c[:, :3]) / 5, rtol=1e-10)
    np.testing.assert_allclose(gradients[1].numpy(), (m - c[:, 3:]) / 5, rtol=1e-10)


def test_gradient_reaches_the_codes_numbers_only_as_a_function_of_them() -> None:
    codes, logits, means = given()
    assert torch.autograd.gradcheck(
        lambda a, b: negative_log_likelihood(codes, a, b), (logits.requires_grad_(), means.requires_grad_())
    )


def test_is_a_mean_over_the_batch() -> None:
    parts = given()
    torch.testing.assert_close(
        negative_log_likelihood(*(part.repeat(3, 1) for part in parts)), negative_log_likelihood(*parts)
    )


def joint() -> np.ndarray:
    """How often each of 3 codes goes with each of 4 pictures; codes are equally frequent."""
    return np.array([[5, 1, 2, 0], [1, 6, 0, 1], [1, 1, 3, 3]])


def test_the_bound_is_tight_at_the_posterior_and_loose_elsewhere() -> None:
    counts = joint()
    p = counts / counts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.nansum(p * np.log(p / p.sum(1, keepdims=True) / p.sum(0, keepdims=True)))
        posterior = np.log(p / p.sum(0))
    pairs = [(code, picture) for (code, picture), count in np.ndenumerate(counts) for _ in range(count)]
    codes = torch.eye(3, dtype=torch.float64)[[code for code, _ in pairs]]
    shown = [picture for _, picture in pairs]
    nothing = torch.zeros(len(pairs), 0, dtype=torch.float64)

    def bound(log_q: np.ndarray) -> float:
        logits = torch.from_numpy(np.maximum(log_q, -1e3)).T[shown]
        return np.log(3) - negative_log_likelihood(codes, logits, nothing).item()

    np.testing.assert_allclose(bound(posterior), information, rtol=1e-10)
    generator = np.random.default_rng(0)
    for _ in range(20):
        assert bound(posterior + generator.normal(size=(3, 4))) < information
