"""PixelDA: its losses, what they reach, the schedule, its networks, and the script that measures what it is worth."""

import inspect
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adam

from datamodules.order import Batches
from gan_modules import PixelDA
from gan_modules.evaluation import sides
from gan_modules.networks import ImageClassifier, PixelDADiscriminator, PixelDAGenerator
from gan_modules.objectives import masked_pairwise_error
from gan_modules.randomness import Stream, mix, using
from script_modules import loaded
from transcribed import assert_same, unreached
from untrained import saved

N, CODE, CLASSES = 6, 3, 4


class Translate(nn.Module):
    """Pictures of 1 x 3 x 3 and codes -> pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(9 + CODE, 8), nn.Tanh(), nn.Linear(8, 9), nn.Tanh())

    def forward(self, source: Tensor, code: Tensor) -> Tensor:
        return self.layers(torch.cat([source.flatten(1), code], dim=1)).view_as(source)


def numbers(count: int) -> nn.Module:
    """Pictures of 1 x 3 x 3 -> so many numbers each."""
    return nn.Sequential(nn.Flatten(), nn.Linear(9, 5), nn.Tanh(), nn.Linear(5, count))


def module(**options: Any) -> PixelDA:
    return PixelDA(Translate(), numbers(1), numbers(CLASSES), CODE, **options).double()


def batch() -> tuple[Tensor, Tensor, Tensor]:
    source, target = 2 * torch.rand(2, N, 1, 3, 3, dtype=torch.float64) - 1
    return source, target, torch.arange(N) % CLASSES


def codes() -> Tensor:
    """The first that are drawn from the stream of `assert_same`."""
    generator = torch.Generator().manual_seed(mix(5, 0))
    return 2 * torch.rand(N, CODE, generator=generator, dtype=torch.float64) - 1


def named(logits: Tensor, labels: Tensor) -> Tensor:
    """-E log of the share of the label."""
    shares = logits.exp() / logits.exp().sum(1, keepdim=True)
    return -torch.stack([share[label] for share, label in zip(shares, labels, strict=True)]).log().sum() / N


def pairs(differences: Tensor) -> Tensor:
    """Half the mean square, over all pairs of a picture's numbers, of how far their differences differ."""
    each = differences.flatten(1)
    return ((each[:, :, None] - each[:, None]) ** 2).mean((1, 2)).mean() / 2


def test_the_losses() -> None:
    adaptation, (source, target, labels) = module(domain_weight=0.3, task_weight=2.0, similarity_weight=5.0), batch()
    g, d, t = adaptation.generator, adaptation.discriminator, adaptation.classifier
    fake = g(source, codes()).detach()

    def of_generator() -> Tensor:
        drawn = g(source, codes())
        deceit = -torch.sigmoid(d(drawn)).log().mean()
        return 0.3 * deceit + 2 * named(t(drawn), labels) + 5 * pairs(source - drawn)

    def of_judges() -> Tensor:
        domain = -torch.sigmoid(d(target)).log().mean() - (1 - torch.sigmoid(d(fake))).log().mean()
        return 0.3 * domain + 2 * (named(t(fake), labels) + named(t(source), labels))

    def judged() -> Tensor:
        return adaptation.discriminator_loss(source, target, labels, fake)[0]

    assert_same(lambda: adaptation.generator_loss(source, labels)[0], of_generator, g)
    assert_same(judged, of_judges, d, t)
    assert unreached(judged(), g)
    _, own, adapted = adaptation.discriminator_loss(source, target, labels, fake)
    assert unreached(own, d) and unreached(adapted, d), "the task is the classifier's"
    assert not unreached(own, t) and not unreached(adapted, t), "it learns from the source and from translations"


def test_similarity_is_left_out_by_default() -> None:
    plain, (source, _, labels) = module(), batch()
    with using(Stream(5)):
        loss, task, fake = plain.generator_loss(source, labels)
    torch.testing.assert_close(loss, task - torch.sigmoid(plain.discriminator(fake)).log().mean())


