"""Random numbers that belong to the step and to the sample: counted, never carried along.

A `Stream` makes the draws of one training step a function of (seed, step, number of the draw, item of the global
batch). A run that was killed and resumed therefore draws what the uninterrupted run drew, and N processes, or a batch
cut into micro-batches, draw together what one process draws for the whole batch. Nothing is saved, because there is
no state.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_MASK = (1 << 64) - 1


def mix(*integers: int) -> int:
    """Hash integers to a seed in [0, 2**63), by the finaliser of splitmix64 (Steele, Lea and Flood, 2014).

    >>> mix(0, 1) == mix(0, 1), mix(0, 1) == mix(1, 0)
    (True, False)
    """
    state = 0
    for integer in integers:
        state = (state + (integer & _MASK) + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1


class Stream:
    """The random numbers of one step, of which this process takes those of its part of the global batch.

    Items are dealt like cards: part p of n has the items p, p + n, p + 2n, ... of the global batch. So the first items
    of all parts together are the first items of the batch, whatever n is.

    Args:
        seed: the hash of whatever the numbers belong to.
        part: which part of the global batch this process works on, in [0, parts).
        parts: how many parts the global batch is dealt to.
        items: how many items this part has, and the whole batch; None: all parts have equally many.
    """

    def __init__(self, seed: int, part: int = 0, parts: int = 1, items: tuple[int, int] | None = None) -> None:
        self.seed, self.part, self.parts, self.items = seed, part, parts, items
        self.draws = 0

    def draw(
        self, sampler: Callable[..., Tensor], shape: tuple[int, ...], device: torch.device | None, dtype: torch.dtype
    ) -> Tensor:
        """The next draw of `sampler` (`torch.randn`, `torch.rand`) for this process's part of the batch."""
        count, *rest = shape
        own, total = self.items or (1, self.parts)
        if count % own:  # not a number for each item
            own, total = 1, self.parts
        drawn = self.draw_all(sampler, (count // own * total, *rest), device, dtype)
        return drawn.unflatten(0, (-1, total))[:, self.part :: self.parts].flatten(0, 1)

    def draw_all(
        self, sampler: Callable[..., Tensor], shape: tuple[int, ...], device: torch.device | None, dtype: torch.dtype
    ) -> Tensor:
        """The next draw of `sampler`, the same for every part."""
        generator = torch.Generator(device or "cpu").manual_seed(mix(self.seed, self.draws))
        self.draws += 1
        return sampler(*shape, generator=generator, device=device, dtype=dtype)

    @contextmanager
    def cut(self, part: int, parts: int) -> Iterator[None]:
        """Inside, draw for one of `parts` micro-batches; each of them starts at the same draw."""
        whole = self.part, self.parts, self.draws
        self.part, self.parts = self.part + self.parts * part, self.parts * parts
        try:
            yield
        finally:
            self.part, self.parts = whole[:2]
            if part + 1 < parts:
                self.draws = whole[2]


class ItemStream(Stream):
    """The random numbers of numbered items, such as samples of a trained model.

    Item i is dealt the same numbers in whatever batch it is, and on whatever device: they are drawn on the CPU, for
    blocks of 256 items.

    Args:
        seed: the hash of whatever the numbers belong to.
        first, count: the items `first` to `first + count - 1` are drawn for.
        truncation: normal numbers are drawn from the normal distribution on [-truncation, truncation], as in BigGAN
            (Brock, Donahue and Simonyan, 2019, section 3.1); None: on all numbers.

    Attributes:
        normals: how many normal numbers were drawn.
    """

    _BLOCK = 256

    def __init__(self, seed: int, first: int, count: int, truncation: float | None = None) -> None:
        super().__init__(seed)
        self.first, self.count, self.truncation = first, count, truncation
        self.normals = 0

    def draw(
        self, sampler: Callable[..., Tensor], shape: tuple[int, ...], device: torch.device | None, dtype: torch.dtype
    ) -> Tensor:
        """The next draw for the items; one whose rows are not a multiple of them is the same for all items."""
        total, *rest = shape
        if total % self.count:
            return self.draw_all(sampler, shape, device, dtype)
        number, self.draws = self.draws, self.draws + 1
        rows = (total // self.count, *rest)
        first_block, last_block = self.first // self._BLOCK, (self.first + self.count - 1) // self._BLOCK
        blocks = [
            self._drawn(sampler, (self._BLOCK, *rows), mix(self.seed, number, block), dtype)
            for block in range(first_block, last_block + 1)
        ]
        start = self.first - first_block * self._BLOCK
        return torch.cat(blocks)[start : start + self.count].transpose(0, 1).flatten(0, 1).to(device or "cpu")

    def draw_all(
        self, sampler: Callable[..., Tensor], shape: tuple[int, ...], device: torch.device | None, dtype: torch.dtype
    ) -> Tensor:
        number, self.draws = self.draws, self.draws + 1
        return self._drawn(sampler, shape, mix(self.seed, number), dtype).to(device or "cpu")

    def _drawn(self, sampler: Callable[..., Tensor], shape: tuple[int, ...], seed: int, dtype: torch.dtype) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        normal = sampler is torch.randn
        self.normals += math.prod(shape) if normal else 0
        if not normal or self.truncation is None:
            return sampler(*shape, generator=generator, dtype=dtype)
        low, high = torch.special.ndtr(torch.tensor([-self.truncation, self.truncation], dtype=torch.float64))
        uniform = torch.rand(*shape, generator=generator, dtype=torch.float64)
        drawn = torch.special.ndtri(low + uniform * (high - low))
        return drawn.clamp(-self.truncation, self.truncation).to(dtype)


_current: ContextVar[Stream | None] = ContextVar("current_stream", default=None)


def use(stream: Stream | None) -> None:
    """From now on draw from `stream` (None: from torch's global generator)."""
    _current.set(stream)


@contextmanager
def using(stream: Stream) -> Iterator[None]:
    """Inside, draw from `stream`."""
    before = _current.set(stream)
    try:
        yield
    finally:
        _current.reset(before)


def current() -> Stream | None:
    """The stream in use, if any."""
    return _current.get()


def normal(*shape: int, device: torch.device | None = None, dtype: torch.dtype | None = None) -> Tensor:
    """Standard normal numbers; the first dimension is the batch's."""
    return _draw(torch.randn, shape, device, dtype)


def uniform(*shape: int, device: torch.device | None = None, dtype: torch.dtype | None = None) -> Tensor:
    """Uniform numbers in [0, 1); the first dimension is the batch's."""
    return _draw(torch.rand, shape, device, dtype)


def uniform_after(x: Tensor, *shape: int) -> Tensor:
    """Uniform numbers in [0, 1) of single precision; the first dimension is the batch's.

    One operation, so that a compiled graph draws them as it runs, once `x` is known: layers behind each other draw in
    their order.
    """
    return _drawn_after(x.detach(), shape, False)


def normal_after(x: Tensor, *shape: int) -> Tensor:
    """Standard normal numbers, otherwise as `uniform_after`."""
    return _drawn_after(x.detach(), shape, True)


@torch.library.custom_op("gan_modules::drawn_after", mutates_args=(), tags=(torch.Tag.nondeterministic_seeded,))
def _drawn_after(x: Tensor, shape: Sequence[int], is_normal: bool) -> Tensor:
    return (normal if is_normal else uniform)(*shape, device=x.device, dtype=torch.float32).contiguous()


@_drawn_after.register_fake
def _(x: Tensor, shape: Sequence[int], is_normal: bool) -> Tensor:
    return x.new_empty(shape, dtype=torch.float32)


def labels(n: int, classes: int, device: torch.device | None = None) -> Tensor:
    """Integers, uniform in [0, classes), `(n,)`."""
    return (uniform(n, device=device, dtype=torch.float64) * classes).long()


def shared_uniform(*shape: int, dtype: torch.dtype | None = None) -> Tensor:
    """Uniform numbers in [0, 1) on the CPU, the same ones in every process: for decisions about the global batch."""
    stream, dtype = _current.get(), dtype or torch.get_default_dtype()
    if stream is None:
        return torch.rand(*shape, dtype=dtype)
    return stream.draw_all(torch.rand, shape, None, dtype)


def _draw(
    sampler: Callable[..., Tensor], shape: tuple[int, ...], device: torch.device | None, dtype: torch.dtype | None
) -> Tensor:
    stream, dtype = _current.get(), dtype or torch.get_default_dtype()
    if stream is None:
        return sampler(*shape, device=device, dtype=dtype)
    return stream.draw(sampler, shape, device, dtype)
