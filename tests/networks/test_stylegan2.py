"""StyleGAN2's layers against slow ones that are written image by image, and what its parts are for."""

import math
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gan_modules import randomness
from gan_modules.networks import StyleGAN2Discriminator, StyleGAN2Generator, StyleGAN2Mapping
from gan_modules.networks.resampling import Blur, BlurUpsample
from gan_modules.networks.stylegan2 import StyledConv2d, modulated_conv2d


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    randomness.use(None)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def one_by_one(x: Tensor, weight: Tensor, style: Tensor, demodulate: bool, up: bool) -> Tensor:
    """Section 2.2: each image with weights of its own (equations 1 and 3)."""
    made = []
    for image, factors in zip(x, style, strict=True):
        own = weight * factors[None, :, None, None]
        if demodulate:
            own = torch.stack([kernel / (kernel.square().sum() + 1e-8).sqrt() for kernel in own])
        spread = torch.zeros(image.shape[0], 2 * image.shape[1] - 1, 2 * image.shape[2] - 1, dtype=x.dtype)
        spread[:, ::2, ::2] = image
        made.append(F.conv2d(spread, own.flip(2, 3), padding=2) if up else F.conv2d(image, own, padding=1))
    return torch.stack(made)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("up", [True, False])
def test_modulated_convolution_is_one_per_image_in_value_and_gradient(demodulate: bool, up: bool) -> None:
    inputs = [normal(3, 4, 5, 6), normal(2, 4, 3, 3), normal(3, 4)]
    weights, gradients = None, []
    for convolution in (modulated_conv2d, one_by_one):
        own = [each.clone().requires_grad_() for each in inputs]
        y = convolution(*own, demodulate, up)
        weights = normal(*y.shape) if weights is None else weights
        gradients.append([y, *torch.autograd.grad((y * weights).sum(), own)])
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_demodulation_makes_the_variance_one_whatever_the_style(size: float) -> None:
    """Of inputs that are independent and of variance 1 (section 2.2), away from the borders."""
    style = size * (1 + torch.rand(16, 24, dtype=torch.float64))
    y = modulated_conv2d(normal(16, 24, 20, 20), 7 * normal(12, 24, 3, 3), style)[:, :, 1:-1, 1:-1]
    assert y.var().item() == pytest.approx(1, abs=0.03)
    assert y.var(dim=(0, 2, 3)).sub(1).abs().max() < 0.2
    plain = modulated_conv2d(normal(16, 24, 20, 20), 7 * normal(12, 24, 3, 3), style, demodulate=False)
    assert abs(math.log(plain.var().item())) > 0.5


def taps() -> Tensor:
    return torch.outer(*2 * [torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8])


def test_blur_is_the_filter_pixel_by_pixel() -> None:
    x = normal(2, 3, 6, 7)
    wide = F.pad(x, (2, 2, 2, 2))
    expected = torch.zeros(2, 3, 7, 8, dtype=x.dtype)
    for row in range(7):
        for column in range(8):
            expected[:, :, row, column] = (wide[:, :, row : row + 4, column : column + 4] * taps()).sum((2, 3))
    torch.testing.assert_close(Blur(2).double()(x), expected)
    halved = Blur(1, stride=2).double()(x[:, :, :, :6])
    torch.testing.assert_close(halved, Blur(1).double()(F.pad(x[:, :, :, :6], (0, 1, 0, 1)))[:, :, :-1:2, :-1:2])


def test_upsampling_keeps_constants_and_is_the_transpose_of_halving() -> None:
    x, y = normal(2, 3, 4, 4), normal(2, 3, 8, 8)
    up, down = BlurUpsample().double(), Blur(1, stride=2).double()
    torch.testing.assert_close((up(x) * y).sum(), 4 * (x * down(y)).sum())
    torch.testing.assert_close(up(torch.ones(1, 1, 4, 4).double())[:, :, 1:-1, 1:-1], torch.ones(1, 1, 6, 6).double())


def test_doubling_convolves_what_is_upsampled() -> None:
    """Blurred outputs of a transposed convolution are convolved upsampled inputs, away from the borders."""
    layer = StyledConv2d(3, 2, 5, 12, up=True).double().eval()
    x, style = normal(2, 3, 6, 6), normal(2, 5)
    expected = modulated_conv2d(BlurUpsample().double()(x), layer.weight.flip(2, 3), layer.style(style))
    expected = math.sqrt(2) * F.leaky_relu(expected, 0.2)
    assert layer(x, style).shape == expected.shape
    torch.testing.assert_close(layer(x, style)[:, :, 2:-2, 2:-2], expected[:, :, 2:-2, 2:-2])


