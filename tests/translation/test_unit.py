"""UNIT: the losses written out, which networks they reach, a shared code, and the schedule."""

import inspect

import pytest
import torch
from torch import Tensor, nn

from gan_modules import UNIT
from gan_modules.randomness import Stream, using
from transcribed import assert_same, unreached

N = 3


def convolution(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.Tanh())


class Scales(nn.Module):
    """Scores at two scales."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 2)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return self.first(images), self.second(images)


def unit(**options: float) -> UNIT:
    encoders, decoders = (convolution(1, 2), convolution(1, 2)), (convolution(2, 1), convolution(2, 1))
    shared = convolution(2, 2), convolution(2, 2)
    return UNIT(*encoders, *shared, *decoders, Scales(), Scales(), **options).double()  # type: ignore[arg-type]


def images() -> tuple[Tensor, Tensor]:
    return tuple(2 * torch.rand(2, N, 1, 4, 4, dtype=torch.float64) - 1)  # type: ignore[return-value]


def test_the_losses() -> None:
    options = {"reconstruction_weight": 7.0, "kl_weight": 0.3, "cycle_weight": 5.0, "cycle_kl_weight": 0.2}
    module, (x, y) = unit(**options), images()
    e_x, e_y, e, g = module.encoder_x, module.encoder_y, module.shared_encoder, module.shared_decoder
    g_x, g_y, d_x, d_y = module.decoder_x, module.decoder_y, module.discriminator_x, module.discriminator_y

    def sure(score: Tensor) -> Tensor:
        return torch.log(torch.sigmoid(score)).mean()

    def of_generators() -> Tensor:
        z_x, z_y = e(e_x(x)), e(e_y(y))
        noisy_x, noisy_y = z_x + module.normal(*z_x.shape), z_y + module.normal(*z_y.shape)
        x_y, y_x = g_y(g(noisy_x)), g_x(g(noisy_y))
        loss = -sum(sure(score) for score in (*d_x(y_x), *d_y(x_y)))
        loss = loss + 7 * ((g_x(g(noisy_x)) - x).abs().mean() + (g_y(g(noisy_y)) - y).abs().mean())
        again_x, again_y = e(e_y(x_y)), e(e_x(y_x))
        back_x = g_x(g(again_x + module.normal(*again_x.shape)))
        back_y = g_y(g(again_y + module.normal(*again_y.shape)))
        loss = loss + 5 * ((back_x - x).abs().mean() + (back_y - y).abs().mean())
        loss = loss + 0.3 * ((z_x**2).mean() + (z_y**2).mean())
        return loss + 0.2 * ((again_x**2).mean() + (again_y**2).mean())

    def of_discriminators() -> Tensor:
        pairs = zip((*d_x(x), *d_y(y)), (*d_x(y), *d_y(x)), strict=True)
        return -torch.stack([sure(real) + torch.log(1 - torch.sigmoid(fake)).mean() for real, fake in pairs]).sum()

    assert_same(lambda: module.generator_loss(x, y)[0], of_generators, e_x, e_y, e, g, g_x, g_y, d_x, d_y)
    assert_same(lambda: module.discriminator_loss(x, y, y, x), of_discriminators, d_x, d_y)
    fakes = [fake.detach() for fake in module.generator_loss(x, y)[2:]]
    assert all(unreached(module.discriminator_loss(x, y, *fakes), part) for part in (e_x, e, g, g_y))


def test_one_code_is_drawn_in_both_domains_and_translations_have_no_noise() -> None:
    module, (x, y) = unit().eval(), images()
    code = module.mean(module.encoder_x, x)
    assert torch.equal(module(x), module.decoded(module.decoder_y, code)) and torch.equal(module(x), module(x))
    code = module.mean(module.encoder_y, y)
    assert torch.equal(module.inverse(y), module.decoded(module.decoder_x, code))


def test_codes_have_unit_variance_and_their_divergence_is_the_mean_square() -> None:
    module, mean = unit(), torch.full((2000, 1, 2, 2), 3.0, dtype=torch.float64)
    with using(Stream(0)):
        codes = module.sampled(mean)
    assert codes.mean().item() == pytest.approx(3, abs=0.05) and codes.std().item() == pytest.approx(1, abs=0.05)
    normal = torch.distributions.Normal(0.0, 1.0)
    kl = torch.distributions.kl_divergence(torch.distributions.Normal(mean, 1.0), normal)
    torch.testing.assert_close(2 * kl.mean(), mean.square().mean())


def test_the_papers_numbers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(UNIT).parameters.items()}
    paper = {"gan": 10, "reconstruction_weight": 100, "kl_weight": 0.1, "cycle_weight": 100, "cycle_kl_weight": 0.1}
    assert all(defaults[name] == pytest.approx(value / paper["gan"]) for name, value in paper.items() if name != "gan")
    assert (defaults["learning_rate"], defaults["betas"], defaults["weight_decay"]) == (1e-4, (0.5, 0.999), 1e-4)
    for config in unit(halving_steps=100_000).configure_optimizers():
        factor = config["lr_scheduler"]["scheduler"].lr_lambdas[0]  # type: ignore[typeddict-item,index]
        assert [factor(step) for step in (0, 99_999, 100_000, 250_000)] == [1, 1, 0.5, 0.25]
        assert config["optimizer"].param_groups[0]["weight_decay"] == 1e-4
