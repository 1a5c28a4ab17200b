"""Huang et al. (2024): relativistic pairs with R1 and R2, numbers that burn in, and blocks that start as identities."""

import inspect
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adam

from gan_modules import R3GAN, randomness
from gan_modules.networks import R3GANDiscriminator, R3GANGenerator
from gan_modules.networks.r3gan import _Block
from gan_modules.networks.resampling import Blur, BlurUpsample
from tiny import Array, Scores, arrays, assert_gradient, scores_and_slopes
from variants import build, loader, trainer

N = 6


def module_of(**options: Any) -> R3GAN:
    return R3GAN(nn.Linear(2, 3), Scores(), latent_dim=2, **options).double()


@pytest.fixture(autouse=True)
def _streamed() -> Iterator[None]:
    randomness.use(randomness.Stream(5))
    yield
    randomness.use(None)


def fake_of(module: R3GAN) -> Array:
    randomness.use(randomness.Stream(5))
    return module.generator(randomness.normal(N, 2, dtype=torch.float64)).detach().numpy()


@pytest.mark.parametrize("r2", [True, False])
def test_discriminators_loss_and_its_gradient(r2: bool) -> None:
    module, real = module_of(r2=r2), torch.randn(N, 3, dtype=torch.float64)
    loss = module.discriminator_loss(real, 0.7)
    gradients = torch.autograd.grad(loss, list(module.discriminator.parameters()))
    weights, fake = arrays(module.discriminator.parameters()), fake_of(module)

    def expected() -> float:
        (d_real, at_real), (d_fake, at_fake) = (scores_and_slopes(weights, x) for x in (real.numpy(), fake))
        penalty = (at_real**2).sum(1).mean() + (at_fake**2).sum(1).mean() * r2
        return float(np.log1p(np.exp(d_fake - d_real)).mean() + 0.35 * penalty)

    assert loss.item() == pytest.approx(expected(), rel=1e-12)
    assert_gradient(expected, weights, gradients)


def test_the_generator_sees_both_sides() -> None:
    module, real = module_of(), torch.randn(N, 3, dtype=torch.float64)
    loss = module.generator_loss(real)
    loss.backward()
    weights, fake = arrays(module.discriminator.parameters()), fake_of(module)
    (d_real, _), (d_fake, slopes) = (scores_and_slopes(weights, x) for x in (real.numpy(), fake))
    assert loss.item() == pytest.approx(np.log1p(np.exp(d_real - d_fake)).mean(), rel=1e-12)
    expected = (-1 / (1 + np.exp(d_fake - d_real)))[:, None] * slopes / N
    np.testing.assert_allclose(module.generator.bias.grad.numpy(), expected.sum(0), rtol=1e-10)


def test_the_discriminators_loss_does_not_reach_the_generator() -> None:
    module = module_of()
    module.discriminator_loss(torch.randn(N, 3, dtype=torch.float64), 1.0).backward()
    assert all(parameter.grad is None for parameter in module.generator.parameters())


def burnt_in(shown: int, first: float, last: float, over: int) -> float:
    """The authors' `cosine_decay_with_warmup` without its warm-up."""
    share = 0.5 * (1 + np.cos(np.pi * shown / over))
    return last if shown > over else first + (1 - share) * (last - first)


def test_numbers_burn_in_over_the_images_shown_also_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[tuple[float, ...]]()
    loss = R3GAN.discriminator_loss

    def watched(self: R3GAN, real: Tensor, weight: float) -> Tensor:
        groups = [group for optimizer in self.optimizers() for group in optimizer.param_groups]
        assert len({(group["lr"], group["betas"]) for group in groups}) == 1
        seen.append((groups[0]["lr"], *groups[0]["betas"], weight, self.decay(0.9)))
        return loss(self, real, weight)

    monkeypatch.setattr(R3GAN, "discriminator_loss", watched)
    module: Any = build("r3gan", burn_in=16, average_decay=0.9)
    for _ in range(2):
        trainer().fit(module, loader("r3gan", 3))
    assert module.images_shown == 24
    half_life = 4 * math.log(0.5) / math.log(0.9)  # in images, of 4 a batch
    for batch, (rate, beta1, beta2, weight, decay) in enumerate(seen):
        shown = 4 * batch
        assert rate == pytest.approx(burnt_in(shown, 2e-4, 5e-5, 16), rel=1e-12)
        assert (beta1, beta2) == (0, pytest.approx(burnt_in(shown, 0.9, 0.99, 16), rel=1e-12))
        assert weight == pytest.approx(burnt_in(shown, 0.05, 0.005, 16), rel=1e-12)
        assert decay == pytest.approx(0.5 ** (4 / max(burnt_in(shown, 0, half_life, 16), 1e-8)), rel=1e-9)
    assert len(seen) == 6


def test_without_burn_in_the_last_numbers_hold_from_the_start() -> None:
    module = module_of(burn_in=0, average_decay=0.99)
    assert [module.now(pair) for pair in (module.learning_rates, module.beta2s)] == [5e-5, 0.99]
    assert module.decay(0.99) == 0.99


