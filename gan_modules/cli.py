"""The command line behind `scripts/fit.py`: presets by name, and networks that follow the data."""

import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

import torch
import yaml
from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.strategies import StrategyRegistry

from gan_modules.callbacks import ProgressBar, SampleGrid
from gan_modules.callbacks.report import Report
from gan_modules.strategies import AdversarialDDP

_CSV = "lightning.pytorch.loggers.CSVLogger"
_LOGGERS = {
    "wandb": "lightning.pytorch.loggers.WandbLogger",
    "tensorboard": "lightning.pytorch.loggers.TensorBoardLogger",
}


def presets(package: str) -> dict[str, Path]:
    """The presets of `gan_modules` or `datamodules`, by name."""
    folder = Path(str(files(package))) / "presets"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def listing() -> str:
    """A line a model, with its paper, and a line a data set."""
    lines = []
    for title, package in (("models (--model NAME)", "gan_modules"), ("data (--data NAME)", "datamodules")):
        lines += [title]
        for name, path in presets(package).items():
            lines += [f"  {name:20s} {path.read_text().splitlines()[0].lstrip('# ')}"]
    return "\n".join(lines)


class Parser(LightningArgumentParser):
    """Answers wrong options with one sentence."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        fail(_sentence(message), 2)


class ConfigInCheckpoint(SaveConfigCallback):
    """Saves the configuration beside the run, and in each checkpoint, so that a checkpoint suffices to rebuild it."""

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        config = yaml.safe_load(self.parser.dump(self.config, skip_none=False, skip_validation=True))
        checkpoint["config"] = {key: config[key] for key in ("model", "data")}


class GANCLI(LightningCLI):
    """`LightningCLI` whose networks take their sizes from the data, and whose runs leave all they made in one folder.

    Args:
        name: the model's name, which is that of the folder of its runs.
        args: the command line's arguments, after `expanded`.
        chosen: names of options that the user gave for networks, which the data must not change.
    """

    def __init__(self, name: str, args: list[str], chosen: set[str]) -> None:
        self.name, self.chosen = name, chosen
        # processes that Lightning starts inherit the name of the run
        self.run = os.environ.setdefault("GAN_MODULES_RUN", time.strftime("%Y-%m-%d_%H-%M-%S"))
        StrategyRegistry.register("ddp", AdversarialDDP, description="DDP for several optimizers", override=True)
        super().__init__(
            parser_class=Parser,
            save_config_callback=ConfigInCheckpoint,
            trainer_defaults={"log_every_n_steps": 10},
            seed_everything_default=0,
            parser_kwargs={"description": "Train a GAN. --list prints the models and the data sets."},
            args=args,
            run=False,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--ckpt_path", type=str | None, default=None, help="Checkpoint from which to go on.")
        parser.add_lightning_class_args(SampleGrid, "samples")
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults({"checkpoint.save_last": True, "checkpoint.save_top_k": 0})

    def before_instantiate_classes(self) -> None:
        root = self.config.trainer.default_root_dir or "runs"
        folder = {"save_dir": root, "name": self.name, "version": self.run}
        loggers = self.config.trainer.logger
        if loggers in (None, True):
            loggers = []
        if loggers is not False:
            loggers = loggers if isinstance(loggers, list) else [loggers]
            settings = Namespace(**folder, prefix="", flush_logs_every_n_steps=50)
            self.config.trainer.logger = [Namespace(class_path=_CSV, init_args=settings), *loggers]
        self.folder = Path(root) / self.name / self.run

    def instantiate_classes(self) -> None:
        self.datamodule = None
        if self.config.get("data"):
            self.datamodule = self.parser.instantiate_classes(Namespace(data=self.config.data)).data
            follow(self.config.model, self.datamodule, self.chosen)
        rest = self.config.clone()
        rest.pop("data", None)
        self.config_init = self.parser.instantiate_classes(rest)
        self.model = self.config_init.model
        self.trainer = self.instantiate_trainer()

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        self.report = Report()
        wanted = [c for c in callbacks if config["enable_checkpointing"] is not False or not isinstance(c, Checkpoint)]
        bar = [] if config["enable_progress_bar"] is False else [ProgressBar()]
        return super()._instantiate_trainer(config, [*bar, *wanted, self.report])


def follow(model: Namespace, data: LightningDataModule, chosen: set[str]) -> None:
    """Give the networks of this library, and the module, the sizes of the data.

    An argument that is zero means "without" and stays: an unconditional network does not become a conditional one.

    Raises:
        ValueError: if the model needs something that the data do not have.
    """
    facts = _facts(data)
    for node in _nodes(model):
        arguments = node.init_args
        for name in facts.keys() & vars(arguments).keys() - chosen:
            if not arguments[name]:
                continue
            if not facts[name]:
                raise ValueError(
                    f"{node.class_path.rsplit('.', 1)[1]} needs {_NEEDS[name]}, which {type(data).__name__} does not "
                    "have; choose other data with --data (--list names them)"
                )
            arguments[name] = facts[name]


_NEEDS = {
    "shape": "samples of a known shape",
    "image_size": "images",
    "channels": "images",
    "out_channels": "images",
    "in_channels": "images",
    "condition_channels": "pairs of images",
    "num_classes": "labels",
}


def _facts(data: LightningDataModule) -> dict[str, Any]:
    size, channels = getattr(data, "image_size", None), getattr(data, "channels", None)
    source = getattr(data, "source_channels", None)
    facts = {
        "shape": [channels, size, size] if size else getattr(data, "shape", None),
        "image_size": size,
        "channels": channels,
        "out_channels": channels,
        "in_channels": source or channels,
        "condition_channels": source,
        "num_classes": getattr(data, "num_classes", None),
    }
    return facts if any(facts.values()) else {}


def _nodes(node: Any) -> Iterator[Namespace]:
    """The module and its networks, as far as they are this library's."""
    if isinstance(node, Namespace) and "class_path" in node:
        if node.class_path.startswith("gan_modules.") and node.get("init_args"):
            yield node
        for value in vars(node.get("init_args") or Namespace()).values():
            yield from _nodes(value)


