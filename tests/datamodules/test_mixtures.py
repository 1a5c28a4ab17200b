"""The mixtures have the modes and the spread that they say."""

import pytest
import torch
from torch import Tensor

from datamodules import Grid, Ring


def points(module: Ring | Grid) -> Tensor:
    module.setup("fit")
    return module.on_after_batch_transfer(module.training[0, torch.arange(len(module.training))], 0)  # type: ignore[return-value]


def test_the_ring_has_eight_distinct_modes() -> None:
    modes = Ring().modes
    assert modes.shape == (8, 2) and modes.dtype == torch.float32
    assert torch.allclose(modes.norm(dim=1), torch.ones(8))
    distances = torch.cdist(modes, modes).fill_diagonal_(9)
    assert torch.allclose(distances.min(1).values, torch.full((8,), 2 * torch.pi / 8).div(2).sin().mul(2), atol=1e-5)


def test_the_grid_has_the_published_modes() -> None:
    expected = {(x, y) for x in (-4.0, -2.0, 0.0, 2.0, 4.0) for y in (-4.0, -2.0, 0.0, 2.0, 4.0)}
    assert {tuple(mode) for mode in Grid().modes.tolist()} == expected


@pytest.mark.parametrize("module", [Ring(), Grid()])
def test_points(module: Ring | Grid) -> None:
    x = points(module)
    assert x.shape == (100_000, 2) and x.dtype == torch.float32 and len(module.held_out) == 2_500
    nearest = torch.cdist(x, module.modes).argmin(1)
    counts = nearest.bincount().float()
    expected = 100_000 / len(module.modes)
    assert len(counts) == len(module.modes) and (counts - expected).abs().max() < 5 * expected**0.5
    rest = x - module.modes[nearest]
    assert rest.mean().abs() < module.sigma / 50 and rest.std() == pytest.approx(module.sigma, rel=0.01)


def test_seeds_and_parts_differ() -> None:
    first, again, other = (points(Ring(points=100, held_out_points=100, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    module = Ring(points=100, held_out_points=100, seed=1)
    module.setup("fit")
    assert not torch.equal(module.held_out[0, torch.arange(100)].columns[0], first)


@pytest.mark.parametrize("wrong", [{"modes": 0}, {"radius": 0.0}, {"sigma": -1.0}, {"points": 0}, {"batch_size": 0}])
def test_wrong_numbers(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
        Ring(**wrong)  # type: ignore[arg-type]
