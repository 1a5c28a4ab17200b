"""The autoencoders of EBGAN and BEGAN: sizes, widths, and what they refuse."""

import pytest
import torch
from torch import nn

from gan_modules.networks import BEGANDiscriminator, BEGANGenerator, EBGANDiscriminator


@pytest.mark.parametrize("image_size", [8, 20, 28, 32, 64])
def test_reconstructions_have_the_images_size(image_size: int) -> None:
    images = BEGANGenerator(3, image_size, 1, 2)(torch.randn(2, 3))
    assert images.shape == (2, 1, image_size, image_size)
    reconstructions, codes = BEGANDiscriminator(5, image_size, 1, 2)(images)
    assert reconstructions.shape == images.shape and codes.shape == (2, 5)


def convolutions(network: nn.Module) -> list[tuple[int, int, int]]:
    kinds = nn.Conv2d, nn.ConvTranspose2d
    return [(m.in_channels, m.out_channels, m.stride[0]) for m in network.modules() if isinstance(m, kinds)]


def test_ebgans_autoencoder_is_the_papers_for_64_pixels() -> None:
    network = EBGANDiscriminator()
    halvings, doublings = convolutions(network.encoder), convolutions(network.decoder)
    assert halvings == [(3, 64, 2), (64, 128, 2), (128, 256, 2)]
    assert doublings == [(256, 128, 2), (128, 64, 2), (64, 3, 2)]
    assert network(torch.randn(2, 3, 64, 64))[1].shape == (2, 256, 8, 8)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert [norm.num_features for norm in norms] == [128, 256, 128, 64], "neither at the input nor at the output"


def test_begans_widths_grow_by_one_width_and_its_decoder_is_the_generator() -> None:
    network = BEGANDiscriminator()
    n = 128
    level = [(n, n, 1), (n, n, 1), (n, n, 2)], [(n, 2 * n, 1), (2 * n, 2 * n, 1), (2 * n, 2 * n, 2)]
    last = [(2 * n, 3 * n, 1), (3 * n, 3 * n, 1), (3 * n, 3 * n, 2)], [(3 * n, 4 * n, 1), (4 * n, 4 * n, 1)]
    assert convolutions(network.encoder) == [(3, n, 1), *level[0], *level[1], *last[0], *last[1]]
    shapes = [[tuple(p.shape) for p in each.parameters()] for each in (network.decoder, BEGANGenerator().layers)]
    assert shapes[0] == shapes[1] and convolutions(network.decoder) == [(n, n, 1)] * 8 + [(n, 3, 1)]


def test_images_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="Expected a height and a width that 8 divides, got 20 x 32"):
        EBGANDiscriminator(3, 2)(torch.randn(1, 3, 20, 32))
    with pytest.raises(ValueError, match="Expected a batch of 1 x height x width images"):
        EBGANDiscriminator(1, 2)(torch.randn(1, 3, 32, 32))
    with pytest.raises(ValueError, match="Expected a batch of 3 x 32 x 32 images"):
        BEGANDiscriminator(4, 32, 3, 2)(torch.randn(1, 3, 16, 16))
    with pytest.raises(ValueError, match="latent_dim=4"):
        BEGANGenerator(4, 32, 3, 2)(torch.randn(1, 3))