def test_defaults_are_the_authors_for_cifar_10() -> None:
    defaults = {name: each.default for name, each in inspect.signature(R3GAN).parameters.items()}
    assert defaults["burn_in"] == 20_000_000 and defaults["latent_dim"] == 64 and defaults["r2"]
    assert (defaults["penalty_weight"], defaults["last_penalty_weight"]) == (0.05, 0.005)
    for optimizer in module_of().configure_optimizers():
        assert isinstance(optimizer, Adam)
        assert optimizer.defaults["lr"] == 2e-4 and optimizer.defaults["betas"] == (0, 0.9)


# the networks


def tiny_networks() -> list[nn.Module]:
    return [R3GANGenerator(5, 16, 3, 8, 4), R3GANDiscriminator(16, 3, 8, 4)]


def blocks_of(network: nn.Module) -> list[_Block]:
    return [each for each in network.modules() if isinstance(each, _Block)]


def test_residual_branches_start_at_zero_and_can_leave_it() -> None:
    for network in tiny_networks():
        blocks = blocks_of(network)
        assert len(blocks) == 2 * 3  # at 4, 8 and 16 pixels
        for block in blocks:
            x = torch.randn(2, 8, 4, 4)
            assert torch.equal(block(x), x)
            block(x).square().sum().backward()
            last = [*block.branch.parameters()][-1]
            assert last.grad is not None and last.grad.abs().max() > 0


def test_inner_layers_are_smaller_by_the_number_of_blocks() -> None:
    torch.manual_seed(0)
    for network in (R3GANGenerator(64, 32, 3, 128), R3GANDiscriminator(32, 3, 128)):
        gain = math.sqrt(2 / 1.04) * 8**-0.25  # leaky ReLU of slope 0.2; 2 blocks at each of 4 resolutions
        for block in blocks_of(network):
            first, _, second, _, last = block.branch
            assert second.groups == 256 // 16 and last.bias is None
            assert first.weight.std().item() == pytest.approx(gain / math.sqrt(128), rel=0.02)
            assert second.weight.std().item() == pytest.approx(gain / math.sqrt(16 * 9), rel=0.02)
            assert not first.bias.any() and not second.bias.any()


def test_nothing_normalises_and_no_output_is_squashed() -> None:
    kinds = {type(module) for network in tiny_networks() for module in network.modules()}
    layers = {kind for kind in kinds if kind.__module__.startswith("torch")}
    assert layers == {nn.Sequential, nn.Conv2d, nn.Linear, nn.LeakyReLU, nn.Flatten}


def filtered(x: Array) -> Array:
    """(h, w) by [1, 3, 3, 1] / 8 along both sides, with zeros outside; as large as x plus 3."""
    taps = np.array([1, 3, 3, 1]) / 8
    return np.apply_along_axis(np.convolve, 0, np.apply_along_axis(np.convolve, 1, x, taps), taps)


def test_resampling_is_the_filter_of_the_paper() -> None:
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    up, down = BlurUpsample().double()(x), Blur(padding=1, stride=2).double()(x)
    assert up.shape == (2, 3, 12, 12) and down.shape == (2, 3, 3, 3)
    for image, larger, smaller in zip(x.flatten(0, 1), up.flatten(0, 1), down.flatten(0, 1), strict=True):
        stuffed = np.zeros((11, 11))
        stuffed[::2, ::2] = image
        np.testing.assert_allclose(larger, 4 * filtered(stuffed)[1:-1, 1:-1], atol=1e-12)
        np.testing.assert_allclose(smaller, filtered(image.numpy())[2:-2:2, 2:-2:2], atol=1e-12)
    bilinear = nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(up[..., 1:-1, 1:-1], bilinear[..., 1:-1, 1:-1])


def test_the_basis_is_weighted_by_the_latent() -> None:
    generator = R3GANGenerator(5, 12, 3, 8, 4)
    basis, z = generator.layers[0], torch.randn(2, 5)
    assert basis.basis.shape == (8, 6, 6)
    expected = torch.einsum("chw,ci,ni->nchw", basis.basis, basis.linear.weight, z)
    torch.testing.assert_close(basis(z), expected)


def test_width_is_halved_beyond_the_full_size() -> None:
    def widths(network: nn.Module) -> list[int]:
        return [block.branch[0].in_channels for block in blocks_of(network)][::2]

    assert widths(R3GANGenerator(5, 128, 3, 32)) == [32, 32, 32, 32, 16, 8]  # at 4 to 128 pixels
    assert widths(R3GANDiscriminator(32, 3, 32, 16, full_width_to=8)) == [8, 16, 32, 32]


def test_a_group_width_that_does_not_fit_is_refused() -> None:
    for network in (R3GANGenerator, R3GANDiscriminator):
        with pytest.raises(ValueError, match="group_width must divide 20, twice the width of a stage, got 7"):
            network(width=10, group_width=7)
