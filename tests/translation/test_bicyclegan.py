"""BicycleGAN: both cycles' losses by hand, which networks they train, the halves of a batch, the authors' numbers."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.func import functional_call
from torch.nn.utils import parameters_to_vector

from gan_modules import BicycleGAN, randomness
from gan_modules.gaussians import kl_to_normal
from gan_modules.networks import PatchDiscriminator, PyramidDiscriminator, ResNetEncoder, UNetGenerator
from gan_modules.objectives import over_scales
from transcribed import assert_same, unreached
from variants import trainer

N, CODE = 3, 2
SHAPE = (1, 2, 2)


class Translate(nn.Module):
    """Sources and codes to images, linear but for a tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4 + CODE, 4)

    def forward(self, source: Tensor, code: Tensor) -> Tensor:
        return torch.tanh(self.linear(torch.cat([source.flatten(1), code], 1))).unflatten(1, SHAPE)


class Encode(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2 * CODE)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return self.linear(images.flatten(1)).chunk(2, dim=1)


class Judge(nn.Module):
    """Scores at two scales, which are a list."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(4, 1), nn.Linear(4, 3)
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> list[Tensor]:
        self.seen.append(images.detach())
        return [self.one(images.flatten(1)), self.two(images.flatten(1))]


def bicyclegan(**options: Any) -> BicycleGAN:
    torch.manual_seed(0)
    return BicycleGAN(Translate(), Encode(), Judge(), Judge(), CODE, **options).double()


def pair(n: int = N) -> tuple[Tensor, Tensor]:
    return torch.randn(n, *SHAPE).double(), torch.rand(n, *SHAPE).double() * 2 - 1


def to_one(scores: list[Tensor]) -> Tensor:
    return sum(((each - 1) ** 2).mean() for each in scores)  # type: ignore[return-value]


def to_zero(scores: list[Tensor]) -> Tensor:
    return sum((each**2).mean() for each in scores)  # type: ignore[return-value]


def test_the_generators_loss_is_equation_9() -> None:
    module = bicyclegan(l1_weight=3.0, latent_weight=0.7, kl_weight=0.2)
    source, target = pair()

    def formula() -> Tensor:
        mean, log_variance = module.encoder(target)
        noise, random = (randomness.normal(N, CODE, dtype=torch.float64) for _ in range(2))
        encoded = module.generator(source, mean + torch.exp(log_variance) ** 0.5 * noise)
        drawn = module.generator(source, random)
        fixed = {name: value.detach() for name, value in module.encoder.named_parameters()}
        again, _ = functional_call(module.encoder, fixed, (drawn,))
        divergence = sum(
            0.5 * (mean[i, j] ** 2 + log_variance[i, j].exp() - 1 - log_variance[i, j])
            for i in range(N)
            for j in range(CODE)
        )
        vae = to_one(module.discriminator_encoded(encoded)) + 3.0 * (encoded - target).abs().mean()
        regressor = to_one(module.discriminator_random(drawn)) + 0.7 * (again - random).abs().mean()
        return vae + 0.2 * divergence / N + regressor

    assert_same(lambda: module.generator_loss(source, target)[0], formula, module.generator, module.encoder)


def test_the_discriminators_loss_is_least_squares_of_each_half() -> None:
    module = bicyclegan()
    real, other, encoded, drawn = (torch.randn(N, *SHAPE).double() for _ in range(4))

    def formula() -> Tensor:
        one, two = module.discriminator_encoded, module.discriminator_random
        return to_one(one(real)) + to_zero(one(encoded)) + to_one(two(other)) + to_zero(two(drawn))

    judges = module.discriminator_encoded, module.discriminator_random
    assert_same(lambda: module.discriminator_loss(real, other, encoded, drawn), formula, *judges)


def test_the_latent_loss_does_not_train_the_encoder() -> None:
    module, (source, target) = bicyclegan(), pair()
    code = module.codes(N)
    loss = module.latent_loss(module.generator(source, code), code)
    assert unreached(loss, module.encoder) and not unreached(loss, module.generator)
    assert all(parameter.requires_grad for parameter in module.encoder.parameters())
    slopes = []
    for weight in (0.0, 5.0):
        module.latent_weight = weight
        with randomness.using(randomness.Stream(1)):
            loss = module.generator_loss(source, target)[0]
        networks = module.encoder, module.generator
        slopes.append([torch.autograd.grad(loss, list(net.parameters()), retain_graph=True) for net in networks])
    for (without, with_it), same in zip(zip(*slopes, strict=True), (True, False), strict=True):
        assert torch.equal(torch.cat([g.flatten() for g in without]), torch.cat([g.flatten() for g in with_it])) == same


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_a_run_with_the_latent_loss_alone_leaves_the_encoder_as_it_was(precision: Any) -> None:
    module = bicyclegan(l1_weight=0.0, kl_weight=0.0, latent_weight=1.0).float()
    for judge in (module.discriminator_encoded, module.discriminator_random):
        judge.one.register_forward_pre_hook(lambda _, inputs: inputs[0].detach())  # type: ignore[union-attr]
        judge.two.register_forward_pre_hook(lambda _, inputs: inputs[0].detach())  # type: ignore[union-attr]
    before = [parameters_to_vector(net.parameters()).clone() for net in (module.encoder, module.generator)]
    source, target = (each.float() for each in pair(8))
    data = torch.utils.data.TensorDataset(source, target)
    fit = trainer(precision=precision)
    fit.fit(module, torch.utils.data.DataLoader(data, batch_size=4))
    after = [parameters_to_vector(net.parameters()) for net in (module.encoder, module.generator)]
    assert torch.equal(before[0], after[0].float()) and not torch.equal(before[1], after[1].float())


def test_halves_of_a_batch_and_the_order_of_steps() -> None:
    module, (source, target) = bicyclegan(), pair(7)
    steps: list[str] = []
    for name in ("encoder", "discriminator_encoded"):
        getattr(module, name).register_forward_pre_hook(lambda *_, name=name: steps.append(name))
    data = torch.utils.data.TensorDataset(source, target)
    trainer(precision="64-true").fit(module, torch.utils.data.DataLoader(data, batch_size=7))
    encoded, drawn = (judge.seen for judge in (module.discriminator_encoded, module.discriminator_random))
    assert steps == ["encoder", "discriminator_encoded", "encoder", "discriminator_encoded", "discriminator_encoded"]
    assert torch.equal(encoded[1], target[:3]) and torch.equal(drawn[1], target[3:6])
    assert torch.equal(encoded[2], encoded[0]) and torch.equal(drawn[2], drawn[0]), "one translation for both players"
    assert not torch.equal(encoded[0], drawn[0])
    with pytest.raises(
        ValueError, match="BicycleGAN halves its batches, got one of 1; give a batch_size of at least 2"
    ):
        trainer(precision="64-true").fit(bicyclegan(), torch.utils.data.DataLoader(data, batch_size=1))


def test_translations_follow_codes_and_references() -> None:
    module, (source, target) = bicyclegan().eval(), pair()
    code = module.codes(N)
    assert code.shape == (N, CODE)
    assert torch.equal(module(source, code), module.generator(source, code))
    assert not torch.equal(module(source), module(source))
    assert torch.equal(module.style(target), module.encoder(target)[0])
    shown = module.validation_step((source, target), 0)
    assert shown["samples"].shape == (N, 3, *SHAPE)
    assert all(not torch.equal(shown["fake"], each) for each in shown["samples"].unbind(1))
    assert module.generators == ("generator", "encoder")


def test_the_divergence_is_that_of_gaussians() -> None:
    mean, log_variance = torch.randn(4, 3).double(), torch.randn(4, 3).double()
    standard = Normal(torch.zeros(4, 3).double(), torch.ones(4, 3).double())
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), standard).sum(1).mean()
    torch.testing.assert_close(kl_to_normal(mean, log_variance), expected)
    assert kl_to_normal(torch.zeros(2, 3), torch.zeros(2, 3)) == 0


def test_a_judgement_of_one_tensor_is_of_one_scale() -> None:
    scores, others = torch.randn(2, 3), torch.randn(2, 5)
    assert over_scales(torch.mean, scores) == scores.mean()
    torch.testing.assert_close(over_scales(torch.mean, [scores, others]), scores.mean() + others.mean())


def test_the_numbers_are_the_authors() -> None:
    defaults = {name: each.default for name, each in inspect.signature(BicycleGAN).parameters.items()}
    assert (defaults["l1_weight"], defaults["latent_weight"], defaults["kl_weight"]) == (10.0, 0.5, 0.01)
    assert (defaults["learning_rate"], defaults["betas"], defaults["latent_dim"]) == (2e-4, (0.5, 0.999), 8)
    assert (defaults["constant_epochs"], defaults["decay_epochs"]) == (100, 100)


def test_the_unet_takes_codes_where_it_is_told() -> None:
    source, code = torch.randn(2, 1, 16, 16), torch.randn(2, 5)
    everywhere, once = (
        UNetGenerator(1, 3, 16, 4, dropout=0.0, code_dim=5, code_everywhere=each).eval() for each in (True, False)
    )
    plain = UNetGenerator(1, 3, 16, 4, dropout=0.0)
    for network, levels in ((everywhere, 4), (once, 1)):
        assert not torch.equal(network(source, code), network(source, -code))
        convolutions = ([part for part in each.modules() if isinstance(part, nn.Conv2d)] for each in network.down)
        bare = ([part for part in each.modules() if isinstance(part, nn.Conv2d)] for each in plain.down)
        more = [one[0].in_channels - other[0].in_channels for one, other in zip(convolutions, bare, strict=True)]
        assert more == [5] * levels + [0] * (4 - levels)
    with pytest.raises(ValueError, match="code_dim=5 but was given no code"):
        once(source)
    with pytest.raises(ValueError, match="code_dim=0 but was given a code"):
        plain(source, code)
    with pytest.raises(ValueError, match=r"Expected \(n, 5\), because the network has code_dim=5"):
        once(source, code[:, :4])


def test_the_encoder_averages_what_is_left_of_any_size() -> None:
    network = ResNetEncoder(3, 4, 2, blocks=2)
    assert network(torch.randn(2, 3, 32, 16))[0].shape == (2, 4)
    with pytest.raises(ValueError, match="that 8 divides, got 20 x 16"):
        network(torch.randn(2, 3, 20, 16))
    with torch.device("meta"):  # 64, and blocks to 128, 192, 256 and 256 maps; 8 pixels of 256 are averaged
        published = ResNetEncoder()
    assert [layer.branch[-1].weight.shape[0] for layer in list(published.layers)[1:]] == [128, 192, 256, 256]  # type: ignore
    assert 256 // published.factor == 8


def test_a_pyramid_judges_halves_of_the_size() -> None:
    torch.manual_seed(0)
    images, condition = torch.randn(2, 3, 24, 24), torch.randn(2, 2, 24, 24)
    network = PyramidDiscriminator(3, 2, 4, 1, None, scales=3, features=True)
    found = network(images, condition)
    for number, maps in enumerate(found):
        factor = 2**number
        scale: Any = network.scales[number]
        assert isinstance(scale, PatchDiscriminator) and len(maps) == 3
        torch.testing.assert_close(maps[-1], scale(images, condition))
        assert maps[-1].shape[-1] == 24 // (2 * factor) - 2
        images, condition = (
            torch.nn.functional.avg_pool2d(each, 3, 2, 1, count_include_pad=False) for each in (images, condition)
        )
    network.features = False
    scores = network(*(torch.nn.functional.interpolate(each, (24, 24)) for each in (images, condition)))
    assert [each.shape[1] for each in scores] == [1, 1, 1]
