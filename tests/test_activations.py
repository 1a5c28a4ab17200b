"""The gradients of penalties are those of autograd, without the detour through second derivatives that are zero."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_modules.activations import PiecewiseLinear
from gan_modules.networks import DCGANDiscriminator, LayerNorm, ProgressiveDiscriminator, ResNetCritic
from gan_modules.penalties import gradient_norm


def penalty(network: Callable[[Tensor], Tensor], images: Tensor, ours: bool) -> Tensor:
    """(|grad f| - 1)^2, over `gan_modules.penalties` or written out over autograd alone."""
    if ours:
        return (gradient_norm(network, images) - 1).square().mean()
    points = images.clone().requires_grad_()
    (gradients,) = torch.autograd.grad(network(points).sum(), points, create_graph=True)
    return (gradients.flatten(1).norm(2, dim=1) - 1).square().mean()


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet": lambda: ResNetCritic(width=8),
    "resnet with layer norm": lambda: ResNetCritic(width=8, norm=LayerNorm),
    "dcgan": lambda: DCGANDiscriminator(32, width=4, norm=None),
    "mlp": lambda: nn.Sequential(nn.Flatten(), nn.Linear(3072, 16), nn.LeakyReLU(0.1), nn.Linear(16, 1)),
    "functions": lambda: Functions(),
    "progressive": lambda: ProgressiveDiscriminator(32, width=8, base_width=64),
}


class Functions(nn.Module):
    """Activations as functions and methods, in place and not, and pooling in its less usual forms."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 1, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(self.a(x).relu(), 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)
        x = self.b(x)
        F.leaky_relu(x, 0.3, inplace=True)
        x = F.avg_pool2d(x, kernel_size=(2, 3), divisor_override=5)
        return torch.relu(self.c(x)).square().mean((1, 2, 3))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_penaltys_value_and_gradients_are_bit_for_bit_autograds(name: str, layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name]().double()
    images = torch.randn(4, 3, 32, 32, dtype=torch.float64).to(memory_format=layout)
    parameters = list(network.parameters())
    values = [penalty(network, images, ours) for ours in (True, False)]
    assert torch.equal(*values)
    mine, theirs = (torch.autograd.grad(value, parameters, allow_unused=True) for value in values)
    for one, other in zip(mine, theirs, strict=True):
        pair = [torch.zeros(()) if gradient is None else gradient for gradient in (one, other)]
        assert (pair[0] == pair[1]).all()
    assert any(one is not None and one.any() for one in mine)


def test_gradients_of_a_penalty_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.LeakyReLU(0.2, inplace=True), nn.AvgPool2d(2), nn.Conv2d(3, 1, 2))
    network.double()
    images = torch.randn(2, 2, 6, 6, dtype=torch.float64)
    weights = [w for name, w in network.named_parameters() if name.endswith("weight")]

    def of_weights(*weights: Tensor) -> Tensor:
        named = {"0.weight": weights[0], "3.weight": weights[1]}
        return penalty(lambda x: torch.func.functional_call(network, named, (x,)).flatten(1).sum(1), images, True)

    assert torch.autograd.gradcheck(of_weights, [w.detach().requires_grad_() for w in weights])


def test_in_place_activations_change_their_input_and_outside_nothing_is_replaced() -> None:
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    with PiecewiseLinear():
        hidden = x * 1
        F.relu(hidden, inplace=True)
        assert torch.equal(hidden, torch.tensor([0.0, 2.0]))
        assert "ConstantSlope" in type(F.relu(x).grad_fn).__name__
    assert "ConstantSlope" not in type(F.relu(x).grad_fn).__name__


def test_plain_backward_through_a_replaced_activation() -> None:
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    with PiecewiseLinear():
        (gradient,) = torch.autograd.grad(F.leaky_relu(x, 0.5).sum(), x)
    assert torch.equal(gradient, torch.tensor([0.5, 0.5, 1.0]))
