"""CGAN is its paper: both players are told the class, and at the optimum each class is a game of its own."""

import inspect
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gan_modules import CGAN, networks, randomness
from transcribed import assert_same
from variants import build

CLASSES = 3
LABELS = torch.tensor([0, 1, 2, 2, 0])


class Join(nn.Module):
    """Inputs and labels, joined as in the paper -> outputs."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs + CLASSES, 6), nn.Tanh(), nn.Linear(6, outputs))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        joined = self.layers(torch.cat([x, one_hot(labels, CLASSES).to(x)], dim=1))
        return joined.squeeze(1) if joined.shape[1] == 1 else joined


def tiny() -> CGAN:
    return CGAN(Join(2, 4), Join(4, 1), CLASSES, latent_dim=2).double()


def test_the_losses_are_those_of_equation_2() -> None:
    module, real = tiny(), torch.randn(5, 4, dtype=torch.float64)

    def probability(images: Tensor) -> Tensor:
        return module.discriminator(images, LABELS).sigmoid()

    def fake() -> Tensor:
        return module.generator(randomness.normal(5, 2, dtype=torch.float64), LABELS)

    def of_discriminator() -> Tensor:
        return -(probability(real).log() + (1 - probability(fake().detach())).log()).mean()

    assert_same(lambda: module.discriminator_loss(real, LABELS), of_discriminator, module.discriminator)
    assert_same(lambda: module.generator_loss(LABELS), lambda: -probability(fake()).log().mean(), module.generator)


def test_the_discriminators_loss_leaves_the_generator_alone() -> None:
    module = tiny()
    module.discriminator_loss(torch.randn(5, 4, dtype=torch.float64), LABELS).backward()
    assert all(parameter.grad is None for parameter in module.generator.parameters())


class Counts(nn.Module):
    """A generator of outcomes whose frequencies depend on the class, whatever the noise."""

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return Q_OUTCOMES[:, None]


class Table(nn.Module):
    """A discriminator that can be any function of outcome and class."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(2, 3, dtype=torch.float64))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.scores[labels, x[:, 0]]


# eight samples of class 0 and four of class 1, of outcomes 0 to 2: means over them are expectations, without error
OF_CLASS = torch.tensor([0] * 8 + [1] * 4)
P_OUTCOMES = torch.tensor([0, 0, 0, 0, 0, 1, 1, 2] + [0, 1, 2, 2])
Q_OUTCOMES = torch.tensor([0, 1, 1, 1, 2, 2, 2, 2] + [0, 0, 1, 2])


def test_the_best_discriminator_compares_within_a_class() -> None:
    """Its score is log p(x | y) / q(x | y): how often a class comes does not matter."""
    module = CGAN(Counts(), Table(), num_classes=2)
    p, q = (
        torch.stack([torch.bincount(outcomes[label == OF_CLASS], minlength=3).double() for label in (0, 1)])
        for outcomes in (P_OUTCOMES, Q_OUTCOMES)
    )
    table = cast(Table, module.discriminator)
    table.scores.data = (p / q).log()
    module.discriminator_loss(P_OUTCOMES[:, None], OF_CLASS).backward()
    assert table.scores.grad is not None
    torch.testing.assert_close(table.scores.grad, torch.zeros(2, 3, dtype=torch.float64))
    assert (p.sum(0) / q.sum(0)).log().sub(table.scores).abs().max() > 0.2, "which no score without classes could be"


@pytest.mark.parametrize("own", [False, True], ids=["ours", "user's networks"])
def test_both_players_depend_on_the_label(own: bool) -> None:
    module = cast(CGAN, build("cgan", own)).double()
    z, images = (
        torch.randn(1, 4).double().expand(CLASSES, -1),
        torch.rand(1, 3, 8, 8).double().expand(CLASSES, -1, 8, 8),
    )
    for network, inputs in ((module.generator, z), (module.discriminator, images)):
        outputs = network.eval()(inputs, torch.arange(CLASSES)).reshape(CLASSES, -1)
        assert torch.pdist(outputs).min() > 1e-9


def test_a_label_is_a_map_of_ones() -> None:
    judge = networks.ConditionalDCGANDiscriminator(8, 1, 2, norm=None, num_classes=CLASSES)
    seen: list[Tensor] = []
    judge.trunk.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images = torch.rand(5, 1, 8, 8)
    judge(images, LABELS)
    assert torch.equal(seen[0][:, :1], images)
    for image, label in zip(seen[0], LABELS, strict=True):
        assert torch.equal(image[1:].mean((1, 2)), torch.eye(CLASSES)[label])
        assert torch.equal(image[1:].amin((1, 2)), image[1:].amax((1, 2)))


def test_generated_classes_are_those_of_the_data() -> None:
    module, shown = tiny(), list[Tensor]()
    module.discriminator.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[1]))
    module.discriminator_loss(torch.randn(5, 4, dtype=torch.float64), LABELS)
    module.generator_loss(LABELS)
    assert len(shown) == 3 and all(torch.equal(labels, LABELS) for labels in shown)


def test_the_defaults_are_dcgans() -> None:
    defaults = {name: each.default for name, each in inspect.signature(CGAN).parameters.items()}
    assert (defaults["learning_rate"], defaults["betas"], defaults["latent_dim"]) == (2e-4, (0.5, 0.999), 100)
