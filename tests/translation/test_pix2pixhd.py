"""pix2pixHD: matching of features by hand, what each term trains, coarse to fine, and the authors' weights."""

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan_modules import Pix2PixHD
from gan_modules.matching import PerceptualDistance, feature_matching, scores
from gan_modules.networks import LocalEnhancer, PyramidDiscriminator
from transcribed import assert_same, unreached
from variants import trainer

N, SHAPE = 3, (1, 2, 2)


class Translate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, source: Tensor) -> Tensor:
        return torch.tanh(self.linear(source.flatten(1))).unflatten(1, SHAPE)


class Judge(nn.Module):
    """Two scales of two layers and scores."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.ModuleList([nn.Linear(8, 5), nn.Linear(8, 3)])
        self.second = nn.ModuleList([nn.Linear(5, 4), nn.Linear(3, 2)])
        self.last = nn.ModuleList([nn.Linear(4, 1), nn.Linear(2, 1)])

    def forward(self, images: Tensor, source: Tensor) -> list[list[Tensor]]:
        both, found = torch.cat([images.flatten(1), source.flatten(1)], 1), []
        for first, second, last in zip(self.first, self.second, self.last, strict=True):
            one = torch.tanh(first(both))
            two = torch.tanh(second(one))
            found.append([one, two, last(two)])
        return found


class Features(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.dropout = nn.Linear(4, 3), nn.Dropout(0.5)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images, self.dropout(torch.tanh(self.linear(images.flatten(1))))]


def pix2pixhd(perceptual: nn.Module | None = None, **options: Any) -> Pix2PixHD:
    torch.manual_seed(0)
    return Pix2PixHD(Translate(), Judge(), perceptual, **options).double()


def pair() -> tuple[Tensor, Tensor]:
    return torch.randn(N, *SHAPE).double(), torch.rand(N, *SHAPE).double() * 2 - 1


def matched(fake: list[list[Tensor]], real: list[list[Tensor]]) -> float:
    """The authors' loop: weights of 4 / (n_layers + 1) and 1 / num_D; here n_layers + 1 is two."""
    total = 0.0
    for made, given in zip(fake, real, strict=True):
        for layer in range(2):
            total += 0.5 * (4 / 2) * float(np.abs(made[layer].detach().numpy() - given[layer].detach().numpy()).mean())
    return total


def test_the_generators_loss_is_equation_5() -> None:
    distance = PerceptualDistance(Features().double(), (0.5, 2.0))
    module, (source, target) = pix2pixhd(distance, feature_weight=3.0, perceptual_weight=0.7), pair()
    linear = module.perceptual.network.linear  # type: ignore[union-attr]

    def formula() -> Tensor:
        fake = module.generator(source)
        judged, wanted = module.discriminator(fake, source), module.discriminator(target, source)
        deceit = sum(((maps[-1] - 1) ** 2).mean() for maps in judged)
        pairs = [
            (made[layer] - given[layer].detach()).abs().mean()
            for made, given in zip(judged, wanted, strict=True)
            for layer in range(2)
        ]
        maps = [torch.tanh(linear(images.flatten(1))) for images in (fake, target)]
        seen = 0.5 * (fake - target).abs().mean() + 2.0 * (maps[0] - maps[1]).abs().mean()
        return deceit + 3.0 * sum(pairs) / 2 * (4 / 2) + 0.7 * seen

    assert_same(lambda: module.generator_loss(source, target)[0], formula, module.generator)
    fake = module.generator(source)
    value = matched(module.discriminator(fake, source), module.discriminator(target, source))
    assert module.generator_loss(source, target)[1].item() == pytest.approx(value, rel=1e-12)


def test_the_discriminators_loss_is_least_squares_at_every_scale() -> None:
    module, (source, target) = pix2pixhd(), pair()
    fake = torch.randn(N, *SHAPE).double()

    def formula() -> Tensor:
        real, made = module.discriminator(target, source), module.discriminator(fake, source)
        return 0.5 * sum(((r[-1] - 1) ** 2).mean() + (f[-1] ** 2).mean() for r, f in zip(real, made, strict=True))

    assert_same(lambda: module.discriminator_loss(source, target, fake), formula, module.discriminator)


def test_matching_has_no_gradient_through_the_target_and_none_through_scores() -> None:
    maps = [torch.randn(2, 3, requires_grad=True) for _ in range(4)]
    loss = feature_matching([maps[:2]], [[each.detach() for each in maps[2:]]])
    gradients = torch.autograd.grad(loss, maps[:2], allow_unused=True)
    assert gradients[0] is not None and gradients[1] is None
    assert feature_matching([maps], [maps]) == 0
    module, (source, target) = pix2pixhd(feature_weight=1e6), pair()
    loss = module.generator_loss(source, target)[1]
    assert not unreached(loss, module.generator)
    judged = module.discriminator(target, source)
    assert all(one is maps[-1] for one, maps in zip(scores(judged), judged, strict=True))


def test_the_perceptual_network_is_frozen_and_stays_in_evaluation_mode() -> None:
    network = Features()
    distance = PerceptualDistance(network, (1.0, 1.0))
    module = pix2pixhd(distance).float()
    before = {name: value.clone() for name, value in distance.state_dict().items()}
    source, target = (each.float() for each in pair())
    fit = trainer()
    fit.fit(module, torch.utils.data.DataLoader(torch.utils.data.TensorDataset(source, target), batch_size=N))
    assert not list(distance.parameters()) and list(network.parameters())
    assert module.training and not distance.network.dropout.training  # type: ignore[union-attr]
    assert all(torch.equal(value, before[name]) for name, value in distance.state_dict().items())
    held = {id(parameter) for optimizer in fit.optimizers for g in optimizer.param_groups for parameter in g["params"]}
    assert held == {id(parameter) for parameter in module.parameters()}
    images = torch.randn(2, *SHAPE, requires_grad=True)
    assert distance(images, images.detach()) == 0
    assert torch.autograd.grad(distance(images, torch.zeros(2, *SHAPE)), images)[0].abs().sum() > 0
    with pytest.raises(ValueError, match="weights"):
        PerceptualDistance(network, ())


def test_the_numbers_are_the_authors() -> None:
    defaults = {name: each.default for name, each in inspect.signature(Pix2PixHD).parameters.items()}
    assert (defaults["feature_weight"], defaults["perceptual_weight"]) == (10.0, 10.0)
    assert (defaults["learning_rate"], defaults["betas"]) == (2e-4, (0.5, 0.999))
    assert (defaults["constant_epochs"], defaults["decay_epochs"]) == (100, 100)
    weights = inspect.signature(PerceptualDistance).parameters["weights"].default
    assert weights == (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
    with torch.device("meta"):
        assert len(list(PyramidDiscriminator(features=True).scales)) == 3


def test_the_enhancer_adds_what_the_coarse_network_sees_at_half_the_size() -> None:
    network = LocalEnhancer(1, 3, 4, 1, 1, 1)
    seen: list[Tensor] = []
    network.coarse.register_forward_hook(lambda _, inputs, output: seen.extend([inputs[0], output]))
    source = torch.randn(2, 1, 16, 8)
    network(source)
    torch.testing.assert_close(seen[0], torch.nn.functional.avg_pool2d(source, 3, 2, 1, count_include_pad=False))
    assert seen[1].shape == (2, 8, 8, 4) == network.halving(source).shape
    assert not any(isinstance(part, nn.Tanh) for part in network.coarse)
    with pytest.raises(ValueError, match="that 4 divides, of at least 8 pixels, got 18 x 8"):
        network(torch.randn(2, 1, 18, 8))