@pytest.mark.parametrize("background", [0.0, 1.0])
def test_the_ground_need_not_be_kept(background: float) -> None:
    adaptation, (source, _, _) = module(similarity_weight=1.0, background=background), batch()
    source[:, :, :2] = 2 * background - 1
    fake = source.clone()
    fake[:, :, :2] = 0.3
    assert adaptation.similarity_loss(source, fake) == 0 < module().similarity_loss(source, fake)
    fake[:, :, 2, 1] += 0.5  # of 9 numbers one differs: 1/9 0.25 - (0.5/9)^2
    torch.testing.assert_close(adaptation.similarity_loss(source, fake).item(), 0.25 / 9 - 0.25 / 81)


def test_what_all_pixels_share_costs_nothing() -> None:
    x, y = torch.rand(2, 3, 2, 4, 4, dtype=torch.float64)
    whole = torch.ones(3, 1, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(masked_pairwise_error(x, y, whole), pairs(x - y))
    torch.testing.assert_close(masked_pairwise_error(x + 0.7, y, whole), pairs(x - y))
    mask = (torch.rand(3, 1, 4, 4) < 0.5).double()
    torch.testing.assert_close(masked_pairwise_error(x, y, mask), pairs((x - y) * mask))


def test_a_translation_is_made_once_and_serves_both_players(monkeypatch: pytest.MonkeyPatch) -> None:
    adaptation, (source, target, labels) = module(), batch()
    monkeypatch.setattr(adaptation, "optimizers", lambda: ["judges", "generator"])
    order, made = list[str](), list[Tensor]()

    def descend(optimizer: str, loss: Any, *inputs: Tensor) -> tuple[Tensor, ...]:
        order.append(optimizer)
        returned: tuple[Tensor, ...] = loss(*inputs)
        made.append(returned[2] if optimizer == "generator" else inputs[3])
        return tuple(each.detach() for each in returned)

    monkeypatch.setattr(adaptation, "descend", descend)
    with using(Stream(1)):
        adaptation.training_step((source, target, labels), 0)
    assert order == ["generator", "judges"] and torch.equal(*made)


def test_labels_of_the_target_are_asked_for_in_validation_alone() -> None:
    adaptation, (source, target, labels) = module().eval(), batch()
    view = adaptation.validation_step((source, target, labels), 0)
    assert torch.equal(view["predicted"], adaptation.classifier(target).argmax(1)) and view["classes"] is labels
    assert view["real"] is target and view["samples"].shape == (N, 3, 1, 3, 3) and "truth" not in view
    truth = torch.rand_like(source)
    assert adaptation.validation_step((source, target, truth, labels), 0)["truth"] is truth
    with pytest.raises(ValueError, match="adapts a domain: expected .source, target, labels., got"):
        adaptation.training_step((source, labels), 0)


def test_evaluation_hands_labels_on() -> None:
    adaptation = PixelDA(Translate(), numbers(1), numbers(CLASSES), CODE).eval()
    source, target = torch.randint(256, (2, N, 1, 3, 3), dtype=torch.uint8)
    made = sides.of_translator(adaptation, Batches(source, target, labels=torch.arange(N) % CLASSES), None, 0, {})
    shown = [part for _, part in made.parts(4)]
    assert torch.equal(torch.cat([cast(Tensor, part.source) for part in shown]), source) and not made.has_truth
    assert torch.equal(next(made.real[""].parts(N)).images, target)


def test_codes_are_uniform() -> None:
    drawn = module().codes(4000)
    assert drawn.min() >= -1 and drawn.max() < 1 and abs(drawn.var().item() - 1 / 3) < 0.02


def test_defaults_are_the_codes() -> None:
    defaults = {name: each.default for name, each in inspect.signature(PixelDA).parameters.items()}
    expected = {"latent_dim": 10, "domain_weight": 1, "task_weight": 1, "similarity_weight": 0, "weight_decay": 0}
    assert {name: defaults[name] for name in expected} == expected
    adaptation = module()
    judges, generator = adaptation.configure_optimizers()
    players = ((judges, (adaptation.discriminator, adaptation.classifier)), (generator, (adaptation.generator,)))
    for configured, networks in players:
        optimizer, scheduler = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
        assert isinstance(optimizer, Adam) and optimizer.defaults["betas"] == (0.5, 0.999)
        assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (1e-3, 0)
        stepped = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        assert stepped == {id(parameter) for network in networks for parameter in network.parameters()}
        factor = scheduler.lr_lambdas[0]
        assert [factor(step) for step in (0, 9_999, 10_000, 20_000)] == pytest.approx([1, 1, 0.95, 0.95**2])


def test_the_networks_are_the_codes() -> None:
    generator, discriminator = PixelDAGenerator(), PixelDADiscriminator()
    kernels = [layer.weight.shape for layer in generator.modules() if isinstance(layer, nn.Conv2d)]
    assert kernels == [(64, 4, 3, 3), *12 * [(64, 64, 3, 3)], (3, 64, 1, 1)]
    judging = [layer for layer in discriminator.modules() if isinstance(layer, nn.Conv2d)]
    shapes = [(layer.in_channels, layer.out_channels, layer.stride) for layer in judging]
    assert shapes == [(3, 64, (1, 1)), (64, 128, (2, 2)), (128, 256, (2, 2)), (256, 512, (2, 2))]
    classifier = ImageClassifier(norm=None, hidden=100, dropout=0.5)
    assert [tuple(each.shape) for each in classifier.parameters() if each.ndim > 1] == [
        (32, 3, 3, 3), (64, 32, 3, 3), (128, 64, 3, 3), (100, 128 * 4 * 4), (10, 100),
    ]  # fmt: skip


def test_a_code_makes_one_channel_which_larger_pictures_repeat() -> None:
    generator = PixelDAGenerator(1, 4, 2, 3, 0).eval()
    code, flat = torch.randn(1, 2), torch.zeros(1, 1, 4, 8)
    with torch.no_grad():
        one, other, wide = (
            generator(*given) for given in ((flat[..., :4], code), (flat[..., :4], -code), (flat, code))
        )
    assert one.shape == (1, 1, 4, 4) and not torch.equal(one, other)
    torch.testing.assert_close(wide[..., 1:3], wide[..., 5:7])  # beside borders the surroundings differ
    with pytest.raises(ValueError, match="height and a width that 4 divides, got 4 x 6"):
        generator(torch.zeros(1, 1, 4, 6), code)


def test_a_discriminator_is_disturbed_in_training_alone() -> None:
    images = torch.randn(2, 3, 8, 8)
    discriminator = PixelDADiscriminator(8, 3, 4)
    assert not torch.equal(discriminator(images), discriminator(images))
    discriminator.eval()
    assert torch.equal(discriminator(images), discriminator(images))


def test_the_script_measures_three_classifiers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = {"image_size": 8, "width": 2}
    data, networks = {"image_size": 8, "batch_size": 400}, dict.fromkeys(("discriminator", "classifier"), small)
    checkpoint = saved(tmp_path, "pixel_da", data, generator={**small, "blocks": 1}, **networks)
    loaded("adaptation").run(["--checkpoint", str(checkpoint)])
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["classifier", "target", "source"]
    assert [row[:16].strip() for row in rows] == ["source only", "pixel_da", "target only"]
    assert np.array([row[16:].replace("%", "").split() for row in rows], float).max() <= 100


def test_the_script_wants_an_adaptation(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path, "gan", {"points": 8, "held_out_points": 8})
    with pytest.raises(ValueError, match="is of a GAN, which adapts none; give a PixelDA's"):
        loaded("adaptation").run(["--checkpoint", str(checkpoint)])
