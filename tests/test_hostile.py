"""Checkpoints from strangers: whatever they hold, nothing is executed, and nothing changes without a word.

Each table has a kind of file a row; each test takes all rows through one of the doors, and counts.
"""

import io
import os
import pickle
import sys
import tarfile
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from copy import deepcopy
from importlib.util import module_from_spec, spec_from_file_location
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from datamodules.loading import ResumableLoader
from gan_modules import checkpoints, vetting
from gan_modules.adversarial import AdversarialModule
from gan_modules.cli import fit, main
from gan_modules.metrics.inception import inception
from variants import build, loader, same, trainer

Saved = dict[str, Any]
Edit = Callable[[Saved], object]
Door = Callable[[str, Any, Path], object]

OPTIONS = {
    "gan": ["--model=gan", "--model.generator.hidden=[4]", "--model.discriminator.hidden=[4]", "--data.points=64"],
    "wgan_gp": [
        "--model=wgan_gp",
        *("--model.generator.width=2", "--model.generator.latent_dim=2", "--model.latent_dim=2"),
        *("--model.critic.width=2", "--model.n_critic=1", "--trainer.callbacks=null"),
    ],
}
QUICK = ["--trainer.limit_val_batches=2", "--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu"]
SMALL = ["--data.batch_size=4", "--samples.every_n_batches=1000"]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny checkpoint of each of two models, as the command line writes it."""
    found = {}
    for name, options in OPTIONS.items():
        root = tmp_path_factory.mktemp(name)
        main(fit, [*options, *QUICK, *SMALL, "--trainer.max_steps=2", f"--trainer.default_root_dir={root}"])
        (found[name],) = root.rglob("last.ckpt")
    return found


def batches(*shape: int) -> DataLoader[Any]:
    """Random data, in a loader of the kind that the checkpoints were made with."""
    kind: Any = ResumableLoader
    return kind(TensorDataset(torch.randn(32, *shape)), batch_size=4)


# The doors: what a person does with a file.


def by_load(name: str, given: Any, out: Path) -> object:
    return checkpoints.load(given)


def by_sample(name: str, given: Any, out: Path) -> object:
    spec = spec_from_file_location("sample", Path(__file__).parents[1] / "scripts" / "sample.py")
    assert spec and spec.loader
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    return main(script.run, ["--checkpoint", str(given), "--out", str(out / "grid.png"), "--n", "4"])


def by_fit(name: str, given: Any, out: Path) -> object:
    steps = ["--trainer.max_steps=3", f"--trainer.default_root_dir={out}", f"--ckpt_path={given}"]
    return main(fit, [*OPTIONS[name], *QUICK, *SMALL, *steps])


def by_class(name: str, given: Any, out: Path) -> object:
    fresh = deepcopy(FRESH[name])
    arguments = signature(type(fresh)).parameters
    return type(fresh).load_from_checkpoint(given, **{k: v for k, v in fresh.named_children() if k in arguments})


def by_trainer(name: str, given: Any, out: Path) -> object:
    module = deepcopy(FRESH[name])
    before = {key: value.clone() for key, value in module.state_dict().items()}, module.batches_seen
    shape = (2,) if name == "gan" else (3, 32, 32)
    try:
        save = ModelCheckpoint(out, save_top_k=1, save_last=True, every_n_train_steps=1)
        run = trainer(max_epochs=-1, max_steps=3, enable_checkpointing=True, callbacks=[save])
        run.fit(module, batches(*shape), ckpt_path=given)
    except ValueError:
        assert same((module.state_dict(), module.batches_seen), before), "refused, but loaded in part"
        raise
    return module


FRESH: dict[str, AdversarialModule] = {}


@pytest.fixture(autouse=True)
def stranger(good: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules to load into, and a class that says when it is imported."""
    if not FRESH:
        FRESH.update({name: checkpoints.load(path) for name, path in good.items()})
    code = f"import torch\nopen({str(tmp_path / 'ran')!r}, 'w')\nclass Net(torch.nn.Module):\n    pass\n"
    (tmp_path / "evil.py").write_text(code)
    (tmp_path / "evil").write_text("class_path: evil.Net\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))


def also(door: Door) -> Any:
    """A door that leads to the same checks as another, and is slower."""
    return pytest.param(door, marks=pytest.mark.slow)


def refusal(door: Door, name: str, given: Any, out: Path) -> str | None:
    """The sentence with which the door refuses a file; None: it took it."""
    said = io.StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            door(name, given, out)
    except SystemExit as ended:
        (line,) = (line for line in said.getvalue().splitlines() if line.strip())
        assert ended.code == 1 and line.startswith("error: ")
        return line
    except (ValueError, FileNotFoundError) as mistake:
        return str(mistake)
    return None


class Tally:
    """What happened over all rows of a table; each of the lists must stay empty."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tried = folder, 0
        self.executed: list[str] = []
        self.changed: list[str] = []
        self.unnamed: list[tuple[str, str]] = []

    def take(self, kind: str, door: Door, name: str, given: Any, word: str) -> None:
        """Take a file through a door that must refuse it with a sentence that has `word` in it."""
        before, out = self._files(), self.folder / "out" / str(self.tried)
        said = refusal(door, name, given, out)
        self.tried += 1
        if (self.folder / "ran").exists() or "evil" in sys.modules:
            self.executed.append(kind)
            (self.folder / "ran").unlink(missing_ok=True)
            sys.modules.pop("evil", None)
        if said is None or self._files() != before or any(out.rglob("*.ckpt")) or any(out.rglob("*.png")):
            self.changed.append(kind)
        elif word not in said or (said.startswith("error: ") and len(said) > 500):
            self.unnamed.append((kind, said))

    def _files(self) -> dict[str, bytes]:
        files = (path for path in self.folder.glob("*") if path.is_file() and path.name != "ran")
        return {path.name: path.read_bytes() for path in files}


def tampered(path: Path, edit: Edit, target: Path) -> Path:
    saved = torch.load(path, weights_only=True)
    edit(saved)
    torch.save(saved, target)
    return target


def put(*place: Any) -> Edit:
    """Put the last of `place` where the others lead."""
    *way, last, value = place

    def edit(saved: Any) -> None:
        for key in way:
            saved = saved[key]
        saved[last] = value

    return edit


def left_out(*place: Any) -> Edit:
    *way, last = place

    def edit(saved: Any) -> None:
        for key in way:
            saved = saved[key]
        del saved[last]

    return edit


# Files that are no checkpoints of ours, whatever they claim.


class Payload:
    """What runs when it is unpickled without care."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.folder / 'ran'}",)


