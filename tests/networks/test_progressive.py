"""Growth starts from what the smaller networks showed."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gan_modules.networks import ProgressiveDiscriminator, ProgressiveGenerator


@pytest.fixture
def generator() -> ProgressiveGenerator:
    torch.manual_seed(0)
    return ProgressiveGenerator(latent_dim=6, image_size=32, width=8, base_width=32).double()


@pytest.fixture
def discriminator() -> ProgressiveDiscriminator:
    torch.manual_seed(0)
    return ProgressiveDiscriminator(image_size=32, width=8, base_width=32).double()


def latents() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(4, 6, dtype=torch.float64)


def images(stage: int) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(4, 3, 4 * 2**stage, 4 * 2**stage, dtype=torch.float64)


def both(fade: float) -> list[float | Tensor]:
    return [fade, torch.tensor(fade)]


def test_every_stage_has_its_size(generator: ProgressiveGenerator, discriminator: ProgressiveDiscriminator) -> None:
    assert generator.stages == discriminator.stages == 4
    for stage in range(4):
        shown = generator(latents(), stage)
        assert shown.shape == (4, 3, 4 * 2**stage, 4 * 2**stage)
        assert discriminator(shown, stage).shape == (4,)
    assert torch.equal(generator(latents()), generator(latents(), 3))
    assert torch.equal(discriminator(images(3)), discriminator(images(3), 3))


@pytest.mark.parametrize("stage", [1, 2, 3])
@pytest.mark.parametrize("fade", both(0.0))
def test_a_new_stage_of_the_generator_shows_the_old_one(
    generator: ProgressiveGenerator, stage: int, fade: float | Tensor
) -> None:
    old = F.interpolate(generator(latents(), stage - 1), scale_factor=2)
    assert torch.equal(generator(latents(), stage, fade), old)


@pytest.mark.parametrize("stage", [1, 2, 3])
@pytest.mark.parametrize("fade", both(0.0))
def test_a_new_stage_of_the_discriminator_sees_what_the_old_one_saw(
    discriminator: ProgressiveDiscriminator, stage: int, fade: float | Tensor
) -> None:
    old = discriminator(F.avg_pool2d(images(stage), 2), stage - 1)
    assert torch.equal(discriminator(images(stage), stage, fade), old)


@pytest.mark.parametrize("fade", [0.25, 0.7])
def test_the_generator_fades_in_a_straight_line(generator: ProgressiveGenerator, fade: float) -> None:
    ends = generator(latents(), 2, 0.0), generator(latents(), 2, 1.0)
    for form in both(fade):
        shown = generator(latents(), 2, form)
        torch.testing.assert_close(shown, (1 - fade) * ends[0] + fade * ends[1], rtol=1e-6, atol=1e-6)


def test_a_full_fade_as_a_tensor_is_the_number(
    generator: ProgressiveGenerator, discriminator: ProgressiveDiscriminator
) -> None:
    torch.testing.assert_close(generator(latents(), 2, torch.tensor(1.0)), generator(latents(), 2, 1.0))
    torch.testing.assert_close(discriminator(images(2), 2, torch.tensor(1.0)), discriminator(images(2), 2, 1.0))


def test_only_the_layers_in_use_get_gradients(
    generator: ProgressiveGenerator, discriminator: ProgressiveDiscriminator
) -> None:
    discriminator(generator(latents(), 1, 1.0), 1, 1.0).sum().backward()
    used = {
        name for network in (generator, discriminator) for name, p in network.named_parameters() if p.grad is not None
    }
    assert not [name for name in used if name.startswith(("to_images.0", "to_images.2", "from_images.0", "blocks.2"))]
    assert {"to_images.1.weight", "from_images.1.0.weight", "blocks.1.0.0.weight"} <= used


@pytest.mark.parametrize("fade", both(0.5))
def test_fading_in_half_precision_stays_finite(fade: float | Tensor) -> None:
    generator, discriminator = ProgressiveGenerator(6, 16, 3, 8, 32), ProgressiveDiscriminator(16, 3, 8, 32)
    with torch.autocast("cpu", torch.bfloat16):
        scores = discriminator(generator(latents().float(), 2, fade), 2, fade)
    scores.sum().backward()
    assert all(p.grad.isfinite().all() for p in generator.parameters() if p.grad is not None)


def test_latents_count_by_their_direction(generator: ProgressiveGenerator) -> None:
    torch.testing.assert_close(generator(100 * latents()), generator(latents()))


def test_widths_are_the_authors() -> None:
    with torch.device("meta"):
        generator = ProgressiveGenerator(image_size=1024)
    assert [p.shape[1] for p in generator.to_images.parameters() if p.dim() == 4] == [
        512,
        512,
        512,
        512,
        256,
        128,
        64,
        32,
        16,
    ]


def test_a_stage_that_does_not_exist_is_refused(
    generator: ProgressiveGenerator, discriminator: ProgressiveDiscriminator
) -> None:
    with pytest.raises(ValueError, match="stage must be from 0 to 3, got 4"):
        generator(latents(), 4)
    with pytest.raises(ValueError, match="stage must be from 0 to 3, got -1"):
        discriminator(images(3), -1)
    with pytest.raises(ValueError, match="Expected a batch of 3 x 16 x 16 images"):
        discriminator(images(3), 2)


def test_a_size_that_does_not_double_up_from_four_is_refused() -> None:
    for network in (ProgressiveGenerator, ProgressiveDiscriminator):
        with pytest.raises(ValueError, match="power of two, at least 4, got 17"):
            network(image_size=17)
