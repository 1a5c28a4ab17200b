"""What a trained module does, as one network of named inputs that draws no random numbers: what is exported."""

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn

from gan_modules import checks, randomness
from gan_modules.adversarial import AdversarialModule
from gan_modules.latent import LatentModule
from gan_modules.networks import Dropout
from gan_modules.randomness import Stream
from gan_modules.texts import ALPHABET
from gan_modules.translators import channels_of

_SIZE = 64  # side of pictures where neither the network nor the checkpoint names one

Inputs = dict[str, Tensor]


class Served(nn.Module):
    """A method of a module in evaluation mode, with the averages of its networks where they are kept, and no others.

    What `forward` takes are `inputs`, in that order. Dropout that is the noise of a translator takes its uniform
    numbers in [0, 1) as further inputs `noise_0`, `noise_1`, ..., one a layer.

    Args:
        module: a trained one, which stays as it is.
        method: of pictures or noise, as `forward`, `inverse`, `filled`, `encode` or `style`.
        size: side of the pictures that it is given; None: as it was trained.
        trained_at: side of the pictures in the data that it was trained on; None: unknown.
        noise: whether dropout stays the noise of a translator that has no other; if not, nothing is dropped.

    Attributes:
        inputs: the names of the inputs.
        size: side of the pictures that `example` gives; None: the method takes none.
        fixed: whether pictures of other sizes are none that it takes.

    Raises:
        ValueError: if the module has no such method, or it does not take pictures of that size.
    """

    def __init__(
        self,
        module: AdversarialModule,
        method: str = "forward",
        size: int | None = None,
        trained_at: int | None = None,
        noise: bool = True,
    ) -> None:
        super().__init__()
        if not hasattr(module, method):
            raise ValueError(f"{type(module).__name__} has no {method}; leave that out")
        served: Any = copy.deepcopy(module).eval()
        networks = {name: served.serving(name) for name, _ in served.named_children() if name != "averages"}
        served.serving = networks.__getitem__
        if not noise:
            _without_noise(networks.values())
        self.name, self.method, self._module = type(module).__name__, method, (served,)  # its networks are none of ours
        self.fixed, self._channels = False, 0
        self.size: int | None = None
        if method != "forward" or not hasattr(served, "grid_inputs"):
            self._look_at_pictures(_reader(served, method), size, trained_at)
        elif size is not None:
            raise ValueError(f"{self.name} makes pictures from noise, of one size: leave --size out")
        with _watched(networks) as called:
            self.inputs = tuple(self.example(2))
        for name in called:
            self.add_module(name, networks[name])
            _feed_noise(networks[name])
        self.fixed = self.fixed or (self.size is not None and not self._takes(2 * self.size))
        self.forward = _with_names(self._run, self.inputs)

    @property
    def module(self) -> Any:
        """A copy of the module, which uses the networks that are served."""
        return self._module[0]

    def _look_at_pictures(self, reader: nn.Module, size: int | None, trained_at: int | None) -> None:
        checks.whole(1, size=1 if size is None else size)
        own = getattr(reader, "image_size", None)
        trained = None if trained_at is None else max(1, trained_at // getattr(reader, "scale", 1))
        self.size, self.fixed = size or trained or own or _SIZE, own is not None
        self._channels = channels_of(reader)

    def _takes(self, size: int) -> bool:
        try:
            self.example(2, size)
        except (ValueError, RuntimeError):  # the latter of networks that do not look at what they are given
            return False
        return True

    @torch.no_grad()
    def example(self, n: int, size: int | None = None) -> Inputs:
        """`n` inputs by name, the same for the same arguments; pictures of `size` pixels in place of `self.size`."""
        method = getattr(self.module, self.method)
        with isolate_rng():
            torch.manual_seed(0)
            given = self._of_noise(n) if self.size is None else self._of_pictures(n, size or self.size, method)
            with randomness.using(drawn := _Recording()):
                method(**given) if not _variadic(method) else method(*given.values())
        return given | {f"noise_{number}": each for number, each in enumerate(drawn.values)}

    def _of_noise(self, n: int) -> Inputs:
        names, module = inspect.signature(self.module.forward).parameters, self.module
        return dict(zip(names, (module.prior(n), *module.grid_inputs(n, 1)[1:]), strict=False))

    def _of_pictures(self, n: int, size: int, method: Callable[..., Any]) -> Inputs:
        first, *others = inspect.signature(method).parameters
        given = {first: 2 * torch.rand(n, self._channels, size, size) - 1}
        if "domain" in others:
            given["domain"] = torch.arange(n) % len(self.module.domains)
        if "hole" in others:
            given["hole"] = self.module.trained_hole(given[first])
        if "code" in others and getattr(self.module, "coded", False):
            given["code"] = self.module.codes(n)
        return given

    @cached_property
    def axes(self) -> dict[str, dict[int, str]]:
        """The names of those dimensions of the inputs that may differ."""
        sides = {} if self.fixed else {2: "height", 3: "width"}
        return {name: {0: "batch"} | (sides if each.ndim == 4 else {}) for name, each in self.example(2).items()}

    @cached_property
    def program(self) -> torch.export.ExportedProgram:
        """The graph of what is served, by `torch.export`."""
        automatic = torch.export.Dim.AUTO  # some networks want multiples of a size
        shapes = tuple(dict.fromkeys(names, automatic) for names in self.axes.values())
        with quiet():
            return torch.export.export(self, tuple(self.example(2).values()), dynamic_shapes=shapes)

    def _run(self, *values: Tensor) -> Tensor:
        count = sum(not name.startswith("noise_") for name in self.inputs)
        with randomness.using(_Given(values[count:])):
            return getattr(self.module, self.method)(*values[:count])

    def meaning(self, name: str) -> str:
        """What the input `name` is, in words."""
        module = self.module
        if name.startswith("noise_"):
            return "uniform in [0, 1): what is dropped; other numbers give another translation"
        if name == "z" and hasattr(module, "noise_dim"):
            codes = f"a category of {module.categories}, one-hot, and {module.continuous} numbers in [-1, 1]"
            return f"{module.noise_dim} standard normal numbers, {codes}"
        if name == "z" and type(module).prior is not LatentModule.prior:
            return "noise of the model's own prior"
        known = {"z": "standard normal numbers", "code": "standard normal numbers, or the style of a picture"}
        if name == "labels":
            return f"classes, from 0 to {module.num_classes - 1}"
        if name == "texts":
            return f"for each character its place in {ALPHABET!r}, from 1 on, then zeros"
        if name == "hole":
            return "where pictures are filled: 1 inside the holes and 0 elsewhere"
        if name == "domain":
            return f"the domain that is wanted, from 0 on: {', '.join(module.domains)}"
        return known.get(name, "pictures, or maps of labels, in [-1, 1]")


class _Recording(Stream):
    """Draws as without a stream, and remembers what."""

    def __init__(self) -> None:
        super().__init__(0)
        self.values: list[Tensor] = []

    def draw(
        self, sampler: Callable[..., Tensor], shape: tuple[int, ...], device: torch.device | None, dtype: torch.dtype
    ) -> Tensor:
        self.values.append(sampler(*shape, device=device, dtype=dtype))
        return self.values[-1]


class _Given(Stream):
    """Draws what is given, in its order."""

    def __init__(self, values: Sequence[Tensor]) -> None:
        super().__init__(0)
        self.values = iter(values)

    def draw(
        self, sampler: Callable[..., Tensor], shape: tuple[int, ...], device: torch.device | None, dtype: torch.dtype
    ) -> Tensor:
        return next(self.values)


class _Fed(nn.Module):
    """Dropout by numbers that the stream in use has, which a graph takes as an input and not as an operation."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return x * (randomness.uniform(*x.shape) >= self.p) / (1 - self.p)


def _noisy(network: nn.Module) -> Iterator[tuple[nn.Module, str, Dropout]]:
    """The layers of dropout that drop in evaluation mode, with what holds them and their names there."""
    for holder in list(network.modules()):
        for name, layer in list(holder.named_children()):
            if isinstance(layer, Dropout) and layer.in_eval and layer.p > 0:
                yield holder, name, layer


def _feed_noise(network: nn.Module) -> None:
    for holder, name, layer in _noisy(network):
        setattr(holder, name, _Fed(layer.p))


def _without_noise(networks: Any) -> None:
    for network in networks:
        for _, _, layer in _noisy(network):
            layer.in_eval = False


@contextmanager
def _watched(networks: dict[str, nn.Module]) -> Iterator[dict[str, None]]:
    """The names of the networks that are called inside, in their order."""
    called: dict[str, None] = {}
    handles = [
        part.register_forward_pre_hook(lambda *_, name=name: called.setdefault(name))
        for name, network in networks.items()
        for part in network.modules()
    ]
    try:
        yield called
    finally:
        for handle in handles:
            handle.remove()


def _reader(module: Any, method: str) -> nn.Module:
    """The network that sees the pictures first."""
    names = getattr(module, "style_readers" if method.endswith("style") else "readers", ())
    place = 1 if method.startswith("inverse") else 0
    if place >= len(names):
        raise ValueError(
            f"{type(module).__name__} does not say which network sees pictures first: give it `readers`, or for styles "
            "`style_readers`, as gan_modules.translators describes them"
        )
    if getattr(module, names[place]) is None:
        raise ValueError(f"this {type(module).__name__} has no {names[place]}; leave that out")
    return module.serving(names[place])


def _variadic(method: Callable[..., Any]) -> bool:
    kinds = (each.kind for each in inspect.signature(method).parameters.values())
    return inspect.Parameter.VAR_POSITIONAL in kinds


def _with_names(run: Callable[..., Tensor], names: Sequence[str]) -> Callable[..., Tensor]:
    """The function, whose arguments are called so."""

    def forward(*values: Tensor) -> Tensor:
        return run(*values)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    forward.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
    return forward


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, torch does not say that TorchScript is old, nor that numbers of a trace are constants."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
