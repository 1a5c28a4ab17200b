"""Numbers of parameters, against those that the authors' code has, on the meta device: nothing is computed."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import nn

from gan_modules.networks import (
    BigGANDiscriminator,
    BigGANGenerator,
    DCGANDiscriminator,
    DCGANGenerator,
    DiscoGANDiscriminator,
    DiscoGANGenerator,
    InstanceNorm,
    MLPDiscriminator,
    MLPGenerator,
    PatchDiscriminator,
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    ResNetCritic,
    ResNetGenerator,
    ResNetTranslator,
    StackedDiscriminator,
    StackedGenerator,
    StarGANDiscriminator,
    StarGANGenerator,
    UNetGenerator,
)


def parameters(build: Callable[[], nn.Module]) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build().parameters())


@pytest.mark.parametrize(
    ("build", "millions"),
    [
        (UNetGenerator, 54.41),
        (lambda: PatchDiscriminator(3, 3), 2.77),
        (lambda: PatchDiscriminator(norm=InstanceNorm), 2.76),
        (ResNetTranslator, 11.37),
        (DCGANGenerator, 3.58),
        (DCGANDiscriminator, 2.77),
        (lambda: ProgressiveGenerator(image_size=1024), 23.1),
        (lambda: ProgressiveDiscriminator(image_size=1024), 23.1),
    ],
)
def test_published_sizes(build: Callable[[], nn.Module], millions: float) -> None:
    count = parameters(build) / 1e6
    assert round(count, 1 if millions == 23.1 else 2) == millions


def test_the_translator_is_the_authors_without_the_biases_that_instance_norm_cancels() -> None:
    cancelled = 64 + 128 + 256 + 2 * 9 * 256 + 128 + 64
    assert parameters(ResNetTranslator) + cancelled == 11_378_179


def test_the_unet_is_the_authors_with_biases_where_no_norm_follows() -> None:
    assert parameters(UNetGenerator) - 64 - 512 == 54_413_955


def test_dcgan_and_patches_have_the_authors_number_exactly() -> None:
    assert parameters(DCGANGenerator) == 3_576_704
    assert parameters(DCGANDiscriminator) == 2_765_568
    assert parameters(lambda: PatchDiscriminator(3, 3)) == 2_768_705


def test_the_resnets_of_wgan_gp_by_their_sum() -> None:
    convolution, block = 128 * 128 * 9 + 128, 128 * 128 + 128
    generator = 129 * 2048 + 3 * (2 * convolution + block + 4 * 128) + 2 * 128 + 3 * (128 * 9 + 1)
    critic = (3 * 128 * 9 + 128) + convolution + (3 * 128 + 128) + (2 * convolution + block) + 4 * convolution + 129
    assert parameters(ResNetGenerator) == generator
    assert parameters(ResNetCritic) == critic


def test_the_networks_of_stacked_digits_by_their_sum() -> None:
    widths = (512, 256, 128, 64, 3)
    kernels = sum(25 * inputs * outputs + outputs for inputs, outputs in pairwise(widths))
    assert parameters(StackedGenerator) == 101 * 512 * 4 + kernels + 2 * sum(widths[:4])
    kernels = sum(25 * inputs * outputs + outputs for inputs, outputs in pairwise(widths[::-1]))
    assert parameters(StackedDiscriminator) == kernels + 2 * sum(widths[:3]) + 512 * 4 + 1


def test_the_networks_of_pacgan_by_their_sum() -> None:
    assert parameters(MLPGenerator) == 2 * 400 + 3 * 400**2 + 4 * 2 * 400 + 400 * 2 + 2
    assert parameters(MLPDiscriminator) == 3 * 1000 + 2 * 201 * 1000 + 201


@pytest.mark.slow
def test_biggan_has_the_authors_numbers_for_imagenet() -> None:
    assert parameters(lambda: BigGANGenerator(num_classes=1000)) == 70_433_988
    assert parameters(lambda: BigGANDiscriminator(num_classes=1000)) + 1 == 87_982_370  # with a bias of the score


def test_discogan_and_stargan_have_the_layers_of_the_authors() -> None:
    halvings = sum(16 * inputs * outputs for inputs, outputs in pairwise((3, 64, 128, 256, 512)))
    norms = 2 * (128 + 256 + 512)
    assert parameters(DiscoGANDiscriminator) == halvings + norms + 512 * 16
    assert parameters(DiscoGANGenerator) == 2 * halvings + norms + 2 * (256 + 128 + 64)
    widths = (3, 64, 128, 256, 512, 1024, 2048)
    convolutions = sum(16 * inputs * outputs + outputs for inputs, outputs in pairwise(widths))
    assert parameters(StarGANDiscriminator) == convolutions + 2048 * 9 + 2048 * 5 * 4
    ends, middle = 49 * 64 * (8 + 3), 2 * 16 * (64 * 128 + 128 * 256) + 12 * 9 * 256**2
    assert parameters(StarGANGenerator) == ends + middle + 2 * (64 + 128 + 256 + 12 * 256 + 128 + 64)
