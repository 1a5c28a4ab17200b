"""ProjectionGAN is its paper: the hinge game, its schedule, and scores that hold the logarithm of any class's ratio."""

import inspect
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from gan_modules import ProjectionGAN, networks, randomness
from transcribed import assert_same, unreached
from variants import build, loader, trainer
from zoo.own import Draw

CLASSES = 3
LABELS = torch.tensor([0, 1, 2, 2, 0])


class Score(nn.Module):
    """Images (n, 3, 8, 8) and labels -> scores."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(192, 5), nn.Tanh())
        self.head = networks.ProjectionHead(5, CLASSES)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        return self.head(3 * self.features(images), labels)


def tiny(generator_batch: int = 1) -> ProjectionGAN:
    pair = Draw(4, CLASSES), Score()
    return ProjectionGAN(*pair, CLASSES, latent_dim=4, generator_batch=generator_batch).double()


def test_the_discriminator_minimises_the_hinge_of_each_pair() -> None:
    module, real = tiny(), torch.randn(5, 3, 8, 8, dtype=torch.float64)

    def formula() -> Tensor:
        fake = module.generator(randomness.normal(5, 4, dtype=torch.float64), LABELS).detach()
        real_scores, fake_scores = module.discriminator(real, LABELS), module.discriminator(fake, LABELS)
        zero = torch.zeros(5, dtype=torch.float64)
        assert (real_scores < 1).any() and (fake_scores > -1).any()
        return (torch.maximum(zero, 1 - real_scores) + torch.maximum(zero, 1 + fake_scores)).mean()

    assert_same(lambda: module.discriminator_loss(real, LABELS), formula, module.discriminator)
    assert unreached(module.discriminator_loss(real, LABELS), module.generator)


@pytest.mark.parametrize("times", [1, 2])
def test_the_generator_maximises_the_score_of_its_class(times: int) -> None:
    module, labels = tiny(times), torch.cat([LABELS] * times)

    def formula() -> Tensor:
        fake = module.generator(randomness.normal(5 * times, 4, dtype=torch.float64), labels)
        return -module.discriminator(fake, labels).mean()

    assert_same(lambda: module.generator_loss(LABELS), formula, module.generator)


def test_the_generator_follows_every_fifth_step() -> None:
    module = cast(ProjectionGAN, build("projection", n_critic=5, decay_steps=4))
    fitted = trainer(max_epochs=2)
    fitted.fit(module, loader("projection", 6))
    assert (module.batches_seen, module.generator_steps) == (12, 2)
    rates = [optimizer.param_groups[0]["lr"] for optimizer in fitted.optimizers]
    assert rates == pytest.approx([2e-4 * (1 - 12 / 20), 2e-4 * (1 - 2 / 4)])


def test_the_defaults_are_the_papers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(ProjectionGAN).parameters.items()}
    expected = {"learning_rate": 2e-4, "betas": (0.0, 0.9), "n_critic": 5, "generator_batch": 2, "latent_dim": 128}
    assert {name: defaults[name] for name in expected} == expected


def test_the_head_holds_the_ratio_of_two_joint_densities() -> None:
    """Equation 3: log q(x, y) / p(x, y) = r(y | x) + r(x), for Gaussian classes of their own means and frequencies.

    With phi(x) = (x, 1, psi), psi being r(x) less the ratio of the normalisers of q(y | x) and p(y | x), the rows of V
    are the differences of the two models' parameters of a class.
    """
    x = 2 * torch.randn(20, 2, dtype=torch.float64)
    logits, joint = {}, {}
    parameters = {}
    for side in "qp":
        means, frequencies = torch.randn(CLASSES, 2).double(), torch.rand(CLASSES).double().softmax(0)
        log_density = torch.distributions.Normal(means, 1.0).log_prob(x[:, None]).sum(2)
        joint[side] = log_density + frequencies.log()
        parameters[side] = torch.cat([means, (frequencies.log() - means.square().sum(1) / 2)[:, None]], dim=1)
        logits[side] = torch.cat([x, torch.ones(20, 1).double()], dim=1) @ parameters[side].T
        torch.testing.assert_close(logits[side].log_softmax(1), joint[side].log_softmax(1))  # log-linear: q(y | x)
    marginal, normaliser = ({side: values[side].logsumexp(1) for side in "qp"} for values in (joint, logits))
    psi = marginal["q"] - marginal["p"] - (normaliser["q"] - normaliser["p"])
    head = networks.ProjectionHead(4, CLASSES).double()
    head.embed.weight.data = functional.pad(parameters["q"] - parameters["p"], (0, 1))
    head.score.weight.data = torch.tensor([[0.0, 0, 0, 1]]).double()
    features = torch.cat([x, torch.ones(20, 1).double(), psi[:, None]], dim=1)
    for label in range(CLASSES):
        scores = head(features, torch.full((20,), label))
        torch.testing.assert_close(scores, (joint["q"] - joint["p"])[:, label])


def test_the_class_enters_the_score_by_the_inner_product_alone() -> None:
    torch.manual_seed(1)
    judge = networks.ProjectionDiscriminator(16, 3, 4, CLASSES).double().eval()
    images = torch.rand(5, 3, 16, 16).double()
    features = torch.relu(judge.blocks(images)).sum((2, 3))
    difference = judge(images, LABELS) - judge(images, torch.zeros(5, dtype=torch.int64))
    rows = judge.head.embed.weight[LABELS] - judge.head.embed.weight[0]
    torch.testing.assert_close(difference, (rows * features).sum(1))


def test_every_weight_of_the_discriminator_has_spectral_norm_and_none_of_the_generator() -> None:
    judge, generator = networks.ProjectionDiscriminator(16, width=4), networks.ProjectionGenerator(4, 16, width=4)
    images, labels = torch.randn(2, 3, 16, 16), torch.tensor([0, 1])
    for _ in range(50):
        judge(images, labels)
    layers = [m for m in judge.modules() if isinstance(m, (nn.Conv2d, nn.Linear, nn.Embedding))]
    assert len(layers) == 3 + 2 * 2 + 2 and all(parametrize.is_parametrized(layer, "weight") for layer in layers)
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item() == pytest.approx(1, abs=1e-2)
    assert not any(parametrize.is_parametrized(layer) for layer in generator.modules())


def test_conditional_batch_norm_is_the_formula() -> None:
    norm = networks.ConditionalBatchNorm(2, CLASSES).double()
    x, condition = torch.randn(6, 2, 3, 3).double(), torch.eye(CLASSES).double().repeat(2, 1)
    centred = x - x.mean((0, 2, 3), keepdim=True)
    normal = centred / (centred.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(norm(x, condition), normal, msg="at first no class is different")
    gammas, betas = 1 + torch.randn(2, CLASSES).double(), torch.randn(2, CLASSES).double()
    norm.scale.weight.data, norm.shift.weight.data = gammas - 1, betas
    expected = [gammas[:, i % CLASSES, None, None] * normal[i] + betas[:, i % CLASSES, None, None] for i in range(6)]
    torch.testing.assert_close(norm(x, condition), torch.stack(expected))
