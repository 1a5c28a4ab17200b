"""The command line behind `scripts/fit.py`: presets by name, and networks that follow the data."""

import logging
import os
import re
import sys
import time
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.resources import files
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Any, NoReturn

import torch
import yaml
from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.strategies import StrategyRegistry

from gan_modules import checkpoints
from gan_modules.callbacks import ProgressBar, SampleGrid
from gan_modules.callbacks.report import Report, whereabouts
from gan_modules.following import follow
from gan_modules.strategies import AdversarialDDP

_RUN = "GAN_MODULES_RUN"
_TRIED = re.compile("Expected a <class 'NoneType'>|Does not validate against any")
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
        config = yaml.safe_load(self.parser.dump(self.config, skip_unset=False, skip_validation=True))
        checkpoint["config"] = {key: config[key] for key in ("model", "data")}


class GANCLI(LightningCLI):
    """`LightningCLI` whose networks take their sizes from the data, and whose runs leave all they made in one folder.

    Args:
        name: the folder of the model's runs; empty: the model's class.
        args: the command line's arguments, after `expanded`.
        chosen: names of options that the user gave for networks, which the data must not change.
    """

    def __init__(self, name: str, args: list[str], chosen: set[str]) -> None:
        self.name, self.chosen = name, chosen
        StrategyRegistry.register("ddp", AdversarialDDP, description="DDP for several optimizers", override=True)
        super().__init__(
            parser_class=Parser,
            save_config_callback=ConfigInCheckpoint,
            trainer_defaults={"log_every_n_steps": 10, "enable_model_summary": False},
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
        defaults = {"save_last": True, "save_top_k": 0, "save_on_exception": True}
        parser.set_defaults({f"checkpoint.{name}": value for name, value in defaults.items()})

    def before_instantiate_classes(self) -> None:
        name = self.name or self.config.model.class_path.rsplit(".", 1)[-1].lower()
        # processes that Lightning starts inherit the name of the run
        run = os.environ.setdefault(_RUN, time.strftime(f"%Y-%m-%d_%H-%M-%S_{os.getpid()}"))
        self.folder = Path(self.config.trainer.default_root_dir or "runs") / name / run

    def instantiate_classes(self) -> None:
        self.datamodule = None
        if self.config.get("data"):
            self.datamodule = self.parser.instantiate(Namespace(data=self.config.data)).data
            follow(self.config.model, self.datamodule, self.chosen)
        rest = self.config.clone()
        rest.pop("data", None)
        prepare_wandb(rest.trainer.logger, self.folder)
        self.config_init = self.parser.instantiate(rest)
        self.model = self.config_init.model
        self.trainer = self.instantiate_trainer()

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        self.report = Report()
        config["default_root_dir"] = str(self.folder)
        if config["logger"] is not False:
            given = [] if config["logger"] in (None, True) else config["logger"]
            own = CSVLogger(self.folder.parent.parent, self.folder.parent.name, self.folder.name)
            config["logger"] = [own, *(given if isinstance(given, list) else [given])]
        wanted = [c for c in callbacks if config["enable_checkpointing"] is not False or not isinstance(c, Checkpoint)]
        bar = [] if config["enable_progress_bar"] is False else [ProgressBar()]
        return super()._instantiate_trainer(config, [*bar, *wanted, self.report])


def prepare_wandb(loggers: Any, folder: Path) -> None:
    """Let runs of Weights & Biases lie in the run's folder, offline where there is no key."""
    for logger in loggers if isinstance(loggers, list) else [loggers]:
        if not isinstance(logger, Namespace) or not logger.class_path.endswith("WandbLogger"):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        logger.init_args.save_dir = str(folder)
        logger.init_args.name = logger.init_args.get("name") or folder.name
        if logger.init_args.get("project") in (None, "lightning_logs"):
            logger.init_args.project = "gan-modules"
        if not _wandb_key() and "WANDB_MODE" not in os.environ:
            os.environ["WANDB_MODE"] = "offline"
            print(f"wandb has no key here, so it logs offline: wandb sync {folder}/wandb/offline-run-* uploads the run")


def _wandb_key() -> bool:
    try:
        return bool(os.environ.get("WANDB_API_KEY") or netrc().authenticators("api.wandb.ai"))
    except (OSError, NetrcParseError):
        return False


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
    return name, configs + rest, chosen


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
    for noise in ("LightningCLI's args parameter", ".*LeafSpec", ".*does not have many workers"):
        warnings.filterwarnings("ignore", noise)
    try:
        cli = GANCLI(*expanded(arguments))
        if cli.config.ckpt_path not in (None, "last", "best", "hpc"):
            checkpoints.contents(cli.config.ckpt_path)
        try:
            cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=cli.config.ckpt_path)
        except SystemExit:  # so Lightning ends after Ctrl-C, everything being saved
            print(whereabouts(cli.folder))
            raise
        if cli.trainer.checkpoint_callbacks:
            cli.trainer.save_checkpoint(cli.folder / "checkpoints" / "last.ckpt")
        cli.report.finish(cli.trainer, cli.model, cli.datamodule, cli.folder)
    finally:
        os.environ.pop(_RUN, None)


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
    """The cause that jsonargparse's report of all the types it tried ends in, or the message as it is, on one line."""
    causes = [line.strip().removeprefix("- ") for line in message.splitlines() if line.lstrip().startswith("- ")]
    causes = [cause for cause in causes if not _TRIED.match(cause)]
    key = re.match(r'Parser key "[^"]+"', message)
    if causes:
        message = f"{key.group(0)}: {causes[0]}" if key else causes[0]
    return " ".join(message.split())
