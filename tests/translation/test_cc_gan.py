"""CC-GAN: random holes that belong to the sample, a discriminator that also names classes."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_modules import CCGAN
from gan_modules.objectives import cross_entropy_to
from gan_modules.randomness import Stream, using
from transcribed import assert_same, unreached
from zoo.own import CLASSES, Judge

N, SIDE = 6, 8
LABELS = torch.tensor([0, -1, 2, -1, 1, -1])


def cc_gan(**options: Any) -> CCGAN:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.SiLU(), nn.Conv2d(4, 3, 3, padding=1), nn.Tanh())
    return CCGAN(generator, Judge(classes=CLASSES), **{"hole_size": 3, **options}).double()


def pictures(count: int = N) -> Tensor:
    torch.manual_seed(1)
    return 2 * torch.rand(count, 3, SIDE, SIDE, dtype=torch.float64) - 1


@pytest.mark.parametrize("label", [0.9, 1.0])
def test_the_losses(label: float) -> None:
    module, real = cc_gan(class_weight=0.3, real_label=label), pictures()
    g, d = module.generator, module.discriminator

    def filled() -> Tensor:
        hole = module.holes(real) > 0
        return torch.where(hole, g(torch.where(hole, 0.0, real)), real)

    def entropy(scores: Tensor, target: float) -> Tensor:
        p = torch.sigmoid(scores)
        return -(target * p.log() + (1 - target) * (1 - p).log()).mean()

    def classes() -> Tensor:
        shares = d(real)[1].softmax(1)
        return -torch.stack([shares[i, label] for i, label in enumerate(LABELS) if label >= 0]).log().mean()

    def of_discriminator() -> Tensor:
        fake = filled().detach()
        return entropy(d(real)[0], label) + entropy(d(fake)[0], 0.0) + 0.3 * classes()

    assert_same(lambda: module.discriminator_loss(real, LABELS)[0], of_discriminator, d)
    assert_same(lambda: module.generator_loss(real), lambda: entropy(d(filled())[0], label), g)
    assert unreached(module.discriminator_loss(real, LABELS)[0], g)
    torch.testing.assert_close(module.discriminator_loss(real, LABELS)[1], classes())


def test_without_labels_there_is_no_class_loss() -> None:
    module, real = cc_gan(), pictures()
    assert module.discriminator_loss(real, torch.full((N,), -1))[1] == 0


def test_the_smoothed_optimum_is_the_label() -> None:
    score = torch.tensor([2.1972245773362196], dtype=torch.float64, requires_grad=True)  # log 0.9 / 0.1
    (slope,) = torch.autograd.grad(cross_entropy_to(score, 0.9), score)
    assert slope.abs() < 1e-12


def test_holes_are_anywhere_and_belong_to_the_sample() -> None:
    module, real = cc_gan(), pictures(600)
    with using(Stream(3)):
        hole = module.holes(real)
    assert hole.unique().tolist() == [0, 1] and (hole.sum((1, 2, 3)) == 9).all()
    corners = (hole[:, 0] > 0).flatten(1).int().argmax(1)
    places = torch.stack([corners // SIDE, corners % SIDE], dim=1)
    assert places.amin(0).tolist() == [0, 0] and places.amax(0).tolist() == [SIDE - 3, SIDE - 3]
    counts = torch.bincount(6 * places[:, 0] + places[:, 1], minlength=36)
    assert counts.min() > 3 and counts.max() < 40
    with using(Stream(3, 1, 2)):
        assert torch.equal(module.holes(real[1::2]), hole[1::2])
    with pytest.raises(ValueError, match="hole_size must be at most the pictures' side, 8, got 9"):
        cc_gan(hole_size=9).holes(real)


def test_the_generator_never_sees_what_it_fills() -> None:
    module, real = cc_gan(), pictures().requires_grad_()
    with using(Stream(3)):
        hole = module.holes(real)
    (slope,) = torch.autograd.grad((module.filled(real, hole) * hole).sum(), real)
    inside = (hole > 0).expand_as(real)
    assert not slope[inside].any() and slope[~inside].any()
    assert torch.equal(module.filled(real, hole)[~inside], real[~inside])


def test_the_codes_numbers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(CCGAN).parameters.items()}
    assert defaults["hole_size"] == 32 and defaults["real_label"] == 0.9 and defaults["class_weight"] == 1
    assert defaults["learning_rate"] == 2e-4 and defaults["betas"] == (0.5, 0.999)
