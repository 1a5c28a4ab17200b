"""StarGAN: its losses, the domain that reaches the translation, the schedule, and the emoji in styles."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.optim import Adam

from datamodules import EmojiStyles
from gan_modules import StarGAN
from gan_modules.networks import StarGANDiscriminator, StarGANGenerator
from gan_modules.randomness import Stream, mix, using
from transcribed import assert_same, unreached

N, NAMES = 6, ("red", "green", "blue")


class Translate(nn.Module):
    """Pictures of 1 x 3 x 3 and a domain -> pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(9 + 3, 8), nn.Tanh(), nn.Linear(8, 9), nn.Tanh())

    def forward(self, source: Tensor, domains: Tensor) -> Tensor:
        return self.layers(torch.cat([source.flatten(1), one_hot(domains, 3).to(source)], dim=1)).view_as(source)


class Judge(nn.Module):
    """Pictures of 1 x 3 x 3 -> two scores each, and logits of three domains."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(9, 6), nn.Tanh())
        self.score, self.classify = nn.Linear(6, 2, bias=False), nn.Linear(6, 3)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(images)
        return self.score(features), self.classify(features)


def stargan(**options: Any) -> StarGAN:
    return StarGAN(Translate(), Judge(), NAMES, **options).double()


def batch() -> tuple[Tensor, Tensor, Tensor]:
    images = 2 * torch.rand(N, 1, 3, 3, dtype=torch.float64) - 1
    return images, torch.arange(N) % 3, torch.tensor([1, 1, 0, 2, 0, 0])


def named(logits: Tensor, labels: Tensor) -> Tensor:
    """-E log of the share of the label."""
    shares = logits.exp() / logits.exp().sum(1, keepdim=True)
    return -torch.stack([share[label] for share, label in zip(shares, labels, strict=True)]).log().sum() / N


def test_the_losses() -> None:
    module, (x, labels, wanted) = stargan(class_weight=2.0, reconstruction_weight=3.0, penalty_weight=5.0), batch()
    g, d = module.generator, module.discriminator

    def of_discriminator() -> Tensor:
        fake = g(x, wanted).detach()
        place = torch.rand(N, 1, 1, 1, generator=_generator(), dtype=torch.float64)
        points = (x + place * (fake - x)).requires_grad_()
        (slopes,) = torch.autograd.grad(d(points)[0].sum(), points, create_graph=True)
        penalty = ((slopes.square().sum((1, 2, 3)).sqrt() - 1) ** 2).mean()
        return d(fake)[0].mean() - d(x)[0].mean() + 2 * named(d(x)[1], labels) + 5 * penalty

    def of_generator() -> Tensor:
        fake = g(x, wanted)
        return 3 * (x - g(fake, labels)).abs().mean() + 2 * named(d(fake)[1], wanted) - d(fake)[0].mean()

    assert_same(lambda: module.discriminator_loss(x, labels, wanted)[0], of_discriminator, d)
    assert_same(lambda: module.generator_loss(x, labels, wanted)[0], of_generator, g)
    assert unreached(module.discriminator_loss(x, labels, wanted)[0], g)
    assert unreached(module.generator_loss(x, labels, wanted)[2], d), "the way back is not judged"


def _generator() -> torch.Generator:
    """Of the first numbers that are drawn from the stream of `assert_same`."""
    return torch.Generator().manual_seed(mix(5, 0))


def test_translations_are_not_classified_by_the_discriminators_loss() -> None:
    module, (x, labels, wanted) = stargan(penalty_weight=0.0), batch()
    given = list(module.discriminator.classify.parameters())
    ours = torch.autograd.grad(module.discriminator_loss(x, labels, wanted)[0], given)
    real_alone = torch.autograd.grad(named(module.discriminator(x)[1], labels), given)
    torch.testing.assert_close(ours, real_alone)


@pytest.mark.parametrize("n_critic", [1, 5])
def test_the_generator_steps_on_every_fifth_batch_towards_the_domains_of_that_batch(
    n_critic: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, steps = stargan(n_critic=n_critic), list[tuple[int, str, Tensor]]()
    monkeypatch.setattr(module, "optimizers", lambda: ["discriminator", "generator"])

    def descend(optimizer: str, loss: Any, real: Tensor, labels: Tensor, wanted: Tensor) -> tuple[Tensor, ...]:
        steps.append((module.batches_seen, optimizer, wanted))
        return (torch.zeros(()),) * (2 if optimizer == "discriminator" else 3)

    monkeypatch.setattr(module, "descend", descend)
    for number in range(1, 11):
        module.batches_seen = number
        with using(Stream(number)):
            module.training_step(batch()[:2], 0)
    assert [at for at, who, _ in steps if who == "discriminator"] == list(range(1, 11))
    assert [at for at, who, _ in steps if who == "generator"] == list(range(n_critic, 11, n_critic))
    told = {at: wanted for at, who, wanted in steps if who == "discriminator"}
    assert all(torch.equal(wanted, told[at]) for at, who, wanted in steps if who == "generator")
    assert {int(each) for wanted in told.values() for each in wanted} == {0, 1, 2}


def test_the_domain_reaches_a_translation_through_instance_norm() -> None:
    """A constant map is taken away by the norm, were it not for the zeros around it."""
    torch.manual_seed(0)
    generator, source = StarGANGenerator(3, 3, 8, 1, 1), torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        one, other = generator(source, torch.tensor([0, 0])), generator(source, torch.tensor([1, 1]))
        assert (one - other).abs().mean() > 1e-3
        generator.layers[0].padding_mode = "reflect"  # type: ignore[union-attr,assignment]
        generator.layers[0]._reversed_padding_repeated_twice = [3] * 4  # type: ignore[union-attr,assignment]
        one, other = generator(source, torch.tensor([0, 0])), generator(source, torch.tensor([1, 1]))
        assert (one - other).abs().max() < 1e-4


def test_a_residual_generator_begins_with_its_source() -> None:
    torch.manual_seed(0)
    generator, source = StarGANGenerator(3, 3, 8, 1, 1, residual=True), 2 * torch.rand(2, 3, 16, 16) - 1
    changed = generator(source, torch.tensor([0, 2]))
    assert changed.abs().max() < 1 and not torch.allclose(changed, 0.95 * source, atol=1e-3)
    nn.init.zeros_(generator.layers[-1].weight)  # type: ignore[arg-type]
    torch.testing.assert_close(generator(source, torch.tensor([0, 2])), 0.95 * source)
    ones = torch.ones(1, 3, 16, 16, requires_grad=True)
    (gradient,) = torch.autograd.grad(generator(ones, torch.tensor([0])).sum(), ones)
    assert gradient.isfinite().all()


def test_the_discriminator_sees_its_images_from_the_start() -> None:
    """As the authors', which torch initialises; six layers from N(0, 0.02^2) would score all images alike."""
    torch.manual_seed(0)
    discriminator, images = StarGANDiscriminator(5, 128, 3, 8, 6), 2 * torch.rand(4, 3, 128, 128) - 1
    assert (discriminator(images)[0] - discriminator(-images)[0]).abs().max() > 1e-3


