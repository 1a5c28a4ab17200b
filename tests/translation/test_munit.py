"""MUNIT: the losses written out, which networks they reach, styles drawn and taken over, a frozen network."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_modules import MUNIT
from gan_modules.networks import AdaINDecoder
from gan_modules.networks.styled import adain
from gan_modules.randomness import Stream, using
from gan_modules.translation.munit import domain_invariant_distance
from transcribed import assert_same, unreached

N, STYLE = 3, 2


def convolution(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.Tanh())


def styles() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, STYLE))


class Dress(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.style, self.draw = nn.Linear(STYLE, 2), convolution(2, 1)

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        return self.draw(content + self.style(style)[:, :, None, None])


def munit(perceptual: nn.Module | None = None, **options: Any) -> MUNIT:
    contents, decoders = (convolution(1, 2), convolution(1, 2)), (Dress(), Dress())
    judges = nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3)
    options = {"style_dim": STYLE, **options}
    return MUNIT(*contents, styles(), styles(), *decoders, *judges, perceptual, **options).double()


def images() -> tuple[Tensor, Tensor]:
    return tuple(2 * torch.rand(2, N, 1, 4, 4, dtype=torch.float64) - 1)  # type: ignore[return-value]


@pytest.mark.parametrize("whole", [False, True])
def test_the_losses(whole: bool) -> None:
    weights = {"reconstruction_weight": 7.0, "content_weight": 2.0, "style_weight": 3.0, "perceptual_weight": 0.5}
    seen = nn.Conv2d(1, 3, 2)
    module, (x, y) = munit(seen if whole else None, cycle_weight=4.0 if whole else 0.0, **weights), images()
    seen.double()
    c_x, c_y, s_x, s_y = (getattr(module, f"{kind}_encoder_{of}") for kind in ("content", "style") for of in "xy")
    g_x, g_y, d_x, d_y = module.decoder_x, module.decoder_y, module.discriminator_x, module.discriminator_y

    def far(one: Tensor, other: Tensor) -> Tensor:
        return (one - other).abs().mean()

    def plain(picture: Tensor) -> Tensor:
        maps = seen(picture)
        return (maps - maps.mean((2, 3), keepdim=True)) / (maps.var((2, 3), correction=0, keepdim=True) + 1e-5).sqrt()

    def of_generators() -> Tensor:
        r_x, r_y = module.normal(N, STYLE), module.normal(N, STYLE)
        x_y, y_x = g_y(c_x(x), r_y), g_x(c_y(y), r_x)
        loss = ((d_x(y_x) - 1) ** 2).mean() + ((d_y(x_y) - 1) ** 2).mean()
        loss = loss + 7 * (far(g_x(c_x(x), s_x(x)), x) + far(g_y(c_y(y), s_y(y)), y))
        loss = loss + 2 * (far(c_y(x_y), c_x(x)) + far(c_x(y_x), c_y(y)))
        loss = loss + 3 * (far(s_x(y_x), r_x) + far(s_y(x_y), r_y))
        if whole:
            loss = loss + 4 * (far(g_x(c_y(x_y), s_x(x)), x) + far(g_y(c_x(y_x), s_y(y)), y))
            estranged = ((plain(x_y) - plain(x)) ** 2).mean() + ((plain(y_x) - plain(y)) ** 2).mean()
            loss = loss + 0.5 * estranged
        return loss

    def of_discriminators() -> Tensor:
        real = ((d_x(x) - 1) ** 2).mean() + ((d_y(y) - 1) ** 2).mean()
        return real + (d_x(y) ** 2).mean() + (d_y(x) ** 2).mean()

    assert_same(lambda: module.generator_loss(x, y)[0], of_generators, c_x, c_y, s_x, s_y, g_x, g_y, d_x, d_y)
    assert_same(lambda: module.discriminator_loss(x, y, y, x), of_discriminators, d_x, d_y)
    fakes = [fake.detach() for fake in module.generator_loss(x, y)[3:]]
    assert all(unreached(module.discriminator_loss(x, y, *fakes), part) for part in (c_x, s_x, g_y))


def test_the_perceptual_network_is_frozen_and_blind_to_the_colours_of_a_domain() -> None:
    seen = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Dropout(0.5))
    nn.init.ones_(seen[0].weight)  # type: ignore[arg-type]
    module, (x, _) = munit(seen), images()
    assert module.perceptual is not None and not list(module.perceptual.parameters())
    assert not module.train().perceptual.training  # type: ignore[union-attr]
    recoloured = 3 * x + 0.7  # each feature map of a 1 x 1 convolution is scaled and moved as a whole
    assert domain_invariant_distance(module.perceptual, recoloured, x).item() < 1e-6
    assert domain_invariant_distance(module.perceptual, x.flip(-1), x).item() > 0.1


def test_styles_are_drawn_or_taken_from_an_example() -> None:
    module, (x, y) = munit().eval(), images()
    code = module.style(y)
    assert code.shape == (N, STYLE) and torch.equal(module(x, code), module(x, code))
    assert torch.equal(module(x, code), module.decoder_y(module.content_encoder_x(x), module.style_encoder_y(y)))
    code = module.inverse_style(x)
    assert torch.equal(module.inverse(y, code), module.decoder_x(module.content_encoder_y(y), code))
    with using(Stream(1)):
        drawn = module.codes(N)
    with using(Stream(1)):
        assert torch.equal(module(x), module(x, drawn))
    views = module.validation_step((x, y), 0)
    for view in views.values():
        assert view["samples"].shape == (N, 3, 1, 4, 4)
        assert not torch.equal(view["samples"][:, 0], view["samples"][:, 1])


def test_adain_gives_features_the_statistics_it_is_told() -> None:
    x, means, scales = 5 * torch.randn(2, 3, 6, 6) + 2, torch.randn(2, 3), torch.randn(2, 3)
    made = adain(x, means, scales)
    torch.testing.assert_close(made.mean((2, 3)), means, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(made.std((2, 3), correction=0), scales.abs(), rtol=1e-3, atol=1e-4)


def test_the_style_is_all_that_is_left_of_the_statistics_of_contents() -> None:
    decoder, contents, code = AdaINDecoder(1, STYLE, 2, 1, 1, 8), torch.randn(1, 4, 4, 4), torch.randn(1, STYLE)
    inner: list[Tensor] = []
    decoder.blocks[0].first.register_forward_hook(lambda *seen: inner.append(seen[2]))
    decoder(contents, code), decoder(contents, code + 1)
    assert torch.equal(*inner), "before the first statistics nothing knows of the style"
    assert not torch.allclose(decoder(contents, code), decoder(contents, code + 1))


def test_the_papers_numbers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(MUNIT).parameters.items()}
    expected = {"reconstruction_weight": 10, "content_weight": 1, "style_weight": 1, "style_dim": 8, "cycle_weight": 0}
    expected |= {"learning_rate": 1e-4, "betas": (0.5, 0.999), "weight_decay": 1e-4, "halving_steps": 100_000}
    assert expected.items() <= defaults.items()
    for config in munit().configure_optimizers():
        factor = config["lr_scheduler"]["scheduler"].lr_lambdas[0]  # type: ignore[typeddict-item,index]
        assert [factor(step) for step in (0, 99_999, 100_000, 250_000)] == [1, 1, 0.5, 0.25]
