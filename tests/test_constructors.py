"""Every number, switch, choice and function that a constructor takes is checked; new ones are found by themselves."""

import inspect
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
from torch import nn

import datamodules
import gan_modules
from datamodules.emoji import Drawn
from gan_modules import callbacks, metrics, networks
from gan_modules.augmentation import Augmentation
from gan_modules.divergences import Divergence
from gan_modules.growth import Growth
from gan_modules.metrics import FeatureNetwork, PerceptualNetwork
from gan_modules.palettes import Palette
from gan_modules.replay import ImageHistory

CLASSES = {
    each.__name__: each
    for package in (gan_modules, networks, callbacks, metrics, datamodules)
    for each in map(vars(package).get, package.__all__)
    if inspect.isclass(each)
    and not inspect.isabstract(each)
    and each not in (FeatureNetwork, PerceptualNetwork)  # a label may be empty; the other reads a file
    and getattr(each.__init__, "__module__", "").startswith(("gan_modules", "datamodules"))
} | {"Growth": Growth, "ImageHistory": ImageHistory}

INTEGERS = ["3", 1.5, True, math.nan, -1, [2]]
NUMBERS = ["0.5", True, math.nan, math.inf, -1.0, [0.5]]
WRONG: dict[Any, list[Any]] = {
    int: INTEGERS,
    float: NUMBERS,
    bool: ["yes", 1, math.nan],
    str: [3, ""],
    tuple[int, ...]: [3, "ab", (0,), (1.5,), (True,), ("a",)],
    tuple[str, ...]: [3, "ab", (), ("",), (3,), (None,)],
    tuple[Drawn, ...]: [3, "ab", (), ("",), (3,), (None,), ("noto",), ("noto", "noto"), ("noto", "sepia")],
    tuple[Augmentation, ...]: [3, "ab", ("color",), (3,), (None,), torch.relu],
    Sequence[Augmentation]: [3, "ab", ("color",), (3,), (None,), torch.relu],
    Sequence[float]: [3.0, "ab", (), (0.0,), (-1.0, 2.0), (math.nan,), (True,), ("a",)],
    Palette: [
        3,
        "ab",
        (),
        2 * ((0, 0, 0),),
        ("abc", "def"),
        ((0, 0), (1, 1)),
        ((0, 0, 0), (0, 0, 256)),
        ((0, 0, 0.5),) * 2,
    ],
    tuple[float, float]: [0.5, "ab", (0.5,), (0.5, 1.0), (-0.1, 0.9), (0.5, 0.9, 0.9), (math.nan, 0.9), ("a", "b")],
    tuple[float, float, float]: [0.5, "abc", (0, 1), (0, 1, 1, 1), (0, math.nan, 1), (0, True, 0), ("a", "b", "c")],
    torch.Tensor: [3, "ab", torch.zeros(3), torch.zeros(0, 2)],
    Callable[[], Divergence] | Divergence: ["name", 3, None, dict],
    Mapping[int, int]: [[4], {4: 0}, {4: 1.5}, {4: "8"}, {"4": 8}, {0: 8}, {True: 8}],
}


class Network(nn.Module):
    """In place of any network."""

    stages = layers = 2

    def named(self, metric: str) -> str:
        return metric


FEATURES = FeatureNetwork(Network(), "_none", last=nn.Linear(2, 2))


def wrong_values(hint: Any) -> list[Any] | None:
    """Values that an argument with this annotation must refuse; None for networks and paths, which are no numbers."""
    if hint in WRONG:
        return [*WRONG[hint], None]
    if get_origin(hint) is Literal:
        return ["nonsense", 3, None]
    if get_origin(hint) is Callable:
        return ["name", 3, None]
    parts = set(get_args(hint)) if isinstance(hint, UnionType) or get_origin(hint) is typing.Union else {hint}
    if any(isinstance(part, type) and issubclass(part, (Path, nn.Module)) for part in parts):
        return None
    if NoneType in parts and len(parts) == 2:
        (rest,) = parts - {NoneType}
        return [value for value in wrong_values(rest) or [] if value is not None]
    raise AssertionError(f"no wrong values are known for {hint}; add some to WRONG")


def hints_of(kind: type) -> dict[str, Any]:
    """The annotations of a constructor's arguments, the mechanics included."""
    hints = typing.get_type_hints(kind.__init__)
    named = {name for name, each in inspect.signature(kind).parameters.items() if each.kind is not each.VAR_KEYWORD}
    own = {name: hint for name, hint in hints.items() if name in named}
    mechanics = get_args(hints["mechanics"])[0] if "mechanics" in hints else None
    return own | (typing.get_type_hints(mechanics) if mechanics else {})


def good_arguments(kind: type) -> dict[str, Any]:
    """What must be given, and is right."""
    hints = hints_of(kind)
    values: dict[Any, Any] = {FeatureNetwork: FEATURES, PerceptualNetwork: Network(), str: "metric/fid"}
    values |= {nn.Module: Network(), str | Path: "nowhere", int: 8, bool: False, int | None: None}
    values |= {torch.Tensor: torch.zeros(2, 2), float: 0.5}
    values |= {tuple[int, ...]: (8,), tuple[str, ...]: ("a", "b")}
    required = {
        name: values[hints[name]]
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    }
    return required | ({"channels": 3} if "channels" in required else {})


ARGUMENTS = {
    f"{name}.{argument}": (kind, argument, values)
    for name, kind in CLASSES.items()
    for argument, hint in hints_of(kind).items()
    if (values := wrong_values(hint))
}


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_right_arguments_pass(kind: type) -> None:
    with torch.device("meta"):
        kind(**good_arguments(kind))


@pytest.mark.parametrize(("kind", "argument", "values"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_wrong_arguments_are_named(kind: type, argument: str, values: list[Any]) -> None:
    for value in values:
        with torch.device("meta"), pytest.raises(ValueError, match=argument):
            kind(**{**good_arguments(kind), argument: value})


def test_all_kinds_of_arguments_are_found() -> None:
    assert len(ARGUMENTS) > 250
    assert {"WGANGP.n_critic", "ACGAN.micro_batches", "ACGAN.augmentation", "Ring.sigma"} <= ARGUMENTS.keys()
    assert {"FID.num_samples", "UNetGenerator.norm", "ImageFolder.background", "SampleGrid.rows"} <= ARGUMENTS.keys()
