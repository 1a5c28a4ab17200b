"""What a checkpoint may hold: all is compared with what this module and this run would save, before any of it is used.

Names, shapes and types must be theirs, numbers finite and in range. Whatever is refused is named.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from packaging.version import InvalidVersion, Version
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import LRScheduler

from gan_modules.reading import is_url, shown, tensors

_PATHS = ("best_model_path", "kth_best_model_path", "last_model_path")
_PROGRESS = (
    "epoch_progress",
    "epoch_loop.batch_progress",
    "epoch_loop.manual_optimization.optim_step_progress",
    "epoch_loop.state_dict",
)
_ORDER = ("ready", "started", "processed", "completed")


def check(checkpoint: dict[str, Any], module: LightningModule, counters: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that does not fit the module or, within a Trainer, the run.

    Of a `ModelCheckpoint` that names files outside its folder, which it would remove, the state is left out.

    Args:
        checkpoint: as Lightning read it.
        module: into which it is to be loaded.
        counters: an example of what `checkpoint["adversarial"]` must look like.

    Raises:
        ValueError: if it does not fit, is ill-typed, out of range or not finite; the sentence names what is.
    """
    for _ in tensors(checkpoint):
        pass
    trainer: Trainer | None = getattr(module, "_trainer", None)
    check_version(checkpoint)
    if "state_dict" in checkpoint or trainer is None or not trainer.strategy.restore_checkpoint_after_setup:
        check_weights(checkpoint.get("state_dict"), module, strict=trainer is not None and module.strict_loading)
    _check_counters(checkpoint.get("adversarial"), dict(counters))
    if trainer is None:
        return
    check_callbacks(checkpoint, trainer)
    if trainer.state.fn == TrainerFn.FITTING:
        check_progress(checkpoint, trainer)
        check_precision(checkpoint, trainer)
        check_optimizers(checkpoint, module, trainer)


def check_arguments(checkpoint: Mapping[str, Any]) -> None:
    """Refuse hyper-parameters by which Lightning would build classes that the file names, or read old forms of them."""
    arguments = checkpoint.get("hyper_parameters", {})
    if not isinstance(arguments, dict) or not all(isinstance(name, str) for name in arguments):
        refuse("hyper_parameters", "a dictionary of arguments", arguments)
    for name in ("_instantiator", "_class_path"):
        if name in arguments:
            refuse("hyper_parameters", "plain arguments", f"{name}, by which the file names classes to build")
    for name in ("hparams", "module_arguments", "hparams_type"):
        if name in checkpoint:
            refuse(name, "left out", checkpoint[name])
    check_version(checkpoint)


def _check_counters(saved: Any, example: dict[str, Any]) -> None:
    trained = not isinstance(saved, dict) or saved.get("seed", 0) is not None
    check_form("adversarial", saved, {**example, "seed": 0 if trained else None})


def check_version(checkpoint: Mapping[str, Any]) -> None:
    """Refuse what was not written by Lightning 2, and would be changed into its form before anybody looked at it."""
    for key, otherwise in (("pytorch-lightning_version", "none"), ("legacy_pytorch-lightning_version", "2")):
        given = checkpoint.get(key, otherwise)
        try:
            known = Version(given).major >= 2
        except (InvalidVersion, TypeError):
            known = False
        if not known:
            refuse(key, "2 or newer", given)


def check_weights(state: Any, module: nn.Module, strict: bool = True) -> None:
    """Refuse weights of other names (if `strict`), shapes or types, and numbers that are not finite.

    Floating weights may be of another precision, all of the same: a run with `precision="64-true"` can be sampled from.

    Raises:
        ValueError: as said.
    """
    own = module.state_dict()
    if not isinstance(state, dict):
        refuse("state_dict", "a dictionary of weights", state)
    here = own.keys() | state.keys() if strict else own.keys() & state.keys()
    if different := sorted(str(name) for name in here if _shape(state, name) != _shape(own, name)):
        raise ValueError(
            f"the checkpoint is of another model or of other sizes ({len(different)} parameters differ, "
            f"{shown(different[0])} for one); give the options that it was trained with"
        )
    if any("assign_to_params_buffers" in each for each in getattr(state, "_metadata", {}).values()):
        refuse("state_dict", "plain weights", "orders how to load them")
    precisions: dict[torch.dtype, torch.dtype] = {}
    for name in here:
        if isinstance(own[name], Tensor):
            _check_weight(name, state[name], own[name], precisions)
    for prefix, part in module.named_modules():
        name = f"{prefix}._extra_state"
        if name in here and hasattr(part, "check_extra_state"):
            part.check_extra_state(state[name])


def _shape(state: Mapping[str, Any], name: str) -> object:
    value = state.get(name, "missing")
    return value.shape if isinstance(value, Tensor) else value == "missing"


