"""A trained model as a row of a table: what it shows of held-out data, what it costs, and how it is scored."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor, nn

from gan_modules import checkpoints, randomness
from gan_modules.adversarial import AdversarialModule
from gan_modules.batches import size_of
from gan_modules.callbacks.scores import Scorer
from gan_modules.callbacks.views import View, views_of
from gan_modules.evaluation import sides
from gan_modules.evaluation.columns import Measures
from gan_modules.evaluation.comparison import data_module, sha256_of
from gan_modules.randomness import ItemStream, mix
from gan_modules.translating import Way, several

Act = Callable[[], Tensor]
"""Makes a batch of pictures as a user of a model does."""


@dataclass(frozen=True)
class Model:
    """A trained model in evaluation mode, and its data, set up.

    Args:
        name: what its row is called.
        module: of the checkpoint.
        data: the data module that it was trained with, whose pictures are neither mirrored nor cropped.
        identity: what says which model and data these are, for the record.
    """

    name: str
    module: AdversarialModule
    data: LightningDataModule
    identity: dict[str, Any]

    @classmethod
    def of(cls, name: str, path: Path, device: torch.device, data_of: "DataModules") -> "Model":
        """The model of a checkpoint, on the device, and its data.

        Raises:
            ValueError, OSError: if it cannot be read or rebuilt, or its data are not there.
        """
        saved = checkpoints.read(path)
        module = checkpoints.rebuilt(saved, path, data_of.trust).to(device)
        data, of_data = data_of(saved["config"].get("data"))
        identity: dict[str, Any] = {"checkpoint": str(path), "sha256": sha256_of(path), "model": type(module).__name__}
        return cls(name, module, data, {**identity, "batches_seen": module.batches_seen, **of_data})

    @property
    def held_out(self) -> int:
        """How many items are held out."""
        return len(sides.items_of(self.data, sides.SPLITS[0]))

    @property
    def ways(self) -> dict[str, Way]:
        """How it translates, by direction; nothing of what does not."""
        found: Callable[[], dict[str, Way]] = getattr(self.module, "ways", dict)
        return found()

    def views(self, count: int, seed: int) -> Iterator[dict[str, View]]:
        """What validation shows of the first `count` held-out items, batch by batch, by direction.

        Beside it, of what translates, "samples", several translations of each source, and "returned", what comes back
        of it. Noise depends on the seed and the item alone.
        """
        first = 0
        for raw in self.data.val_dataloader():
            if first >= count:
                return
            batch = self._finished(raw)
            size = size_of(batch)
            torch.manual_seed(mix(seed, first))  # for networks that draw from torch's global generator
            with randomness.using(ItemStream(mix(seed), first, size)):
                shown = self._shown(batch)
            yield {key: {name: part[: count - first] for name, part in view.items()} for key, view in shown.items()}
            first += size

    def _finished(self, raw: Any) -> Any:
        moved = self.data.transfer_batch_to_device(self.data.on_before_batch_transfer(raw, 0), self.module.device, 0)
        return self.data.on_after_batch_transfer(moved, 0)

    def _shown(self, batch: Any) -> dict[str, View]:
        views, ways = views_of(self.module.validation_step(batch, 0)), self.ways
        return {key: _extended(view, ways[key]) if key in ways else view for key, view in views.items()}

    def acts(self, views: Mapping[str, View], size: int) -> dict[str, Act]:
        """By direction, what makes at most `size` pictures; nothing of what neither translates nor samples."""
        sample: Callable[[int], Tensor] | None = getattr(self.module, "sample", None)
        if sample is not None:
            return dict.fromkeys(views, lambda: sample(size))
        ways = self.ways
        return {key: _acting(ways[key], view["source"][:size]) for key, view in views.items() if key in ways}


class DataModules:
    """The data modules of configurations, set up; equal ones have the same.

    Args:
        batch_size: of all of them.
        trust: packages beside this one whose classes a configuration may name.
    """

    def __init__(self, batch_size: int, trust: tuple[str, ...] = ()) -> None:
        self.batch_size, self.trust = batch_size, trust
        self._known: dict[str, tuple[LightningDataModule, dict[str, Any]]] = {}

    def __call__(self, config: Any) -> tuple[LightningDataModule, dict[str, Any]]:
        """A data module, and what says which data these are."""
        if repr(config) not in self._known:
            data, used = data_module("", [], config, {"batch_size": self.batch_size}, self.trust)
            data.prepare_data()
            data.setup("fit")
            fingerprint = getattr(data, "fingerprint", None)
            identity = {"data": used, "fingerprint": fingerprint("held_out") if fingerprint else None}
            self._known[repr(config)] = data, identity
        return self._known[repr(config)]


def _extended(view: View, way: Way) -> View:
    more = {} if "samples" in view else {"samples": several(way.there, view["source"])}
    if way.back is not None:
        more["returned"] = way.back(view["fake"], view["source"])
    return {**view, **more}


def _acting(way: Way, source: Tensor) -> Act:
    return lambda: way.there(source)


def scores(model: Model, measures: Measures, count: int, seed: int) -> dict[str, dict[str, float]]:
    """What `measures` say of a model's first `count` held-out items, by direction and name."""
    scorers: dict[str, list[Scorer]] = {}
    for views in model.views(count, seed):
        for direction, view in views.items():
            if direction not in scorers:
                scorers[direction] = measures.scorers(view, (id(model.data), direction))
                for scorer in scorers[direction]:
                    scorer.metric.to(model.module.device)
            _feed(scorers[direction], view)
    torch.manual_seed(mix(seed))
    return {direction: _values(found) for direction, found in scorers.items()}


def _feed(scorers: Sequence[Scorer], view: View) -> None:
    for scorer in scorers:
        if scorer.settled:
            continue
        for real in (False,) if scorer.knows_real else (False, True):
            scorer.feed(scorer.metric, view, real)


def _values(scorers: Sequence[Scorer]) -> dict[str, float]:
    found = {name: float(value) for scorer in scorers for name, value in scorer.compute().items()}
    for scorer in scorers:
        if scorer.network is not None:
            scorer.network.forget()
    return found


def parameters(module: AdversarialModule) -> int:
    """The parameters of all networks; their averages, and copies that are frozen, are no further ones."""
    averaged = {id(parameter) for parameter in module.averages.parameters()}
    return sum(parameter.numel() for parameter in module.parameters() if id(parameter) not in averaged)


def parameters_in_use(module: nn.Module, act: Act) -> int:
    """The parameters of the layers that take part when `act` is called."""
    used: dict[int, int] = {}

    def count(layer: nn.Module, _: Any) -> None:
        used.update((id(parameter), parameter.numel()) for parameter in layer.parameters(recurse=False))

    hooks = [layer.register_forward_pre_hook(count) for layer in module.modules()]
    try:
        act()
    finally:
        for hook in hooks:
            hook.remove()
    return sum(used.values())


def seconds(acts: Sequence[Act], repeats: int, device: torch.device) -> list[float]:
    """How long each of `acts` takes, the median of `repeats` times.

    They take turns, so that whatever else the machine does meets all of them. The first round is not counted.
    """
    clocked: list[list[float]] = [[] for _ in acts]
    for _ in range(repeats + 1):
        for act, times in zip(acts, clocked, strict=True):
            began = perf_counter()
            act()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            times.append(perf_counter() - began)
    return [median(times[1:]) for times in clocked]