def test_noise_has_a_strength_that_starts_at_zero() -> None:
    layer = StyledConv2d(3, 4, 5, 8).double()
    x, style = normal(2, 3, 8, 8), normal(2, 5)
    assert torch.equal(layer(x, style), layer(x, style))
    torch.nn.init.constant_(layer.strength, 0.5)
    assert not torch.equal(layer(x, style), layer(x, style)), "in training it is drawn anew"
    same = layer(x[:1].expand(2, -1, -1, -1), style[:1].expand(2, -1))
    assert not torch.equal(same[0], same[1]), "for each image"
    assert torch.equal(layer.eval()(x, style), layer(x, style)), "in evaluation it is always the same"
    plain = modulated_conv2d(x, layer.weight, layer.style(style))
    torch.testing.assert_close(layer(x, style), math.sqrt(2) * F.leaky_relu(plain + 0.5 * layer.noise, 0.2))


@pytest.mark.parametrize("changed", range(8))
def test_each_style_has_its_layer(changed: int) -> None:
    """A style that is changed changes the feature maps from its layer on, and the image by no earlier one."""
    network, seen = StyleGAN2Generator(5, 32, 3, 4, 64).double().eval(), list[Tensor]()
    assert network.layers == 8
    for layer in (network.first, *network.convs):
        layer.register_forward_hook(lambda *hooked: seen.append(hooked[2]))
    styles = normal(1, 8, 5).repeat(2, 1, 1)
    styles[1, changed] += 1
    images = network(styles)
    assert not torch.allclose(images[0], images[1])
    assert [torch.equal(*maps) for maps in seen] == [layer < changed for layer in range(7)]


def test_the_image_is_the_sum_of_what_each_size_shows() -> None:
    network, parts = StyleGAN2Generator(5, 16, 3, 4, 64).double().eval(), list[Tensor]()
    for layer in network.to_images:
        layer.register_forward_hook(lambda *hooked: parts.append(hooked[2]))
    images, double = network(normal(2, 6, 5)), network.upsample
    assert [part.shape[2] for part in parts] == [4, 8, 16]
    torch.testing.assert_close(images, double(double(parts[0]) + parts[1]) + parts[2])


def test_signals_keep_their_size() -> None:
    """Equalised rates, demodulation, and branches over the root of two; filters alone take from what is no wave yet."""
    mapping, network = StyleGAN2Mapping(64, 64, 8), StyleGAN2Generator(64, 32, 3, 32)
    styles = mapping(torch.randn(16, 64))
    assert 0.3 < styles.square().mean() < 2
    judge = StyleGAN2Discriminator(32, 3, 32)
    sizes = []
    for layer in (*network.convs, *judge.blocks):
        layer.register_forward_hook(lambda *hooked: sizes.append(hooked[2].square().mean().item()))
    judge(network(styles[:, None].expand(-1, network.layers, -1)))
    assert len(sizes) == 9 and 0.03 < min(sizes) <= max(sizes) < 5


def test_the_mapping_learns_at_a_hundredth_of_the_speed() -> None:
    fast, slow = StyleGAN2Mapping(6, 6, 1).double(), StyleGAN2Mapping(6, 6, 1).double()
    layer = slow.layers[0]
    assert layer.weight.std().item() > 50  # type: ignore[operator]
    with torch.no_grad():
        moved = 0.01 * torch.ones_like(layer.weight)  # type: ignore[arg-type]
        before = layer(torch.ones(1, 6).double())
        layer.weight.add_(moved)  # type: ignore[operator]
        shift = layer(torch.ones(1, 6).double()) - before
    torch.testing.assert_close(shift, torch.full_like(shift, 0.01 * 0.01 * 6 / math.sqrt(6)))
    z = normal(4, 6)
    torch.testing.assert_close(fast(3 * z), fast(z))  # latents count by their direction


def test_widths_and_layers_are_the_authors() -> None:
    with torch.device("meta"):
        generator, mapping = StyleGAN2Generator(image_size=1024), StyleGAN2Mapping()
        judge = StyleGAN2Discriminator(image_size=1024)
    assert [layer.weight.shape[1] for layer in generator.to_images] == [512, 512, 512, 512, 512, 256, 128, 64, 32]  # type: ignore[union-attr,index]
    assert generator.layers == 18 and len(mapping.layers) == 8
    count = sum(parameter.numel() for network in (generator, mapping) for parameter in network.parameters())
    assert count == pytest.approx(30.4e6, rel=0.01), "30M parameters (the authors' log of configuration F: 30.37M)"
    assert sum(parameter.numel() for parameter in judge.parameters()) == pytest.approx(29.0e6, rel=0.01)


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="power of two, at least 8, got 24"):
        StyleGAN2Generator(image_size=24)
    with pytest.raises(ValueError, match=r"Expected styles \(n, 4, 5\), got the shape \(2, 3, 5\)"):
        StyleGAN2Generator(5, 8, 3, 4)(torch.zeros(2, 3, 5))
    with pytest.raises(ValueError, match="Expected a batch of 3 x 8 x 8 images"):
        StyleGAN2Discriminator(8, 3, 4)(torch.zeros(2, 3, 16, 16))
