"""CoGAN: what is shared, by identity and by gradient; its losses; pairs side by side; the authors' numbers."""

import inspect

import pytest
import torch
from torch import Tensor, nn

from gan_modules import CoGAN, networks, randomness
from gan_modules.randomness import Stream, using
from transcribed import assert_same, unreached

N, LATENT = 4, 3


def cogan(own: int = 1) -> CoGAN:
    generator = networks.CoupledGenerator(LATENT, 16, 1, 4, own)
    return CoGAN(generator, networks.CoupledDiscriminator(16, 1, 4, None, own), LATENT).double()


def domains() -> tuple[Tensor, Tensor]:
    x, y = torch.randn(2, N, 1, 16, 16, dtype=torch.float64)
    return x, y


def separate(network: nn.Module, domain: str) -> list[nn.Module]:
    """The layers of one of the two networks, in their order."""
    parts = [network.shared, getattr(network, f"own_{domain}")]
    return [layer for part in parts for layer in part]  # type: ignore[union-attr]


@pytest.mark.parametrize("own", [1, 2])
def test_what_is_shared_is_one_object(own: int) -> None:
    module = cogan(own)
    for network in (module.generator, module.discriminator):
        of_x, of_y = ({id(p) for layer in separate(network, d) for p in layer.parameters()} for d in "xy")
        assert of_x & of_y == {id(p) for p in network.shared.parameters()}  # type: ignore[union-attr]
        assert of_x | of_y == {id(p) for p in network.parameters()} and of_x - of_y and of_y - of_x
        convolutions = [m for m in network.own_x if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]  # type: ignore[union-attr]
        assert len(convolutions) == own
    assert not torch.equal(module.generator.own_x[-2].weight, module.generator.own_y[-2].weight)  # type: ignore[index,union-attr]


def test_one_domain_teaches_the_shared_layers_and_its_own_alone() -> None:
    module = cogan()
    images = module.generator(torch.randn(N, LATENT).double())
    scores = module.discriminator(*domains())
    for network, outputs in ((module.generator, images), (module.discriminator, scores)):
        for output, own, other in zip(outputs, "xy", "yx", strict=True):
            total = output.square().sum()
            parts = {
                name: list(getattr(network, name).parameters()) for name in ("shared", f"own_{own}", f"own_{other}")
            }
            for name, parameters in parts.items():
                gradients = torch.autograd.grad(total, parameters, retain_graph=True, materialize_grads=True)
                assert all((gradient.abs().max() > 0) == (name != f"own_{other}") for gradient in gradients)


def test_a_shared_weight_has_the_sum_of_both_gradients() -> None:
    module, (x, y) = cogan(), domains()
    weight = module.discriminator.shared[-2].weight  # type: ignore[index,union-attr]
    parts = [torch.autograd.grad(scores.sum(), weight, retain_graph=True)[0] for scores in module.discriminator(x, y)]
    (both,) = torch.autograd.grad(sum(each.sum() for each in module.discriminator(x, y)), weight)
    torch.testing.assert_close(both, parts[0] + parts[1])


def test_the_losses() -> None:
    module, (x, y) = cogan(), domains()
    g, d = module.generator, module.discriminator

    def judged(images: Tensor, domain: str) -> Tensor:
        for layer in (*getattr(d, f"own_{domain}"), *d.shared):  # type: ignore[misc]
            images = layer(images)
        return images.sigmoid()

    def drawn() -> list[Tensor]:
        scene = g.shared(randomness.normal(N, LATENT, dtype=torch.float64))  # type: ignore[operator]
        return [g.own_x(scene), g.own_y(scene)]  # type: ignore[operator]

    def of_discriminator() -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for real, fake, domain in zip((x, y), drawn(), "xy", strict=True):
            total = total - judged(real, domain).log().mean() - (1 - judged(fake.detach(), domain)).log().mean()
        return total

    def of_generator() -> Tensor:
        fake_x, fake_y = drawn()
        return -judged(fake_x, "x").log().mean() - judged(fake_y, "y").log().mean()

    assert_same(lambda: module.discriminator_loss(x, y), of_discriminator, d)
    assert_same(lambda: module.generator_loss(x, y), of_generator, g, d)
    assert unreached(module.discriminator_loss(x, y), g)


def test_partners_are_never_compared() -> None:
    """The loss does not change when one domain's pictures change places."""
    module, (x, y) = cogan(), domains()
    losses = []
    for order in (torch.arange(N), torch.tensor([2, 0, 3, 1])):
        with using(Stream(1)):
            losses.append(module.discriminator_loss(x, y[order]))
    torch.testing.assert_close(*losses)


def test_samples_are_pairs_side_by_side_and_follow_the_average() -> None:
    module = CoGAN(networks.CoupledGenerator(LATENT, 16, 1, 4), nn.Identity(), LATENT, average_decay=0.9).eval()
    with torch.no_grad():
        for parameter in module.averages["generator"].parameters():
            parameter.mul_(0.5)
        with using(Stream(2)):
            made = module.sample(5)
        with using(Stream(2)):
            x, y = module.averages["generator"](module.prior(5))
    assert made.shape == (5, 1, 16, 32) and torch.equal(made[..., :16], x) and torch.equal(made[..., 16:], y)
    assert module(*module.grid_inputs(2, 3)).shape == (6, 1, 16, 32)


def test_the_authors_numbers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(CoGAN).parameters.items()}
    assert (defaults["learning_rate"], defaults["betas"], defaults["weight_decay"]) == (2e-4, (0.5, 0.999), 5e-4)
    assert defaults["latent_dim"] == 100
    for network in (networks.CoupledGenerator, networks.CoupledDiscriminator):
        assert inspect.signature(network).parameters["own"].default == 1
        with pytest.raises(ValueError, match="own must be below 3, got 3"):
            network(image_size=16, own=3)