def test_the_domain_is_chosen() -> None:
    module, (x, _, wanted) = stargan(), batch()
    torch.testing.assert_close(module(x, wanted)[2:4], torch.cat([module(x, 0)[2:3], module(x, 2)[3:4]]))
    torch.testing.assert_close(module(x), module(x, 0))


def test_validation_has_a_direction_for_each_domain_where_the_truth_is_known() -> None:
    module, pictures = stargan(), torch.rand(3, N, 1, 3, 3, dtype=torch.float64)
    views = module.validation_step(tuple(pictures), 0)
    assert list(views) == ["blue_to_red", "red_to_green", "green_to_blue"]
    for place, view in enumerate(views.values()):
        assert torch.equal(view["source"], pictures[place - 1]) and torch.equal(view["truth"], pictures[place])
        assert torch.equal(view["fake"], module(pictures[place - 1], place))
    real, labels, _ = batch()
    view = module.validation_step((real, labels), 0)
    assert torch.equal(view["fake"], module(real, labels.roll(1))) and torch.equal(view["real"], real)


def test_defaults_are_the_papers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(StarGAN).parameters.items()}
    numbers = {"class_weight": 1, "reconstruction_weight": 10, "penalty_weight": 10, "n_critic": 5}
    numbers |= {"constant_steps": 100_000, "decay_steps": 100_000}
    assert {name: defaults[name] for name in numbers} == numbers
    for configured, steps in zip(stargan().configure_optimizers(), (200_000, 40_000), strict=True):
        optimizer, scheduler = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
        assert isinstance(optimizer, Adam)
        assert (optimizer.defaults["lr"], optimizer.defaults["betas"]) == (1e-4, (0.5, 0.999))
        factor = scheduler.lr_lambdas[0]
        assert factor(steps // 2 - 1) == 1 and factor(3 * steps // 4) == pytest.approx(0.5, abs=1e-3)
        assert factor(steps) == 0


def test_emoji_in_styles_share_no_picture_in_training_and_all_of_them_held_out() -> None:
    styles: Any = ("noto", "grey", "twemoji")
    data = EmojiStyles(styles, image_size=8, batch_size=4, seed=0)
    data.setup("fit")
    (images,), labels = data.training.columns, data.training.labels
    assert labels is not None and isinstance(images, Tensor) and len(images) == 3407
    assert data.class_names == list(styles) and labels.bincount().tolist() == [1136, 1136, 1135]
    grey = images[labels == 1]
    assert torch.equal(grey[:, 0], grey[:, 1]) and not torch.equal(images[labels == 0][:, 0], images[labels == 0][:, 1])
    noto, in_grey, twemoji = (column[:] for column in data.held_out.columns)  # type: ignore[index]
    assert len(noto) == 379 and noto.shape == in_grey.shape == twemoji.shape
    apart = (noto.float().mean(1) - in_grey.float().mean(1)).abs().mean()
    assert apart < 0.5 * (noto.float() - noto.roll(1, 0).float()).mean(1).abs().mean(), "one emoji in all styles"
    training, held_out = next(iter(data.train_dataloader())), next(iter(data.val_dataloader()))
    images, labels = data.on_after_batch_transfer(training, 0)  # type: ignore[misc]
    assert images.shape == (4, 3, 8, 8) and labels.dtype == torch.int64
    assert len(data.on_after_batch_transfer(held_out, 0)) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize("styles", [("noto",), ("noto", "noto"), ("noto", "sepia"), "noto", ()])
def test_styles_that_are_none_are_refused(styles: Any) -> None:
    with pytest.raises(ValueError, match="styles"):
        EmojiStyles(styles)


def test_a_discriminator_names_what_its_size_must_be() -> None:
    with pytest.raises(ValueError, match="image_size must be a multiple of 64, got 32"):
        StarGANDiscriminator(image_size=32)
