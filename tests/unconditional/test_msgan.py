"""Mode seeking: the regulariser, the losses in pairs with and without labels, and the authors' numbers."""

import inspect

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gan_modules import MSGAN, randomness
from gan_modules.penalties import mode_seeking
from transcribed import assert_same, unreached
from variants import trainer

N, CLASSES = 4, 3
LABELS = torch.tensor([0, 2, 1, 2])


class Net(nn.Module):
    """Inputs, and the label where there is one, to outputs; scores lose their last dimension."""

    def __init__(self, inputs: int, outputs: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.layers = nn.Sequential(nn.Linear(inputs + classes, 5), nn.Tanh(), nn.Linear(5, outputs))

    def forward(self, x: Tensor, *labels: Tensor) -> Tensor:
        told = [one_hot(each, self.classes).to(x) for each in labels]
        return self.layers(torch.cat([x, *told], dim=1)).squeeze(1)


def msgan(classes: int, **options: object) -> MSGAN:
    return MSGAN(Net(2, 3, classes), Net(3, 1, classes), classes, 2, **options).double()  # type: ignore[arg-type]


def test_the_regulariser_is_the_inverse_of_the_ratio_of_distances() -> None:
    samples, z = torch.randn(2 * N, 3, 5, 5, dtype=torch.float64, requires_grad=True), torch.randn(2 * N, 7).double()
    value = mode_seeking(samples, z)
    images, latents = samples.detach().numpy(), z.numpy()
    moved = sum(np.abs(images[i] - images[i + N]).mean() for i in range(N)) / N
    drawn = sum(np.abs(latents[i] - latents[i + N]).mean() for i in range(N)) / N
    assert value.item() == pytest.approx(1 / (moved / drawn + 1e-5), rel=1e-12)
    (gradient,) = torch.autograd.grad(value, samples)
    slope = np.sign(images[:N] - images[N:]) / images[:N].size / drawn  # of the ratio, by the first of each pair
    expected = -slope / (moved / drawn + 1e-5) ** 2
    np.testing.assert_allclose(gradient[:N].numpy(), expected, rtol=1e-10)
    np.testing.assert_allclose(gradient[N:].numpy(), -expected, rtol=1e-10)


def test_collapsed_samples_cost_most_and_costs_stay_finite() -> None:
    z, samples = torch.randn(8, 2), torch.randn(8, 3)
    collapsed = torch.zeros(8, 3, requires_grad=True)
    cost = mode_seeking(collapsed, z)
    assert cost.item() == pytest.approx(1e5, rel=1e-5) and mode_seeking(samples, z) < 10
    assert torch.autograd.grad(cost, collapsed)[0].isfinite().all()
    torch.testing.assert_close(mode_seeking(2 * samples, z, eps=0), mode_seeking(samples, z, eps=0) / 2)
    torch.testing.assert_close(mode_seeking(samples, 2 * z, eps=0), mode_seeking(samples, z, eps=0) * 2)


@pytest.mark.parametrize("labels", [(), (LABELS,)], ids=["latent", "labelled"])
def test_the_losses(labels: tuple[Tensor, ...]) -> None:
    module, real = msgan(CLASSES if labels else 0, mode_seeking_weight=0.7), torch.randn(N, 3).double()
    g, d = module.generator, module.discriminator

    def pair() -> list[Tensor]:
        return list(randomness.normal(2 * N, 2, dtype=torch.float64).split(N))

    def of_discriminator() -> Tensor:
        fakes = [g(z, *labels).detach() for z in pair()]
        right = d(real, *labels).sigmoid().log().mean()
        return -sum(right + (1 - d(fake, *labels).sigmoid()).log().mean() for fake in fakes)  # type: ignore[return-value]

    def of_generator() -> Tensor:
        z = pair()
        fakes = [g(each, *labels) for each in z]
        ratio = (fakes[0] - fakes[1]).abs().mean() / (z[0] - z[1]).abs().mean()
        adversarial = -sum(d(fake, *labels).sigmoid().log().mean() for fake in fakes)
        return adversarial + 0.7 / (ratio + 1e-5)

    assert_same(lambda: module.discriminator_loss(real, *labels), of_discriminator, d)
    assert_same(lambda: module.generator_loss(real, *labels)[0], of_generator, g, d)
    assert unreached(module.discriminator_loss(real, *labels), g)
    assert unreached(module.generator_loss(real, *labels)[1], d), "the regulariser is the generator's alone"


def test_without_weight_the_plain_game_is_left() -> None:
    module, real = msgan(0, mode_seeking_weight=0.0), torch.randn(N, 3).double()

    with randomness.using(randomness.Stream(5)):
        ours = module.generator_loss(real)[0]
    with randomness.using(randomness.Stream(5)):
        z = module.prior(2 * N)
    torch.testing.assert_close(ours, -2 * module.discriminator(module.generator(z)).sigmoid().log().mean())


def test_classes_are_the_samples_own() -> None:
    module = msgan(CLASSES)
    z, labels = module.grid_inputs(CLASSES, 2)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2] and torch.equal(z[:2], z[4:])
    wanted = torch.tensor([2, 2, 0])
    with randomness.using(randomness.Stream(3)):
        made = module.sample(3, wanted)
    with randomness.using(randomness.Stream(3)):
        torch.testing.assert_close(made, module.generator(module.prior(3), wanted))
    assert module.sample(50).shape == (50, 3) and msgan(0).sample(2).shape == (2, 3)


def test_the_authors_numbers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(MSGAN).parameters.items()}
    assert (defaults["mode_seeking_weight"], defaults["learning_rate"], defaults["betas"]) == (1, 2e-4, (0.5, 0.999))
    assert inspect.signature(mode_seeking).parameters["eps"].default == 1e-5
    module = msgan(0)
    trainer(max_epochs=1, precision="64-true").fit(module, torch.randn(2, N, 3).double())  # type: ignore[arg-type]
    for optimizer in module.trainer.optimizers:
        (group,) = optimizer.param_groups
        assert (group["lr"], group["betas"], group["weight_decay"]) == (2e-4, (0.5, 0.999), 1e-4)