def _check_weight(name: str, value: Tensor, own: Tensor, precisions: dict[torch.dtype, torch.dtype]) -> None:
    both_floating = value.is_floating_point() and own.is_floating_point()
    expected = precisions.setdefault(own.dtype, value.dtype) if both_floating else own.dtype
    if value.dtype != expected:
        refuse(name, f"of {str(expected).removeprefix('torch.')}", value)
    if not torch.isfinite(value).all() and torch.isfinite(own).all():
        refuse(name, "finite", "numbers that are not")
    if name.endswith("running_var") and (value < 0).any():
        refuse(name, "a variance", "negative numbers")


def check_form(name: str, value: Any, example: Any) -> None:
    """Refuse a value that has not the form of `example`: types, names, lengths and shapes; numbers finite and in range.

    Integers must be in [0, 2**63). An empty dictionary and None as examples stand for anything plain and for None.

    Raises:
        ValueError: as said.
    """
    if isinstance(example, dict):
        if not isinstance(value, dict) or (example and value.keys() != example.keys()):
            refuse(name, f"a dictionary of {', '.join(map(str, example))}", value)
        for key in example:
            check_form(f"{name}.{key}", value[key], example[key])
    elif isinstance(example, (list, tuple)):
        if type(value) is not type(example) or len(value) != len(example):
            refuse(name, f"a {type(example).__name__} of {len(example)}", value)
        for index, each in enumerate(example):
            check_form(f"{name}.{index}", value[index], each)
    elif isinstance(example, Tensor):
        if not isinstance(value, Tensor) or (value.shape, value.dtype) != (example.shape, example.dtype):
            refuse(name, shown(example), value)
    elif isinstance(example, int) and not isinstance(example, bool):
        if type(value) is not int or not 0 <= value < 2**63:
            refuse(name, "a whole number of at least 0 and below 2**63", value)
    elif isinstance(example, float):
        if not is_number(value) or (math.isfinite(example) and not math.isfinite(value)):
            refuse(name, "a finite number", value)
    elif type(value) is not type(example):
        refuse(name, "nothing" if example is None else f"a {type(example).__name__}", value)


def is_number(value: Any) -> bool:
    """Whether it is an int or a float, and no bool."""
    return type(value) in (int, float)


def refuse(name: str, expected: str, given: Any) -> NoReturn:
    """Raise ValueError with one sentence about an entry of the checkpoint."""
    given = given if type(given) is str and " " in given else shown(given)
    raise ValueError(
        f"the checkpoint's {shown(name)} must be {expected}, got {given}; it is damaged or was tampered with: "
        "give another file"
    )


def check_callbacks(checkpoint: Mapping[str, Any], trainer: Trainer) -> None:
    """Refuse ill-typed states of callbacks; leave out those of a `ModelCheckpoint` that name files outside its folder.

    Lightning 2.6 takes `best_model_path` from any file, and removes it, with all that is in it, once there is a better
    one; "local:///home" it even takes for a path that need not be checked.
    """
    states = checkpoint.get("callbacks", {})
    if not isinstance(states, dict) or not all(isinstance(state, dict) for state in states.values()):
        refuse("callbacks", "a dictionary of dictionaries", states)
    for callback in cast(Any, trainer).callbacks:
        for key in {callback.state_key, type(callback)} & states.keys():
            name = f"callbacks.{type(callback).__name__}"
            example = callback.state_dict()
            if isinstance(callback, (ModelCheckpoint, EarlyStopping)) and example.keys() - states[key].keys():
                refuse(name, f"complete ({', '.join(example)})", states[key])
            _check_numbers(name, states[key], example)
            if isinstance(callback, ModelCheckpoint) and not _keeps_paths(name, states[key], callback):
                del states[key]


def _check_numbers(name: str, saved: Any, example: dict[str, Any]) -> None:
    for key in example:
        value: Any = saved.get(key, example[key]) if isinstance(saved, dict) else None
        if isinstance(example[key], dict):
            _check_numbers(f"{name}.{key}", value, example[key])
        elif is_number(example[key]) and not (is_number(value) and math.isfinite(value)):
            refuse(f"{name}.{key}", "a finite number", value)


