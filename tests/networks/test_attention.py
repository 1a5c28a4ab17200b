"""Self-attention against loops over all pixels, its gate, and where the networks of SAGAN attend."""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from gan_modules.networks import SelfAttention, SelfAttentionDiscriminator, SelfAttentionGenerator


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield


def pooled(maps: np.ndarray) -> list[np.ndarray]:
    """The largest of each 2 x 2 pixels, channel by channel, row by row."""
    _, height, width = maps.shape
    corners = product(range(0, height - 1, 2), range(0, width - 1, 2))
    return [maps[:, row : row + 2, column : column + 2].max(axis=(1, 2)) for row, column in corners]


def slow_attention(layer: SelfAttention, image: np.ndarray) -> np.ndarray:
    """Equations 1 to 3, a pixel at a time."""

    def matrix(convolution: nn.Conv2d) -> np.ndarray:
        return convolution.weight.detach().numpy()[:, :, 0, 0]

    g, f, h = (np.einsum("oc,chw->ohw", matrix(of), image) for of in (layer.query, layer.key, layer.value))
    keys, values, result = pooled(f), pooled(h), image.copy()
    for row, column in product(range(image.shape[1]), range(image.shape[2])):
        likeness = np.array([np.exp(key @ g[:, row, column]) for key in keys])
        attended = sum(weight * value for weight, value in zip(likeness / likeness.sum(), values, strict=True))
        result[:, row, column] += layer.gate.item() * (matrix(layer.output) @ attended)
    return result


@pytest.mark.parametrize("size", [(4, 6), (7, 5)])
def test_the_layer_is_the_loop_over_pixels(size: tuple[int, int]) -> None:
    layer = SelfAttention(16).double()
    nn.init.constant_(layer.gate, 0.7)
    images = 2 * torch.randn(3, 16, *size, dtype=torch.float64)
    expected = np.stack([slow_attention(layer, image) for image in images.numpy()])
    assert np.abs(expected - images.numpy()).max() > 0.1
    np.testing.assert_allclose(layer(images).detach(), expected, rtol=1e-10, atol=1e-12)


def test_the_layer_starts_as_the_identity_and_its_gate_learns() -> None:
    layer, images = SelfAttention(16), torch.randn(3, 16, 4, 4)
    output = layer(images)
    assert torch.equal(output, images)
    gradients = torch.autograd.grad((output * torch.randn_like(output)).sum(), list(layer.parameters()))
    reached = {name: bool(g.any()) for (name, _), g in zip(layer.named_parameters(), gradients, strict=True)}
    assert reached == {"gate": True, "query.weight": False, "key.weight": False, "value.weight": False} | {
        "output.weight": False
    }


def test_the_sizes_of_queries_keys_and_values() -> None:
    layer = SelfAttention(64)
    shapes = [tuple(of.weight.shape[:2]) for of in (layer.query, layer.key, layer.value, layer.output)]
    assert shapes == [(8, 64), (8, 64), (32, 64), (64, 32)]


def attending(network: nn.Module, inputs: torch.Tensor) -> list[tuple[int, ...]]:
    """The shapes of the maps that attend."""
    shapes = list[tuple[int, ...]]()
    for layer in network.modules():
        if isinstance(layer, SelfAttention):
            layer.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape[1:])))
    network(inputs)
    return shapes


def test_maps_attend_where_the_authors_do() -> None:
    """At 128 pixels: 32 pixels, with four times the last width in G and twice the first width in D."""
    generator, discriminator = SelfAttentionGenerator(width=2), SelfAttentionDiscriminator(width=2)
    assert attending(generator, torch.randn(2, 128)) == [(8, 32, 32)]
    assert attending(discriminator, torch.randn(2, 3, 128, 128)) == [(4, 32, 32)]


@pytest.mark.parametrize(("attention", "side"), [(1, 14), (2, 7)])
def test_other_maps_may_attend(attention: int, side: int) -> None:
    generator, discriminator = (
        SelfAttentionGenerator(4, 28, 1, 2, attention),
        SelfAttentionDiscriminator(28, 1, 2, attention),
    )
    assert [shape[1:] for shape in attending(generator, torch.randn(2, 4))] == [(side, side)]
    assert [shape[1:] for shape in attending(discriminator, torch.randn(2, 1, 28, 28))] == [(side, side)]


@pytest.mark.parametrize("network", [SelfAttentionGenerator, SelfAttentionDiscriminator])
def test_maps_smaller_than_the_smallest_are_refused(network: Callable[..., nn.Module]) -> None:
    with pytest.raises(ValueError, match="attention must be below 3, got 3"):
        network(image_size=28, attention=3)


def test_every_weight_is_spectrally_normalised() -> None:
    for network in (SelfAttentionGenerator(4, 16, 3, 4), SelfAttentionDiscriminator(16, 3, 4)):
        weighted = [layer for layer in network.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
        assert weighted and all(hasattr(layer, "parametrizations") for layer in weighted)
