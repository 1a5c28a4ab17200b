"""Mode seeking pix2pix: the losses in pairs by hand, with and without the regulariser, and the authors' numbers."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from gan_modules import ModeSeekingPix2Pix, randomness
from transcribed import assert_same, unreached
from variants import trainer

N, CODE = 3, 2
SHAPE = (1, 2, 2)


class Net(nn.Module):
    """Two inputs, side by side, to images or scores."""

    def __init__(self, inputs: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.linear, self.shape = nn.Linear(inputs, 4), shape
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        self.seen.append((one.detach(), other.detach()))
        return torch.tanh(self.linear(torch.cat([one.flatten(1), other.flatten(1)], 1))).unflatten(1, self.shape)


def mode_seeking_pix2pix(**options: Any) -> ModeSeekingPix2Pix:
    torch.manual_seed(0)
    return ModeSeekingPix2Pix(Net(4 + CODE, SHAPE), Net(8, (4,)), CODE, **options).double()


def pair() -> tuple[Tensor, Tensor]:
    return torch.randn(N, *SHAPE).double(), torch.rand(N, *SHAPE).double() * 2 - 1


def test_the_generators_loss_is_the_authors() -> None:
    module, (source, target) = mode_seeking_pix2pix(l1_weight=3.0, mode_seeking_weight=0.4), pair()

    def formula() -> Tensor:
        code = randomness.normal(2 * N, CODE, dtype=torch.float64)
        one, other = module.generator(source, code[:N]), module.generator(source, code[N:])
        deceit = sum(((module.discriminator(each, source) - 1) ** 2).mean() for each in (one, other))
        ratio = (one - other).abs().mean() / (code[:N] - code[N:]).abs().mean()
        return deceit + 3.0 * (one - target).abs().mean() + 0.4 / (ratio + 1e-5)

    assert_same(lambda: module.generator_loss(source, target)[0], formula, module.generator)


def test_the_discriminators_loss_is_the_authors() -> None:
    module, (source, target) = mode_seeking_pix2pix(), pair()
    one, other = torch.randn(2, N, *SHAPE).double()

    def formula() -> Tensor:
        fakes = sum((module.discriminator(each, source) ** 2).mean() for each in (one, other))
        return fakes + 2 * ((module.discriminator(target, source) - 1) ** 2).mean()

    assert_same(lambda: module.discriminator_loss(source, target, one, other), formula, module.discriminator)


def test_the_regulariser_alone_trains_the_generator_and_can_be_left_out() -> None:
    module, (source, target) = mode_seeking_pix2pix(l1_weight=0.0, mode_seeking_weight=0.0), pair()
    with randomness.using(randomness.Stream(2)):
        loss, _, seeking, *_ = module.generator_loss(source, target)
    assert not unreached(seeking, module.generator) and unreached(seeking, module.discriminator)
    with randomness.using(randomness.Stream(2)):
        fakes = module.generator(torch.cat([source, source]), module.codes(2 * N))
    torch.testing.assert_close(loss, 2 * ((module.discriminator(fakes, torch.cat([source] * 2)) - 1) ** 2).mean())


def test_both_players_see_the_same_pair_of_translations() -> None:
    module, (source, target) = mode_seeking_pix2pix(), pair()
    data = torch.utils.data.TensorDataset(source, target)
    trainer(precision="64-true").fit(module, torch.utils.data.DataLoader(data, batch_size=N))
    (deceived, _), (real, told), (fakes, twice) = module.discriminator.seen  # type: ignore[misc]
    assert torch.equal(real, target) and torch.equal(told, source)
    assert torch.equal(deceived, fakes) and torch.equal(twice, torch.cat([source, source]))
    assert not torch.equal(*fakes.chunk(2))


def test_the_numbers_are_the_authors() -> None:
    defaults = {name: each.default for name, each in inspect.signature(ModeSeekingPix2Pix).parameters.items()}
    assert (defaults["l1_weight"], defaults["mode_seeking_weight"], defaults["latent_dim"]) == (10.0, 1.0, 8)
    assert (defaults["learning_rate"], defaults["betas"]) == (2e-4, (0.5, 0.999))
    assert (defaults["constant_epochs"], defaults["decay_epochs"]) == (100, 100)
