"""BigGAN is its paper: filters held apart, hierarchical latents, one embedding, and truncated samples."""

import inspect
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gan_modules import BigGAN, networks, randomness
from gan_modules.evaluation import sides
from gan_modules.penalties import similar_filters
from transcribed import assert_same, unreached
from variants import build, loader, trainer

CLASSES = 3
LABELS = torch.tensor([0, 1, 2, 2, 0])


class Draw(nn.Module):
    """Noise (n, 2) and labels -> points (n, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2 + CLASSES, 5), nn.Linear(5, 4)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        joined = torch.cat([z, nn.functional.one_hot(labels, CLASSES).to(z)], dim=1)
        return self.last(torch.tanh(self.first(joined)))


class Score(nn.Module):
    """Points (n, 4) and labels -> scores."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(4, 5), nn.Tanh())
        self.head = networks.ProjectionHead(5, CLASSES)

    def forward(self, points: Tensor, labels: Tensor) -> Tensor:
        return self.head(3 * self.features(points), labels)


def tiny(weight: float = 0.3) -> BigGAN:
    return BigGAN(Draw(), Score(), CLASSES, latent_dim=2, orthogonal_weight=weight).double()


def pairs_of_filters(weight: Tensor) -> Tensor:
    """The sum of the squared inner products of all pairs of different filters, pair by pair."""
    filters = [each.flatten() for each in weight]
    return torch.stack([(a @ b) ** 2 for i, a in enumerate(filters) for j, b in enumerate(filters) if i != j]).sum()


def test_the_discriminator_minimises_the_hinge_of_each_pair() -> None:
    module, real = tiny(), torch.randn(5, 4, dtype=torch.float64)

    def formula() -> Tensor:
        fake = module.generator(randomness.normal(5, 2, dtype=torch.float64), LABELS).detach()
        zero = torch.zeros(5, dtype=torch.float64)
        terms = 1 - module.discriminator(real, LABELS), 1 + module.discriminator(fake, LABELS)
        return sum((torch.maximum(zero, term).mean() for term in terms), zero.sum())

    assert_same(lambda: module.discriminator_loss(real, LABELS), formula, module.discriminator)
    assert unreached(module.discriminator_loss(real, LABELS), module.generator)


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_the_generators_loss_has_the_regularisation(weight: float) -> None:
    module = tiny(weight)

    def formula() -> Tensor:
        fake = module.generator(randomness.normal(5, 2, dtype=torch.float64), LABELS)
        draw = cast(Draw, module.generator)
        penalty = pairs_of_filters(draw.first.weight) + pairs_of_filters(draw.last.weight)
        return weight * penalty - module.discriminator(fake, LABELS).mean()

    assert_same(lambda: module.generator_loss(LABELS), formula, module.generator)


