"""CUT: the contrast of patches against a loop, who gets its gradient, the patches and flips that are drawn."""

import inspect
import math
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.optim import Adam

from gan_modules import CUT
from gan_modules.cli import presets
from gan_modules.networks import PatchHeads, ResNetTranslator
from gan_modules.objectives import patch_nce
from gan_modules.randomness import Stream, using
from transcribed import assert_same, unreached

N, SIDE = 3, 6


class Encode(nn.Module):
    """A translator of 2 x 6 x 6, whose features are the picture and a convolution of it at half the size."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(2, 3, 2, 2), nn.ConvTranspose2d(3, 2, 2, 2)

    def forward(self, source: Tensor, encode: bool = False) -> Any:
        features = torch.tanh(self.first(source))
        return [source, features] if encode else torch.tanh(self.last(features))


def cut(**options: Any) -> CUT:
    judge = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Conv2d(3, 1, 3))
    torch.manual_seed(0)
    module = CUT(Encode(), judge, PatchHeads((2, 3), 4), **options).double()
    for parameter in module.heads.parameters():
        nn.init.normal_(parameter)
    return module


def domains() -> tuple[Tensor, Tensor]:
    x, y = 2 * torch.rand(2, N, 2, SIDE, SIDE, dtype=torch.float64) - 1
    return x, y


def units(*shape: int) -> Tensor:
    return normalize(torch.randn(*shape, dtype=torch.float64), dim=2)


def by_loops(queries: Tensor, keys: Tensor, temperature: float) -> tuple[float, np.ndarray]:
    """The authors' form: one positive and, but for it, the negatives of the image; and the slope by the queries."""
    total, slope, (count, patches, _) = 0.0, np.zeros(tuple(queries.shape)), queries.shape
    for image, (query, key) in enumerate(zip(queries.numpy(), keys.numpy(), strict=True)):
        for i in range(patches):
            shares = [math.exp(query[i] @ key[j] / temperature) for j in range(patches)]
            positive, negative = shares[i], sum(shares[j] for j in range(patches) if j != i)
            total -= math.log(positive / (positive + negative))
            mean = sum(share * key[j] for j, share in enumerate(shares)) / sum(shares)
            slope[image, i] = (mean - key[i]) / temperature / (count * patches)
    return total / (count * patches), slope


@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_the_contrast_is_the_loops(temperature: float) -> None:
    queries, keys = units(N, 5, 4).requires_grad_(), units(N, 5, 4).requires_grad_()
    value = patch_nce(queries, keys, temperature)
    expected, slope = by_loops(queries.detach(), keys.detach(), temperature)
    assert value.item() == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(torch.autograd.grad(value, queries, retain_graph=True)[0].numpy(), slope, atol=1e-12)
    assert torch.autograd.grad(value, keys, allow_unused=True) == (None,), "keys are no players"


def test_negatives_come_from_the_image_alone() -> None:
    queries, keys = units(N, 5, 4), units(N, 5, 4)
    apart = torch.stack([patch_nce(query[None], key[None]) for query, key in zip(queries, keys, strict=True)])
    torch.testing.assert_close(patch_nce(queries, keys), apart.mean())
    assert not torch.isclose(patch_nce(queries.flatten(0, 1)[None], keys.flatten(0, 1)[None]), apart.mean())


def test_patches_that_cannot_be_told_apart_cost_the_logarithm_of_their_number() -> None:
    one = units(N, 1, 4).expand(N, 7, 4)
    assert patch_nce(one, one).item() == pytest.approx(math.log(7))
    corners = torch.eye(7, dtype=torch.float64)[None]
    assert patch_nce(corners, corners).item() < 1e-5, "and those that can, nothing"


