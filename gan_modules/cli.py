"""The command line behind `scripts/fit.py`: presets by name, and networks that follow the data."""

import argparse
import logging
import os
import re
import secrets
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.resources import files
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jsonargparse import Namespace
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.strategies import StrategyRegistry
from lightning.pytorch.utilities import rank_zero_only

from gan_modules import checks, runs, saving, strategies
from gan_modules.callbacks import Checkpoints, ProgressBar, SampleGrid
from gan_modules.callbacks.report import Report, whereabouts
from gan_modules.following import follow
from gan_modules.loggers import MetricsFile
from gan_modules.mistakes import explained, sentence
from gan_modules.reading import checked_path
from gan_modules.sharding import AdversarialModelParallel
from gan_modules.strategies import AdversarialDDP

_RUN, _START = "GAN_MODULES_RUN", "GAN_MODULES_START"
MEMORY = "lower --data.batch_size or --data.image_size, or raise --model.micro_batches"
_NOISE = (
    ".*returned a view tensor",
    "LightningCLI's args parameter",
    ".*LeafSpec",
    ".*does not have many workers",
    ".*is not empty",
    "The dirpath has changed",
    "Be aware that when using `ckpt_path`",
    r"Found \d+ module\(s\) in eval mode at the start of training",  # those that are frozen
)
_LOGGERS = {
    "wandb": "lightning.pytorch.loggers.WandbLogger",
    "tensorboard": "lightning.pytorch.loggers.TensorBoardLogger",
}


HELP = """Train a GAN.

  python scripts/fit.py --model NAME [--data NAME] [options]

  --list                   the models with their papers, and the data sets
  --model NAME             a model of the list, or a class path such as my_project.MyGAN
  --data NAME              data of the list, or a class path; the networks follow its size, channels and classes
  --model.ARGUMENT         of the model, as --model.n_critic 5, or of a network, as --model.generator.width 32
  --data.ARGUMENT          of the data, as --data.root FOLDER, --data.image_size 64 or --data.batch_size 32
  --trainer.ARGUMENT       of Lightning's Trainer, as --trainer.max_epochs 10 or --trainer.devices 2
  --trainer.logger wandb   log to Weights & Biases beside metrics.csv; or tensorboard, a class path, false
  --samples.ARGUMENT       of the grid of samples, as --samples.every_n_batches 100
  --checkpoint.ARGUMENT    of Checkpoints, as --checkpoint.monitor metric/swd or --checkpoint.every_n_minutes 10
  --resume                 go on with the model's last run, in its folder; begin one where there is none
  --ckpt_path FILE         begin a run from a checkpoint; last: as --resume, and an error where there is none
  --config FILE            YAML with any of these; that of a run repeats it
  --print_config           print all settings as YAML
  --model NAME --help      print all options of Trainer, samples and checkpoints
"""


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
        fail(sentence(message) + self._nearest(message), 2)

    def _nearest(self, message: str) -> str:
        wrong = re.search(r"Option '([^']+)' is not accepted|unrecognized arguments: --([^ =]+)", message)
        options = [option.lstrip("-") for action in self._actions for option in action.option_strings]
        near = get_close_matches((wrong[1] or wrong[2]) if wrong else "", options, n=1, cutoff=0.8)
        return f"; did you mean {near[0].rstrip('+')}?" if near else ""