def _keeps_paths(name: str, state: dict[str, Any], callback: ModelCheckpoint) -> bool:
    """Whether all files that the state names are in the callback's folder."""
    scores = state["best_k_models"]
    if not isinstance(scores, dict) or state["kth_best_model_path"] not in ("", *scores):
        refuse(f"{name}.best_k_models", "the scores of files", scores)
    paths = [*(state[key] for key in _PATHS), *scores]
    if ill := [path for path in paths if not isinstance(path, str)]:
        refuse(name, "made of paths", ill[0])
    best = [] if state["best_model_score"] is None else [state["best_model_score"]]
    if ill := [each for each in (*scores.values(), state["kth_value"], *best) if getattr(each, "shape", None) != ()]:
        refuse(name, "made of scores", ill[0])
    foreign = [path for path in paths if path and not _inside(path, str(callback.dirpath))]
    if state["best_model_path"] in foreign:
        lost = shown(state["best_model_path"])
        rank_zero_warn(f"{lost} is not in {callback.dirpath}, so that the best checkpoint is looked for anew")
    return not foreign


def _inside(path: str, folder: str) -> bool:
    if is_url(folder):
        return path.startswith(f"{folder.rstrip('/')}/") and ".." not in path.split("/")
    return not is_url(path) and Path(folder).resolve() in Path(path).resolve().parents


def check_progress(checkpoint: Mapping[str, Any], trainer: Trainer) -> None:
    """Refuse counts of batches and epochs that contradict each other, by which some would be skipped or repeated."""
    loops = checkpoint.get("loops")
    if not isinstance(loops, dict) or not isinstance(loops.get("fit_loop"), dict):
        refuse("loops", "there, to go on from", loops)
    check_form("global_step", checkpoint.get("global_step"), 0)
    saved, own = loops["fit_loop"], trainer.fit_loop.state_dict()
    for name in own.keys() & {*saved, *_PROGRESS}:
        check_form(f"loops.{name}", saved.get(name), own[name])
        for tracker in _trackers(saved[name]):
            counts = [tracker[each] for each in _ORDER if each in tracker]
            if counts != sorted(counts, reverse=True):
                refuse(f"loops.{name}", "in order (ready, started, processed, completed)", tracker)
    if not isinstance(saved.get("state_dict", {}).get("combined_loader", []), list):
        refuse("loops.state_dict", "of lists", saved["state_dict"])
    epochs, batches, steps = (saved[name] for name in _PROGRESS[:3])
    if batches["current"]["processed"] < batches["current"]["ready"]:
        raise ValueError(
            "the checkpoint was saved in the middle of a batch, from where no run can go on; give one before it"
        )
    at_least = (
        ("batches_seen", checkpoint["adversarial"]["batches_seen"], batches["total"]["completed"]),
        ("batches in all", batches["total"]["ready"], steps["total"]["completed"]),
        ("batches in all", batches["total"]["ready"], batches["current"]["ready"]),
        ("batches in all", batches["total"]["ready"], epochs["current"]["completed"]),
    )
    for name, count, least in at_least:
        if count < least:
            refuse(name, f"at least {least}, as its other counts say", count)


