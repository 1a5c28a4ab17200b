"""Norms and activations can be named in a YAML file."""

import pytest
import torch
from jsonargparse import ArgumentParser
from torch import nn

from gan_modules.networks import InstanceNorm, LayerNorm, MLPGenerator, ResNetCritic, UNetGenerator


def from_yaml(network: str, arguments: str) -> nn.Module:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--network", type=nn.Module)
    text = f"network: {{class_path: gan_modules.networks.{network}, init_args: {{{arguments}}}}}"
    written = parser.dump(parser.parse_string(text), skip_unset=False)
    return parser.instantiate(parser.parse_string(written)).network


def norms_in(network: nn.Module) -> set[type[nn.Module]]:
    return {type(layer) for layer in network.modules() if isinstance(layer, (nn.GroupNorm, nn.BatchNorm2d))}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("torch.nn.BatchNorm2d", {nn.BatchNorm2d}),
        ("gan_modules.networks.InstanceNorm", {InstanceNorm}),
        ("{class_path: gan_modules.networks.InstanceNorm, init_args: {affine: true}}", {InstanceNorm}),
        ("gan_modules.networks.LayerNorm", {LayerNorm}),
        ("null", set()),
    ],
)
def test_a_norm_by_its_path(written: str, expected: set[type[nn.Module]]) -> None:
    unet = from_yaml("UNetGenerator", f"image_size: 16, width: 2, norm: {written}")
    assert isinstance(unet, UNetGenerator) and norms_in(unet) == expected


def test_defaults_by_their_path() -> None:
    assert norms_in(from_yaml("UNetGenerator", "image_size: 16, width: 2")) == {nn.BatchNorm2d}
    assert norms_in(from_yaml("ResNetTranslator", "width: 2, blocks: 1")) == {InstanceNorm}
    critic = from_yaml("ResNetCritic", "width: 2")
    assert isinstance(critic, ResNetCritic) and not norms_in(critic)


def test_an_activation_and_a_shape() -> None:
    network = from_yaml("MLPGenerator", "shape: [1, 4, 4], hidden: [8], norm: null, activation: torch.nn.Tanh")
    assert isinstance(network, MLPGenerator)
    assert network(1e6 * torch.randn(5, 2)).abs().max().item() <= 1
    assert network(torch.randn(5, 2)).shape == (5, 1, 4, 4)
