"""SGAN is its paper: K + 1 classes of which one logit is 0, known and unknown labels, and features that match."""

import inspect
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from gan_modules import SGAN, metrics, networks, randomness
from gan_modules.callbacks import Accuracy
from gan_modules.networks import MLPClassifier
from transcribed import assert_same, unreached
from variants import build, data, loader, trainer

CLASSES = 3
LABELS = torch.tensor([0, -1, 2, 2, -1, -1, 1])


class Classify(nn.Module):
    """Points (n, 3) -> class logits and features."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(3, 5), nn.Tanh())
        self.classify = nn.Linear(5, CLASSES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(x)
        return 2 * self.classify(features), features


def tiny(weight: float = 0.7) -> SGAN:
    generator = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 3))
    return SGAN(generator, Classify(), CLASSES, latent_dim=2, unsupervised_weight=weight).double()


def points() -> Tensor:
    return torch.randn(len(LABELS), 3, dtype=torch.float64)


def fakes(module: SGAN) -> Tensor:
    return module.generator(randomness.normal(len(LABELS), 2, dtype=torch.float64))


def probabilities(module: SGAN, x: Tensor) -> Tensor:
    """Of K + 1 classes, the last being generated, with a logit of 0: (n, K + 1)."""
    logits, _ = module.discriminator(x)
    exponentials = torch.cat([logits, torch.zeros(len(x), 1, dtype=torch.float64)], dim=1).exp()
    return exponentials / exponentials.sum(1, keepdim=True)


def test_the_discriminators_loss_is_section_5s() -> None:
    module, real = tiny(), points()

    def supervised() -> Tensor:
        p = probabilities(module, real)
        terms = [(p[i, label] / (1 - p[i, -1])).log() for i, label in enumerate(LABELS.tolist()) if label >= 0]
        return -torch.stack(terms).mean()

    def formula() -> Tensor:
        p_real, p_fake = probabilities(module, real[LABELS < 0]), probabilities(module, fakes(module).detach())
        return supervised() - 0.7 * ((1 - p_real[:, -1]).log().mean() + p_fake[:, -1].log().mean())

    assert_same(lambda: module.discriminator_loss(real, LABELS)[0], formula, module.discriminator)
    assert_same(lambda: module.discriminator_loss(real, LABELS)[1], supervised, module.discriminator)
    assert unreached(module.discriminator_loss(real, LABELS)[0], module.generator)


def test_the_generator_matches_the_mean_features_of_the_unlabelled() -> None:
    module, real = tiny(), points()

    def formula() -> Tensor:
        unlabelled = module.discriminator(real[LABELS < 0])[1].detach()
        difference = module.discriminator(fakes(module))[1].mean(0) - unlabelled.mean(0)
        return difference.square().sum() / 5

    assert_same(lambda: module.generator_loss(real, LABELS), formula, module.generator)


class Table(nn.Module):
    """A discriminator that can give any logits to an outcome."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(3, 2, dtype=torch.float64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.logits[x[:, 0]], x


# outcomes of data without labels, with labels, and generated ones: means over them are expectations, without error
UNLABELLED, GENERATED = torch.tensor([0, 0, 0, 1, 2, 2]), torch.tensor([0, 1, 1, 1, 2, 2, 2, 2, 0, 0, 1, 2])
LABELLED, CLASSES_OF = torch.tensor([0, 0, 1, 1, 1, 2]), torch.tensor([0, 1, 0, 1, 1, 0])


