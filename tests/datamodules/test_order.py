"""Order and random numbers are functions of seed, epoch and index, for any number of workers and processes."""

from collections import Counter

import pytest
import torch
from torch import Tensor

from datamodules.loading import PictureDataModule
from datamodules.order import Batches, GlobalBatches, Request, held_out_every, random_numbers


def numbered(length: int) -> Batches:
    """Pictures of one pixel whose value is their index."""
    return Batches(torch.arange(length, dtype=torch.uint8).reshape(-1, 1, 1, 1))


def drawn(
    length: int, batch_size: int, shuffle: bool, processes: int = 1, rank: int = 0, epoch: int = 0, seed: int = 0
) -> list[Request]:
    sampler = GlobalBatches(numbered(length), batch_size, shuffle=shuffle, seed=seed, rank=rank, processes=processes)
    sampler.set_epoch(epoch)
    requests = list(sampler)
    assert len(requests) == len(sampler)
    return requests


def dealt_back(parts: list[Tensor]) -> Tensor:
    """The batch that was dealt to processes."""
    whole = torch.full((sum(map(len, parts)),), -1)
    for rank, part in enumerate(parts):
        whole[rank :: len(parts)] = part
    return whole


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("length", [7, 8, 9, 23, 64])
def test_processes_share_each_training_batch(length: int, processes: int) -> None:
    batch_size = 4
    alone = drawn(length, batch_size, True, epoch=3)
    shared = [drawn(length, batch_size, True, processes, rank, epoch=3) for rank in range(processes)]
    assert len(alone) == length // batch_size
    for (epoch, whole), *parts in zip(alone, *shared, strict=True):
        assert epoch == 3 and all(len(indices) == batch_size // processes for _, indices in parts)
        assert torch.equal(dealt_back([indices for _, indices in parts]), whole)
    seen = torch.cat([indices for _, indices in alone])
    assert len(seen.unique()) == len(seen) == length // batch_size * batch_size


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("batch_size", [4, 8])
@pytest.mark.parametrize("length", [1, 2, 7, 8, 9, 23, 64])
def test_processes_share_all_that_is_held_out(length: int, batch_size: int, processes: int) -> None:
    if length < processes:
        with pytest.raises(ValueError, match="use fewer devices"):
            drawn(length, batch_size, False, processes)
        return
    shared = [drawn(length, batch_size, False, processes, rank) for rank in range(processes)]
    assert len({len(requests) for requests in shared}) == 1
    batches = [[indices for _, indices in parts] for parts in zip(*shared, strict=True)]
    assert all(len(indices) > 0 for parts in batches for indices in parts)
    assert [sum(map(len, parts)) for parts in batches] == [len(part) for _, part in drawn(length, batch_size, False)]
    assert torch.equal(torch.cat([dealt_back(parts) for parts in batches]), torch.arange(length))


def test_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return torch.cat([indices for _, indices in drawn(64, 8, True, epoch=epoch, seed=seed)]).tolist()

    torch.manual_seed(1)
    first = order(0, 0)
    torch.manual_seed(2)
    assert order(0, 0) == first
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_a_start_batch_leaves_out_what_was_seen() -> None:
    sampler = GlobalBatches(numbered(23), 4, shuffle=True, start=(3, 2))
    rest = list(sampler)
    whole = drawn(23, 4, True, epoch=3)
    assert len(sampler) == len(whole) == 5, "the epoch's length stays"
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(rest, whole[2:], strict=True))
    sampler.set_epoch(4)
    assert same_order(list(sampler), drawn(23, 4, True, epoch=4))
    assert list(GlobalBatches(numbered(23), 4, shuffle=True, start=(3, 5))) == []


def same_order(left: list[Request], right: list[Request]) -> bool:
    return [(epoch, indices.tolist()) for epoch, indices in left] == [(e, i.tolist()) for e, i in right]


