"""SPADE: the norm and both losses by hand, with and without codes, and the authors' numbers."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_modules import SPADE, randomness
from gan_modules.callbacks import TranslationScores, drawing
from gan_modules.networks import SPADEEncoder, SPADEGenerator, SpatialNorm
from transcribed import assert_same, unreached

N, CODE, SHAPE = 3, 2, (1, 2, 2)


class Translate(nn.Module):
    def __init__(self, code: int) -> None:
        super().__init__()
        self.linear = nn.Linear(4 + code, 4)

    def forward(self, source: Tensor, *code: Tensor) -> Tensor:
        return torch.tanh(self.linear(torch.cat([source.flatten(1), *code], 1))).unflatten(1, SHAPE)


class Encode(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2 * CODE)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return self.linear(images.flatten(1)).chunk(2, dim=1)


class Judge(nn.Module):
    """Two scales of a layer and scores."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.ModuleList([nn.Linear(8, 5), nn.Linear(8, 3)])
        self.last = nn.ModuleList([nn.Linear(5, 1), nn.Linear(3, 1)])

    def forward(self, images: Tensor, source: Tensor) -> list[list[Tensor]]:
        both = torch.cat([images.flatten(1), source.flatten(1)], 1)
        maps = [torch.tanh(first(both)) for first in self.first]
        return [[each, 2 * last(each)] for each, last in zip(maps, self.last, strict=True)]


class Bend(nn.Module):
    """A perceptual distance without parameters."""

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        return (fake.sin() - real.sin()).square().mean()


def spade(coded: bool, **options: Any) -> SPADE:
    torch.manual_seed(0)
    encoder = Encode() if coded else None
    return SPADE(Translate(CODE if coded else 0), Judge(), encoder, latent_dim=CODE, **options).double()


def pair() -> tuple[Tensor, Tensor]:
    return torch.randn(N, *SHAPE).double(), torch.rand(N, *SHAPE).double() * 2 - 1


@pytest.mark.parametrize("coded", [True, False])
def test_the_generators_loss_is_the_authors(coded: bool) -> None:
    weights = {"feature_weight": 3.0, "perceptual_weight": 0.6, "kl_weight": 0.3}
    module, (labels, target) = spade(coded, perceptual=Bend(), **weights), pair()

    def formula() -> Tensor:
        divergence, code = torch.zeros(()).double(), []
        if module.encoder is not None:
            mean, log_variance = module.encoder(target)
            code = [mean + (0.5 * log_variance).exp() * randomness.normal(N, CODE, dtype=torch.float64)]
            divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum() / N
        fake = module.generator(labels, *code)
        judged, wanted = module.discriminator(fake, labels), module.discriminator(target, labels)
        deceit = -sum(maps[1].mean() for maps in judged) / 2
        pairs = zip(judged, wanted, strict=True)
        matching = sum((made[0] - given[0].detach()).abs().mean() for made, given in pairs) / 2
        bent = ((fake.sin() - target.sin()) ** 2).mean()
        return deceit + 3.0 * matching + 0.6 * bent + 0.3 * divergence

    players = [module.generator, *([module.encoder] if module.encoder else [])]
    assert_same(lambda: module.generator_loss(labels, target)[0], formula, *players)


def test_the_discriminators_loss_is_the_hinge_averaged_over_scales() -> None:
    module, (labels, target) = spade(False), pair()
    fake = torch.randn(N, *SHAPE).double()

    def formula() -> Tensor:
        real, made = module.discriminator(target, labels), module.discriminator(fake, labels)
        total = sum((1 - maps[1]).clamp(min=0).mean() for maps in real)
        return (total + sum((1 + maps[1]).clamp(min=0).mean() for maps in made)) / 2

    assert_same(lambda: module.discriminator_loss(labels, target, fake), formula, module.discriminator)


def test_codes_and_styles_are_there_where_an_encoder_is() -> None:
    labels, target = pair()
    with_codes, without = spade(True).eval(), spade(False).eval()
    code = with_codes.style(target)
    assert torch.equal(code, with_codes.encoder(target)[0]) and code.shape == (N, CODE)  # type: ignore[misc]
    assert torch.equal(with_codes(labels, code), with_codes.generator(labels, code))
    assert with_codes.validation_step((labels, target), 0)["samples"].shape == (N, 3, *SHAPE)
    assert "samples" not in without.validation_step((labels, target), 0)
    assert (with_codes.generators, without.generators) == (("generator", "encoder"), ("generator",))
    with pytest.raises(ValueError, match="this SPADE has no encoder"):
        without.style(target)
    assert not unreached(with_codes.generator_loss(labels, target)[1], with_codes.encoder)  # type: ignore[arg-type]


