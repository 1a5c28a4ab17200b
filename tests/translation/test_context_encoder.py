"""Context encoders: a masked and weighted squared error, a discriminator that sees predictions in their pictures."""

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan_modules import ContextEncoder
from gan_modules.callbacks import TranslationScores
from gan_modules.networks import ContextGenerator
from transcribed import assert_same, unreached
from variants import trainer
from zoo.own import Judge

N, SIDE = 3, 9


def encoder(**options: Any) -> ContextEncoder:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.SiLU(), nn.Conv2d(4, 3, 3, padding=1), nn.Tanh())
    return ContextEncoder(generator, Judge(), **options).double()


def holed() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    target, hole = 2 * torch.rand(N, 3, SIDE, SIDE, dtype=torch.float64) - 1, torch.zeros(N, 1, SIDE, SIDE).double()
    for item, (row, column, side) in enumerate(((3, 2, 3), (0, 5, 4), (4, 4, 1))):
        hole[item, :, row : row + side, column : column + side] = 1
    return target * (1 - hole), target, hole


def by_hand(fake: np.ndarray, target: np.ndarray, hole: np.ndarray, border: int | None, weight: float) -> float:
    """Equation 1 with the border, pixel by pixel."""
    means = []
    for n in range(N):
        total, count = 0.0, 0
        places = np.argwhere(hole[n, 0] > 0)
        for i, j in np.ndindex(SIDE, SIDE):
            steps = np.abs(places - [i, j]).max(1).min()
            if border is None or steps <= border:
                total += (1 if steps == 0 else weight) * ((fake[n, :, i, j] - target[n, :, i, j]) ** 2).sum()
                count += 3
        means.append(total / count)
    return float(np.mean(means))


@pytest.mark.parametrize("overlap", [0, 2, None])
def test_the_losses(overlap: int | None) -> None:
    module, (source, target, hole) = encoder(overlap=overlap, reconstruction_weight=0.7, overlap_weight=4.0), holed()
    g, d = module.generator, module.discriminator
    expected = by_hand(g(source).detach().numpy(), target.numpy(), hole.numpy(), overlap, 4.0)
    assert module.reconstruction_loss(g(source), target, hole).item() == pytest.approx(expected, rel=1e-12)
    predicted = torch.ones_like(hole)
    if overlap is not None:
        predicted.zero_()
        for n, _, i, j in hole.nonzero().tolist():
            predicted[n, :, max(i - overlap, 0) : i + overlap + 1, max(j - overlap, 0) : j + overlap + 1] = 1

    def pasted() -> Tensor:
        return torch.where(predicted > 0, g(source), target)

    def of_generator() -> Tensor:
        weights = torch.where(hole > 0, 1.0, 4.0) * predicted
        errors = (weights * (g(source) - target) ** 2).sum((1, 2, 3)) / (3 * predicted.sum((1, 2, 3)))
        return 0.7 * errors.mean() - 0.3 * torch.sigmoid(d(pasted())).log().mean()

    def of_discriminator() -> Tensor:
        real, fake = torch.sigmoid(d(target)), torch.sigmoid(d(pasted().detach()))
        return -(real.log() + (1 - fake).log()).mean()

    assert_same(lambda: module.generator_loss(source, target, hole)[0], of_generator, g, d)
    _, reconstruction, seen = module.generator_loss(source, target, hole)
    assert_same(lambda: module.discriminator_loss(target, seen.detach()), of_discriminator, d)
    assert unreached(reconstruction, d)
    torch.testing.assert_close(seen, pasted())


def test_pixels_that_are_not_predicted_have_no_gradient() -> None:
    module, (_, target, hole) = encoder(overlap=1), holed()
    fake = torch.zeros_like(target).requires_grad_()
    (slope,) = torch.autograd.grad(module.reconstruction_loss(fake, target, hole), fake)
    reached = slope.abs().amax(1, keepdim=True) > 0
    assert (reached >= (hole > 0)).all() and 0 < reached.float().mean() < 0.5
    border = reached & (hole == 0)
    ratio = (slope / -target).abs()
    torch.testing.assert_close(ratio[0, 0][border[0, 0]].mean(), 10 * ratio[0, 0][hole[0, 0] > 0].mean())


def test_validation_fills_the_hole_and_leaves_the_rest() -> None:
    module, (source, target, hole) = encoder(), holed()
    view = module.validation_step((source, target, 2 * hole - 1), 0)
    outside = (hole == 0).expand_as(target)
    assert torch.equal(view["fake"][outside], target[outside])
    torch.testing.assert_close(view["fake"][~outside], module(source)[~outside])
    found: dict[str, float] = {}
    for scorer in TranslationScores().scorers():
        if "hole" in scorer.name:
            scorer.feed(scorer.metric, view, False)
            scorer.feed(scorer.metric, view, True)
            found |= {name: value.item() for name, value in scorer.compute().items()}
    expected = [0.0, 0.0]
    for n in range(N):
        inside = (hole[n] > 0).expand_as(target[n])
        for place, images in enumerate((view["fake"], source)):
            error = ((images[n][inside] - target[n][inside]) ** 2).mean().item()
            expected[place] += 10 * np.log10(4 / error) / N
    assert [found["psnr_hole"], found["psnr_hole_identity"]] == pytest.approx(expected, rel=1e-5)


def test_a_batch_without_holes_is_refused() -> None:
    x = torch.zeros(2, 3, SIDE, SIDE)
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, x), batch_size=2)
    with pytest.raises(ValueError, match=r"this model fills holes: expected \(source, target, hole\), got"):
        trainer().fit(encoder().float(), data)


def test_all_of_the_picture_passes_through_the_bottleneck() -> None:
    """One pixel of the source may change any pixel of the picture."""
    torch.manual_seed(0)
    network = ContextGenerator(3, 3, 16, 4, 6).eval()
    source = torch.randn(1, 3, 16, 16, requires_grad=True)
    (slope,) = torch.autograd.grad(network(source)[0, 0, 0, 0], source)
    assert slope[0, :, -1, -1].any() and slope.shape == source.shape


def test_the_papers_numbers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(ContextEncoder).parameters.items()}
    assert defaults["reconstruction_weight"] == 0.999 and defaults["overlap_weight"] == 10
    assert defaults["generator_rate"] == 10 * defaults["learning_rate"] == 2e-3 and defaults["betas"][0] == 0.5
    narrow = [layer.out_channels for layer in ContextGenerator().layers if isinstance(layer, nn.Conv2d)]
    assert narrow == [64, 64, 128, 256, 512, 4000]
