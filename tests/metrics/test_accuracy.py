"""The classification accuracy score of generators that are perfect, wrong or collapsed, and what must not change it."""

import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_modules.metrics import ClassificationAccuracy
from gan_modules.metrics.accuracy import ConvNet

CLASSES, SIDE = 4, 12


def squares(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noisy pictures with a bright square in one of four corners, and which."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    images = 0.3 * torch.randn(count, 1, SIDE, SIDE, generator=generator) - 0.4
    for image, label in zip(images, labels.tolist(), strict=True):
        top, left = 6 * (label // 2), 6 * (label % 2)
        image[:, top + 1 : top + 5, left + 1 : left + 5] += 0.8
    return images.clamp(-1, 1), labels


def corner(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A classifier that sees the mean of each corner."""
    return nn.Sequential(nn.AvgPool2d(6), nn.Flatten(), nn.Linear(4 * shape[0], classes))


def scored(fakes: tuple[Tensor, Tensor], **options: Any) -> ClassificationAccuracy:
    metric = ClassificationAccuracy(**{"epochs": 8, "batch_size": 16, "learning_rate": 3e-3, **options})
    metric.update(*fakes, real=False)
    metric.update(*squares(100, seed=9), real=True, held_out=True)
    return metric


def test_a_perfect_generator_has_the_accuracy_of_real_pictures() -> None:
    metric = scored(squares(128, seed=1))
    metric.update(*squares(200, seed=2), real=True)
    values = metric.compute()
    assert set(values) == {"cas_convnet", "cas_convnet_real"}
    assert min(values.values()) > 0.97


def test_a_generator_that_ignores_its_labels_is_at_chance() -> None:
    images, labels = squares(128, seed=1)

    def accuracy(images: Tensor, labels: Tensor) -> float:
        metric = scored((images, labels), network=corner, learning_rate=0.1)
        return metric.compute()["cas_corner"].item()

    assert accuracy(images, labels) > 0.97
    assert accuracy(images, (labels + 1) % CLASSES) < 0.03
    assert accuracy(images[:1].expand(128, -1, -1, -1), labels) < 0.5
    shuffled = [accuracy(images, labels[torch.randperm(128)]) for _ in range(5)]
    assert 0.1 < sum(shuffled) / 5 < 0.4


def test_equals_a_classifier_in_closed_form() -> None:
    # Two classes of constant pictures: what is trained is a threshold in the middle.
    levels = torch.tensor([-0.5, 0.5]).repeat(20)
    images, labels = levels.reshape(-1, 1, 1, 1).expand(-1, 1, 12, 12), torch.arange(40) % 2
    tried = torch.tensor([-0.9, -0.3, -0.1, 0.1, 0.4, 0.8, 0.9, -0.8]).reshape(-1, 1, 1, 1).expand(-1, 1, 12, 12)
    metric = ClassificationAccuracy(corner, epochs=60, learning_rate=0.1)
    metric.update(images, labels, real=False)
    metric.update(tried, torch.tensor([0, 0, 0, 1, 1, 1, 0, 1]), real=True, held_out=True)  # the last two are wrong
    assert metric.compute() == {"cas_corner": torch.tensor(0.75)}


def test_real_pictures_are_as_many_as_generated_ones_and_trained_on_once() -> None:
    seen: list[int] = []
    metric = scored(squares(40, seed=1), network=corner, epochs=2, reset_real=False, progress=seen.append)
    metric.update(*squares(200, seed=2), real=True)
    first = metric.compute()
    assert sum(seen) == 2 * 40 * 2 and max(seen) <= 20
    metric.reset()
    seen.clear()
    metric.update(*squares(40, seed=3), real=False)
    assert metric.compute()["cas_corner_real"] == first["cas_corner_real"] and sum(seen) == 2 * 40
    metric.reset()
    metric.update(*squares(44, seed=3), real=False)
    seen.clear()
    metric.compute()
    assert sum(seen) == 2 * 44 * 2


def test_any_split_gives_the_same_number_and_random_numbers_stay() -> None:
    images, labels = squares(40, seed=1)
    labels = (labels + (torch.arange(40) % 3 == 0)) % CLASSES  # so that no number is 0 or 1
    before = torch.get_rng_state()
    whole = scored((images, labels), epochs=2).compute()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    metric = ClassificationAccuracy(epochs=2, batch_size=16, learning_rate=3e-3)
    for part in (slice(0, 0), slice(0, 7), slice(7, 40)):
        metric.update(images[part], labels[part], real=False)
    metric.update(*squares(100, seed=9), real=True, held_out=True)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):  # as Lightning validates
        assert metric.compute() == whole
    assert 0 < whole["cas_convnet"] < 1


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 7, 9), (1, 28, 28), (3, 64, 32)])
def test_the_network_fits_any_size(shape: tuple[int, int, int]) -> None:
    network = ConvNet(shape, 5)
    assert network(torch.zeros(2, *shape)).shape == (2, 5)
    assert sum(isinstance(layer, nn.MaxPool2d) for layer in network) == max(0, min(shape[1:]).bit_length() - 3)


def test_bad_input_is_named() -> None:
    images, labels = squares(4, seed=1)
    metric = ClassificationAccuracy()
    with pytest.raises(ValueError, match="got held-out generated ones"):
        metric.update(images, labels, real=False, held_out=True)
    with pytest.raises(ValueError, match="a class from 0 on for each of 4 images"):
        metric.update(images, labels[:3], real=False)
    with pytest.raises(ValueError, match=r"got torch.float32 \(4,\)"):
        metric.update(images, labels.float(), real=False)
    with pytest.raises(ValueError, match="from -1 on"):
        metric.update(images, labels - 1, real=False)
    with pytest.raises(ValueError, match=r"data in \[-1, 1\]"):
        metric.update(images * 200, labels, real=True)
    metric.update(images, labels, real=False)
    with pytest.raises(ValueError, match="one shape"):
        metric.update(images[..., :8], labels, real=True, held_out=True)
    with pytest.raises(ValueError, match="got 4 and 0; call update with both"):
        metric.compute()


def _two_processes(rank: int, port: int, results: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", world_size=2, rank=rank)
    metric = ClassificationAccuracy(epochs=2, batch_size=16)
    for pictures, options in _sides():
        metric.update(*(each[rank::2] for each in pictures), **options)
    torch.save(metric.compute(), f"{results}/{rank}")
    torch.distributed.destroy_process_group()


def _sides() -> list[tuple[tuple[Tensor, Tensor], dict[str, bool]]]:
    return [
        (squares(31, seed=1), {"real": False}),
        (squares(40, seed=2), {"real": True}),
        (squares(51, seed=9), {"real": True, "held_out": True}),
    ]


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torch.multiprocessing.start_processes(_two_processes, (port, str(tmp_path)), nprocs=2, start_method="fork")
    alone = ClassificationAccuracy(epochs=2, batch_size=16)
    for pictures, options in _sides():
        alone.update(*pictures, **options)
    expected = alone.compute()
    assert min(expected.values()) > 0 and len(expected) == 2
    for rank in range(2):
        assert torch.load(tmp_path / str(rank)) == expected