def _trackers(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "ready" in node:
        yield node
    for each in node.values():
        if isinstance(each, dict):
            yield from _trackers(each)


def check_precision(checkpoint: Mapping[str, Any], trainer: Trainer) -> None:
    """Refuse the state of a gradient scaler that is out of range."""
    plugin = trainer.precision_plugin
    name, example = type(plugin).__qualname__, plugin.state_dict()
    if "native_amp_scaling_state" in checkpoint:
        refuse("native_amp_scaling_state", "left out", checkpoint["native_amp_scaling_state"])
    if name in checkpoint and example:
        check_form(name, checkpoint[name], example)
        for key, value in checkpoint[name].items():
            if is_number(value) and value <= 0 < example[key]:
                refuse(f"{name}.{key}", "above 0", value)


def check_optimizers(checkpoint: Mapping[str, Any], module: LightningModule, trainer: Trainer) -> None:
    """Refuse states of optimizers and schedulers that those of `configure_optimizers` would not save."""
    if not trainer.strategy.lightning_restore_optimizer:
        return
    configured = list(_leaves(module.configure_optimizers()))
    optimizers = [each for each in configured if isinstance(each, Optimizer)]
    schedulers: list[Any] = [each for each in configured if isinstance(each, LRScheduler)]
    for name, own in (("optimizer_states", optimizers), ("lr_schedulers", schedulers)):
        saved = checkpoint.get(name)
        if not isinstance(saved, list) or len(saved) != len(own):
            refuse(name, f"a list of {len(own)}, to go on from", saved)
    for index, optimizer in enumerate(optimizers):
        scheduled = any(scheduler.optimizer is optimizer for scheduler in schedulers)
        saved = checkpoint["optimizer_states"][index]
        _check_optimizer(f"optimizer_states.{index}", saved, optimizer, scheduled, _saved_weights(checkpoint, module))
    for index, scheduler in enumerate(schedulers):
        _check_scheduler(f"lr_schedulers.{index}", checkpoint["lr_schedulers"][index], scheduler.state_dict())


def _leaves(node: Any) -> Iterator[Any]:
    """What `configure_optimizers` returned, in any of its forms, one by one."""
    if isinstance(node, (list, tuple, dict)):
        for each in node.values() if isinstance(node, dict) else node:
            yield from _leaves(each)
    else:
        yield node


def _saved_weights(checkpoint: Mapping[str, Any], module: nn.Module) -> Callable[[nn.Parameter], Tensor]:
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    return lambda parameter: checkpoint["state_dict"].get(names.get(id(parameter)), parameter)


def _check_optimizer(
    name: str, saved: Any, optimizer: Optimizer, scheduled: bool, weight: Callable[[nn.Parameter], Tensor]
) -> None:
    own = optimizer.state_dict()["param_groups"]
    if not isinstance(saved, dict) or not {"state", "param_groups"} <= saved.keys():
        refuse(name, "the state of an optimizer", saved)
    check_form(f"{name}.param_groups", saved["param_groups"], [{} for _ in own])
    for index, (group, example) in enumerate(zip(saved["param_groups"], own, strict=True)):
        _check_group(f"{name}.param_groups.{index}", group, example, scheduled)
    parameters = dict(enumerate(parameter for group in optimizer.param_groups for parameter in group["params"]))
    state = saved["state"]
    if not isinstance(state, dict) or not all(type(key) is int and key in parameters for key in state):
        refuse(f"{name}.state", "numbers for its parameters", state)
    for key, entries in state.items():
        _check_moments(f"{name}.state.{key}", entries, optimizer, weight(parameters[key]))


def _check_group(name: str, group: dict[str, Any], own: dict[str, Any], scheduled: bool) -> None:
    for key in own.keys() | group.keys():
        given, expected = group.get(key), own.get(key)
        if key == "lr" and scheduled:
            if not isinstance(given, (int, float)) or isinstance(given, bool) or not 0 <= given < math.inf:
                refuse(f"{name}.lr", "a finite number, not negative", given)
        elif not _equal(given, expected) and key not in ("foreach", "fused"):  # which differ between devices
            raise ValueError(
                f"the checkpoint's {shown(f'{name}.{key}')} is {shown(given)}, and here it is {shown(expected)}; give "
                "the options that it was trained with"
            )


def _equal(left: Any, right: Any) -> bool:
    """Whether options are equal; one that is off may be missing, as versions of torch differ in them."""
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(_equal, left, right))
    if is_number(left) and is_number(right) or isinstance(left, str):
        return left == right
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return isinstance(left, Tensor) and isinstance(right, Tensor) and torch.equal(left, right)
    return (left or None) == (right or None) and type(left or None) is type(right or None)


def _check_moments(name: str, entries: Any, optimizer: Optimizer, weight: Tensor) -> None:
    """Refuse moments that fused kernels, which do not look, would run over or turn into numbers that are not finite."""
    if not isinstance(entries, dict):
        refuse(name, "a dictionary", entries)
    is_adam = isinstance(optimizer, (Adam, AdamW))
    if is_adam and entries.keys() - {"max_exp_avg_sq"} != {"step", "exp_avg", "exp_avg_sq"}:
        refuse(name, "the step and moments of Adam", entries)
    for key, value in entries.items():
        where = f"{name}.{key}"
        numbers = torch.tensor(value) if is_number(value) else value
        if isinstance(numbers, Tensor):
            if not torch.isfinite(numbers).all():
                refuse(where, "finite", "numbers that are not")
            if (key == "step" or str(key).endswith("_sq")) and (numbers < 0).any():
                refuse(where, "not negative", "negative numbers")
        if is_adam or isinstance(optimizer, (SGD, RMSprop)):
            same = isinstance(value, Tensor) and (value.shape, value.dtype) == (weight.shape, weight.dtype)
            scalar = is_number(value) or (
                isinstance(value, Tensor) and value.ndim == 0 and value.dtype.is_floating_point
            )
            if not (scalar if key == "step" else same or value is None):
                refuse(where, "a number" if key == "step" else shown(weight), value)


def _check_scheduler(name: str, saved: Any, own: dict[str, Any]) -> None:
    # private entries differ between versions of torch
    if not isinstance(saved, dict) or not {key for key in own if key[0] != "_"} <= saved.keys() <= own.keys():
        refuse(name, f"a dictionary of {', '.join(own)}", saved)
    for key, value in saved.items():
        check_form(f"{name}.{key}", value, own[key])
    if not _equal(saved.get("base_lrs"), own.get("base_lrs")):
        raise ValueError(
            f"the checkpoint's {name}.base_lrs are {shown(saved['base_lrs'])}, and here they are "
            f"{shown(own['base_lrs'])}; give the options that it was trained with"
        )
