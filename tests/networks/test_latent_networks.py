"""The networks between latents, images and scores: sizes, labels, heads, spectral norm, bad input."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from gan_modules.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    DCGANTrunk,
    InstanceNorm,
    MLPDiscriminator,
    MLPGenerator,
    MLPTrunk,
    RecognitionHead,
    ResNetCritic,
    ResNetGenerator,
    ScoreHead,
)


@pytest.mark.parametrize("image_size", [8, 10, 12, 14, 16, 20, 24, 28, 32, 48, 56, 64, 80, 96, 128])
def test_every_size_that_makes_sense(image_size: int) -> None:
    for generator, critic in (
        (DCGANGenerator(4, image_size, 1, 1), DCGANDiscriminator(image_size, 1, 1)),
        (ResNetGenerator(4, image_size, 1, 1), ResNetCritic(image_size, 1, 1)),
    ):
        images = generator(torch.randn(2, 4))
        assert images.shape == (2, 1, image_size, image_size)
        assert critic(images).shape == (2,)


@pytest.mark.parametrize("image_size", [1, 4, 7, 17, 18, 30, 0, -8])
def test_every_other_size_is_refused(image_size: int) -> None:
    for network in (DCGANGenerator, DCGANDiscriminator, DCGANTrunk, ResNetGenerator, ResNetCritic):
        with pytest.raises(ValueError, match=f"image_size must be .* at least 8.* got {image_size}"):
            network(image_size=image_size)


@pytest.mark.parametrize("network", [DCGANDiscriminator, DCGANTrunk, ResNetCritic])
def test_images_that_do_not_fit_are_refused(network: Callable[..., nn.Module]) -> None:
    built = network(image_size=32, channels=3, width=2)
    for shape in [(2, 1, 32, 32), (2, 3, 16, 16), (2, 3, 64, 32), (3, 32, 32)]:
        with pytest.raises(ValueError, match="Expected a batch of 3 x 32 x 32 images, got the shape"):
            built(torch.randn(shape))


def test_points_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected samples of shape \(2,\), got \(3,\)"):
        MLPDiscriminator()(torch.randn(4, 3))


def test_a_trunk_of_points_is_a_discriminator_without_its_last_layer() -> None:
    torch.manual_seed(0)
    whole, trunk = MLPDiscriminator(hidden=(8, 6)), MLPTrunk(hidden=(8, 6))
    trunk.load_state_dict({name: value for name, value in whole.state_dict().items() if name in trunk.state_dict()})
    x = torch.randn(4, 2)
    assert trunk.features == 6 and torch.equal(whole.layers[-1](trunk(x)).squeeze(1), whole(x))
    with pytest.raises(ValueError, match="a trunk needs a hidden layer"):
        MLPTrunk(hidden=())


@pytest.mark.parametrize("network", [DCGANGenerator, ResNetGenerator])
def test_labels_change_the_image_and_must_agree_with_the_classes(network: Callable[..., nn.Module]) -> None:
    torch.manual_seed(0)
    labelled = network(latent_dim=4, image_size=16, width=2, num_classes=3).double().eval()
    z = torch.randn(1, 4).double().expand(2, 4)
    one, other = labelled(z, torch.tensor([0, 2]))
    assert (one - other).abs().max() > 1e-8
    torch.testing.assert_close(*labelled(z, torch.tensor([1, 1])), atol=1e-14, rtol=1e-12)
    with pytest.raises(ValueError, match="num_classes=3 but was given no labels"):
        labelled(z)
    with pytest.raises(ValueError, match="num_classes=0 but was given labels"):
        network(latent_dim=4, image_size=16, width=2)(z, torch.tensor([0, 1]))


def test_batch_norm_is_neither_at_the_generators_output_nor_at_the_discriminators_input() -> None:
    generator, discriminator = DCGANGenerator(width=2), DCGANDiscriminator(width=2)
    assert [type(layer) for layer in generator.layers][-2:] == [nn.ConvTranspose2d, nn.Tanh]
    first = next(m for m in discriminator.modules() if isinstance(m, nn.Sequential))
    assert [type(layer) for layer in first][:3] == [nn.Conv2d, nn.LeakyReLU, nn.Conv2d]


def test_no_batch_norm_has_its_momentum_for_its_epsilon() -> None:
    networks = (MLPGenerator(), DCGANGenerator(), DCGANDiscriminator(), ResNetGenerator(), RecognitionHead())
    norms = [m for network in networks for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert norms and all(norm.eps == 1e-5 for norm in norms)


def test_a_trunk_and_its_heads_fit_by_default() -> None:
    features = DCGANTrunk(image_size=28, channels=1, width=4)(torch.randn(3, 1, 28, 28))
    assert ScoreHead()(features).shape == (3,)
    assert [tuple(y.shape) for y in RecognitionHead()(features)] == [(3, 10), (3, 2)]


def test_a_trunk_refuses_instance_norm_on_its_one_pixel() -> None:
    for norm in (InstanceNorm, nn.InstanceNorm2d):
        with pytest.raises(ValueError, match="one pixel"):
            DCGANTrunk(16, width=2, norm=norm)


def test_spectral_norm_divides_by_the_largest_singular_value() -> None:
    torch.manual_seed(0)
    critic, images = ResNetCritic(16, width=4, spectral_norm=True), torch.randn(2, 3, 16, 16)
    for _ in range(50):
        critic(images)
    layers = [m for m in critic.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(layers) == 8
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)
        assert largest.item() == pytest.approx(1, abs=1e-2)


def test_a_critic_without_norm_scores_each_image_alone() -> None:
    for critic in (ResNetCritic(16, width=4), DCGANDiscriminator(16, width=4, norm=None)):
        images = torch.randn(4, 3, 16, 16)
        torch.testing.assert_close(critic(images)[1:2], critic(images[1:2]))
