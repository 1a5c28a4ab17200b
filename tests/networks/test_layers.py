"""The layers, against formulas written out by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from gan_modules import randomness
from gan_modules.networks import (
    Dropout,
    EqualizedConv2d,
    EqualizedLinear,
    InstanceNorm,
    LayerNorm,
    Maxout,
    MinibatchStd,
    PixelNorm,
)


def test_instance_norm_is_the_formula() -> None:
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    mean = x.mean(dim=(2, 3), keepdim=True)
    variance = (x - mean).square().mean(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(InstanceNorm(3)(x), (x - mean) / (variance + 1e-5).sqrt())


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("affine", [False, True])
def test_instance_norm_has_right_gradients_in_channels_last(count: int, affine: bool) -> None:
    norm = InstanceNorm(3, affine=affine).double()
    start = torch.randn(count, 3, 5, 4, dtype=torch.float64)
    upstream = torch.randn_like(start)
    gradients = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        x = start.clone(memory_format=memory_format).requires_grad_()
        (gradient,) = torch.autograd.grad(norm(x), x, upstream.contiguous(memory_format=memory_format))
        gradients.append(gradient)
    x = start.clone().requires_grad_()
    deviation = (x.var((2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    (expected,) = torch.autograd.grad((x - x.mean((2, 3), True)) / deviation, x, upstream)
    torch.testing.assert_close(gradients[0], expected)
    torch.testing.assert_close(gradients[1], expected)


def test_instance_norm_without_affine_has_no_parameters() -> None:
    assert not list(InstanceNorm(3).parameters())
    assert sum(p.numel() for p in InstanceNorm(3, affine=True).parameters()) == 6


def test_layer_norm_is_torchs_over_each_image() -> None:
    x = torch.randn(2, 3, 5, 4)
    torch.testing.assert_close(LayerNorm(3)(x), F.layer_norm(x, (3, 5, 4)))


def test_pixel_norm_leaves_mean_square_one() -> None:
    x = 7 * torch.randn(2, 6, 3, 3)
    y = PixelNorm()(x)
    torch.testing.assert_close(y.square().mean(dim=1), torch.ones(2, 3, 3))
    torch.testing.assert_close(y / y.norm(dim=1, keepdim=True), x / x.norm(dim=1, keepdim=True))


def test_minibatch_std_is_the_loop() -> None:
    x = torch.randn(6, 2, 3, 3, dtype=torch.float64)
    y = MinibatchStd(group=3)(x)
    torch.testing.assert_close(y[:, :2], x)
    for first in (0, 1):  # two groups of three
        group = x[first::2]
        deviation = ((group - group.mean(dim=0)).square().mean(dim=0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(y[first::2, 2], deviation.expand(3, 3, 3))


def test_minibatch_std_of_two_processes_is_that_of_one() -> None:
    x = torch.randn(16, 2, 3, 3)
    layer = MinibatchStd(group=4)
    assert torch.equal(torch.stack([layer(x[0::2]), layer(x[1::2])], dim=1).flatten(0, 1), layer(x))


@pytest.mark.parametrize("count", [1, 2, 5, 6, 7])
def test_minibatch_std_takes_any_batch(count: int) -> None:
    y = MinibatchStd(group=4)(torch.randn(count, 2, 3, 3))
    assert y.shape == (count, 3, 3, 3) and y.isfinite().all()


def test_minibatch_std_has_finite_gradients_where_all_images_are_equal() -> None:
    x = torch.zeros(4, 2, 3, 3, requires_grad=True)
    MinibatchStd()(x).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


def test_equalized_layers_scale_at_run_time() -> None:
    torch.manual_seed(0)
    linear, convolution = EqualizedLinear(300, 200), EqualizedConv2d(20, 30, kernel=3, gain=1.0)
    assert linear.weight.std().item() == pytest.approx(1, abs=0.02)
    assert convolution.weight.std().item() == pytest.approx(1, abs=0.03)
    x, images = torch.randn(5, 300), torch.randn(2, 20, 6, 6)
    torch.testing.assert_close(linear(x), math.sqrt(2 / 300) * x @ linear.weight.T)
    torch.testing.assert_close(convolution(images), F.conv2d(images, convolution.weight / math.sqrt(180), padding=1))


def test_maxout_is_the_largest_piece() -> None:
    layer = Maxout(4, 3, pieces=5)
    x = torch.randn(7, 4)
    weight, bias = layer.linear.weight.view(3, 5, 4), layer.linear.bias.view(3, 5)
    expected = torch.stack([(x @ weight[:, piece].T + bias[:, piece]) for piece in range(5)]).max(dim=0).values
    torch.testing.assert_close(layer(x), expected)


def test_dropout_keeps_the_mean_and_the_share() -> None:
    torch.manual_seed(0)
    y = Dropout(0.3)(torch.ones(100, 1000))
    assert y.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert (y == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert y.mean().item() == pytest.approx(1, abs=0.01)


def test_dropout_in_eval_only_if_asked() -> None:
    x = torch.ones(2, 100)
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert not torch.equal(Dropout(0.5, in_eval=True).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)


def test_dropout_belongs_to_the_image_and_not_to_the_process() -> None:
    x, layer = torch.ones(6, 50), Dropout(0.5)

    def dropped(part: int, parts: int) -> torch.Tensor:
        randomness.use(randomness.Stream(seed=3, part=part, parts=parts))
        try:
            return layer(x[: 6 // parts])
        finally:
            randomness.use(None)

    whole = dropped(0, 1)
    assert torch.equal(whole, dropped(0, 1))
    assert torch.equal(whole, torch.stack([dropped(0, 2), dropped(1, 2)], dim=1).flatten(0, 1))


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5])
def test_dropout_refuses_what_is_no_probability(p: float) -> None:
    with pytest.raises(ValueError, match=r"must be in \[0, 1\)"):
        Dropout(p)