class ScriptParser(argparse.ArgumentParser):
    """The options of a script, whose help is its docstring; a wrong one is answered with one sentence."""

    def __init__(self, description: str | None) -> None:
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(description=description, formatter_class=formatter, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        fail(message, 2)


class ConfigInCheckpoint(SaveConfigCallback):
    """Saves the configuration beside the run, and in each checkpoint, so that a checkpoint suffices to rebuild it.

    A run that goes on keeps the file it has, and is told what is different now.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        folder = Path(trainer.log_dir or trainer.default_root_dir)
        self.already_saved = trainer.strategy.broadcast((folder / self.config_filename).exists())
        super().setup(trainer, pl_module, stage)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["config"] = self._of_the_checkpoint()

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        batches = checkpoint.get("global_step", 0)
        now = self._of_the_checkpoint()
        changed = runs.differences(checkpoint.get("config", now), now)
        say(f"going on from batch {batches}" + (f", but with {changed}" if changed else ""))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, MetricsFile):
                logger.go_on(trainer.global_step)

    def _of_the_checkpoint(self) -> dict[str, Any]:
        config = yaml.safe_load(self.parser.dump(self.config, skip_unset=False, skip_validation=True))
        return {key: config[key] for key in ("model", "data")}


class GANCLI(LightningCLI):
    """`LightningCLI` whose networks take their sizes from the data, and whose runs leave all they made in one folder.

    Args:
        name: the folder of the model's runs; empty: the model's class.
        args: the command line's arguments, after `expanded`.
        chosen: options that the user gave for model and networks, which the data must not change.
    """

    def __init__(self, name: str, args: list[str], chosen: set[str]) -> None:
        self.name, self.chosen = name, chosen
        for strategy, own in (("ddp", AdversarialDDP), ("model_parallel", AdversarialModelParallel)):
            StrategyRegistry.register(strategy, own, description="for several optimizers", override=True)
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
        parser.add_argument("--resume", type=bool, default=False, help="Go on with the model's last run, if any.")
        parser.add_argument("--ckpt_path", type=str | None, default=None, help="Checkpoint from which to go on.")
        parser.add_lightning_class_args(SampleGrid, "samples")
        parser.add_lightning_class_args(Checkpoints, "checkpoint")
        defaults = {"save_last": True, "save_top_k": 0, "save_on_exception": True, "enable_version_counter": False}
        parser.set_defaults({f"checkpoint.{name}": value for name, value in defaults.items()})

    def before_instantiate_classes(self) -> None:
        strategy = self.config.trainer.strategy
        strategies.check(getattr(strategy, "class_path", strategy))
        if self.config.checkpoint.monitor is not None and self.config.checkpoint.save_top_k == 0:
            self.config.checkpoint.save_top_k = 1  # of what is monitored the best is wanted
        name = self.name or self.config.model.class_path.rsplit(".", 1)[-1].lower()
        root = Path(self.config.trainer.default_root_dir or "runs") / name
        if _RUN not in os.environ:  # processes that Lightning starts inherit what the first one chose
            os.environ[_RUN], os.environ[_START] = self._beginning(root)
        self.folder, self.start = root / os.environ[_RUN], os.environ[_START] or None
        self.config.resume = False  # the configuration that is saved begins a run

    def _beginning(self, root: Path) -> tuple[str, str]:
        """The run's name, and the checkpoint from which it starts, if any."""
        given = self.config.ckpt_path
        if self.config.resume or given == "last":
            if self.config.checkpoint.dirpath is not None:
                raise ValueError("a run goes on from the checkpoints in its own folder; leave out --checkpoint.dirpath")
            if last := runs.last(root):
                rank_zero_only(saving.sweep)(root / last[0] / "checkpoints")
                return last
            if given == "last":
                raise ValueError(f"--ckpt_path last: no run in {root} has a checkpoint; leave it out to begin one")
            say(f"no run in {root} has a checkpoint, so that a new one begins")
        return f"{time.strftime('%Y-%m-%d_%H-%M-%S')}_{secrets.token_hex(3)}", str(checked_path(given)) if given else ""

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
        plugins = _listed(config["plugins"])
        sealed = [] if any(isinstance(each, CheckpointIO) for each in plugins) else [saving.SealedCheckpointIO()]
        config["plugins"] = [*plugins, *sealed]
        if config["logger"] is not False:
            given = None if config["logger"] is True else config["logger"]
            config["logger"] = [MetricsFile(self.folder), *_listed(given)]
        wanted = [c for c in callbacks if config["enable_checkpointing"] is not False or not isinstance(c, Checkpoint)]
        bar = [] if config["enable_progress_bar"] is False else [ProgressBar()]
        _check_trainer(config)
        try:
            return super()._instantiate_trainer(config, [*bar, *wanted, self.report])
        except TypeError as error:  # as for a number of devices that is none
            raise ValueError(f"the trainer cannot be made: {error}") from error


def _check_trainer(config: dict[str, Any]) -> None:
    """Refuse options that manual optimization has others for, and numbers that Lightning takes and stumbles over."""
    for name, default, ours in (
        ("accumulate_grad_batches", 1, "micro_batches"),
        ("gradient_clip_val", None, "clip_norm"),
    ):
        if config[name] != default:
            raise ValueError(f"--trainer.{name} is for modules with one optimizer; give --model.{ours} instead")
    for name, least in (("check_val_every_n_epoch", 1), ("log_every_n_steps", 0)):
        checks.whole(least, **{f"trainer.{name}": least if config[name] is None else config[name]})


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [] if given is None else [given]


def prepare_wandb(loggers: Any, folder: Path) -> None:
    """Let runs of Weights & Biases lie in the run's folder, offline where there is no key."""
    for logger in loggers if isinstance(loggers, list) else [loggers]:
        if not isinstance(logger, Namespace) or not logger.class_path.endswith("WandbLogger"):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        logger.init_args.save_dir = str(folder)
        logger.init_args.name = logger.init_args.get("name") or folder.name
        logger.init_args.id = logger.init_args.get("id") or folder.name  # a run that goes on is one run there as well
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
        The model's name, the arguments for LightningCLI, and the options that the user gave for model and networks.

    Raises:
        ValueError: if a name is unknown; the sentence has the nearest ones.
    """
    given = list(arguments)
    name, configs, rest = "", [], []
    while given:
        option, _, value = given.pop(0).partition("=")
        if option in ("--model", "--data", "--trainer.logger"):
            value = value or (given.pop(0) if given and not given[0].startswith("--") else "")
            if option == "--model":
                name = value.rsplit(".", 1)[-1].lower()
            path = _preset(option, value)
            configs += ["--config", str(path)] if path else []
            rest += [] if path else [f"{option}={_LOGGERS.get(value, value)}"]
        elif option == "--resume":
            bare = not value and given[:1] not in (["true"], ["false"])
            rest += [f"--resume={value or ('true' if bare else given.pop(0))}"]
        else:
            if option in ("--config", "-c") and (value or given):
                _check_yaml(Path(value or given[0]))
            rest += [f"{option}={value}"] if value else [option]
    chosen = {each.partition("=")[0].removeprefix("--model.") for each in rest if each.startswith("--model.")}
    return name, configs + rest, {each.replace("init_args.", "") for each in chosen}


def _preset(option: str, value: str) -> Path | None:
    package = {"--model": "gan_modules", "--data": "datamodules"}.get(option)
    if package is None:
        if not value:
            raise ValueError(f"{option} expected {', '.join(_LOGGERS)}, a class path or false, got nothing")
        return None
    known = presets(package)
    if value in known:
        return known[value]
    if "." not in value and not hasattr(import_module(package), value):
        near = get_close_matches(value, known, n=3, cutoff=0.4)
        advice = f"did you mean {' or '.join(near)}? " if near else ""
        given = repr(value) if value else "nothing"
        raise ValueError(f"{option} expected a name or a class path, got {given}; {advice}--list prints them all")
    return None


def _check_yaml(path: Path) -> None:
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no YAML ({error}); the config.yaml of a run shows the form") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold options by name, such as model: and data:, got {str(content)[:40]!r}")


def fit(arguments: Sequence[str]) -> None:
    """Train what the command line says, then print a table and where everything is."""
    if "--list" in arguments:
        print(listing())
        return
    if list(arguments) in (["--help"], ["-h"]):
        print(HELP)
        return
    if not arguments:
        raise ValueError("expected --model NAME; --list prints the models and the data sets, --help the options")
    for package in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(package).setLevel(logging.WARNING)
    for noise in _NOISE:
        warnings.filterwarnings("ignore", noise)
    try:
        cli = GANCLI(*expanded(arguments))
        try:
            cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=cli.start, weights_only=True)
        except Exception:
            _end_others(cli.trainer)
            raise
        except SystemExit:  # told to stop, everything being saved
            if cli.trainer.is_global_zero:
                print(whereabouts(cli.folder))
            raise
        cli.report.finish(cli.trainer, cli.model, cli.datamodule, cli.folder)
    finally:
        for name in (_RUN, _START):
            os.environ.pop(name, None)


def _end_others(trainer: Trainer) -> None:
    """The processes that Lightning has started would wait for this one."""
    if trainer.strategy.launcher is not None:
        trainer.strategy.launcher.kill(signal.SIGKILL)


def main(run: Callable[[Sequence[str]], None], arguments: Sequence[str], memory: str = MEMORY) -> None:
    """Run a command; a mistake of the user's ends it with one sentence and a non-zero exit code.

    Args:
        run: the command.
        arguments: of the command line.
        memory: what to lower where memory runs out.
    """
    try:
        run(arguments)
    except Exception as error:
        said = explained(error, memory)
        if said is None or os.environ.get("GAN_MODULES_TRACEBACK"):
            raise
        fail(said, 1)


@rank_zero_only
def say(line: str) -> None:
    """Print a line, in one of several processes."""
    print(line)


def fail(message: str, code: int) -> NoReturn:
    """Print one sentence to standard error and exit."""
    if os.environ.get("LOCAL_RANK", "0") != "0":
        time.sleep(5)  # the first process meets the same mistake, says so, and ends this one
    print(f"error: {message} (GAN_MODULES_TRACEBACK=1 shows the traceback)", file=sys.stderr)
    raise SystemExit(code)