@pytest.mark.parametrize(
    ("batch_size", "processes", "message"),
    [(0, 1, "positive multiple"), (-4, 1, "positive multiple"), (3, 2, "multiple of 2"), (24, 1, "at most 23")],
)
def test_batches_that_cannot_be(batch_size: int, processes: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GlobalBatches(numbered(23), batch_size, shuffle=True, processes=processes)


def splitmix64(seed: int, count: int) -> list[int]:
    """The published generator, one number after the other."""
    mask, numbers = (1 << 64) - 1, []
    for _ in range(count):
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        numbers.append(z ^ (z >> 31))
    return numbers


def test_numbers_are_splitmix64() -> None:
    assert splitmix64(1234567, 2) == [6457827717110365317, 3203168211198807973]  # published test vector
    expected = torch.tensor([z >> 40 for z in splitmix64(2**63 - 1, 30)]).reshape(10, 3)
    assert torch.equal(random_numbers(2**63 - 1, torch.arange(10), 3), expected)


def test_numbers_do_not_depend_on_the_company() -> None:
    indices = torch.randperm(1000)[:100]
    assert torch.equal(random_numbers(5, torch.arange(1000), 3)[indices], random_numbers(5, indices, 3))


def test_numbers_are_uniform() -> None:
    numbers = random_numbers(7, torch.arange(50_000), 3) / 2**24
    assert numbers.min() >= 0 and numbers.max() < 1
    counts = torch.histc(numbers, 100, 0, 1)
    assert ((counts - 1500).square() / 1500).sum() < 150  # chi squared, 99 degrees of freedom
    assert torch.corrcoef(numbers.T).fill_diagonal_(0).abs().max() < 0.02


@pytest.mark.parametrize(("larger", "smaller"), [(12, 5), (10, 10), (9, 1)])
@pytest.mark.parametrize("swapped", [False, True])
def test_unpaired_domains_of_unequal_size(larger: int, smaller: int, swapped: bool) -> None:
    columns = [torch.arange(n, dtype=torch.uint8).reshape(-1, 1, 1, 1) for n in (larger, smaller)]
    columns = columns[::-1] if swapped else columns
    batches = Batches(*columns, unpaired=True, vary=True)
    assert len(batches) == larger
    partners = []
    for epoch in range(2):
        raw = batches[epoch, torch.arange(larger)]
        big, small = (column.flatten().tolist() for column in (raw.columns[::-1] if swapped else raw.columns))
        assert sorted(big) == list(range(larger))
        assert set(Counter(small).values()) <= {larger // smaller, -(-larger // smaller)} and len(set(small)) == smaller
        assert not torch.equal(*raw.numbers)
        partners.append(dict(zip(big, small, strict=True)))
    assert smaller == 1 or partners[0] != partners[1]


def test_paired_domains_are_indexed_and_varied_alike() -> None:
    pixels = torch.arange(9, dtype=torch.uint8).reshape(-1, 1, 1, 1)
    raw = Batches(pixels, pixels + 100, vary=True, seed=3)[2, torch.tensor([4, 1])]
    assert raw.columns[0].flatten().tolist() == [4, 1] and raw.columns[1].flatten().tolist() == [104, 101]
    assert torch.equal(*raw.numbers)
    with pytest.raises(ValueError, match="same number"):
        Batches(pixels, pixels[1:])
    with pytest.raises(ValueError, match="empty"):
        Batches(pixels[:0])


class Pixels(PictureDataModule):
    """Random pictures; the least that a data module needs."""

    def __init__(self, num_workers: int) -> None:
        super().__init__(8, 6, 3, True, num_workers, 5)

    def setup(self, stage: str) -> None:
        pictures = torch.randint(0, 256, (50, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        self.training = Batches(pictures, labels=torch.arange(50), vary=True, seed=self.seed)
        self.held_out = Batches(pictures[..., 1:7, 1:7], labels=torch.arange(50), seed=self.seed)


def two_epochs(num_workers: int) -> list[tuple[Tensor, Tensor]]:
    module = Pixels(num_workers)
    module.setup("fit")
    loader, batches = module.train_dataloader(), []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        batches += [module.on_after_batch_transfer(raw, 0) for raw in loader]
    return batches  # type: ignore[return-value]


def test_workers_change_nothing() -> None:
    before = torch.get_rng_state()
    alone, helped = two_epochs(0), two_epochs(2)
    assert torch.equal(torch.get_rng_state(), before), "loading moved the global generator"
    assert len(alone) == 12
    for (x, labels), (other, other_labels) in zip(alone, helped, strict=True):
        assert x.shape == (8, 3, 6, 6) and torch.equal(x, other) and torch.equal(labels, other_labels)
    first, second = (torch.cat([x for x, _ in part])[:48] for part in (alone[:6], alone[6:]))
    assert not torch.equal(first, second)


def test_every_tenth_is_held_out() -> None:
    rest, held_out = held_out_every(25)
    assert held_out.tolist() == [0, 10, 20]
    assert sorted(rest.tolist() + held_out.tolist()) == list(range(25))
