"""From options to what is compared: a model or pictures on one side, data on the other."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch import LightningDataModule

import datamodules
from datamodules.order import Batches
from gan_modules import checkpoints, cli
from gan_modules.adversarial import AdversarialModule
from gan_modules.evaluation import sides
from gan_modules.evaluation.options import Evaluation
from gan_modules.evaluation.sides import SPLITS, Part, Side
from gan_modules.reading import shown


@dataclass
class Comparison:
    """What is compared, in each direction; a model that does not translate has the direction "" alone.

    Args:
        real: the sides of the data.
        counts: how many items are generated.
        generated: from a number of items to parts of at most so many, each with its direction.
        facts: what there is for metrics; see `scoring.NEEDS`.
        identity: what says what was evaluated and with what it was compared, for the record.
        module: the model, if there is one.
        data: the data module, if there is one.
    """

    real: dict[str, Side]
    counts: dict[str, int]
    generated: Callable[[int], Iterator[tuple[str, Part]]]
    facts: set[str]
    identity: dict[str, Any]
    module: AdversarialModule | None = None
    data: LightningDataModule | None = None


def compared(asked: Evaluation, device: torch.device) -> Comparison:
    """What the options ask for; a model is on the device.

    Raises:
        ValueError, OSError: if something is not there, cannot be read, or does not go together.
    """
    if asked.checkpoint is None:
        return _pictures(asked)
    saved = checkpoints.read(asked.checkpoint)
    module = checkpoints.rebuilt(saved, asked.checkpoint, asked.trust).to(device)
    data = _Data.of(asked, saved["config"].get("data"))
    identity: dict[str, Any] = {"checkpoint": str(asked.checkpoint), "sha256": sha256_of(asked.checkpoint)}
    identity |= {"model": type(module).__name__, "batches_seen": module.batches_seen}
    if data.module is not None and asked.size is not None:
        raise ValueError("--size is for pictures in folders; give --data.image_size for those of a data set")
    return (_samples if hasattr(module, "sample") else _translations)(asked, module, data, identity)


def sha256_of(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class _Data:
    """What is compared with: a folder or an `.npz` file at `path`, or a data module that is set up."""

    path: Path | None
    module: LightningDataModule | None
    split: str
    identity: dict[str, Any]

    @classmethod
    def of(cls, asked: Evaluation, config: Any, follow: Mapping[str, int] | None = None) -> "_Data":
        """The data that the options name, or that a checkpoint was trained on; their pictures `follow` in size."""
        split, path = asked.split or SPLITS[0], Path(asked.data)
        if asked.data and asked.data not in cli.presets("datamodules") and path.exists():
            if asked.data_options:
                raise ValueError(f"{asked.data_options[0]} is for a data set, and {path} is none; leave it out")
            if asked.split and path.is_dir():
                raise ValueError(f"--split is for a data set, and the folder {path} is taken whole; leave it out")
            return cls(path, None, split, {})
        if "/" in asked.data or path.suffix == ".npz":
            raise FileNotFoundError(f"expected a folder or an .npz file of pictures, got {path}, which is not there")
        module, given = data_module(asked.data, asked.data_options, config, follow or _sizes(config), asked.trust)
        module.prepare_data()
        module.setup("fit")
        known = getattr(module, "fingerprint", None)
        fingerprint = known("held_out" if split == SPLITS[0] else "training") if known else None
        return cls(None, module, split, {**given, "split": split, "fingerprint": fingerprint})

    def items(self, limit: int | None) -> Batches:
        """What the data module holds.

        Raises:
            ValueError: for a folder or a file, which has no pairs of domains.
        """
        if self.module is None:
            raise ValueError(
                f"a translator needs two domains, and {self.path} is one; choose data that it can translate, as --data "
                "unpaired_folders --data.root FOLDER"
            )
        return sides.items_of(self.module, self.split, limit)

    def side(self, limit: int, size: int | None, channels: int) -> Side:
        """At most `limit` items; pictures of files in that size, None: their own, and so many channels."""
        if self.path is not None:
            return sides.of_files(self.path, limit, size, channels, split=self.split)
        items = self.items(limit)
        classes = sides.classes_of(items.labels, getattr(self.module, "class_names", ()))
        return sides.of_items(items, 0, limit, classes, self.identity)


def _pictures(asked: Evaluation) -> Comparison:
    path = asked.images or Path()
    if not path.exists():
        raise FileNotFoundError(f"expected a folder or an .npz file of pictures, got {path}, which is not there")
    made = sides.of_files(path, asked.n, asked.size)
    square = made.shape is not None and made.shape[1] == made.shape[2]
    data = _Data.of(asked, None, {"image_size": made.shape[1]} if made.shape is not None and square else {})
    real = data.side(asked.n, asked.size, channels=3)
    channels = real.shape[0] if real.shape is not None else 3
    if channels != 3 or real.classes:
        made = sides.of_files(path, asked.n, asked.size, channels, real.classes)
    identity = {"images": made.identity, "data": real.identity}
    return Comparison({"": real}, {"": made.count}, _one(made), _facts(real, made, data), identity, data=data.module)


def _samples(asked: Evaluation, module: AdversarialModule, data: _Data, identity: dict[str, Any]) -> Comparison:
    takes = sides.takes_labels(module)
    if asked.labels and not takes:
        raise ValueError(f"--labels is for models of classes, and {type(module).__name__} is none; leave it out")
    look = sides.of_model(module, 1, asked.seed, torch.zeros(1, dtype=torch.int64) if takes else None)
    channels, height, width = look.shape if look.shape and len(look.shape) == 3 else (3, 0, 1)
    real = data.side(asked.n, asked.size or (height if height == width else None), channels)
    labels = None
    if takes:
        given = None if asked.labels == "balanced" else real.labels
        if asked.labels == "data" and given is None:
            raise ValueError("--labels data draws them from those of the data, which have none; give --labels balanced")
        labels = sides.labels_for(asked.n, asked.seed, _classes(module, real), given)
        identity["labels"] = "balanced" if given is None else "drawn from those of the data"
    made = sides.of_model(module, asked.n, asked.seed, labels, real.classes, asked.truncation)
    facts = _facts(real, made, data)
    facts |= {"latent"} if "pictures" in facts and hasattr(module, "prior") else set()
    identity |= {"truncation": asked.truncation, "data": real.identity}
    return Comparison({"": real}, {"": made.count}, _one(made), facts, identity, module, data.module)


def _classes(module: AdversarialModule, real: Side) -> int:
    known: Any = getattr(module, "num_classes", None) or len(real.classes)
    if len(real.classes) > known or not known:
        raise ValueError(
            f"{type(module).__name__} makes {known} classes, and the data have {len(real.classes)}; choose the data it "
            "was trained on"
        )
    return known


def _translations(asked: Evaluation, module: AdversarialModule, data: _Data, identity: dict[str, Any]) -> Comparison:
    if asked.truncation is not None or asked.labels is not None:
        raise ValueError(
            f"--truncation and --labels are for models that make pictures from noise, and {type(module).__name__} "
            "translates; leave them out"
        )
    made = sides.of_translator(module, data.items(asked.n), asked.n, asked.seed, data.identity)
    facts = {"pictures", "sources"} | ({"truth"} if made.has_truth else set())
    if all(side.shape == made.shapes[direction] for direction, side in made.real.items()):
        facts.add("equal")
    identity["data"] = data.identity
    return Comparison(made.real, made.counts, made.parts, facts, identity, module, data.module)


def _one(side: Side) -> Callable[[int], Iterator[tuple[str, Part]]]:
    return lambda count: (("", part) for part in side.parts(count))


def _facts(real: Side, made: Side, data: _Data) -> set[str]:
    points = [side.shape is not None and len(side.shape) == 1 for side in (real, made)]
    if points[0] != points[1]:
        raise ValueError("one side has points and the other pictures; choose other data with --data")
    if points[0]:
        return {"modes"} if hasattr(data.module, "modes") and hasattr(data.module, "sigma") else set()
    facts = {"pictures"}
    if real.shape is not None and real.shape == made.shape:
        facts.add("equal")
    if real.labels is not None and made.labels is not None:
        facts.add("labels")
    return facts


def _sizes(config: Any) -> dict[str, int]:
    """The size and the channels of the pictures that a checkpoint was trained on."""
    arguments = config.get("init_args") if isinstance(config, dict) else None
    known = arguments if isinstance(arguments, dict) else {}
    return {name: known[name] for name in ("image_size", "channels") if isinstance(known.get(name), int)}


def data_module(
    name: str, options: Sequence[str], config: Any, follow: Mapping[str, int], trust: tuple[str, ...] = ()
) -> tuple[LightningDataModule, dict[str, Any]]:
    """A data module by its name, and its configuration. Its pictures are neither mirrored nor cropped.

    Args:
        name: a preset or a class path; "": what `config` says.
        options: of the module, as they are typed: `--data.image_size=32`.
        config: of the data that a checkpoint was trained on.
        follow: arguments that it is given if it has them and `options` say nothing of them.
        trust: packages whose classes `config` may name.

    Raises:
        ValueError: if there is no such module, or `config` names one that is not trusted.
    """
    parser = cli.Parser()
    parser.add_argument("--config", action="config")
    parser.add_lightning_class_args(LightningDataModule, "data", subclass_mode=True, required=True)
    arguments = list(options)
    if name:
        _, arguments, _ = cli.expanded(["--data", name, *options])
    else:
        _check_config(config, trust)
        parser.set_defaults({"data": config})
    parsed = parser.parse_args(arguments)
    chosen = {option.partition("=")[0].rpartition(".")[2] for option in options}
    for key, value in {**follow, "load_size": None, "flip": False}.items():
        if key in (parsed.data.get("init_args") or {}) and key not in chosen:
            parsed.data.init_args[key] = value
    return parser.instantiate(parsed).data, yaml.safe_load(parser.dump(parsed, skip_validation=True))["data"]


def _check_config(config: Any, trust: tuple[str, ...]) -> None:
    """Refuse what a stranger's checkpoint might import as its data."""
    name = config.get("class_path") if isinstance(config, dict) else None
    if not isinstance(name, str):
        raise ValueError("the checkpoint does not say what it was trained on; add --data NAME")
    package, _, own = name.partition(".")
    ours = package == "datamodules" and isinstance(getattr(datamodules, own, None), type)
    if package not in trust and (not ours or "class_path" in str(config.get("init_args"))):
        raise ValueError(
            f"the checkpoint was trained on {shown(name)}, which is not imported because a file names it; add --data "
            f"{shown(name)} if you trust it, or --data NAME for other data"
        )