class Claim:
    """A tensor of more numbers than there are bytes for."""

    def __init__(self, *size: int) -> None:
        self.size = size

    def __reduce__(self) -> tuple[Any, ...]:
        strides = tuple(range(len(self.size), 0, -1))
        storage = torch.zeros(4).storage()
        return torch._utils._rebuild_tensor_v2, (storage, 0, self.size, strides, False, OrderedDict())  # type: ignore


class Disguise:
    """A dictionary one of whose methods is none."""

    def __reduce__(self) -> tuple[Any, ...]:
        return OrderedDict, (), {"items": "not to be called"}


def repacked(good: Path, target: Path, compression: int = zipfile.ZIP_STORED, **entries: bytes) -> Path:
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(target, "w", compression) as new:
        for info in old.infolist():
            new.writestr(info.filename, entries.pop(Path(info.filename).name.replace(".", "_"), old.read(info)))
        for name, content in entries.items():
            new.writestr(f"{info.filename.split('/')[0]}/{name.replace('_', '.')}", content)
    return target


def saved_as(target: Path, content: Any, **options: Any) -> Path:
    torch.save(content, target, **options)
    return target


def written(target: Path, content: bytes) -> Path:
    target.write_bytes(content)
    return target


def archived(folder: Path) -> Path:
    with tarfile.open(folder / "x.ckpt", "w") as archive:
        for name in ("pickle", "storages", "tensors"):
            archive.add(written(folder / name, pickle.dumps(Payload(folder))), name)
    return folder / "x.ckpt"


def compressed(folder: Path, good: Path) -> Path:
    zeros = tampered(good, lambda saved: saved.update(more=torch.zeros(10**6)), folder / "zeros")
    return repacked(zeros, folder / "x.ckpt", zipfile.ZIP_DEFLATED)


def linked(folder: Path, to: Path) -> Path:
    (folder / "x.ckpt").symlink_to(to)
    return folder / "x.ckpt"


def made(make: Callable[[Path], object], folder: Path) -> Path:
    make(folder / "x.ckpt")
    return folder / "x.ckpt"


def nested(depth: int, width: int) -> list[Any]:
    node: list[Any] = []
    for _ in range(depth):
        node = [node] * width
    return node


def round_in_a_circle(saved: Saved) -> None:
    saved["state_dict"]["again"] = saved


