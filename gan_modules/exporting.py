"""Generators as files that other programs run, and weights alone: what `scripts/export.py` does."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from gan_modules.adversarial import AdversarialModule
from gan_modules.served import Inputs, Served, quiet

TOLERANCE = 1e-3
"""By how much what a file makes may differ from what the module makes, of images in [-1, 1]: an eighth of a byte."""

_EXTRA = "metadata.json"

Runs = Callable[[Inputs], Tensor]


class Format(NamedTuple):
    """A kind of file.

    Attributes:
        packages: that it needs beside torch.
        encode: what is served, and what is said about it, to the bytes of a file.
        load: a file to what it makes of inputs.
    """

    packages: tuple[str, ...]
    encode: Callable[[Served, dict[str, str]], bytes]
    load: Callable[[Path], Runs]


def save(served: Served, path: Path, overwrite: bool = False) -> float:
    """Write a file by which other programs do what the module does, and run it beside the module.

    Args:
        served: what is exported.
        path: ends in `.onnx`, in `.pt2` (what `torch.export.load` reads) or in `.ts` or `.pt` (`torch.jit.load`).
        overwrite: whether a file that is there is replaced.

    Returns:
        The largest difference between what file and module make of inputs of two batch sizes, and two sizes of
        pictures where these may differ.

    Raises:
        ValueError: if the suffix is another, a file is in the way, or the difference exceeds `TOLERANCE`, relative to
            what the module makes where that exceeds 1; then there is no file.
        ImportError: if a package is missing.
        OSError: if it cannot be written; what was at `path` is then still there.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise ValueError(f"expected a file that ends in {', '.join(FORMATS)} or .safetensors, got {path}; rename it")
    _check_installed(form.packages, path)
    _check_free(path, overwrite)
    encoded = form.encode(served, metadata(served))
    with _whole(path) as unfinished:
        unfinished.write_bytes(encoded)
        difference = _difference(served, form.load(unfinished))
        if not difference <= TOLERANCE:
            raise ValueError(
                f"what {path} would make differs from what {served.name} makes by {difference:.2g}, which is more than "
                f"{TOLERANCE:g}; it was not kept: try another format"
            )
    return difference


def save_weights(module: AdversarialModule, path: Path, whole: bool = False, overwrite: bool = False) -> int:
    """Write weights alone, as safetensors, under the names that the module has for them.

    `module.load_state_dict(safetensors.torch.load_file(path), strict=False)` is the way back, into a module of the
    same networks; of one network, the names after its own and a dot.

    Args:
        module: in evaluation mode.
        path: ends in `.safetensors`.
        whole: all that the module has, averages among it under names of their own; if not, the networks that samples
            and translations need, as averages where these are kept.
        overwrite: whether a file that is there is replaced.

    Returns:
        How many tensors there are.

    Raises:
        ValueError, ImportError, OSError: as `save`.
    """
    _check_installed(("safetensors",), path)
    _check_free(path, overwrite)
    from safetensors.torch import load_file
    from safetensors.torch import save as encoded

    tensors = dict(_weights(module, whole))
    saying = {"model": type(module).__name__, "class": _path_of(module)}
    with _whole(path) as unfinished:
        unfinished.write_bytes(encoded({name: each.contiguous() for name, each in tensors.items()}, saying))
        found = load_file(unfinished)
        if found.keys() != tensors.keys() or not all(torch.equal(found[name], tensors[name]) for name in found):
            raise ValueError(f"{path} would not hold what was written to it; it was not kept: try another disk")
    return len(tensors)


def _weights(module: AdversarialModule, whole: bool) -> Iterator[tuple[str, Tensor]]:
    """Tensors that share no memory, by name; what a state has beside them is no weight."""
    needed = dict.fromkeys([*module.generators, *(name for name, _ in Served(module).named_children())])
    states = {f"{name}.": module.serving(name) for name in needed} if not whole else {"": module}
    for prefix, network in states.items():
        for name, value in network.state_dict().items():
            if isinstance(value, Tensor):
                yield prefix + name, value.clone()


