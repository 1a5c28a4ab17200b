"""Growth: monotone, continuous, to the end; and pictures that fade like the networks' own."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from gan_modules.growth import Growth, images_at
from gan_modules.networks import ProgressiveDiscriminator, ProgressiveGenerator


@pytest.mark.parametrize(("stages", "stable", "fade"), [(1, 5, 5), (2, 10, 4), (4, 7, 13), (3, 1, 1)])
def test_is_monotone_and_continuous_and_ends(stages: int, stable: int, fade: int) -> None:
    growth = Growth(stages, stable, fade)
    reached = []
    for shown in range((stages + 1) * (stable + fade)):
        stage, part = growth.at(shown)
        assert 0 <= stage < stages and 0 < part <= 1
        reached.append(stage + part)
    steps = [after - before for before, after in zip(reached, reached[1:], strict=False)]
    assert reached[0] == 1  # the first stage, all of it
    assert all(0 <= step <= 1 / fade + 1e-12 for step in steps)
    assert reached[-1] == stages
    assert growth.at(10**12) == (stages - 1, 1.0)


def test_each_stage_is_stable_and_faded_in_for_as_long_as_asked() -> None:
    growth, stable, fade = Growth(3, 600, 400), 600, 400
    assert [growth.at(shown) for shown in (0, stable)] == [(0, 1.0)] * 2
    assert growth.at(stable + 1) == (1, 1 / fade)
    assert growth.at(stable + fade // 2) == (1, 0.5)
    assert [growth.at(stable + fade + shown) for shown in (0, stable)] == [(1, 1.0)] * 2
    assert growth.at(2 * (stable + fade) - 1) == (2, 1 - 1 / fade)
    assert growth.at(2 * (stable + fade)) == (2, 1.0)


@pytest.mark.parametrize("name", ["stages", "stable_images", "fade_images"])
@pytest.mark.parametrize("value", [0, -3, 1.5])
def test_bad_numbers_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 1, got {value}"):
        Growth(**{"stages": 2, "stable_images": 2, "fade_images": 2, name: value})


def pictures() -> Tensor:
    return torch.randn(3, 2, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def by_hand(images: Tensor, size: int) -> Tensor:
    """Area averages, block by block."""
    side = images.shape[-1] // size
    return images.unflatten(3, (size, side)).unflatten(2, (size, side)).mean(dim=(3, 5))


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_pictures_are_area_averages(stage: int) -> None:
    torch.testing.assert_close(images_at(pictures(), stage, 1.0), by_hand(pictures(), 4 * 2**stage))


@pytest.mark.parametrize("stage", [1, 2])
def test_pictures_fade_from_their_lower_resolution(stage: int) -> None:
    low = by_hand(pictures(), 2 * 2**stage).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    high = by_hand(pictures(), 4 * 2**stage)
    torch.testing.assert_close(images_at(pictures(), stage, 0.0), low)
    torch.testing.assert_close(images_at(pictures(), stage, 0.3), 0.7 * low + 0.3 * high)


def test_the_first_stage_has_nothing_to_fade_from() -> None:
    torch.testing.assert_close(images_at(pictures(), 0, 0.5), by_hand(pictures(), 4))


@pytest.mark.parametrize(("size", "stage"), [(16, 3), (12, 1), (17, 0)])
def test_pictures_that_do_not_fit_are_refused(size: int, stage: int) -> None:
    with pytest.raises(ValueError, match=f"stage {stage} shows images of {4 * 2**stage} pixels"):
        images_at(torch.zeros(1, 3, size, size), stage, 1.0)


@pytest.mark.parametrize("stage", [1, 2])
def test_a_new_stage_starts_from_what_the_old_one_showed(stage: int) -> None:
    torch.manual_seed(0)
    generator = ProgressiveGenerator(latent_dim=5, image_size=16, channels=2, width=6).double()
    discriminator = ProgressiveDiscriminator(image_size=16, channels=2, width=6).double()
    z = torch.randn(3, 5, dtype=torch.float64)
    torch.testing.assert_close(generator(z, stage, 0.0), interpolate(generator(z, stage - 1), scale_factor=2))
    # a real picture, as the new discriminator sees it at first, scores as it did before
    torch.testing.assert_close(
        discriminator(images_at(pictures(), stage, 0.0), stage, 0.0),
        discriminator(images_at(pictures(), stage - 1, 1.0), stage - 1),
    )
    # and so does a generated one
    torch.testing.assert_close(
        discriminator(generator(z, stage, 0.0), stage, 0.0), discriminator(generator(z, stage - 1), stage - 1)
    )
