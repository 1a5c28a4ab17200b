"""The translators' own properties: noise, sizes, ranges."""

import pytest
import torch

from gan_modules.networks import Dropout, InstanceNorm, ResNetTranslator, UNetGenerator


def test_the_unets_noise_outlives_eval_mode_unless_switched_off() -> None:
    source = torch.randn(2, 3, 32, 32)
    noisy, quiet = (
        UNetGenerator(image_size=32, width=4).eval(),
        UNetGenerator(image_size=32, width=4, dropout_in_eval=False),
    )
    assert not torch.equal(noisy(source), noisy(source))
    quiet.eval()
    assert torch.equal(quiet(source), quiet(source))


@pytest.mark.parametrize(("image_size", "noisy"), [(16, 1), (32, 1), (64, 2), (128, 3), (256, 3)])
def test_the_unets_noise_is_in_the_innermost_blocks(image_size: int, noisy: int) -> None:
    with torch.device("meta"):
        up = UNetGenerator(image_size=image_size).up
    assert [any(isinstance(part, Dropout) for part in block.modules()) for block in up] == [
        index < noisy for index in range(len(up))
    ]


def test_the_unet_halves_down_to_one_pixel_and_takes_multiples_of_its_size() -> None:
    network = UNetGenerator(image_size=16, width=2)
    maps: list[torch.Tensor] = []
    network.down[-1].register_forward_hook(lambda _module, _inputs, output: maps.append(output))
    assert network(torch.randn(1, 3, 16, 48)).shape == (1, 3, 16, 48)
    assert maps[0].shape == (1, 16, 1, 3)


@pytest.mark.parametrize("image_size", [8, 17, 48])
def test_the_unet_refuses_other_sizes(image_size: int) -> None:
    with pytest.raises(ValueError, match=f"power of two, at least 16, got {image_size}"):
        UNetGenerator(image_size=image_size)


def test_the_unet_refuses_images_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="that 32 divides, got 16 x 32"):
        UNetGenerator(image_size=32, width=2)(torch.randn(1, 3, 16, 32))
    with pytest.raises(ValueError, match="Expected a batch of 3 x height x width images, got the shape"):
        UNetGenerator(image_size=32, width=2)(torch.randn(1, 1, 32, 32))


def test_the_translator_refuses_images_that_do_not_halve() -> None:
    network = ResNetTranslator(width=2, blocks=1)
    for height, width in [(17, 32), (32, 30), (4, 4)]:
        with pytest.raises(ValueError, match=f"that 4 divides, of at least 8 pixels, got {height} x {width}"):
            network(torch.randn(1, 3, height, width))
    assert network(torch.randn(1, 3, 8, 12)).shape == (1, 3, 8, 12)


def test_translations_stay_in_range() -> None:
    source = 100 * torch.randn(2, 3, 16, 16)
    for network in (ResNetTranslator(width=4, blocks=1), UNetGenerator(image_size=16, width=4, norm=InstanceNorm)):
        assert network(source).abs().max().item() <= 1


def test_a_translator_with_instance_norm_treats_each_image_alone() -> None:
    network, source = ResNetTranslator(width=4, blocks=2).double(), torch.randn(3, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(network(source)[1:2], network(source[1:2]))