def test_the_losses() -> None:
    module, (x, y) = cut(contrast_weight=3.0, patches=5), domains()
    g, d, heads = module.generator, module.discriminator, module.heads

    def contrast(source: Tensor, fake: Tensor, drawn: list[Tensor]) -> Tensor:
        total = torch.zeros(())
        maps = zip(g(source, encode=True), g(fake, encode=True), heads.heads, drawn, strict=True)
        for key_map, query_map, head, places in maps:
            for image in range(N):
                chosen = places[image].tolist()
                query, key = (
                    torch.stack([head(each[image, :, p // each.shape[3], p % each.shape[3]]) for p in chosen])
                    for each in (query_map, key_map)
                )
                query, key = (each / each.square().sum(1, keepdim=True).sqrt() for each in (query, key.detach()))
                logits = query @ key.T / 0.07
                total = total - logits.log_softmax(1).diagonal().sum() / (5 * N * 2)
        return total

    def drawn() -> list[Tensor]:
        module.flips(x)
        return [module.places(N, 36), module.places(N, 9)]

    def of_generator() -> Tensor:
        of_x, of_y = drawn(), drawn()
        deceit = ((d(g(x)) - 1) ** 2).mean()
        return deceit + 3 * (contrast(x, g(x), of_x) + contrast(y, g(y), of_y)) / 2

    assert_same(lambda: module.generator_loss(x, y)[0], of_generator, g, heads)
    fake = g(x).detach()
    assert_same(
        lambda: module.discriminator_loss(y, fake),
        lambda: 0.5 * ((d(y) - 1) ** 2).mean() + 0.5 * (d(fake) ** 2).mean(),
        d,
    )
    assert unreached(module.generator_loss(x, y)[1], d), "the contrast is the generator's and the heads' alone"
    assert unreached(module.discriminator_loss(y, fake), g) and unreached(module.discriminator_loss(y, fake), heads)


def test_without_identity_the_target_domain_is_not_translated() -> None:
    module, (x, y) = cut(identity=False), domains()
    with using(Stream(0)):
        one = module.generator_loss(x, y)[0]
    with using(Stream(0)):
        other = module.generator_loss(x, torch.zeros_like(y))[0]
    assert torch.equal(one, other)


def test_places_differ_from_image_to_image_and_never_repeat() -> None:
    module = cut(patches=20)
    places = module.places(N, 36)
    assert places.shape == (N, 20) and all(len(set(row)) == 20 and max(row) < 36 for row in places.tolist())
    assert not torch.equal(places[0].sort().values, places[1].sort().values)
    assert module.places(N, 9).sort(1).values.tolist() == [list(range(9))] * N, "all of them where there are fewer"


class Mirrored(Encode):
    """A translator that does the same to a mirror image: every kernel is symmetric."""

    def __init__(self) -> None:
        super().__init__()
        with torch.no_grad():
            for layer in (self.first, self.last):
                layer.weight.copy_(layer.weight + layer.weight.flip(3))


def test_flips_cost_nothing_for_an_equivariant_translator_and_something_for_another() -> None:
    (x, _), found = domains(), []
    for translator in (Mirrored(), Encode()):
        for flip in (False, True):
            module = cut(flip=flip, patches=36)
            module.generator = translator.double()
            with using(Stream(3)):
                mirrored = module.flips(x).flatten().tolist()
            with using(Stream(3)):
                found.append(module.contrast(x)[0].item())
            assert any(mirrored) == flip and not all(mirrored)
    assert found[1] == pytest.approx(found[0], rel=1e-10) and abs(found[3] - found[2]) > 1e-5


def test_features_are_of_the_layers_that_the_paper_names() -> None:
    network = ResNetTranslator(width=4, blocks=9).double()
    source = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    images, *features = network(source, encode=True)
    assert torch.equal(images, source)
    halving, second, first_block, middle = features
    torch.testing.assert_close(halving, network.layers[:5](source))
    torch.testing.assert_close(second, network.layers[:8](source))
    torch.testing.assert_close(first_block, network.layers[:11](source))
    torch.testing.assert_close(middle, network.layers[:15](source))  # the fifth of nine
    assert network.feature_widths == (3, 8, 16, 16, 16)


def test_heads_name_the_widths_that_they_want() -> None:
    maps, places = [torch.randn(2, 3, 4, 4)], [torch.zeros(2, 5, dtype=torch.int64)]
    (embedded,) = PatchHeads((3,), 6)(maps, places)
    assert embedded.shape == (2, 5, 6)
    with pytest.raises(ValueError, match=r"Expected maps of the widths \(4,\), got \(3,\)"):
        PatchHeads((4,), 6)(maps, places)


def test_defaults_are_the_papers_and_fastcut_says_what_it_changes() -> None:
    defaults = {name: each.default for name, each in inspect.signature(CUT).parameters.items()}
    numbers = {"contrast_weight": 1, "identity": True, "patches": 256, "temperature": 0.07, "flip": False}
    assert {name: defaults[name] for name in numbers} == numbers
    assert (defaults["constant_epochs"], defaults["decay_epochs"]) == (200, 200)
    for configured in cut().configure_optimizers():
        optimizer: Any = configured["optimizer"]
        assert isinstance(optimizer, Adam) and optimizer.defaults["betas"] == (0.5, 0.999)
        assert optimizer.defaults["lr"] == 2e-4
    given = yaml.safe_load(presets("gan_modules")["fastcut"].read_text())["model"]["init_args"]
    assert (given["identity"], given["flip"]) == (False, True)
    assert given["contrast_weight"] == 2.0  # the paper has 10, which two minutes are too short for: the preset says so


def test_validation_has_one_direction_and_the_truth_where_it_is_known() -> None:
    module, (x, y) = cut(), domains()
    assert set(module.validation_step((x, y), 0)["x_to_y"]) == {"source", "fake", "real"}
    view = module.validation_step((x, y, y.flip(0), x), 0)["x_to_y"]
    assert torch.equal(view["truth"], y.flip(0)) and torch.equal(view["fake"], module(x))