def test_the_norm_is_equation_1() -> None:
    torch.manual_seed(0)
    norm, x, labels = SpatialNorm(3, 2, 4).double(), torch.randn(4, 3, 4, 4).double(), torch.randn(4, 2, 8, 8).double()
    found = norm(x, labels)
    small = labels[:, :, ::2, ::2]  # the nearest neighbour
    features = torch.relu(norm.shared(small))
    for channel in range(3):
        values = x[:, channel]
        unit = (values - values.mean()) / torch.sqrt(values.var(correction=0) + 1e-5)
        expected = unit * (1 + norm.scale(features)[:, channel]) + norm.shift(features)[:, channel]
        torch.testing.assert_close(found[:, channel], expected)
    nn.init.zeros_(norm.scale.weight)
    nn.init.zeros_(norm.shift.weight)
    for layer in (norm.scale, norm.shift):
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    torch.testing.assert_close(norm(x, labels), norm(x, -labels))


def test_the_generator_follows_labels_at_their_pixels() -> None:
    torch.manual_seed(0)
    network = SPADEGenerator(4, 3, 16, 4, 2, 0, 8).eval()
    labels = torch.randn(1, 4, 16, 16)
    changed = labels.clone()
    changed[:, :, 8, 8] += 3
    assert (network(labels) - network(changed)).abs()[0, :, 6:11, 6:11].max() > 1e-4
    with torch.device("meta"):  # the authors' 16, 16, 16, 16, 8, 4, 2 and 1 times 64 maps
        published = SPADEGenerator()
    assert published.base == 8
    assert [block.norms[0].norm.num_features // 64 for block in published.blocks] == [16, 16, 16, 16, 8, 4, 2]  # type: ignore
    with pytest.raises(ValueError, match="multiple of 4, got 18"):
        SPADEGenerator(4, 3, 18, 4, 2)
    with pytest.raises(ValueError, match="code_dim=0 but was given a code"):
        network(labels, torch.zeros(1, 3))


def test_the_encoder_is_the_authors() -> None:
    torch.manual_seed(0)
    network, images = SPADEEncoder(3, 16, 5, 4).eval(), torch.randn(2, 3, 16, 16)
    x = images
    for layer in network.layers:
        if isinstance(layer, nn.Conv2d):
            x = torch.nn.functional.conv2d(x, layer.weight, stride=2, padding=1)
            x = (x - x.mean((2, 3), True)) / (x.var((2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
            x = x.where(x > 0, 0.2 * x)
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2) < 1.1, "its largest singular value is about 1"
    for given, head in zip(network(images), (network.mean, network.log_variance), strict=True):
        torch.testing.assert_close(given, x.flatten(1) @ head.weight.T + head.bias)
    with torch.device("meta"):  # six halvings of 256 pixels, 64, 128, 256 and then 512 maps, and two linear maps
        published = SPADEEncoder()
    convolutions = 9 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 2 * 512 * 512)
    assert sum(p.numel() for p in published.parameters()) == convolutions + 2 * (512 * 4 * 4 + 1) * 256
    with pytest.raises(ValueError, match="power of two"):
        SPADEEncoder(3, 24)
    with pytest.raises(ValueError, match="16 x 16"):
        network(torch.randn(2, 3, 32, 32))


def test_maps_of_labels_are_shown_by_colours_and_doing_nothing_has_no_value() -> None:
    maps = torch.full((1, 4, 2, 2), -1.0)
    for place in range(4):
        maps[0, place, place // 2, place % 2] = 1
    shown = drawing.as_pictures(maps)[0].flatten(1).T
    assert len(shown.unique(dim=0)) == 4 and shown[0].tolist() == [1, 1, 1] and shown.abs().max() <= 1
    assert torch.equal(drawing.as_pictures(maps[:, :3]), maps[:, :3])
    view = {"source": maps, "fake": torch.zeros(1, 3, 2, 2), "real": torch.zeros(1, 3, 2, 2)}
    identity = next(scorer for scorer in TranslationScores().scorers() if scorer.name == "swd_identity")
    identity.feed(identity.metric, view, False)
    assert not identity.compute()


def test_the_numbers_are_the_authors() -> None:
    defaults = {name: each.default for name, each in inspect.signature(SPADE).parameters.items()}
    assert (defaults["feature_weight"], defaults["perceptual_weight"], defaults["kl_weight"]) == (10.0, 10.0, 0.05)
    assert (defaults["generator_rate"], defaults["discriminator_rate"], defaults["betas"]) == (1e-4, 4e-4, (0.0, 0.9))
    assert (defaults["latent_dim"], defaults["constant_epochs"], defaults["decay_epochs"]) == (256, 50, 0)
