"""DRIT: the losses written out, which networks they reach, contents that betray nothing, its schedule, mode seeking."""

import inspect
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_modules import DRIT
from gan_modules.adversarial import AdversarialModule
from gan_modules.gaussians import kl_to_normal
from gan_modules.randomness import Stream, using
from transcribed import assert_same, unreached
from variants import build, loader, trainer

N, CODE = 3, 2


def convolution(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.Tanh())


class Attributes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 2 * CODE)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return self.linear(images.flatten(1)).chunk(2, dim=1)


class Dress(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.style, self.draw = nn.Linear(CODE, 2), convolution(2, 1)

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        return self.draw(content + self.style(style)[:, :, None, None])


def drit(**options: Any) -> DRIT:
    contents = convolution(1, 2), convolution(1, 2), convolution(2, 2), Attributes(), Attributes(), convolution(2, 2)
    judges = (nn.Conv2d(1, 1, 3) for _ in range(4))
    return DRIT(*contents, Dress(), Dress(), *judges, nn.Conv2d(2, 1, 3), attribute_dim=CODE, **options).double()


def images() -> tuple[Tensor, Tensor]:
    return tuple(2 * torch.rand(2, N, 1, 4, 4, dtype=torch.float64) - 1)  # type: ignore[return-value]


def sure(score: Tensor) -> Tensor:
    return torch.log(torch.sigmoid(score)).mean()


def unsure(score: Tensor) -> Tensor:
    return torch.log(1 - torch.sigmoid(score)).mean()


def far(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).abs().mean()


def test_the_loss_of_encoders_and_generators() -> None:
    weights = {"cycle_weight": 7.0, "reconstruction_weight": 5.0, "content_weight": 0.8, "kl_weight": 0.3}
    module, (x, y) = drit(**weights), images()
    e, d_c = module.shared_encoder, module.content_discriminator
    a_x, a_y = module.attribute_encoder_x, module.attribute_encoder_y

    def c_x(picture: Tensor) -> Tensor:
        return e(module.content_encoder_x(picture))

    def c_y(picture: Tensor) -> Tensor:
        return e(module.content_encoder_y(picture))

    def drawn(statistics: tuple[Tensor, Tensor]) -> Tensor:
        return statistics[0] + torch.exp(statistics[1]).sqrt() * module.normal(N, CODE)

    def g_x(content: Tensor, code: Tensor) -> Tensor:
        return module.decoder_x(module.shared_decoder(content), code)

    def g_y(content: Tensor, code: Tensor) -> Tensor:
        return module.decoder_y(module.shared_decoder(content), code)

    def divergence(statistics: tuple[Tensor, Tensor]) -> Tensor:
        own = torch.distributions.Normal(statistics[0], (0.5 * statistics[1]).exp())
        return torch.distributions.kl_divergence(own, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()

    def formula() -> Tensor:
        z_x, z_y = drawn(a_x(x)), drawn(a_y(y))
        u, v = g_x(c_y(y), z_x), g_y(c_x(x), z_y)
        loss = -sure(module.discriminator_x(u)) - sure(module.discriminator_y(v))
        for score in (d_c(c_x(x)), d_c(c_y(y))):
            loss = loss - 0.8 * (0.5 * sure(score) + 0.5 * unsure(score))
        loss = loss + 5 * (far(g_x(c_x(x), z_x), x) + far(g_y(c_y(y), z_y), y))
        again_x, again_y = drawn(a_x(u)), drawn(a_y(v))
        loss = loss + 7 * (far(g_x(c_y(v), again_x), x) + far(g_y(c_x(u), again_y), y))
        sizes = (c_x(x) ** 2).mean() + (c_y(y) ** 2).mean()
        return loss + 0.3 * (divergence(a_x(x)) + divergence(a_y(y)) + sizes)

    names = ("content_encoder_x", "content_encoder_y", "shared_encoder", "shared_decoder", "attribute_encoder_x")
    names += ("attribute_encoder_y", "decoder_x", "decoder_y", "discriminator_x", "content_discriminator")
    assert_same(lambda: module.generator_loss(x, y)[0], formula, *(getattr(module, name) for name in names))


@pytest.mark.parametrize("seeking", [0.0, 0.6])
def test_the_loss_of_drawn_attributes(seeking: float) -> None:
    module, (x, y) = drit(regression_weight=4.0, mode_seeking_weight=seeking), images()

    def formula() -> Tensor:
        codes = module.normal(2 * N if seeking else N, CODE).split(N)
        content_x = module.shared_decoder(module.shared_encoder(module.content_encoder_x(x)))
        content_y = module.shared_decoder(module.shared_encoder(module.content_encoder_y(y)))
        loss = torch.zeros((), dtype=torch.float64)
        for content, of in ((content_y, "x"), (content_x, "y")):
            fakes = [getattr(module, f"decoder_{of}")(content, code) for code in codes]
            loss = loss - sum(sure(getattr(module, f"random_discriminator_{of}")(fake)) for fake in fakes)
            loss = loss + 4 * far(getattr(module, f"attribute_encoder_{of}")(fakes[0])[0], codes[0])
            if seeking:
                loss = loss + seeking / (far(*fakes) / far(*codes) + 1e-5)
        return loss

    names = (
        "content_encoder_x",
        "shared_encoder",
        "shared_decoder",
        "decoder_x",
        "decoder_y",
        "random_discriminator_y",
    )
    assert_same(lambda: module.random_loss(x, y)[0], formula, *(getattr(module, name) for name in names))
    loss = module.random_loss(x, y)[0]
    assert unreached(loss, module.attribute_encoder_x) and unreached(loss, module.attribute_encoder_y)
    assert all(p.requires_grad for p in module.attribute_encoder_x.parameters()), "frozen for the loss alone"


def test_the_losses_of_the_discriminators() -> None:
    module, (x, y) = drit(), images()
    pairs = list(zip(("discriminator_x", "discriminator_y", "random_discriminator_x", "random_discriminator_y"),
                     (x, y, x, y), (y, x, x.flip(3), y.flip(3)), strict=True))  # fmt: skip

    def formula() -> Tensor:
        terms = [sure(getattr(module, name)(real)) + unsure(getattr(module, name)(fake)) for name, real, fake in pairs]
        return -torch.stack(terms).sum()

    networks = [getattr(module, name) for name, _, _ in pairs]
    assert_same(lambda: module.discriminator_loss(x, y, y, x, x.flip(3), y.flip(3)), formula, *networks)

    def of_contents() -> Tensor:
        contents = module.content_encoder_x(x), module.content_encoder_y(y)
        scores = [module.content_discriminator(module.shared_encoder(each).detach()) for each in contents]
        return -sure(scores[1]) - unsure(scores[0])

    assert_same(lambda: module.content_discriminator_loss(x, y), of_contents, module.content_discriminator)
    assert unreached(module.content_discriminator_loss(x, y), module.content_encoder_x)


def test_contents_are_blended_where_the_discriminator_cannot_tell() -> None:
    """The cross-entropy with a half has its minimum, log 2, at D = 1/2, from both sides; -log(1 - D) has none."""
    module = drit()
    scores = torch.linspace(-3, 3, 7, dtype=torch.float64, requires_grad=True)
    module.content_discriminator = nn.Identity()
    values = torch.stack([module.blended(score) for score in scores])
    assert values.argmin() == 3 and values[3].item() == pytest.approx(math.log(2))
    (slopes,) = torch.autograd.grad(values.sum(), scores)
    torch.testing.assert_close(slopes, torch.sigmoid(scores.detach()) - 0.5)


def test_the_divergence_is_that_of_gaussians() -> None:
    mean, log_variance = torch.randn(2, N, CODE, dtype=torch.float64).requires_grad_()
    own = torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = torch.distributions.kl_divergence(own, torch.distributions.Normal(0.0, 1.0)).sum() / N
    torch.testing.assert_close(kl_to_normal(mean, log_variance), expected)
    slopes = torch.autograd.grad(kl_to_normal(mean, log_variance), mean)[0]
    torch.testing.assert_close(slopes, mean / N)


def test_all_but_one_of_so_many_batches_train_the_content_discriminator_alone() -> None:
    module, made = build("drit", content_every=3), list[str]()
    descend = AdversarialModule.descend.__get__(module)
    module.descend = lambda optimizer, loss, *rest: made.append(loss.__name__) or descend(optimizer, loss, *rest)  # type: ignore
    trainer().fit(module, loader("drit", 6))
    third = ["generator_loss", "random_loss", "discriminator_loss"]
    assert made == 2 * [*2 * ["content_discriminator_loss"], *third, "content_discriminator_loss"]


def test_attributes_are_drawn_or_taken_from_an_example() -> None:
    module, (x, y) = drit().eval(), images()
    code = module.style(y)
    assert torch.equal(code, module.attribute_encoder_y(y)[0])
    content = module.shared_decoder(module.shared_encoder(module.content_encoder_x(x)))
    assert torch.equal(module(x, code), module.decoder_y(content, code))
    content = module.shared_decoder(module.shared_encoder(module.content_encoder_y(y)))
    assert torch.equal(module.inverse(y, module.inverse_style(x)), module.decoder_x(content, module.inverse_style(x)))
    with using(Stream(1)):
        drawn = module.codes(N)
    with using(Stream(1)):
        assert torch.equal(module(x), module(x, drawn))


def test_the_papers_numbers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(DRIT).parameters.items()}
    tens = {"cycle_weight": 10, "reconstruction_weight": 10, "regression_weight": 10, "content_weight": 1}
    others = {"kl_weight": 0.01, "attribute_dim": 8, "learning_rate": 1e-4, "content_learning_rate": 1e-4 / 2.5}
    assert (tens | others | {"mode_seeking_weight": 0, "content_every": 3, "weight_decay": 1e-4}).items() <= {
        name: round(value, 9) if isinstance(value, float) else value for name, value in defaults.items()
    }.items()
    factors = [each["lr_scheduler"]["scheduler"].lr_lambdas[0] for each in drit().configure_optimizers()]  # type: ignore
    rule = [1 - max(0, epoch - 600) / (1200 - 600 + 1) for epoch in (0, 599, 700, 1199)]
    for factor in factors:
        assert [factor(epoch) for epoch in (0, 599, 700, 1199)] == pytest.approx(rule, abs=2e-3)