def expanded(arguments: Sequence[str]) -> tuple[str, list[str], set[str]]:
    """Replace the names of presets and loggers by their files and classes.

    Returns:
        The model's name, the arguments for LightningCLI, and the names of the networks' options that the user gave.

    Raises:
        ValueError: if a name is unknown; the sentence has the nearest ones.
    """
    given = list(arguments)
    name, configs, rest = "", [], []
    while given:
        option, _, value = given.pop(0).partition("=")
        if option in ("--model", "--data", "--trainer.logger"):
            value = value or (given.pop(0) if given else "")
            if option == "--model":
                name = value.rsplit(".", 1)[-1].lower()
            path = _preset(option, value)
            configs += ["--config", str(path)] if path else []
            rest += [] if path else [f"{option}={_LOGGERS.get(value, value)}"]
        else:
            rest += [f"{option}={value}"] if value else [option]
    chosen = {each.partition("=")[0].rsplit(".", 1)[-1] for each in rest if each.startswith("--model.")}
    return name or "run", configs + rest, chosen


def _preset(option: str, value: str) -> Path | None:
    package = {"--model": "gan_modules", "--data": "datamodules"}.get(option)
    if package is None:
        return None
    known = presets(package)
    if value in known:
        return known[value]
    if "." not in value and not hasattr(import_module(package), value):
        near = get_close_matches(value, known, n=3, cutoff=0.4) or sorted(known)
        raise ValueError(
            f"{option} expected a name or a class path, got {value!r}; did you mean {' or '.join(near)}? "
            "--list prints them all"
        )
    return None


def fit(arguments: Sequence[str]) -> None:
    """Train what the command line says, then print a table and where everything is."""
    if "--list" in arguments:
        print(listing())
        return
    if not arguments:
        raise ValueError("expected --model NAME; --list prints the models and the data sets, --help the options")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", "LightningCLI's args parameter")  # sys.argv stays, to start processes from
    cli = GANCLI(*expanded(arguments))
    cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=cli.config.ckpt_path)
    if cli.trainer.checkpoint_callbacks:
        cli.trainer.save_checkpoint(cli.folder / "checkpoints" / "last.ckpt")
    cli.report.finish(cli.trainer, cli.model, cli.datamodule, cli.folder)


def main(run: Any, arguments: Sequence[str]) -> None:
    """Run a command; a mistake of the user's ends it with one sentence and a non-zero exit code."""
    try:
        run(arguments)
    except (ValueError, OSError, ImportError, MisconfigurationException) as mistake:
        if os.environ.get("GAN_MODULES_TRACEBACK"):
            raise
        fail(_sentence(str(mistake)), 1)
    except torch.OutOfMemoryError:
        fail("out of memory: lower --data.batch_size, raise --model.micro_batches, or lower --data.image_size", 1)


def fail(sentence: str, code: int) -> NoReturn:
    """Print one sentence to standard error and exit."""
    print(f"error: {sentence} (GAN_MODULES_TRACEBACK=1 shows the traceback)", file=sys.stderr)
    raise SystemExit(code)


def _sentence(message: str) -> str:
    return " ".join(message.split())