FILES: dict[str, Callable[[Path, Path], object]] = {
    "a payload": lambda folder, good: saved_as(folder / "x.ckpt", Payload(folder)),
    "a payload, bare": lambda folder, good: written(folder / "x.ckpt", pickle.dumps(Payload(folder))),
    "a payload in the old format": lambda folder, good: saved_as(
        folder / "x.ckpt", Payload(folder), _use_new_zipfile_serialization=False
    ),
    "a payload in the oldest format": lambda folder, good: archived(folder),
    "a payload beside good weights": lambda folder, good: tampered(
        good, put("state_dict", "more", Payload(folder)), folder / "x.ckpt"
    ),
    "a payload for the pickle of a good file": lambda folder, good: repacked(
        good, folder / "x.ckpt", data_pkl=pickle.dumps(Payload(folder), protocol=2)
    ),
    "a payload behind a link": lambda folder, good: linked(folder, saved_as(folder / "real", Payload(folder))),
    "a whole module": lambda folder, good: saved_as(folder / "x.ckpt", nn.Linear(1, 1)),
    "a file of TorchScript": lambda folder, good: repacked(good, folder / "x.ckpt", constants_pkl=b"\x80\x02)."),
    "weights in the old format": lambda folder, good: saved_as(
        folder / "x.ckpt", torch.load(good, weights_only=True), _use_new_zipfile_serialization=False
    ),
    "much in little": compressed,
    "numbers that are not there": lambda folder, good: tampered(
        good, put("state_dict", "more", Claim(10**6)), folder / "x.ckpt"
    ),
    "more numbers than memory": lambda folder, good: tampered(
        good, put("state_dict", "more", Claim(10**6, 10**6)), folder / "x.ckpt"
    ),
    "one number 10**12 times": lambda folder, good: tampered(
        good, put("state_dict", "more", torch.zeros(1).expand(10**12)), folder / "x.ckpt"
    ),
    "a file in itself": lambda folder, good: tampered(good, round_in_a_circle, folder / "x.ckpt"),
    "lists of lists of lists": lambda folder, good: tampered(good, put("more", nested(20, 10)), folder / "x.ckpt"),
    "a deep list": lambda folder, good: tampered(good, put("more", nested(100, 1)), folder / "x.ckpt"),
    "a dictionary with attributes": lambda folder, good: tampered(
        good, put("state_dict", "more", Disguise()), folder / "x.ckpt"
    ),
    "a list": lambda folder, good: saved_as(folder / "x.ckpt", [1]),
    "half a file": lambda folder, good: written(folder / "x.ckpt", good.read_bytes()[: good.stat().st_size // 2]),
    "no bytes": lambda folder, good: written(folder / "x.ckpt", b""),
    "text": lambda folder, good: written(folder / "x.ckpt", b"class_path: evil.Net"),
    "nothing": lambda folder, good: folder / "x.ckpt",
    "a folder": lambda folder, good: made(Path.mkdir, folder),
    "a pipe": lambda folder, good: made(os.mkfifo, folder),
    "a device": lambda folder, good: Path("/dev/zero"),
    "a link to itself": lambda folder, good: linked(folder, folder / "x.ckpt"),
    "http": lambda folder, good: "http://127.0.0.1:9/x.ckpt",
    "https": lambda folder, good: "https://127.0.0.1:9/x.ckpt",
    "https as a path": lambda folder, good: Path("https://127.0.0.1:9/x.ckpt"),
    "s3": lambda folder, good: "s3://bucket/x.ckpt",
    "a file by its URL": lambda folder, good: f"local://{good}",
    "a chain of URLs": lambda folder, good: f"simplecache::file://{good}",
}


@pytest.mark.parametrize("door", [by_load, by_class, also(by_sample), also(by_fit)])
def test_files(door: Door, good: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # torch's way to make careful readers careless
    tally = Tally(tmp_path)
    for kind, make in FILES.items():
        if (old := tmp_path / "x.ckpt").is_dir() and not old.is_symlink():
            old.rmdir()
        else:
            old.unlink(missing_ok=True)
        tally.take(kind, door, "gan", make(tmp_path, good["gan"]), "")
    assert (tally.executed, tally.changed, tally.unnamed, tally.tried) == ([], [], [], len(FILES))


# A model's own description of itself.

NETWORKS = ("config", "model", "init_args")
STRANGERS = {
    "os.system": {"class_path": "os.system", "init_args": {"command": "touch ran"}},
    "subprocess": {"class_path": "subprocess.Popen", "init_args": {"args": ["touch", "ran"]}},
    "eval": {"class_path": "builtins.eval", "init_args": {"source": "open('ran', 'w')"}},
    "a stranger's class": {"class_path": "evil.Net"},
    "a stranger's class, by name": "evil.Net",
    "a stranger's class, in a file": "evil",
    "a stranger's class, in YAML": "{class_path: evil.Net}",
    "a stranger's class, in lines": "class_path: evil.Net",
    "os.system, reached through ours": {"class_path": "gan_modules.cli.os.system", "init_args": {"command": "x"}},
    "importing, reached through ours": {"class_path": "gan_modules.cli.import_module", "init_args": {"name": "evil"}},
    "a command of ours": {"class_path": "gan_modules.cli.fit", "init_args": {"arguments": ["--list"]}},
}
CONFIG: dict[str, tuple[str, str, Edit]] = {
    **{f"{kind} as {part}": ("gan", "", put(*NETWORKS, part, each)) for kind, each in STRANGERS.items()
       for part in ("generator", "generator_objective")},
    "a stranger's class, by a dotted key": ("gan", "", put(*NETWORKS, "generator.class_path", "evil.Net")),
    "a stranger's class for the model": ("gan", "evil", put("config", "model", "class_path", "evil.Net")),
    "text for a model": ("gan", "configuration", put("config", "model", "evil")),
    "text for all": ("gan", "configuration", put("config", "evil")),
    "an unknown option": ("gan", "n_crtic", put(*NETWORKS, "n_crtic", 1)),
    "too wide a network": ("gan", "parameters", put(*NETWORKS, "generator", "init_args", "hidden", [10**5, 10**5])),
    "too deep a network": ("gan", "parameters", put(*NETWORKS, "generator", "init_args", "hidden", [4] * 10**4)),
    "another network": ("gan", "layers", put(*NETWORKS, "generator", "init_args", "hidden", [3])),
    "latent_dim 0": ("gan", "latent_dim", put(*NETWORKS, "latent_dim", 0)),
    "a learning rate of text": ("gan", "learning_rate", put(*NETWORKS, "generator_learning_rate", "fast")),
    "a learning rate that is NaN": ("gan", "generator", put(*NETWORKS, "generator_learning_rate", float("nan"))),
    "betas of three": ("gan", "betas", put(*NETWORKS, "betas", [0.5, 0.9, 0.9])),
    "betas of 3": ("gan", "betas", put(*NETWORKS, "betas", [3.0, 0.9])),
    "a decay of 1": ("gan", "average_decay", put(*NETWORKS, "average_decay", 1.0)),
    **{f"n_critic {value!r}": ("wgan_gp", "n_critic", put(*NETWORKS, "n_critic", value))
       for value in (0, -1, 10**9, 2**70, 1.5, "many")},
}  # fmt: skip


@pytest.mark.parametrize("door", [by_load, also(by_sample)])
def test_descriptions(door: Door, good: dict[str, Path], tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    for kind, (name, word, edit) in CONFIG.items():
        tally.take(kind, door, name, tampered(good[name], edit, tmp_path / "x.ckpt"), word)
    assert (tally.executed, tally.changed, tally.unnamed, tally.tried) == ([], [], [], len(CONFIG))


ARGUMENTS: dict[str, tuple[str, Edit]] = {
    "a function that builds": ("_instantiator", put("hyper_parameters", "_instantiator", "os.system")),
    "a class to build": (
        "_instantiator",
        lambda saved: saved["hyper_parameters"].update(
            _instantiator="lightning.pytorch.cli.instantiate_module", _class_path="gan_modules.WGANGP", critic=STRANGERS
        ),
    ),
    "an old name": ("hparams", put("hparams", {"n_critic": 7})),
    "an older name": ("module_arguments", put("module_arguments", {"n_critic": 7})),
    "a type to call": ("hparams_type", put("hparams_type", OrderedDict)),
    "a list": ("hyper_parameters", put("hyper_parameters", [1])),
    "an unknown argument": ("n_crtic", put("hyper_parameters", "n_crtic", 7)),
    "all for one": ("latent_dim", put("hparams_name", "latent_dim")),
    "a learning rate of text": ("learning_rate", put("hyper_parameters", "learning_rate", "0.1")),
    "betas of 3": ("betas", put("hyper_parameters", "betas", (3, 0.9))),
    "betas of three": ("betas", put("hyper_parameters", "betas", (0.5, 0.9, 0.9))),
    "an infinite weight": ("penalty_weight", put("hyper_parameters", "penalty_weight", float("inf"))),
    **{f"n_critic {value!r}": ("n_critic", put("hyper_parameters", "n_critic", value))
       for value in (0, -1, 10**9, 2**70, 1.5, True, "5", None, [1])},
}  # fmt: skip


@pytest.mark.slow
def test_arguments(good: dict[str, Path], tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    for kind, (word, edit) in ARGUMENTS.items():
        tally.take(kind, by_class, "wgan_gp", tampered(good["wgan_gp"], edit, tmp_path / "x.ckpt"), word)
    assert (tally.executed, tally.changed, tally.unnamed, tally.tried) == ([], [], [], len(ARGUMENTS))


# Weights and counters, which every door uses.

WEIGHT = "generator.layers.0.weight"


def replaced(change: Callable[[Tensor], object], name: str = WEIGHT) -> Edit:
    return lambda saved: saved["state_dict"].update({name: change(saved["state_dict"][name])})


def with_one(value: float) -> Callable[[Tensor], Tensor]:
    return lambda weight: weight.index_fill(0, torch.tensor([1]), value)


def to_be_assigned(saved: Saved) -> None:
    saved["state_dict"] = OrderedDict(saved["state_dict"])
    saved["state_dict"]._metadata = {"generator": {"assign_to_params_buffers": True}}


WEIGHTS: dict[str, tuple[str, str, Edit]] = {
    "a list": ("gan", WEIGHT, replaced(Tensor.tolist)),
    "a dictionary": ("gan", WEIGHT, replaced(lambda weight: {"weight": weight})),
    "none": ("gan", WEIGHT, replaced(lambda weight: None)),
    "NaN": ("gan", WEIGHT, replaced(with_one(float("nan")))),
    "infinity": ("gan", "averages", replaced(with_one(float("inf")), f"averages.{WEIGHT}")),
    "complex": ("gan", WEIGHT, replaced(lambda weight: weight.to(torch.complex64))),
    "integers": ("gan", WEIGHT, replaced(Tensor.long)),
    "one of float64": ("gan", "float", replaced(Tensor.double)),
    "one of bfloat16": ("gan", "float", replaced(Tensor.bfloat16)),
    "quantized": ("gan", WEIGHT, replaced(lambda w: torch.quantize_per_tensor(w, 0.1, 0, torch.quint8))),
    "sparse": ("gan", WEIGHT, replaced(Tensor.to_sparse)),
    "one number for all": ("gan", WEIGHT, replaced(lambda weight: torch.zeros(1, 1).expand(weight.shape))),
    "another shape": ("gan", WEIGHT, replaced(lambda weight: weight[:1])),
    "one too few": ("gan", WEIGHT, left_out("state_dict", WEIGHT)),
    "one too many": ("gan", "more", put("state_dict", "more", torch.zeros(1))),
    "a list for all": ("gan", "", lambda saved: saved.update(state_dict=list(saved["state_dict"].items()))),
    "orders": ("gan", "state_dict", to_be_assigned),
    "a negative variance": (
        "wgan_gp",
        "running_var",
        replaced(Tensor.neg, "generator.layers.2.running_var"),
    ),
    "batches_seen -1": ("gan", "batches_seen", put("adversarial", "batches_seen", -1)),
    "batches_seen True": ("gan", "batches_seen", put("adversarial", "batches_seen", True)),
    "batches_seen 2.0": ("gan", "batches_seen", put("adversarial", "batches_seen", 2.0)),
    "batches_seen NaN": ("gan", "batches_seen", put("adversarial", "batches_seen", float("nan"))),
    "batches_seen 2**63": ("gan", "batches_seen", put("adversarial", "batches_seen", 2**63)),
    "generator_steps '2'": ("gan", "generator_steps", put("adversarial", "generator_steps", "2")),
    "generator_steps a tensor": ("gan", "generator_steps", put("adversarial", "generator_steps", torch.tensor(2))),
    "seed -1": ("gan", "seed", put("adversarial", "seed", -1)),
    "no seed": ("gan", "adversarial", left_out("adversarial", "seed")),
    "a method for a counter": ("gan", "adversarial", put("adversarial", "training_step", 1)),
    "no counters": ("gan", "adversarial", left_out("adversarial")),
    "a list of counters": ("gan", "adversarial", put("adversarial", [1, 2])),
}


@pytest.mark.parametrize("door", [by_load, by_trainer, also(by_sample), also(by_fit)])
def test_weights(door: Door, good: dict[str, Path], tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    for kind, (name, word, edit) in WEIGHTS.items():
        tally.take(kind, door, name, tampered(good[name], edit, tmp_path / "x.ckpt"), word)
    assert (tally.executed, tally.changed, tally.unnamed, tally.tried) == ([], [], [], len(WEIGHTS))


# Lightning itself changes what claims to be of an old version, before it calls the module.

VERSIONS: dict[str, tuple[str, str, Edit]] = {
    "a version of long ago": ("gan", "version", put("pytorch-lightning_version", "0.9.0")),
    "a version that is none": ("gan", "version", put("pytorch-lightning_version", "banana")),
    "a version that is a number": ("gan", "version", put("pytorch-lightning_version", 2)),
}


@pytest.mark.parametrize("door", [by_load, by_class, also(by_fit)])
def test_versions(door: Door, good: dict[str, Path], tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    for kind, (name, word, edit) in VERSIONS.items():
        tally.take(kind, door, name, tampered(good[name], edit, tmp_path / "x.ckpt"), word)
    assert (tally.executed, tally.changed, tally.unnamed, tally.tried) == ([], [], [], len(VERSIONS))


# What only training goes on with.

FIRST = ("optimizer_states", 0)
GROUP = (*FIRST, "param_groups", 0)
MOMENTS = (*FIRST, "state", 0)
BATCHES = ("loops", "fit_loop", "epoch_loop.batch_progress")
STEPS = ("loops", "fit_loop", "epoch_loop.manual_optimization.optim_step_progress")


def counted(**counts: int) -> Edit:
    def edit(saved: Saved) -> None:
        for span in ("total", "current"):
            saved["loops"]["fit_loop"]["epoch_loop.batch_progress"][span].update(counts)

    return edit


def of_checkpoints(name: str, value: object) -> Edit:
    def edit(saved: Saved) -> None:
        for state in saved["callbacks"].values():
            if name in state:
                state[name] = value
        key = "ModelCheckpoint{'monitor': None, 'mode': 'min', 'every_n_train_steps': 1, 'every_n_epochs': 0, "
        saved["callbacks"] = {
            f"{key}'train_time_interval': None}}": state for state in saved["callbacks"].values() if name in state
        } | saved["callbacks"]

    return edit


TRAINING: dict[str, tuple[str, str, Edit]] = {
    "a learning rate of text": ("gan", "lr", put(*GROUP, "lr", "0.1")),
    "a learning rate that is NaN": ("gan", "lr", put(*GROUP, "lr", float("nan"))),
    "another learning rate": ("gan", "lr", put(*GROUP, "lr", 0.5)),
    "a scheduled learning rate of text": ("wgan_gp", "lr", put(*GROUP, "lr", "0.1")),
    "a scheduled learning rate of infinity": ("wgan_gp", "lr", put(*GROUP, "lr", float("inf"))),
    "a negative scheduled learning rate": ("wgan_gp", "lr", put(*GROUP, "lr", -1e-4)),
    "a scheduled learning rate that is True": ("wgan_gp", "lr", put(*GROUP, "lr", True)),
    "betas of 3": ("gan", "betas", put(*GROUP, "betas", (3.0, 0.9))),
    "an epsilon of NaN": ("gan", "eps", put(*GROUP, "eps", float("nan"))),
    "uphill": ("gan", "maximize", put(*GROUP, "maximize", True)),
    "a weight decay": ("gan", "weight_decay", put(*GROUP, "weight_decay", 1e9)),
    "an unknown option": ("gan", "more", put(*GROUP, "more", 1)),
    "no betas": ("gan", "betas", left_out(*GROUP, "betas")),
    "two groups": ("gan", "param_groups", lambda saved: saved["optimizer_states"][0].update(param_groups=[{}, {}])),
    "parameters of others": ("gan", "params", put(*GROUP, "params", [7, 6, 5, 4])),
    "an infinite moment": ("gan", "exp_avg", put(*MOMENTS, "exp_avg", torch.full((4, 2), float("inf")))),
    "a negative square": ("gan", "exp_avg_sq", put(*MOMENTS, "exp_avg_sq", -torch.ones(4, 2))),
    "a moment of another shape": ("gan", "exp_avg", put(*MOMENTS, "exp_avg", torch.zeros(1))),
    "a moment of float64": ("gan", "exp_avg", put(*MOMENTS, "exp_avg", torch.zeros(4, 2).double())),
    "a moment that is a list": ("gan", "exp_avg", put(*MOMENTS, "exp_avg", [0.0] * 8)),
    "no moment": ("gan", "state", left_out(*MOMENTS, "exp_avg")),
    "a step of NaN": ("gan", "step", put(*MOMENTS, "step", torch.tensor(float("nan")))),
    "a step of -1": ("gan", "step", put(*MOMENTS, "step", torch.tensor(-1.0))),
    "a step of text": ("gan", "step", put(*MOMENTS, "step", "2")),
    "moments of no parameter": ("gan", "state", put(*FIRST, "state", 99, {})),
    "no state": ("gan", "optimizer_states", left_out(*FIRST, "state")),
    "one optimizer": ("gan", "optimizer_states", left_out("optimizer_states", 1)),
    "no optimizers": ("gan", "optimizer_states", left_out("optimizer_states")),
    "no schedulers": ("wgan_gp", "lr_schedulers", left_out("lr_schedulers")),
    "one scheduler": ("wgan_gp", "lr_schedulers", left_out("lr_schedulers", 0)),
    "a schedule at text": ("wgan_gp", "last_epoch", put("lr_schedulers", 0, "last_epoch", "2")),
    "a schedule at -1": ("wgan_gp", "last_epoch", put("lr_schedulers", 0, "last_epoch", -1)),
    "a schedule at True": ("wgan_gp", "last_epoch", put("lr_schedulers", 0, "last_epoch", True)),
    "a schedule of NaN": ("wgan_gp", "base_lrs", put("lr_schedulers", 0, "base_lrs", [float("nan")])),
    "a schedule of another rate": ("wgan_gp", "base_lrs", put("lr_schedulers", 0, "base_lrs", [0.5])),
    "a method for a number": ("wgan_gp", "lr_schedulers", put("lr_schedulers", 0, "step", 1)),
    "attributes for a function": ("wgan_gp", "lr_lambdas", put("lr_schedulers", 0, "lr_lambdas", [{"a": 1}])),
    "no loops": ("gan", "loops", left_out("loops")),
    "a list of loops": ("gan", "loops", put("loops", [1])),
    "no batches": ("gan", "batch_progress", left_out(*BATCHES)),
    "-1 batches": ("gan", "completed", put(*BATCHES, "current", "completed", -1)),
    "batches of text": ("gan", "ready", put(*BATCHES, "current", "ready", "2")),
    "batches that are true": ("gan", "ready", put(*BATCHES, "current", "ready", True)),
    "batches with a method": ("gan", "current", put(*BATCHES, "current", "reset", 1)),
    "a last batch of text": ("gan", "is_last_batch", put(*BATCHES, "is_last_batch", "yes")),
    "batches out of order": ("gan", "order", put(*BATCHES, "current", "completed", 9)),
    "batches left out": ("gan", "batches_seen", counted(ready=9, started=9, processed=9, completed=9)),
    "the middle of a batch": ("gan", "middle", counted(ready=2, started=2, processed=1, completed=1)),
    "more in the epoch than in all": ("gan", "batches", put(*BATCHES, "current", dict.fromkeys(vetting._ORDER, 5))),
    "steps without batches": ("gan", "batches", put(*STEPS, "total", {"ready": 10**6, "completed": 10**6})),
    "a step of text, in all": ("gan", "global_step", put("global_step", "2")),
    "a list of callbacks": ("gan", "callbacks", put("callbacks", [1])),
    "a callback of text": ("gan", "callbacks", put("callbacks", "Timer", "text")),
    "a path of numbers": ("gan", "callbacks", of_checkpoints("best_model_path", 3)),
    "scores of text": ("gan", "callbacks", of_checkpoints("best_k_models", {"a": "b"})),
    "a list of scores": ("gan", "best_k_models", of_checkpoints("best_k_models", [])),
    "a worst that is a list": ("gan", "best_k_models", of_checkpoints("kth_best_model_path", [])),
    "the worst of no scores": ("gan", "best_k_models", of_checkpoints("kth_best_model_path", "x.ckpt")),
    "another form of scale": ("gan", "scaling", put("native_amp_scaling_state", {"scale": 0.0})),
}


@pytest.mark.parametrize("door", [by_trainer, also(by_fit)])
def test_training(door: Door, good: dict[str, Path], tmp_path: Path) -> None:
    tally, rows = Tally(tmp_path), list(TRAINING.items())
    rows = rows if door is by_trainer else rows[::4]  # through the same hook, and with all of a run around it
    for kind, (name, word, edit) in rows:
        tally.take(kind, door, name, tampered(good[name], edit, tmp_path / "x.ckpt"), word)
    assert (tally.executed, tally.changed, tally.unnamed, tally.tried) == ([], [], [], len(rows))


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("door", [by_load, by_class, by_trainer, also(by_sample)])
def test_good_files_are_taken(door: Door, name: str, good: dict[str, Path], tmp_path: Path) -> None:
    link = linked(tmp_path, good[name])
    assert refusal(door, name, link, tmp_path / "out") is None


# States of single models.

HISTORY = ("state_dict", "history_x._extra_state")
STATES: dict[str, tuple[str, str, Edit]] = {
    "more images than there are": ("cyclegan", "history", put(*HISTORY, "count", 99)),
    "-1 images": ("cyclegan", "history", put(*HISTORY, "count", -1)),
    "images that are true": ("cyclegan", "history", put(*HISTORY, "count", True)),
    "images of NaN": ("cyclegan", "history", put(*HISTORY, "images", torch.full((6, 3, 8, 8), float("nan")))),
    "a list of images": ("cyclegan", "history", put(*HISTORY, "images", [])),
    "one image many times": ("cyclegan", "images", put(*HISTORY, "images", torch.zeros(1, 3, 8, 8).expand(6, 3, 8, 8))),
    "text for a history": ("cyclegan", "history", put(*HISTORY, "text")),
    "no history": ("cyclegan", "history_x", left_out(*HISTORY)),
    "-1 images shown": ("pggan", "images_shown", put("adversarial", "images_shown", -1)),
    "images shown of NaN": ("pggan", "images_shown", put("adversarial", "images_shown", float("nan"))),
    "a phase of text": ("pggan", "phase", put("adversarial", "phase", "grown")),
    "a phase as a list": ("pggan", "phase", put("adversarial", "phase", [0, False])),
    "a phase of numbers": ("pggan", "phase", put("adversarial", "phase", (0, 0))),
    "half a phase": ("pggan", "phase", put("adversarial", "phase", (0,))),
}


def by_going_on(name: str, given: Any, out: Path) -> object:
    module = build(name)
    before = {key: value.clone() for key, value in module.state_dict().items() if isinstance(value, Tensor)}
    try:
        trainer(max_epochs=-1, max_steps=3).fit(module, loader(name, 4), ckpt_path=given)
    except ValueError:
        assert all(torch.equal(before[key], module.state_dict()[key]) for key in before)
        raise
    return module


def test_states(tmp_path: Path) -> None:
    tally, saved = Tally(tmp_path), {}
    for name in ("cyclegan", "pggan"):
        run, saved[name] = trainer(max_epochs=-1, max_steps=2), tmp_path / f"{name}.ckpt"
        run.fit(build(name), loader(name, 4))
        run.save_checkpoint(saved[name])
        assert refusal(by_going_on, name, saved[name], tmp_path) is None
    for kind, (name, word, edit) in STATES.items():
        tally.take(kind, by_going_on, name, tampered(saved[name], edit, tmp_path / "x.ckpt"), word)
    assert (tally.executed, tally.changed, tally.unnamed, tally.tried) == ([], [], [], len(STATES))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan"), "1", True])
def test_a_scale_out_of_range_is_refused(scale: object) -> None:
    state = {"scale": 65536.0, "growth_factor": 2.0, "growth_interval": 2000, "_growth_tracker": 0}
    run: Any = SimpleNamespace(precision_plugin=SimpleNamespace(state_dict=state.copy))
    vetting.check_precision({"SimpleNamespace": {**state, "_growth_tracker": 9}}, run)
    with pytest.raises(ValueError, match="scale"):
        vetting.check_precision({"SimpleNamespace": {**state, "scale": scale}}, run)


# Paths that a resumed run would remove.

VICTIMS: dict[str, tuple[str, Callable[[Path, Path], str]]] = {
    "a folder by its URL": ("best_model_path", lambda victim, out: f"local://{victim}"),
    "a folder by two URLs": ("best_model_path", lambda victim, out: f"dir::local://{victim}"),
    "a file": ("best_model_path", lambda victim, out: str(victim / "thesis.txt")),
    "a file, from within": ("best_model_path", lambda victim, out: f"{out}/../victim/thesis.txt"),
    "a folder, from within": ("last_model_path", lambda victim, out: f"{out}/../victim"),
}


def resumed_with_paths(kind: str, good: Path, folder: Path) -> tuple[list[str], ModelCheckpoint]:
    """The names of the files that are left of a victim, after a run went on from a file that names it."""
    victim, out = folder / "victim", folder / "out"
    for each in (victim, out):
        each.mkdir(exist_ok=True)
    (victim / "thesis.txt").write_text("years of work")
    save = ModelCheckpoint(out, save_top_k=1, save_last=True, every_n_train_steps=1)
    saved, (name, path) = torch.load(good, weights_only=True), VICTIMS[kind]
    state = {**save.state_dict(), "dirpath": str(out), name: path(victim, out)}
    torch.save({**saved, "callbacks": {save.state_key: state}}, folder / "x.ckpt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = trainer(max_epochs=-1, max_steps=4, enable_checkpointing=True, callbacks=[save])
        run.fit(deepcopy(FRESH["gan"]), batches(2), ckpt_path=folder / "x.ckpt")
    return sorted(path.name for path in folder.glob("victim/*")), save


@pytest.mark.parametrize("kind", VICTIMS)
def test_no_file_is_removed_because_a_checkpoint_names_it(kind: str, good: dict[str, Path], tmp_path: Path) -> None:
    left, save = resumed_with_paths(kind, good["gan"], tmp_path)
    assert left == ["thesis.txt"]
    assert all(Path(path).parent == tmp_path / "out" for path in (save.best_model_path, save.last_model_path))


def test_without_the_check_a_folder_would_be_gone(
    good: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vetting, "check_callbacks", lambda *_: None)
    assert resumed_with_paths("a folder by its URL", good["gan"], tmp_path)[0] == []


def test_a_best_checkpoint_of_the_run_itself_stays_the_best(tmp_path: Path) -> None:
    save = ModelCheckpoint(tmp_path, save_top_k=1, every_n_train_steps=1)
    state = {**save.state_dict(), "best_model_path": str(tmp_path / "step=1.ckpt")}
    checkpoint = {"callbacks": {save.state_key: state}}
    vetting.check_callbacks(checkpoint, trainer(enable_checkpointing=True, callbacks=[save]))
    assert checkpoint == {"callbacks": {save.state_key: state}}


@pytest.mark.parametrize("value", ["3", True, float("nan"), [3], None])
def test_the_patience_of_early_stopping_is_a_number(value: object) -> None:
    stop = EarlyStopping("metric/fid")
    run = trainer(callbacks=[stop])
    vetting.check_callbacks({"callbacks": {stop.state_key: {**stop.state_dict(), "patience": 4}}}, run)
    with pytest.raises(ValueError, match="patience"):
        vetting.check_callbacks({"callbacks": {stop.state_key: {**stop.state_dict(), "patience": value}}}, run)
    with pytest.raises(ValueError, match="complete"):
        vetting.check_callbacks({"callbacks": {stop.state_key: {}}}, run)


# The weights of FID's network are a stranger's too.


def inception_state(**entries: object) -> Saved:
    return {"fc.weight": torch.ones(1), "Mixed_7c.branch1x1.conv.weight": torch.ones(1), **entries}


@pytest.mark.parametrize("kind", ["payload", "beside", "NaN", "claims", "shape", "list"])
def test_weights_of_metrics(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    content = {
        "payload": Payload(tmp_path),
        "beside": inception_state(more=Payload(tmp_path)),
        "NaN": inception_state(**{"fc.weight": torch.full((1,), float("nan"))}),
        "claims": inception_state(**{"fc.weight": torch.zeros(1).expand(10**12)}),
        "shape": inception_state(),
        "list": inception_state(**{"fc.weight": [1.0]}),
    }
    with pytest.raises(ValueError, match="expected torch-fidelity's Inception weights"):
        inception(saved_as(tmp_path / "x.pth", content[kind]))
    assert not (tmp_path / "ran").exists()