class Outcomes(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return GENERATED[:, None]


def test_at_the_optimum_the_classes_share_the_ratio_of_the_densities() -> None:
    """log Z(x) = log p(x) / q(x), and of it each class has its frequency among the labels of x."""
    module = SGAN(Outcomes(), Table(), num_classes=2)
    real = torch.cat([UNLABELLED, LABELLED])[:, None]
    labels = torch.cat([torch.full((6,), -1), CLASSES_OF])
    shares = torch.stack([torch.bincount(CLASSES_OF[x == LABELLED], minlength=2).double() for x in range(3)])
    shares = shares / shares.sum(1, keepdim=True)
    ratio = (torch.bincount(UNLABELLED) / 6).double() / (torch.bincount(GENERATED) / 12).double()
    table = cast(Table, module.discriminator)
    table.logits.data = (shares.clamp(min=1e-12) * ratio[:, None]).log()
    module.discriminator_loss(real, labels)[0].backward()
    assert table.logits.grad is not None
    torch.testing.assert_close(table.logits.grad, torch.zeros(3, 2, dtype=torch.float64), atol=1e-7, rtol=0)


def test_batches_without_a_label_teach_no_class_and_without_an_unknown_one_nothing_else() -> None:
    module, real = tiny(), points()
    loss, supervised = module.discriminator_loss(real, torch.full_like(LABELS, -1))
    assert supervised == 0 and loss.isfinite() and loss > 0
    randomness.use(randomness.Stream(3))
    loss, supervised = module.discriminator_loss(real, LABELS.clamp(min=0))
    randomness.use(randomness.Stream(3))
    generated = -probabilities(module, fakes(module))[:, -1].log().mean()
    torch.testing.assert_close(loss, supervised + 0.7 * generated)


def test_labels_that_are_all_known_are_refused() -> None:
    module = build("sgan", own=True)
    real, labels = data("sgan", 8)
    known = DataLoader(TensorDataset(real, labels.clamp(min=0)), batch_size=4)
    with pytest.raises(ValueError, match="needs pictures without labels.*add --data.labels_per_class"):
        trainer().fit(module, known)


def test_validation_names_classes_without_noise() -> None:
    torch.manual_seed(2)
    module: Any = SGAN(networks.MLPGenerator(2, (3,), (4,)), MLPClassifier((3,), (6, 5), CLASSES), CLASSES, 2).eval()
    real = torch.randn(7, 3)
    shown = module.validation_step((real, LABELS), 0)
    assert torch.equal(shown["predicted"], module.discriminator(real)[0].argmax(1))
    assert torch.equal(shown["classes"], LABELS) and "labels" not in shown


def test_the_accuracy_is_over_all_that_is_held_out_and_known() -> None:
    module: Any = build("sgan", own=True)
    fitted, held_out = trainer(callbacks=[Accuracy()]), loader("sgan", 3)
    fitted.fit(module, loader("sgan", 4), held_out)
    right = [
        int(module.discriminator(image[None])[0].argmax()) == int(label)
        for images, labels in held_out
        for image, label in zip(images, labels, strict=True)
        if label >= 0
    ]
    assert fitted.callback_metrics["metric/accuracy"].item() == pytest.approx(sum(right) / len(right))
    assert 0 < len(right) < 12 and Accuracy().scorers()[0].better == "higher"


def test_the_accuracy_says_what_it_needs() -> None:
    fitted = trainer(callbacks=[Accuracy()])
    with pytest.raises(ValueError, match='needs "classes" and "predicted" .* got .*; leave it out'):
        fitted.fit(build("cgan", own=True), loader("cgan", 1), loader("cgan", 1))
    with pytest.raises(ValueError, match=r"a prediction for each class, got \(2,\) for \(3,\)"):
        metrics.Accuracy().update(torch.zeros(2), torch.zeros(3))
    with pytest.raises(ValueError, match="at least one known class"):
        metrics.Accuracy().compute()


def test_the_classifier_is_noisy_in_training_alone_and_has_normalised_weights() -> None:
    torch.manual_seed(1)
    network, x = MLPClassifier((4,), (6, 5), CLASSES, input_noise=0.3, hidden_noise=0.0).double(), torch.randn(2, 4)
    x = x.double()
    assert not torch.equal(network(x)[0], network(x)[0]) and torch.equal(*(network.eval()(x)[0] for _ in range(2)))
    logits, features = network(x)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    for layer in layers:
        direction, length = layer.parametrizations.weight.original1, layer.parametrizations.weight.original0  # type: ignore
        torch.testing.assert_close(layer.weight, length * direction / direction.norm(dim=1, keepdim=True))
    first, second = layers[:2]
    expected = torch.relu(torch.relu(x @ first.weight.T + first.bias) @ second.weight.T + second.bias)
    torch.testing.assert_close(features, expected)
    torch.testing.assert_close(logits, features @ layers[2].weight.T + layers[2].bias)


def test_gaussian_noise_has_its_deviation_and_belongs_to_the_image() -> None:
    layer, x = networks.GaussianNoise(0.5), torch.ones(6, 4000)
    noise = layer(x) - 1
    assert noise.std().item() == pytest.approx(0.5, rel=0.02) and noise.mean().abs() < 0.01
    assert torch.equal(networks.GaussianNoise(0.5).eval()(x), x)
    parts = []
    for part, of in ((0, 1), (0, 2), (1, 2)):
        with randomness.using(randomness.Stream(3, part, of)):
            parts.append(layer(x[: 6 // of]))
    assert torch.equal(parts[0], torch.stack(parts[1:], dim=1).flatten(0, 1))


def test_the_defaults_are_the_authors() -> None:
    defaults = {name: each.default for name, each in inspect.signature(SGAN).parameters.items()}
    assert (defaults["learning_rate"], defaults["betas"], defaults["unsupervised_weight"]) == (3e-4, (0.5, 0.999), 0.5)
    with torch.device("meta"):
        widths = [layer.out_features for layer in MLPClassifier().modules() if isinstance(layer, nn.Linear)]
        noises = [layer.std for layer in MLPClassifier().modules() if isinstance(layer, networks.GaussianNoise)]
    assert widths == [1000, 500, 250, 250, 250, 10] and noises == [0.3, 0.5, 0.5, 0.5, 0.5, 0.5]
