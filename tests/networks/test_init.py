"""Initial weights have the published distributions."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from gan_modules.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
    ResNetCritic,
    init_glorot,
    init_kaiming,
    init_normal,
)


def test_init_normal_is_dcgans() -> None:
    torch.manual_seed(0)
    for network in (DCGANGenerator(), DCGANDiscriminator()):
        for layer in network.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and layer.weight.numel() > 10_000:
                assert layer.weight.mean().item() == pytest.approx(0, abs=1e-3)
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.03)
            if isinstance(layer, nn.BatchNorm2d):
                assert layer.weight.mean().item() == pytest.approx(1, abs=0.01)
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.3)
                assert not layer.bias.any()


def test_init_normal_sets_biases_to_zero_and_takes_layers_without() -> None:
    network = nn.Sequential(
        nn.Linear(3, 4), nn.GroupNorm(2, 4), nn.Linear(4, 2, bias=False), nn.BatchNorm1d(2, affine=False)
    )
    init_normal(network, std=0.5)
    assert not any(p.any() for name, p in network.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("gain", [1.0, math.sqrt(2)])
def test_init_glorot_has_the_variance_of_equation_16(gain: float) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(64, 128, 3)
    init_glorot(layer, gain)
    deviation = gain * math.sqrt(2 / (9 * 64 + 9 * 128))
    assert layer.weight.std().item() == pytest.approx(deviation, rel=0.01)
    assert layer.weight.abs().max().item() <= math.sqrt(3) * deviation
    assert layer.bias is not None and not layer.bias.any()


def test_init_kaiming_keeps_the_variance_of_rectified_layers() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(64, 128, 3)
    init_kaiming(layer)
    assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / (9 * 64)), rel=0.01)
    assert layer.bias is not None and not layer.bias.any()


def test_resnets_have_the_gain_in_the_branches_alone() -> None:
    torch.manual_seed(0)
    for name, layer in ResNetCritic().named_modules():
        if isinstance(layer, nn.Conv2d) and layer.weight.numel() > 10_000:
            fan = layer.weight[0].numel() + layer.weight[:, 0].numel()
            gain = layer.weight.std().item() / math.sqrt(2 / fan)
            assert gain == pytest.approx(1 if "shortcut" in name else math.sqrt(2), rel=0.02)


@pytest.mark.parametrize(("given", "deviation"), [({}, 0.02), ({"init": init_glorot}, math.sqrt(2 / 400))])
def test_mlps_start_from_the_function_that_is_given(given: dict[str, Any], deviation: float) -> None:
    torch.manual_seed(0)
    networks = MLPGenerator(hidden=(200, 200), **given), MLPDiscriminator(hidden=(200, 200), maxout_pieces=0, **given)
    for network in networks:
        assert max(network.parameters(), key=torch.numel).std().item() == pytest.approx(deviation, rel=0.02)


def test_mlps_refuse_the_name_of_a_function() -> None:
    with pytest.raises(ValueError, match="init must be a function or a class, got 'glorot'"):
        MLPDiscriminator(init="glorot")  # type: ignore[arg-type]
