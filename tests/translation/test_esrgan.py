"""ESRGAN: relativistic averages, L1, features, and networks between two."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_modules import ESRGAN
from gan_modules.averaging import interpolated
from transcribed import assert_same, unreached
from variants import trainer
from zoo.own import Judge
from zoo.restoration import Enlarge, Maps

N = 4


def esrgan(features: bool = True, **options: Any) -> ESRGAN:
    torch.manual_seed(0)
    return ESRGAN(Enlarge(), Judge(), Maps() if features else None, **options).double()


def pair() -> tuple[Tensor, Tensor]:
    return torch.rand(N, 3, 4, 4, dtype=torch.float64), 2 * torch.rand(N, 3, 16, 16, dtype=torch.float64) - 1


@pytest.mark.parametrize("features", [False, True])
def test_the_losses(features: bool) -> None:
    module, (source, target) = esrgan(features, adversarial_weight=0.3, l1_weight=0.7), pair()
    g, d, maps = module.generator, module.discriminator, module.features

    def judged(fake: Tensor) -> tuple[Tensor, Tensor]:
        real_scores, fake_scores = d(target), d(fake)
        return torch.sigmoid(real_scores - fake_scores.mean()), torch.sigmoid(fake_scores - real_scores.mean())

    def of_generator() -> Tensor:
        real, fake = judged(g(source))
        loss = -0.3 * ((1 - real).log().mean() + fake.log().mean()) + 0.7 * (g(source) - target).abs().mean()
        if maps is not None:
            loss = loss + sum((a - b).abs().mean() for a, b in zip(maps(g(source)), maps(target), strict=True))
        return loss

    def of_discriminator() -> Tensor:
        real, fake = judged(g(source).detach())
        return -(real.log().mean() + (1 - fake).log().mean())

    assert_same(lambda: module.generator_loss(source, target)[0], of_generator, g)
    assert_same(lambda: module.discriminator_loss(target, g(source).detach()), of_discriminator, d)
    assert_same(lambda: module.pretraining_loss(source, target), lambda: (g(source) - target).abs().mean(), g)
    assert unreached(module.pretraining_loss(source, target), d)


def test_the_level_of_scores_does_not_matter_and_both_terms_pull_at_the_images() -> None:
    fake, target = (torch.randn(N, 3, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    slopes = []
    for level in (0.0, 5.0):
        module = esrgan(False, l1_weight=0.0, adversarial_weight=1.0)
        module.generator, module.discriminator = nn.Identity(), Mean(level)
        slopes.append(torch.autograd.grad(module.generator_loss(fake, target)[0], fake)[0])
    torch.testing.assert_close(*slopes)
    real, made = target.mean((1, 2, 3)), fake.mean((1, 2, 3))
    own = -torch.sigmoid(real.mean() - made)
    others = -torch.sigmoid(real - made.mean()).mean()
    expected = (own + others) / (N * 12)
    torch.testing.assert_close(slopes[0], expected[:, None, None, None].expand_as(fake).detach())


class Mean(nn.Module):
    """Scores an image by its brightness."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = level

    def forward(self, images: Tensor) -> Tensor:
        return self.level + images.mean((1, 2, 3))


def fitted(steps: int, **options: Any) -> ESRGAN:
    module = esrgan(False, **options).float()
    source, target = (each.float().repeat(steps, 1, 1, 1) for each in pair())
    data = torch.utils.data.TensorDataset(source, target)
    trainer().fit(module, torch.utils.data.DataLoader(data, batch_size=N))
    return module.eval()


def test_what_l1_alone_gave_is_kept() -> None:
    alone, longer = fitted(3, pretraining_steps=3), fitted(6, pretraining_steps=3)
    for name, value in alone.generator.state_dict().items():
        assert torch.equal(longer.psnr_generator.state_dict()[name], value)
        assert not torch.equal(longer.generator.state_dict()[name], value)
    assert not list(longer.psnr_generator.parameters())


@pytest.mark.parametrize("averaged", [None, 0.9])
def test_the_networks_between(averaged: float | None) -> None:
    module, source = fitted(6, pretraining_steps=3, average_decay=averaged), pair()[0].float()
    trained = module.serving("generator")
    for alpha in (0.0, 0.3, 1.0):
        module.interpolation = alpha
        between = Enlarge()
        between.load_state_dict(
            {
                name: (1 - alpha) * value + alpha * trained.state_dict()[name]
                for name, value in module.psnr_generator.state_dict().items()
            }
        )
        torch.testing.assert_close(module(source), between(source))
    module.interpolation = 0.3
    assert torch.equal(module.train()(source), module.generator(source)), "training is not interpolated"


@pytest.mark.parametrize(("steps", "pretraining"), [(2, 3), (2, 0)])
def test_without_a_network_of_l1_alone_there_is_none_between(steps: int, pretraining: int) -> None:
    module, source = fitted(steps, pretraining_steps=pretraining), pair()[0].float()
    module.interpolation = 0.3
    assert torch.equal(module(source), module.generator(source))


def test_weights_of_two_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="expected the weights of one network twice"):
        interpolated(nn.Linear(2, 2).state_dict(), nn.Linear(2, 3).state_dict(), 0.5)
    norm = nn.BatchNorm2d(2).state_dict()
    later = {name: value + 2 for name, value in norm.items()}
    assert interpolated(norm, later, 0.5)["num_batches_tracked"] == 2
    assert interpolated(norm, later, 0.5)["running_mean"].tolist() == [1, 1]


def test_the_papers_numbers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(ESRGAN).parameters.items()}
    assert defaults["adversarial_weight"] == 5e-3 and defaults["l1_weight"] == 1e-2
    assert defaults["betas"] == (0.9, 0.99) and defaults["learning_rate"] == 1e-4
    module = esrgan(pretraining_steps=1_000_000)
    rates = [1e-4 * module.generator_rate(step) for step in (0, 200_000, 999_999, 1_000_000, 1_050_000, 1_300_000)]
    assert rates == pytest.approx([2e-4, 1e-4, 2e-4 / 16, 1e-4, 5e-5, 1e-4 / 16])
