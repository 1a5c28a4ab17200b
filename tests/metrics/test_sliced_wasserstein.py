"""The sliced Wasserstein distance against numpy and scipy, and what must not change it."""

import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage, stats
from torch import Tensor

from gan_modules.metrics import SlicedWasserstein
from gan_modules.metrics.pixels import to_bytes
from gan_modules.metrics.sliced_wasserstein import directions, laplacian, levels_of, positions, wasserstein
from gan_modules.randomness import mix

KERNEL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256.0


def pictures(count: int, size: int, seed: int, channels: int = 3) -> Tensor:
    """Smooth random images in [-1, 1]."""
    noise = torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.avg_pool2d(noise, 5, 1, 2).mul(2).tanh()


def distance(real: Tensor, fake: Tensor) -> float:
    metric = SlicedWasserstein()
    metric.update(real, real=True)
    metric.update(fake, real=False)
    return metric.compute().item()


def reduced(image: np.ndarray) -> np.ndarray:
    return ndimage.convolve(image, KERNEL, mode="mirror")[::2, ::2]


def expanded(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    spread = np.zeros(shape)
    spread[::2, ::2] = image
    return ndimage.convolve(spread, 4 * KERNEL, mode="mirror")


def pyramid(image: np.ndarray, levels: int) -> list[np.ndarray]:
    found = []
    for _ in range(levels - 1):
        smaller = reduced(image)
        found.append(image - expanded(smaller, image.shape))
        image = smaller
    return [*found, image]


def reference(real: Tensor, fake: Tensor, seed: int = 0) -> float:
    """The same numbers drawn, and everything else done once more, an image at a time in float64."""
    levels = levels_of(*real.shape[-2:])
    totals = []
    for level in range(levels):
        sets = []
        for side, images in enumerate((real, fake)):
            pixels = np.round((images.numpy() + np.float32(1)) * np.float32(127.5)).astype(np.float64)
            planes = np.stack([[pyramid(plane, levels)[level] for plane in image] for image in pixels])
            tops, lefts = positions(len(planes), *planes.shape[-2:], mix(seed, level, side))
            patches = np.stack(
                [
                    planes[n, :, t : t + 7, left : left + 7]
                    for n in range(len(planes))
                    for t, left in zip(tops[n].tolist(), lefts[n].tolist(), strict=True)
                ]
            )
            mean, deviation = patches.mean((0, 2, 3), keepdims=True), patches.std((0, 2, 3), keepdims=True)
            sets.append(((patches - mean) / deviation).reshape(len(patches), -1))
        lines = directions(sets[0].shape[1], mix(seed, level, 2)).double().numpy()
        totals.append(np.mean([stats.wasserstein_distance(sets[0] @ line, sets[1] @ line) for line in lines]))
    return 1000 * float(np.mean(totals))


@pytest.mark.parametrize(("size", "real", "fake", "channels"), [(32, 5, 5, 3), (33, 4, 3, 1), (12, 6, 4, 3)])
def test_equals_numpy_and_scipy(size: int, real: int, fake: int, channels: int) -> None:
    first, second = pictures(real, size, 0, channels), pictures(fake, size, 1, channels) ** 3
    assert distance(first, second) == pytest.approx(reference(first, second), rel=1e-4)


@pytest.mark.parametrize(("n", "m"), [(7, 7), (7, 5), (1, 9), (6, 3)])
def test_unequal_numbers_have_the_exact_distance(n: int, m: int) -> None:
    first, second = torch.randn(4, n, dtype=torch.float64), torch.randn(4, m, dtype=torch.float64)
    expected = [stats.wasserstein_distance(first[i], second[i]) for i in range(4)]
    assert wasserstein(first, second).tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("size", [16, 31, 33, 64, 66])
def test_pyramid_adds_up_to_the_image(size: int) -> None:
    images = pictures(1, size, 3).double()
    levels = levels_of(size, size)
    parts = [laplacian(images, level, levels) for level in range(levels)]
    whole = parts[-1]
    for part in parts[-2::-1]:
        grown = [expanded(plane, tuple(part.shape[-2:])) for plane in whole[0].numpy()]
        whole = part + torch.from_numpy(np.stack(grown))[None]
    assert torch.allclose(whole, images, atol=1e-12)


def test_any_split_into_batches_gives_the_same_number() -> None:
    real, fake = pictures(9, 32, 0), pictures(9, 32, 1)
    metric = SlicedWasserstein()
    for part in real.split([1, 5, 3]):
        metric.update(part, real=True)
    for part in fake.split([4, 4, 1]):
        metric.update(part, real=False)
    assert metric.compute().item() == distance(real, fake)


def test_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = distance(pictures(2, 16, 0), pictures(2, 16, 1))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert distance(pictures(2, 16, 0), pictures(2, 16, 1)) == first


def test_blur_and_noise_are_further_away() -> None:
    real, alike = pictures(32, 32, 0), pictures(32, 32, 1)
    blurred = torch.nn.functional.avg_pool2d(alike, 5, 1, 2)
    noise = torch.rand(32, 3, 32, 32) * 2 - 1
    same, near, far = distance(real, alike), distance(real, blurred), distance(real, noise)
    assert 0 < 1.3 * same < min(near, far)


def test_blank_images_have_a_finite_distance() -> None:
    assert 0 < distance(pictures(3, 16, 0), torch.zeros(3, 3, 16, 16)) < 10_000


def test_reset_keeps_the_real_side_when_asked() -> None:
    real, fake = pictures(4, 16, 0), pictures(4, 16, 1)
    metric = SlicedWasserstein(reset_real=False)
    metric.update(real, real=True)
    metric.update(pictures(4, 16, 2), real=False)
    metric.compute()
    metric.reset()
    metric.update(fake, real=False)
    assert metric.compute().item() == distance(real, fake)


def test_bad_input_is_named() -> None:
    metric = SlicedWasserstein()
    with pytest.raises(ValueError, match="at least 7 x 7 pixels, got 6 x 8"):
        metric.update(torch.zeros(1, 3, 6, 8), real=True)
    with pytest.raises(ValueError, match="needs real and fake images"):
        metric.compute()
    metric.update(-torch.ones(1, 3, 8, 8), real=True)
    metric.update(torch.zeros(1, 1, 8, 8), real=False)
    with pytest.raises(ValueError, match="one shape"):
        metric.compute()


def test_to_bytes_checks_the_range() -> None:
    assert to_bytes(torch.tensor([-3.0, 3.0]).reshape(1, 1, 1, 2), real=False).flatten().tolist() == [0, 255]
    with pytest.raises(ValueError, match=r"in \[-1, 1\], got values from 0 to 255"):
        to_bytes(torch.tensor([0.0, 255.0]).reshape(1, 1, 1, 2), real=True)
    with pytest.raises(ValueError, match="NaN"):
        to_bytes(torch.full((1, 1, 2, 2), torch.nan), real=False)
    with pytest.raises(ValueError, match="needs floating-point images"):
        to_bytes(torch.zeros(3, 2), real=True)


def _two_processes(rank: int, port: int, real: Tensor, fake: Tensor, results: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", world_size=2, rank=rank)
    metric = SlicedWasserstein()
    metric.update(real[rank::2], real=True)
    metric.update(fake[rank::2], real=False)
    torch.save(metric.compute(), f"{results}/{rank}")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    real, fake = pictures(5, 32, 0), pictures(7, 32, 1)
    arguments = (port, real, fake, str(tmp_path))
    torch.multiprocessing.start_processes(_two_processes, arguments, nprocs=2, start_method="fork")
    values = [torch.load(tmp_path / str(rank)).item() for rank in range(2)]
    assert values[0] == values[1] == pytest.approx(distance(real, fake), rel=1e-5)
