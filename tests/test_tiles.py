"""Large pictures in tiles."""

import pytest
import torch
from torch import Tensor, nn

from gan_modules.tiles import tiled


@pytest.mark.parametrize(("height", "width", "tile"), [(70, 33, 32), (32, 90, 32), (101, 100, 64), (20, 40, 64)])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_local_network_makes_of_tiles_what_it_makes_of_the_whole(
    height: int, width: int, tile: int, scale: int
) -> None:
    convolution = nn.Conv2d(2, 3, 3, padding=1, padding_mode="replicate").double()
    seen = []

    def translate(images: Tensor) -> Tensor:
        seen.append(images.shape[-2:])
        return convolution(nn.functional.interpolate(images, scale_factor=scale, mode="nearest")).sin()

    source = torch.rand(1, 2, height, width, dtype=torch.float64)
    with torch.no_grad():
        made, whole = tiled(translate, source, 4, tile), translate(source)
    assert made.shape == (1, 3, scale * height, scale * width)
    torch.testing.assert_close(made, whole, atol=1e-12, rtol=0)
    assert all(side <= tile and side % 4 == 0 for sides in seen[:-1] for side in sides)
    assert len(seen) > 2 or max(height, width) <= tile


def test_neighbours_fade_into_each_other() -> None:
    values = iter(range(100))
    made = tiled(lambda images: torch.full_like(images, next(values)), torch.zeros(1, 1, 16, 28), 16, 16)[0, 0]
    assert (made == made[0]).all() and made[0].diff().min() >= 0
    torch.testing.assert_close(made[0, [0, 27]], torch.tensor([0.0, 1.0]), atol=1e-4, rtol=0)
    assert 0.4 < made[0, 13:15].mean() < 0.6


def test_one_tile_is_the_picture_padded_by_its_edge() -> None:
    source = torch.arange(6.0).reshape(1, 1, 2, 3)
    made = tiled(lambda images: images.cumsum(3), source, 4)
    torch.testing.assert_close(made, source.cumsum(3))
    seen: list[Tensor] = []
    tiled(lambda images: seen.append(images) or images, source, 4)
    assert seen[0].shape[-2:] == (4, 4) and (seen[0][..., 3] == seen[0][..., 2]).all()


def test_a_tile_that_the_network_cannot_take() -> None:
    with pytest.raises(ValueError, match="multiple of 16, got 40; 48 is one"):
        tiled(lambda images: images, torch.zeros(1, 1, 9, 9), 16, 40)
