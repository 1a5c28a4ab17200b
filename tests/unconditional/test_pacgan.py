"""PacGAN: what a pack holds, its losses, its theorem, and the authors' numbers."""

import inspect

import pytest
import torch
from torch import Tensor, nn

from gan_modules import PacGAN, randomness
from gan_modules.objectives import hinge_discriminator, relativistic, wasserstein_generator
from gan_modules.penalties import gradient_penalty
from script_modules import loaded
from transcribed import assert_same, unreached

N, M = 6, 3


class Scores(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, 5), nn.Tanh(), nn.Linear(5, 1))

    def forward(self, packs: Tensor) -> Tensor:
        return self.layers(packs).squeeze(1)


def pacgan(**options: object) -> PacGAN:
    generator = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))
    return PacGAN(generator, Scores(2 * M), 4, M, **options).double()  # type: ignore[arg-type]


def joined(samples: Tensor) -> Tensor:
    """Packs by hand: the samples i, i + 2 and i + 4 of six."""
    return torch.stack([torch.cat([samples[i], samples[i + 2], samples[i + 4]]) for i in range(2)])


def fakes(module: PacGAN) -> Tensor:
    return module.generator(randomness.normal(N, 4, dtype=torch.float64))


def test_the_discriminators_loss() -> None:
    module, real = pacgan(), torch.randn(N, 2, dtype=torch.float64)

    def formula() -> Tensor:
        d_real, d_fake = (module.discriminator(joined(x)).sigmoid() for x in (real, fakes(module).detach()))
        return -(d_real.log() + (1 - d_fake).log()).mean()

    assert_same(lambda: module.discriminator_loss(real), formula, module.discriminator)
    assert unreached(module.discriminator_loss(real), module.generator)


def test_the_generators_loss() -> None:
    module, real = pacgan(), torch.randn(N, 2, dtype=torch.float64)

    def formula() -> Tensor:
        return -module.discriminator(joined(fakes(module))).sigmoid().log().mean()

    assert_same(lambda: module.generator_loss(real), formula, module.generator, module.discriminator)


def test_any_objective_is_packed() -> None:
    module = pacgan(discriminator_objective=hinge_discriminator, generator_objective=wasserstein_generator)
    real = torch.randn(N, 2, dtype=torch.float64)

    def hinge() -> Tensor:
        real_scores, fake_scores = (module.discriminator(joined(x)) for x in (real, fakes(module).detach()))
        return (1 - real_scores).clamp(min=0).mean() + (1 + fake_scores).clamp(min=0).mean()

    assert_same(lambda: module.discriminator_loss(real), hinge, module.discriminator)
    assert_same(
        lambda: module.generator_loss(real),
        lambda: -module.discriminator(joined(fakes(module))).mean(),
        module.generator,
    )


def test_a_comparison_and_a_penalty_are_packed() -> None:
    options = {
        "discriminator_objective": relativistic,
        "generator_objective": relativistic,
        "penalty": gradient_penalty,
    }
    module, real = pacgan(**options, penalty_weight=3.0), torch.randn(N, 2, dtype=torch.float64)

    def margins() -> tuple[Tensor, Tensor]:
        return tuple(module.discriminator(joined(x)) for x in (real, fakes(module)))  # type: ignore[return-value]

    def penalised() -> Tensor:
        better, worse = (joined(x) for x in (real, fakes(module).detach()))
        points = worse + (1 - randomness.uniform(len(better), 1, dtype=torch.float64)) * (better - worse)
        slopes = torch.func.vmap(torch.func.grad(lambda x: module.discriminator(x[None])[0]))(points)
        difference = module.discriminator(better) - module.discriminator(worse)
        return (-difference.sigmoid().log()).mean() + 3 * ((slopes.square().sum(1).sqrt() - 1) ** 2).mean()

    assert_same(lambda: module.discriminator_loss(real), penalised, module.discriminator)
    assert unreached(module.discriminator_loss(real), module.generator)

    def generators() -> Tensor:
        better, worse = margins()
        return -(worse - better).sigmoid().log().mean()

    assert_same(lambda: module.generator_loss(real), generators, module.generator, module.discriminator)


def test_the_schedule() -> None:
    module, stepped = pacgan(n_discriminator=3, n_generator=2), []
    module.optimizers = lambda: ("d", "g")  # type: ignore[method-assign,assignment]
    module.descend = lambda optimizer, *_: stepped.append(optimizer)  # type: ignore[method-assign,assignment]
    module.record = lambda **_: None  # type: ignore[method-assign]
    for module.batches_seen in range(1, 7):
        module.training_step(torch.zeros(N, 2), 0)
    assert "".join(stepped) == "dddggdddgg"


