"""Tiny variants, data and a trainer for them, and comparisons of what they leave."""

from collections.abc import Iterator, Sequence
from typing import Any, Unpack

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from gan_modules import AdversarialModule
from gan_modules.adversarial import Mechanics
from zoo import CASES, first
from zoo.own import CLASSES, SIZE

NAMES = tuple(CASES)
FIRST = tuple(first.CASES)
"""The variants by which the mechanics are tested that no variant changes: compilation, sharding, scalers."""
TWO = ("pairs", "coded pairs", "domains", "coded domains", "joint")
"""The kinds of data that have two pictures, or pictures of two domains."""
LARGER = ("pairs", "coded pairs", "enlarged", "holes", "films")
"""The kinds of data whose pictures halve once more."""
TRANSLATED = (*TWO, *LARGER, "attacked", "context", "styles", "adapted")
LATENT_MODELS = tuple(name for name, case in CASES.items() if case.data not in TRANSLATED)


def build(name: str, own: bool = False, seed: int = 0, **options: Any) -> AdversarialModule:
    """A variant with our networks, or with a user's `own`, in which no sample depends on another.

    Progressive networks have no user's form: theirs couple neighbours in groups of four.
    """
    torch.manual_seed(seed)
    return CASES[name].build(own, **options)


def data(name: str, count: int = 32) -> tuple[Tensor, ...]:
    """Random data of the kind that the variant wants."""
    generator, kind = torch.Generator().manual_seed(1), CASES[name].data
    images = 2 * torch.rand(2, count, *shape_of(name), generator=generator) - 1
    if kind in ("labelled", "attacked", "encoded", "styles"):
        return images[0], torch.arange(count) % CLASSES
    if kind == "captioned":
        return images[0], torch.randint(0, 30, (count, 9), generator=generator)
    if kind in ("few labels", "context"):
        labels = torch.arange(count) % CLASSES
        return images[0], labels.where(torch.arange(count) % 4 > 1, torch.tensor(-1))
    if kind == "adapted":
        return images[0], images[1], torch.arange(count) % CLASSES
    if kind == "enlarged":
        return images[0, ..., ::4, ::4], images[1]
    if kind == "holes":
        return images[0], images[1], 2 * (images[:1].amax(2) > 0.8).float().squeeze(0)[:, None] - 1
    if kind == "films":
        return torch.cat([images[0], images[1].flip(3)], dim=1), images[1]
    return tuple(images) if kind in TWO else (images[0],)


def shape_of(name: str) -> tuple[int, ...]:
    """The shape of a sample."""
    kind = CASES[name].data
    return (2,) if kind == "points" else (3, 2 * SIZE, 2 * SIZE) if kind in LARGER else (3, SIZE, SIZE)


class Part(Sequence[list[int]]):
    """Batches in a fixed order, of which this process takes its part: every so many-th sample."""

    def __init__(self, count: int, batch_size: int, rank: int, processes: int) -> None:
        self.batches = [
            list(range(start + rank, start + batch_size, processes)) for start in range(0, count, batch_size)
        ]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: Any) -> Any:
        return self.batches[index]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)


def loader(
    name: str, batches: int = 8, batch_size: int = 4, rank: int = 0, processes: int = 1
) -> DataLoader[tuple[Tensor, ...]]:
    """The variant's data, in batches of a fixed order; `batch_size` is that of all processes together."""
    count = batches * batch_size
    return DataLoader(TensorDataset(*data(name, count)), batch_sampler=Part(count, batch_size, rank, processes))


def trainer(**options: Any) -> Trainer:
    """A trainer that writes nothing and says nothing."""
    defaults: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
        "log_every_n_steps": 2,
    }
    return Trainer(**{**defaults, **options})


def trained(name: str, own: bool = False, batches: int = 8, **mechanics: Unpack[Mechanics]) -> AdversarialModule:
    """The variant after `batches` batches."""
    module = build(name, own, **mechanics)
    trainer().fit(module, loader(name, batches))
    return module


def losses_of(module: AdversarialModule) -> list[Tensor]:
    """The losses of all steps that the module will take, as it takes them."""
    losses, descend = list[Tensor](), module.descend

    def watched(*arguments: Any) -> Any:
        returned = descend(*arguments)
        losses.append(returned[0] if isinstance(returned, tuple) else returned)
        return returned

    module.descend = watched  # type: ignore[assignment,method-assign]
    return losses


def same(left: Any, right: Any) -> bool:
    """Whether nested dicts, lists and tensors are equal bit for bit."""
    if isinstance(left, Tensor):
        return isinstance(right, Tensor) and left.dtype == right.dtype and torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def assert_close(actual: Any, expected: Any, path: str) -> None:
    """Compare nested states: floating-point tensors to 1e-12 of their size, everything else exactly."""
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys(), path
        for key, value in expected.items():
            assert_close(actual[key], value, f"{path}.{key}")
    elif isinstance(expected, list):
        for index, (each, value) in enumerate(zip(actual, expected, strict=True)):
            assert_close(each, value, f"{path}.{index}")
    elif isinstance(expected, Tensor) and expected.is_floating_point():
        size = max(1e-3, float(expected.abs().max()))  # biases start at 0: then it is what the steps moved
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12 * size, msg=lambda text: f"{path}: {text}")
    else:
        assert same(actual, expected), path


def whole_state(module: AdversarialModule, fitted: Trainer) -> dict[str, Any]:
    """All that a run carries from one batch to the next, copied."""
    schedulers = [config.scheduler.state_dict() for config in fitted.lr_scheduler_configs]
    return {
        "module": {name: _copied(value) for name, value in module.state_dict().items()},
        "optimizers": [_copied(optimizer.state_dict()) for optimizer in fitted.optimizers],
        "schedulers": schedulers,
        "counters": {name: getattr(module, name) for name in module.persistent},
        "global_step": fitted.global_step,
    }


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value
