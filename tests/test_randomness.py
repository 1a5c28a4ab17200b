"""Counted random numbers: parts make the whole, and nothing depends on torch's global generator."""

import math
from collections.abc import Callable, Iterator
from itertools import product

import pytest
import torch
from torch import Tensor

from gan_modules import randomness
from gan_modules.randomness import ItemStream, Stream, labels, mix, normal, shared_uniform, uniform

N = 8


@pytest.fixture(autouse=True)
def _stream_off() -> Iterator[None]:
    yield
    randomness.use(None)


def several_draws(count: int) -> list[Tensor]:
    """What a step may draw for `count` items."""
    return [normal(count, 3), uniform(count, 2, 2), labels(count, 5), normal(2 * count, dtype=torch.float64)]


def dealt_back(parts: list[Tensor]) -> Tensor:
    """The batch of which each part has every so many-th item."""
    return torch.stack(parts, dim=1).flatten(0, 1)


def drawn(stream: Stream, count: int) -> list[Tensor]:
    randomness.use(stream)
    return several_draws(count)


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_parts_make_the_whole(parts: int) -> None:
    whole = drawn(Stream(3), N)
    pieces = [drawn(Stream(3, part, parts), N // parts) for part in range(parts)]
    for draw, expected in enumerate(whole):
        assert torch.equal(dealt_back([piece[draw] for piece in pieces]), expected)


@pytest.mark.parametrize("parts", [2, 3, 4])
def test_unequal_parts_make_the_whole(parts: int) -> None:
    total = 7
    whole = drawn(Stream(3, items=(total, total)), total)
    owns = [len(range(part, total, parts)) for part in range(parts)]
    pieces = [drawn(Stream(3, part, parts, (own, total)), own) for part, own in enumerate(owns)]
    for draw, expected in enumerate(whole):
        for part, own in enumerate(owns):
            repeats = len(expected) // total
            got = pieces[part][draw].unflatten(0, (repeats, own))
            assert torch.equal(got, expected.unflatten(0, (repeats, total))[:, part::parts])


@pytest.mark.parametrize(("parts", "cuts"), [(1, 2), (1, 4), (2, 2), (2, 4), (4, 2)])
def test_micro_batches_of_parts_make_the_whole(parts: int, cuts: int) -> None:
    whole = drawn(Stream(3), N)
    pieces = []
    for part in range(parts):
        stream, own = Stream(3, part, parts), []
        for cut in range(cuts):
            with stream.cut(cut, cuts):
                own.append(drawn(stream, N // parts // cuts))
        pieces.append([dealt_back([each[draw] for each in own]) for draw in range(len(whole))])
    for draw, expected in enumerate(whole):
        assert torch.equal(dealt_back([piece[draw] for piece in pieces]), expected)


def test_after_micro_batches_the_stream_goes_on_as_if_there_were_none() -> None:
    whole = Stream(3)
    drawn(whole, N)
    expected = normal(N, 3)
    stream = Stream(3)
    for cut in range(2):
        with stream.cut(cut, 2):
            drawn(stream, N // 2)
    assert torch.equal(normal(N, 3), expected)
    assert (stream.part, stream.parts) == (0, 1)


def test_shared_numbers_are_the_same_in_all_parts_and_count_as_a_draw() -> None:
    randomness.use(Stream(3))
    shared, whole = shared_uniform(2, 5), uniform(N, 3)
    for part in range(4):
        randomness.use(Stream(3, part, 4))
        assert torch.equal(shared_uniform(2, 5), shared)
        assert torch.equal(uniform(N // 4, 3), whole[part::4])


def test_each_draw_and_each_seed_is_new() -> None:
    seen = [*drawn(Stream(3), 64), *drawn(Stream(4), 64), *drawn(Stream(3), 64)]
    randomness.use(Stream(5))
    first, second = normal(64), normal(64)
    assert not torch.equal(first, second)
    assert abs(torch.corrcoef(torch.stack([first, second]))[0, 1]) < 0.5
    assert not torch.equal(seen[0], seen[4])
    assert torch.equal(seen[0], seen[8])


@pytest.mark.parametrize("draw", [normal, uniform, lambda n: labels(n, 3), lambda n: shared_uniform(n)])
def test_inside_a_stream_the_global_generator_plays_no_part(draw: Callable[[int], Tensor]) -> None:
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        randomness.use(Stream(9))
        found.append(draw(16))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*found)


@pytest.mark.parametrize("draw", [normal, uniform, lambda n: labels(n, 3), lambda n: shared_uniform(n)])
def test_outside_a_stream_the_global_generator_decides(draw: Callable[[int], Tensor]) -> None:
    torch.manual_seed(0)
    first, second = draw(64), draw(64)
    torch.manual_seed(0)
    assert torch.equal(draw(64), first)
    assert not torch.equal(first, second)


def test_distributions() -> None:
    randomness.use(Stream(1))
    gaussian, flat, classes = normal(100_000), uniform(100_000), labels(100_000, 5)
    assert abs(gaussian.mean()) < 0.02 and abs(gaussian.std() - 1) < 0.02
    assert flat.min() >= 0 and flat.max() < 1 and abs(flat.mean() - 0.5) < 0.01
    assert classes.dtype == torch.int64 and classes.shape == (100_000,)
    assert (classes.bincount(minlength=5) / 100_000 - 0.2).abs().max() < 0.01


def test_kinds_of_numbers() -> None:
    for stream in (None, Stream(1)):
        randomness.use(stream)
        assert normal(2, 3).dtype == torch.float32
        assert uniform(2, dtype=torch.float64).dtype == torch.float64
        assert normal(2, device=torch.device("cpu")).device.type == "cpu"
        assert labels(0, 3).shape == (0,)


def test_mix_has_no_collisions_on_a_grid() -> None:
    seeds = {mix(*key) for key in product(range(10), range(100), range(100))}
    assert len(seeds) == 100_000
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_mix_tells_order_length_and_sign() -> None:
    keys = [(), (0,), (0, 0), (0, 1), (1, 0), (1,), (-1,), (-1, 0), (2**63,), (2**64 - 2,)]
    assert len({mix(*key) for key in keys}) == len(keys)
    assert mix(1, 2, 3) == mix(1, 2, 3)


def test_mix_spreads_over_all_bits() -> None:
    seeds = [mix(0, step) for step in range(4096)]
    for bit in range(63):
        ones = sum(seed >> bit & 1 for seed in seeds)
        assert 1800 < ones < 2300  # eight standard deviations of a fair coin


def test_current_is_what_is_in_use() -> None:
    stream = Stream(1)
    assert randomness.current() is None
    randomness.use(stream)
    assert randomness.current() is stream


def test_items_draw_the_same_numbers_in_any_batch() -> None:
    whole = drawn(ItemStream(3, 0, 600), 600)
    sizes = (1, 255, 2, 300, 42)
    firsts = [sum(sizes[:place]) for place in range(len(sizes))]
    pieces = [drawn(ItemStream(3, first, size), size) for first, size in zip(firsts, sizes, strict=True)]
    for draw, expected in enumerate(whole):
        parts = [piece[draw].unflatten(0, (-1, size)) for piece, size in zip(pieces, sizes, strict=True)]
        assert torch.equal(torch.cat(parts, dim=1).flatten(0, 1), expected)
    assert len(whole[0].unique(dim=0)) == 600
    other = drawn(ItemStream(4, 0, 600), 600)
    assert not torch.isin(whole[0], other[0]).any()


def test_what_is_drawn_for_no_item_is_the_same_for_all() -> None:
    shared = []
    for first in (0, 7):
        with randomness.using(ItemStream(3, first, 4)):
            shared.append(normal(3, 2))
    assert torch.equal(*shared)
    assert randomness.current() is None


def test_normal_numbers_of_items_are_normal_within_their_bound() -> None:
    stream = ItemStream(0, 0, 4000)
    free = drawn(stream, 4000)[0]
    assert stream.normals > 0 and abs(free.std() - 1) < 0.03 and free.abs().max() > 3
    bound = drawn(ItemStream(0, 0, 4000, truncation=0.5), 4000)
    assert bound[0].abs().max() <= 0.5
    psi, density = 0.5, math.exp(-0.125) / math.sqrt(2 * math.pi)
    variance = 1 - 2 * psi * density / math.erf(psi / math.sqrt(2))  # of the normal distribution on [-psi, psi]
    assert bound[0].var().item() == pytest.approx(variance, rel=0.03)
    assert torch.equal(bound[1], drawn(ItemStream(0, 0, 4000), 4000)[1])  # uniform numbers are left alone