def test_images_are_packed_along_channels() -> None:
    images = torch.randn(4, 3, 8, 8)
    packs = PacGAN(nn.Linear(1, 1), nn.Linear(1, 1), packing=2).packed(images)
    assert packs.shape == (2, 6, 8, 8)
    assert torch.equal(packs[1, :3], images[1]) and torch.equal(packs[1, 3:], images[3])


@pytest.mark.parametrize("parts", [2, 3])
def test_parts_of_a_batch_have_the_packs_of_the_whole(parts: int) -> None:
    module, batch = PacGAN(nn.Linear(1, 1), nn.Linear(1, 1), packing=2), torch.arange(12.0)[:, None]
    whole = {tuple(pack) for pack in module.packed(batch).tolist()}
    dealt = {tuple(pack) for part in range(parts) for pack in module.packed(batch[part::parts]).tolist()}
    assert dealt == whole and len(whole) == 6


def test_a_batch_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="a batch of 5 does not divide into packs of 3; choose a batch_size"):
        pacgan().discriminator_loss(torch.randn(5, 2, dtype=torch.float64))


class Fixed(nn.Module):
    """Returns the same samples whatever the noise."""

    def __init__(self, samples: Tensor) -> None:
        super().__init__()
        self.samples = samples

    def forward(self, z: Tensor) -> Tensor:
        return self.samples


def distance_seen(data: list[int], generated: list[int], packing: int) -> float:
    """What the best discriminator of packs makes of the hinge, as a total variation; a list holds counts of symbols."""
    lists = [torch.arange(10.0).repeat_interleave(torch.tensor(counts)) for counts in (data, generated)]
    p, q = (torch.bincount(each.long(), minlength=10) / len(each) for each in lists)

    def best(packs: Tensor) -> Tensor:
        return (p[packs.long()].prod(1) - q[packs.long()].prod(1)).sign()

    real, fake = (torch.cartesian_prod(*[each] * packing).reshape(-1, packing).T.reshape(-1, 1) for each in lists)
    options = {"latent_dim": 1, "packing": packing, "discriminator_objective": hinge_discriminator}
    module = PacGAN(Fixed(fake), nn.Identity(), **options)  # type: ignore[arg-type]
    module.discriminator.forward = best  # type: ignore[method-assign]
    return 1 - module.discriminator_loss(real).item() / 2


def test_packs_tell_collapse_from_a_blur_that_is_as_far_from_the_data() -> None:
    """Section 3.1 and figure 4: uniform data; a fifth of it lost, or one half made likelier than the other."""
    data, collapsed, blurred = [20] * 10, [0] * 2 + [25] * 8, [12] * 5 + [28] * 5
    assert distance_seen(data, collapsed, 1) == pytest.approx(0.2, abs=1e-6)
    assert distance_seen(data, blurred, 1) == pytest.approx(0.2, abs=1e-6)
    assert distance_seen(data, collapsed, 2) == pytest.approx(1 - 0.8**2, abs=1e-6)
    assert distance_seen(data, blurred, 2) == pytest.approx(0.24, abs=1e-6)


def test_the_authors_numbers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(PacGAN).parameters.items()}
    assert (defaults["learning_rate"], defaults["betas"], defaults["packing"]) == (1e-4, (0.8, 0.999), 2)
    modes = loaded("modes")
    points, digits = modes.POINTS["pacgan2"](), modes.STACKED["pacgan2"]()
    assert (digits.learning_rate, digits.betas, digits.n_generator, digits.packing) == (2e-4, (0.5, 0.999), 2, 2)
    for module, shape in ((points, (4, 2)), (digits, (4, 3, 28, 28))):
        assert module.discriminator(module.packed(torch.randn(shape))).shape == (2,)


@pytest.mark.parametrize("steps", [1, 2])
def test_generator_steps_are_on_fresh_noise(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module, seen = pacgan(n_generator=steps), []
    monkeypatch.setattr(module, "optimizers", lambda: ("discriminator", "generator"))
    monkeypatch.setattr(module, "descend", lambda which, loss, real: seen.append((which, loss(real).item())) or real[0])
    module.training_step(torch.randn(N, 2, dtype=torch.float64), 0)
    assert [which for which, _ in seen] == ["discriminator", *["generator"] * steps]
    assert len({value for _, value in seen[1:]}) == steps