@pytest.mark.parametrize("shape", [(4, 6), (5, 2, 3, 3)])
def test_the_penalty_and_its_gradient(shape: tuple[int, ...]) -> None:
    weight = torch.randn(*shape, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(similar_filters([weight]), pairs_of_filters(weight))
    (gradient,) = torch.autograd.grad(similar_filters([weight]), weight)
    rows = weight.detach().flatten(1)
    products = rows @ rows.T * (1 - torch.eye(shape[0], dtype=torch.float64))
    torch.testing.assert_close(gradient.flatten(1), 4 * products @ rows)


def test_the_penalty_asks_for_right_angles_and_leaves_lengths_alone() -> None:
    rows = nn.init.orthogonal_(torch.empty(4, 6, dtype=torch.float64))
    lengths = torch.tensor([0.1, 1.0, 5.0, 20.0], dtype=torch.float64)[:, None]
    assert similar_filters([rows, lengths * rows]) < 1e-20
    weight = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    for _ in range(500):
        (gradient,) = torch.autograd.grad(similar_filters([weight]), weight)
        weight.data.sub_(gradient, alpha=0.005)
    angles = torch.nn.functional.normalize(weight.detach())
    torch.testing.assert_close(angles @ angles.T, torch.eye(4, dtype=torch.float64), atol=1e-3, rtol=0)
    assert weight.norm(dim=1).min() > 0.3, "plain decay would shrink them"


def test_the_penalty_is_of_weights_and_not_of_biases_norms_or_embeddings() -> None:
    module = cast(BigGAN, build("biggan"))
    module.orthogonality().backward()
    generator = cast(networks.BigGANGenerator, module.generator)
    assert generator.embed.weight.grad is None
    for name, parameter in generator.named_parameters():
        assert (parameter.grad is None) == (parameter.ndim < 2 or name == "embed.weight"), name


def test_each_part_of_a_latent_enters_at_its_own_block() -> None:
    generator = networks.BigGANGenerator(12, 16, 3, 4, CLASSES, 5).double().eval()
    outputs: list[Tensor] = []
    for layer in (generator.input, *generator.blocks):
        layer.register_forward_hook(lambda _, __, output: outputs.append(output))
    z = torch.randn(1, 12, dtype=torch.float64)
    assert generator.parts == [4, 4, 4] and len(generator.blocks) == 2
    for part in range(3):
        changed = z.clone()
        changed[:, 4 * part : 4 * part + 4] += 1
        outputs.clear()
        generator(z, LABELS[:1])
        generator(changed, LABELS[:1])
        moved = [not torch.equal(before, after) for before, after in zip(outputs[:3], outputs[3:], strict=True)]
        assert moved == [layer >= part for layer in range(3)]


def test_all_blocks_share_one_embedding() -> None:
    generator = networks.BigGANGenerator(12, 16, 3, 4, CLASSES, 5)
    assert [m.weight.shape for m in generator.modules() if isinstance(m, nn.Embedding)] == [(CLASSES, 5)]
    for block in generator.blocks:
        assert block.first_norm.scale.in_features == block.second_norm.shift.in_features == 5 + 4  # type: ignore


def test_both_networks_have_spectral_norm_but_for_the_generators_embedding() -> None:
    pair = networks.BigGANGenerator(12, 16, 3, 4, CLASSES, 5), networks.BigGANDiscriminator(16, 3, 4, CLASSES)
    weighted = (nn.Conv2d, nn.Linear, nn.Embedding)
    for network in pair:
        layers = {name: m for name, m in network.named_modules() if isinstance(m, weighted)}
        bare = {name for name, layer in layers.items() if not parametrize.is_parametrized(layer, "weight")}
        assert len(layers) > 10 and bare == ({"embed"} if network is pair[0] else set())


def test_the_weights_are_orthogonal_at_first() -> None:
    for network in (networks.BigGANGenerator(12, 16, 3, 4, CLASSES, 5), networks.BigGANDiscriminator(16, 3, 4)):
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1:
                rows = parameter.detach().flatten(1)
                rows = rows if len(rows) <= rows.shape[1] else rows.T
                torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows)), atol=1e-4, rtol=0, msg=name)


def test_what_a_latent_has_left_over_is_the_inputs() -> None:
    assert networks.BigGANGenerator(120, 128, width=1).parts == [20] * 6
    assert networks.BigGANGenerator(14, 32, width=1).parts == [5, 3, 3, 3]
    with pytest.raises(ValueError, match="latent_dim must be a whole number of at least 4, got 3"):
        networks.BigGANGenerator(3, 32, width=1)


def test_samples_can_be_truncated() -> None:
    module = cast(BigGAN, build("biggan", own=True)).eval()
    drawn: list[Tensor] = []
    module.generator.register_forward_pre_hook(lambda _, inputs: drawn.append(inputs[0]))
    labels = torch.zeros(256, dtype=torch.int64)
    varied = {}
    for truncation in (None, 0.5):
        drawn.clear()
        side = sides.of_model(module, 256, seed=0, labels=labels, truncation=truncation)
        images = torch.cat([part.images for part in side.parts(256)]).float()
        varied[truncation] = images.std(0).mean()
        assert (drawn[-1].abs().max() <= 0.5) == (truncation == 0.5)
    assert varied[0.5] < 0.6 * varied[None], "less noise is less variety"


@pytest.mark.parametrize("n_critic", [1, 4])
def test_the_generator_follows_its_share_of_steps(n_critic: int) -> None:
    module = cast(BigGAN, build("biggan", own=True, n_critic=n_critic))
    trainer(max_epochs=2).fit(module, loader("biggan", 6))
    assert (module.batches_seen, module.generator_steps) == (12, 12 // n_critic)


def test_the_defaults_are_the_authors_for_cifar10() -> None:
    defaults = {name: each.default for name, each in inspect.signature(BigGAN).parameters.items()}
    rates = defaults["generator_learning_rate"], defaults["discriminator_learning_rate"]
    assert rates == (2e-4, 2e-4) and defaults["betas"] == (0.0, 0.999)
    assert (defaults["n_critic"], defaults["latent_dim"], defaults["orthogonal_weight"]) == (4, 128, 1e-4)
