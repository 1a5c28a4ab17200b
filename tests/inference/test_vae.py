"""Variational autoencoders: the bound by hand, that it is one, and what inference gives."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan_modules import VAE, AdversarialModule, gaussians
from gan_modules.randomness import Stream, using
from transcribed import assert_same
from variants import build
from zoo.coders import LATENT, Decoder, Encoder, noise
from zoo.games import N, points


def vae(gaussian: bool = True, **options: float) -> VAE:
    return VAE(Encoder(gaussian), Decoder(), LATENT, **options).double()


def test_the_divergence_is_that_of_two_normal_distributions() -> None:
    mean, log_variance = torch.randn(2, 4, 3, dtype=torch.float64)
    m, s = mean.numpy(), np.exp(log_variance.numpy() / 2)
    grid = np.linspace(-30, 30, 60_001)
    step = grid[1] - grid[0]
    expected = np.zeros(4)
    for i in range(4):
        for j in range(3):
            q = np.exp(-(((grid - m[i, j]) / s[i, j]) ** 2) / 2) / (s[i, j] * math.sqrt(2 * math.pi))
            log_ratio = (grid**2 - ((grid - m[i, j]) / s[i, j]) ** 2) / 2 - math.log(s[i, j])
            expected[i] += (q * log_ratio).sum() * step
    np.testing.assert_allclose(gaussians.kl_to_normal(mean, log_variance).item(), expected.mean(), rtol=1e-6)


def test_drawn_codes_have_the_mean_and_the_variance() -> None:
    mean, log_variance = torch.tensor([[2.0, -1.0]]), torch.tensor([[math.log(4.0), math.log(0.25)]])
    codes = gaussians.drawn(mean, log_variance, torch.randn(200_000, 2))
    torch.testing.assert_close(codes.mean(0), mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(codes.std(0), torch.tensor([2.0, 0.5]), atol=0.02, rtol=0)


@pytest.mark.parametrize("variance", [1.0, 0.2])
def test_the_bound(variance: float) -> None:
    module, real = vae(variance=variance), points()
    encoder, decoder = module.encoder, module.generator

    def by_hand() -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for x, e in zip(real, noise(), strict=True):
            mean, log_variance = (part[0] for part in encoder(x[None]))
            sigma = torch.exp(log_variance / 2)
            rebuilt = decoder((mean + sigma * e)[None])[0]
            prior = -0.5 * sum(1 + 2 * torch.log(s) - m**2 - s**2 for m, s in zip(mean, sigma, strict=True))
            total = total + prior + sum((a - b) ** 2 for a, b in zip(x, rebuilt, strict=True)) / (2 * variance)
        return total / N

    assert_same(lambda: module.bound_loss(real)[0], by_hand, encoder, decoder)
    with using(Stream(5)):
        loss, divergence, error = module.bound_loss(real)
    torch.testing.assert_close(loss, divergence + error)


class Line(nn.Module):
    """Codes (n, 1) -> w z, of which x ~ N(0, w^2 + variance) and the posterior are known."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float64))

    def forward(self, z: Tensor) -> Tensor:
        return self.weight * z


class Posterior(nn.Module):
    """The true posterior of `Line`, or, `wrong`, one beside it."""

    def __init__(self, weight: float, variance: float, wrong: float = 0.0) -> None:
        super().__init__()
        self.slope, self.spread, self.wrong = weight / (weight**2 + variance), variance / (weight**2 + variance), wrong

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.slope * x + self.wrong, torch.full_like(x, math.log(self.spread))


def test_it_bounds_the_likelihood_and_is_tight_at_the_true_posterior() -> None:
    """-log p(x) of a linear decoder is known; with a wrong posterior the gap is its divergence from the true one."""
    weight, variance, wrong = 1.5, 0.3, 0.4
    total = weight**2 + variance
    x = torch.linspace(-2, 2, 40_000, dtype=torch.float64)[:, None]
    likelihood = (0.5 * x.square() / total + 0.5 * math.log(2 * math.pi * total)).mean()
    gaps = []
    for shift in (0.0, wrong):
        module = VAE(Posterior(weight, variance, shift), Line(weight), 1, variance=variance).double()
        with using(Stream(1)), torch.no_grad():
            bound = module.bound_loss(x)[0] + 0.5 * math.log(2 * math.pi * variance)
        gaps.append((bound - likelihood).item())
    assert gaps[0] == pytest.approx(0, abs=0.02)
    assert gaps[1] == pytest.approx(wrong**2 / (2 * variance / total), abs=0.03)


def test_what_inference_gives() -> None:
    module, real = vae().eval(), points()
    with torch.no_grad():
        mean, log_variance = module.gaussian(real)
        assert torch.equal(module.encode(real), mean)
        assert torch.equal(module.reconstruct(real), module.generator(mean))
        with using(Stream(5)):
            codes = module.inferred(real)
        with using(Stream(5)):
            torch.testing.assert_close(codes, mean + (log_variance / 2).exp() * noise())
        view = module.validation_step((real, torch.arange(N)), 0)
    assert torch.equal(view["classes"], torch.arange(N)) and torch.equal(view["codes"], mean)
    assert torch.equal(view["reconstruction"], module.generator(mean)) and view["fake"].shape == real.shape
    assert set(module.validation_step(real, 0)) == {"real", "fake", "reconstruction", "codes"}


def test_an_encoder_without_variances_is_refused() -> None:
    with pytest.raises(ValueError, match=r"VAE needs an encoder that returns means and log variances.*gaussian=True"):
        vae(gaussian=False).bound_loss(points())


@pytest.mark.parametrize("name", ["vae", "vae_gan", "bigan", "ali", "aae"])
def test_reconstructions_come_from_the_averages(name: str) -> None:
    module: AdversarialModule = build(name, average_decay=0.5).eval()
    images = torch.rand(3, 3, 8, 8)
    with torch.no_grad():
        before = module.reconstruct(images)  # type: ignore[operator]
        for network in (module.encoder, module.generator):  # type: ignore[union-attr]
            for parameter in network.parameters():  # type: ignore[union-attr]
                parameter.zero_()
        assert torch.equal(module.reconstruct(images), before)  # type: ignore[operator]


@pytest.mark.parametrize("weight", [1.0, 1.5, 2.0])
def test_the_best_decoder_is_the_likeliest(weight: float) -> None:
    """With the true posterior, the bound's slope in w is the likelihood's, which is 0 at w^2 = E x^2 - variance."""
    variance = 0.3
    module = VAE(Posterior(weight, variance), Line(weight), 1, variance=variance).double()
    x = torch.linspace(-3, 3, 40_001, dtype=torch.float64)[:, None]
    with using(Stream(1)):
        (slope,) = torch.autograd.grad(module.bound_loss(x)[0], module.generator.weight)  # type: ignore[arg-type]
    total = weight**2 + variance
    expected = weight * (1 / total - x.square().mean() / total**2)
    torch.testing.assert_close(slope, expected, atol=0.03, rtol=0)