def metadata(served: Served) -> dict[str, str]:
    """What a file says about itself: the model, and the names, shapes, types and meanings of its inputs, as JSON."""
    example = served.example(2)
    inputs = {
        name: {
            "shape": [names.get(axis, length) for axis, length in enumerate(example[name].shape)],
            "type": str(example[name].dtype).removeprefix("torch."),
            "meaning": served.meaning(name),
        }
        for name, names in served.axes.items()
    }
    said = {"model": served.name, "class": _path_of(served.module), "does": served.method, "inputs": json.dumps(inputs)}
    said["output"] = "pictures in [-1, 1]" if served(*example.values()).ndim == 4 else "points or codes"
    return said | ({} if served.size is None else {"image_size": str(served.size)})


def _path_of(module: Any) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _encode_program(served: Served, said: dict[str, str]) -> bytes:
    file = BytesIO()
    with quiet():
        torch.export.save(served.program, file, extra_files={_EXTRA: json.dumps(said)})
    return file.getvalue()


def _load_program(path: Path) -> Runs:
    with quiet():
        program = torch.export.load(path).module()
    return lambda inputs: program(*inputs.values())


def _encode_onnx(served: Served, said: dict[str, str]) -> bytes:
    with quiet():
        written = torch.onnx.export(
            served.program, input_names=[*served.inputs], output_names=["output"], verbose=False
        )
    model = cast(Any, written).model_proto
    symbols: dict[str, str] = {}
    for value, names in zip(model.graph.input, served.axes.values(), strict=True):
        symbols |= {value.type.tensor_type.shape.dim[axis].dim_param: name for axis, name in names.items()}
    symbols.pop("", None)  # of a length that may not differ after all, which the check finds
    for value in (*model.graph.input, *model.graph.output):
        for length in value.type.tensor_type.shape.dim:
            if length.dim_param in symbols:
                length.dim_param = symbols[length.dim_param]
    del model.graph.value_info[:]  # shapes of what is between, by the names that were
    for name, value in said.items():
        model.metadata_props.add(key=name, value=value)
    return cast(bytes, model.SerializeToString())


def _load_onnx(path: Path) -> Runs:
    from onnxruntime import InferenceSession

    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda inputs: torch.from_numpy(session.run(None, {name: x.numpy() for name, x in inputs.items()})[0])


def _encode_script(served: Served, said: dict[str, str]) -> bytes:
    file = BytesIO()
    with quiet(), torch.no_grad():
        traced = torch.jit.trace(served, tuple(served.example(2).values()), check_trace=False)
        torch.jit.save(traced, file, _extra_files={_EXTRA: json.dumps(said)})
    return file.getvalue()


def _load_script(path: Path) -> Runs:
    with quiet():
        script = torch.jit.load(path)
    return lambda inputs: script(*inputs.values())


FORMATS = {
    ".onnx": Format(("onnx", "onnxscript", "onnxruntime"), _encode_onnx, _load_onnx),
    ".pt2": Format((), _encode_program, _load_program),
    ".ts": Format((), _encode_script, _load_script),
    ".pt": Format((), _encode_script, _load_script),
}
"""The kinds of files that do what a module does, by their suffixes."""


@torch.no_grad()
def _difference(served: Served, run: Runs) -> float:
    """The largest between file and module, relative to the module's largest number where that exceeds 1."""
    larger = None if served.fixed or served.size is None else 2 * served.size
    found = []
    for inputs in (served.example(1), served.example(3, larger)):
        expected, made = served(*inputs.values()), run(inputs)
        if made.shape != expected.shape:
            return float("inf")
        found.append(float((made - expected).abs().max() / expected.abs().max().clamp(min=1)))
    return max(found)


def _check_installed(packages: tuple[str, ...], path: Path) -> None:
    if missing := [package for package in packages if find_spec(package) is None]:
        raise ImportError(f'{path.suffix} files need {" and ".join(missing)}: pip install -e ".[export]"')


def _check_free(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise ValueError(f"{path} is there already; choose another --out, or add --overwrite")


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Another name, which becomes `path` if all goes well inside, and is gone if not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
