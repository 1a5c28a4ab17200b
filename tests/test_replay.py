"""The history of generated images against a pool written out in plain Python."""

import io
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from gan_modules import randomness
from gan_modules.randomness import Stream, mix
from gan_modules.replay import ImageHistory


@pytest.fixture(autouse=True)
def _stream_off() -> Iterator[None]:
    yield
    randomness.use(None)


class Pool:
    """CycleGAN's pool: fill up; then keep half the time, else hand out an old image for the new one."""

    def __init__(self, size: int) -> None:
        self.size, self.kept = size, []

    def query(self, images: list[float], coins: list[float], places: list[float]) -> list[float]:
        returned = []
        for image, coin, place in zip(images, coins, places, strict=True):
            if len(self.kept) < self.size:
                self.kept.append(image)
                returned.append(image)
            elif coin < 0.5:
                index = int(place * self.size)
                returned.append(self.kept[index])
                self.kept[index] = image
            else:
                returned.append(image)
        return returned


def batch(step: int, n: int) -> Tensor:
    """Images that tell which they are."""
    return (100.0 * step + torch.arange(n)).view(n, 1, 1, 1).expand(n, 3, 2, 2).clone()


@pytest.mark.parametrize(("size", "n"), [(50, 1), (50, 8), (5, 8), (1, 4)])
def test_makes_the_decisions_of_the_reference(size: int, n: int) -> None:
    history, pool = ImageHistory(size), Pool(size)
    for step in range(70):
        randomness.use(Stream(mix(5, step)))
        coins, places = randomness.shared_uniform(2, n, dtype=torch.float64).tolist()
        expected = pool.query(batch(step, n)[:, 0, 0, 0].tolist(), coins, places)
        randomness.use(Stream(mix(5, step)))
        returned = history(batch(step, n))
        assert returned.shape == (n, 3, 2, 2)
        assert returned[:, 0, 0, 0].tolist() == expected
        assert torch.equal(returned, returned[:, :1, :1, :1].expand_as(returned))
    assert history.images[:, 0, 0, 0].tolist() == pool.kept


def test_half_of_the_images_are_old_ones() -> None:
    history, old = ImageHistory(20), 0
    randomness.use(Stream(2))
    history(batch(0, 20))
    for step in range(1, 101):
        shown = batch(step, 20)
        old += int((history(shown) != shown).any(dim=(1, 2, 3)).sum())
    assert 900 < old < 1100  # of 2000


def test_a_restart_continues_identically() -> None:
    def run(history: ImageHistory, steps: range) -> Tensor:
        returned = []
        for step in steps:
            randomness.use(Stream(mix(5, step)))
            returned.append(history(batch(step, 4)))
        return torch.cat(returned)

    whole = ImageHistory(10)
    expected = run(whole, range(20))
    for stop in (1, 2, 7):  # empty, part full, full
        first, second, file = ImageHistory(10), ImageHistory(10), io.BytesIO()
        before = run(first, range(stop))
        torch.save(first.state_dict(), file)
        file.seek(0)
        second.load_state_dict(torch.load(file, weights_only=True))
        assert torch.equal(torch.cat([before, run(second, range(stop, 20))]), expected)


def test_a_loaded_history_shares_no_memory() -> None:
    first, second = ImageHistory(4), ImageHistory(4)
    first(batch(0, 4))
    second.load_state_dict(first.state_dict())
    first.images.zero_()
    assert second.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("old", "new"), [(4, 8), (8, 4)])
def test_another_size_after_a_restart_starts_afresh(old: int, new: int) -> None:
    first, second = ImageHistory(old), ImageHistory(new)
    first(batch(0, 8))
    second.load_state_dict(first.state_dict())
    for step in range(1, 5):
        second(batch(step, 8))
    assert second.count == new == len(second.images)
    assert second.images.min() >= 100


def test_images_of_another_size_start_afresh() -> None:
    history = ImageHistory(4)
    history(batch(0, 4))
    shown = torch.ones(2, 3, 5, 5)
    assert torch.equal(history(shown), shown)
    assert history.count == 2


def test_size_zero_is_off() -> None:
    history, images = ImageHistory(0), batch(0, 3)
    assert history(images) is images
    assert history.count == 0 and history.images.numel() == 0


def test_neither_keeps_a_graph_nor_changes_its_input() -> None:
    history = ImageHistory(2)
    for step in range(5):
        images = batch(step, 3).requires_grad_()
        assert not history(images).requires_grad
        assert torch.equal(images, batch(step, 3))
    assert not history.images.requires_grad


@pytest.mark.parametrize("size", [-1, 2.5, True])
def test_a_bad_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="size must be a whole number"):
        ImageHistory(size)
