"""Structural similarity against scipy, and what must not change it."""

import socket
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import signal
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from gan_modules.metrics import SSIM, MultiScaleSSIM
from gan_modules.metrics.comparing import circles
from gan_modules.metrics.structure import multi_scale_ssim, ssim

LINE = np.exp(-(np.arange(-5.0, 6.0) ** 2) / (2 * 1.5**2))
WINDOW = np.outer(LINE, LINE) / LINE.sum() ** 2
EXPONENTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])


def smooth(count: int, height: int, width: int, seed: int, channels: int = 3) -> Tensor:
    """Smooth random images in [-1, 1]."""
    noise = torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.avg_pool2d(noise, 5, 1, 2).mul(3).tanh()


def as_bytes(count: int, seed: int) -> Tensor:
    """Smooth random images of 48 pixels, uint8."""
    return ((smooth(count, 48, 48, seed) + 1) * 127.5).byte()


def blurred(image: np.ndarray) -> np.ndarray:
    """The weighted mean in each window that lies inside the image."""
    return signal.convolve2d(image, WINDOW, mode="valid")


def terms(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Luminance, and contrast and structure, of two planes in [0, 255]: Wang et al. (2004), equations 6 and 13."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_x, mean_y = blurred(x), blurred(y)
    variances = blurred(x * x) - mean_x**2 + blurred(y * y) - mean_y**2
    covariance = blurred(x * y) - mean_x * mean_y
    return (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1), (2 * covariance + c2) / (variances + c2)


def halved(image: np.ndarray) -> np.ndarray:
    rows, columns = image.shape[0] // 2, image.shape[1] // 2
    return image[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean(axis=(1, 3))


def reference(first: Tensor, second: Tensor, exponents: np.ndarray) -> float:
    """The (multi-scale) structural similarity of two images (c, h, w), in float64."""
    pairs = [
        tuple((each.double().numpy() + 1) * 127.5 for each in planes) for planes in zip(first, second, strict=True)
    ]
    product = 1.0
    for exponent in exponents[:-1]:
        product *= max(0.0, np.mean([terms(x, y)[1] for x, y in pairs])) ** exponent
        pairs = [(halved(x), halved(y)) for x, y in pairs]
    return product * max(0.0, np.mean([np.prod(terms(x, y), axis=0) for x, y in pairs])) ** exponents[-1]


@pytest.mark.parametrize(("height", "width", "channels"), [(32, 32, 3), (11, 20, 1), (45, 33, 3)])
def test_ssim_equals_scipy(height: int, width: int, channels: int) -> None:
    truth = smooth(3, height, width, 0, channels)
    images = (0.7 * truth + 0.3 * smooth(3, height, width, 1, channels)).clamp(-1, 1)
    expected = [reference(*pair, np.ones(1)) for pair in zip(images, truth, strict=True)]
    assert ssim(images, truth).tolist() == pytest.approx(expected, abs=2e-5)
    metric = SSIM()
    metric.update(images[:2], truth[:2])
    metric.update(images[2:], truth[2:])
    assert metric.compute().item() == pytest.approx(np.mean(expected), abs=2e-5)


def test_ssim_is_torchmetrics_away_from_the_border() -> None:
    truth, images = torch.zeros(2, 3, 96, 96), torch.zeros(2, 3, 96, 96)
    truth[..., 16:-16, 16:-16], images[..., 16:-16, 16:-16] = smooth(2, 64, 64, 0), smooth(2, 64, 64, 1)
    theirs = structural_similarity_index_measure((images + 1) / 2, (truth + 1) / 2, data_range=1.0)
    border = 96**2 - 86**2  # where both are alike, and torchmetrics counts a similarity of 1
    assert (ssim(images, truth).mean() * 86**2 + border).item() == pytest.approx(96**2 * theirs.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("height", "width", "scales"), [(176, 181, 5), (88, 90, 4), (64, 64, 3), (28, 43, 2), (21, 30, 1)]
)
def test_multi_scale_ssim_equals_scipy(height: int, width: int, scales: int) -> None:
    first = smooth(2, height, width, 0)
    second = 0.6 * first + 0.4 * smooth(2, height, width, 1)
    exponents = EXPONENTS[:scales] if scales == 5 else EXPONENTS[:scales] / EXPONENTS[:scales].sum()
    expected = [reference(*pair, exponents) for pair in zip(first, second, strict=True)]
    assert 0.2 < min(expected) < max(expected) < 0.98
    assert multi_scale_ssim(first, second).tolist() == pytest.approx(expected, abs=2e-5)
    metric = MultiScaleSSIM()
    metric.update(first, real=False)
    assert list(metric.compute()) == ["ms_ssim" if scales == 5 else f"ms_ssim@{scales}"]


def test_scales_that_disagree_count_as_nothing() -> None:
    images = smooth(1, 32, 32, 0)
    assert multi_scale_ssim(images, -images).item() == 0


def test_all_images_are_in_equally_many_pairs() -> None:
    for n, steps in ((2, 1), (3, 1), (8, 3), (9, 4), (5, 9)):
        (pairs,) = circles(torch.zeros(n).long(), steps, seed=1)
        each = Counter(pairs.flatten().tolist())
        assert set(each) == set(range(n)) and set(each.values()) == {2 * min(steps, max(1, (n - 1) // 2))}
        assert n == 2 or len({frozenset(pair) for pair in pairs.tolist()}) == len(pairs)
    assert not torch.equal(circles(torch.zeros(9).long(), 1, seed=1)[0], circles(torch.zeros(9).long(), 1, seed=2)[0])


def test_pairs_within_classes_are_of_one_class() -> None:
    labels = torch.tensor([3, 1, 3, 1, 1, 7, 3, 1])
    first, second = circles(labels, 1, seed=0)
    assert set(first.flatten().tolist()) == {1, 3, 4, 7} and set(second.flatten().tolist()) == {0, 2, 6}


def diversity(images: Tensor, *splits: int, **options: Any) -> dict[str, float]:
    metric = MultiScaleSSIM(**options)
    labels = torch.arange(len(images)) % 3
    for part, own in zip(images.split(splits or [len(images)]), labels.split(splits or [len(images)]), strict=True):
        metric.update(part, real=False, labels=own)
    return {name: value.item() for name, value in metric.compute().items()}


def test_diversity_is_the_mean_over_pairs() -> None:
    images = as_bytes(7, 0)
    floats = images / 127.5 - 1
    (pairs,) = circles(torch.zeros(7).long(), 2, seed=4)
    expected = np.mean([reference(*floats[pair], EXPONENTS[:3] / EXPONENTS[:3].sum()) for pair in pairs])
    assert diversity(images, pairs_per_image=2, seed=4) == {"ms_ssim@3": pytest.approx(expected, abs=2e-5)}
    labels = torch.arange(7) % 3
    means = [multi_scale_ssim(*floats[pairs.T]).mean().item() for pairs in circles(labels, 1, seed=0)]
    assert diversity(images, within_classes=True) == {"ms_ssim_intra@3": pytest.approx(np.mean(means), abs=1e-6)}


def test_any_split_and_bytes_or_floats_give_the_same_number() -> None:
    images = as_bytes(10, 0)
    whole = diversity(images)
    assert diversity(images, 1, 6, 3) == diversity(images / 127.5 - 1, 4, 6) == whole
    parts = SSIM(), SSIM()
    truth, floats = as_bytes(10, 1), images / 127.5 - 1
    parts[0].update(images, truth)
    for split in (slice(0, 0), slice(0, 7), slice(7, 10)):
        parts[1].update(floats[split], truth[split])
    assert parts[0].compute().item() == pytest.approx(parts[1].compute().item(), rel=1e-6)


def test_collapse_is_seen_and_the_data_stand_beside() -> None:
    metric = MultiScaleSSIM(reset_real=False)
    images = as_bytes(16, 0)
    metric.update(images, real=True)
    metric.update((images[:1] / 127.5 - 1 + 0.02 * torch.randn(16, 3, 48, 48)), real=False)
    collapsed = metric.compute()
    assert collapsed["ms_ssim@3_real"] < 0.5 < 0.9 < collapsed["ms_ssim@3"]
    metric.reset()
    metric.update(images, real=False)
    assert len(metric.real_images) == 1 and len(set(map(float, metric.compute().values()))) == 1
    metric.update(images[:1].expand(16, -1, -1, -1), real=True)
    assert metric.compute()["ms_ssim@3_real"] > collapsed["ms_ssim@3_real"]


def test_mixed_precision_outside_changes_nothing() -> None:
    images, truth = smooth(4, 32, 32, 0), smooth(4, 32, 32, 1)
    expected, given = SSIM(), SSIM()
    expected.update(images, truth)
    with torch.autocast("cpu", torch.bfloat16):
        given.update(images, truth)
    assert given.compute() == expected.compute()


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="ssim compares images of one shape"):
        SSIM().update(torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 16, 16))
    with pytest.raises(ValueError, match=r"data in \[-1, 1\]"):
        SSIM().update(torch.zeros(1, 3, 16, 16), torch.full((1, 3, 16, 16), 255.0))
    with pytest.raises(ValueError, match="at least 11 x 11 pixels, got 10 x 16"):
        SSIM().update(torch.zeros(1, 3, 10, 16), torch.zeros(1, 3, 10, 16))
    with pytest.raises(ValueError, match="at least one image"), pytest.warns(UserWarning):
        SSIM().compute()
    with pytest.raises(ValueError, match="needs generated images"), pytest.warns(UserWarning):
        MultiScaleSSIM().compute()
    with pytest.raises(ValueError, match="at least 2 images of one class, got 3"):
        diversity(torch.zeros(3, 3, 16, 16), within_classes=True)
    with pytest.raises(ValueError, match="a label for each of 2 images, got none"):
        MultiScaleSSIM(within_classes=True).update(torch.zeros(2, 3, 16, 16), real=False)
    metric = MultiScaleSSIM()
    metric.update(torch.zeros(2, 3, 16, 16), real=True)
    with pytest.raises(ValueError, match="one shape"):
        metric.update(torch.zeros(2, 3, 16, 17), real=False)


def _two_processes(rank: int, port: int, results: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", world_size=2, rank=rank)
    images, truth = as_bytes(7, 0), as_bytes(7, 1)
    similarity, variety = SSIM(), MultiScaleSSIM(within_classes=True)
    similarity.update(images[rank::2], truth[rank::2])
    variety.update(images[rank::2], real=False, labels=(torch.arange(7) % 3)[rank::2])
    torch.save([similarity.compute(), *variety.compute().values()], f"{results}/{rank}")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    images, truth = as_bytes(7, 0), as_bytes(7, 1)
    arguments = (port, str(tmp_path))
    torch.multiprocessing.start_processes(_two_processes, arguments, nprocs=2, start_method="fork")
    alone = SSIM()
    alone.update(images, truth)
    expected = [alone.compute().item(), *diversity(images, within_classes=True).values()]
    for rank in range(2):
        assert [value.item() for value in torch.load(tmp_path / str(rank))] == pytest.approx(expected, rel=1e-6)
