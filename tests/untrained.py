"""Checkpoints of models that were not trained."""

from pathlib import Path
from typing import Any

import lightning
import torch
import yaml

from gan_modules import checkpoints
from gan_modules.cli import presets


def saved(folder: Path, preset: str, data: dict[str, Any], **networks: dict[str, Any]) -> Path:
    """A checkpoint as fit.py writes it, of an untrained model."""
    config = yaml.safe_load(presets("gan_modules")[preset].read_text())
    config["data"]["init_args"] |= data
    for name, arguments in networks.items():
        config["model"]["init_args"][name]["init_args"] |= arguments
    torch.manual_seed(0)
    module = checkpoints._built(config["model"])
    for name in module.generators:
        for weight in getattr(module, name).parameters():
            weight.data *= 3  # else all samples are nearly grey
    adversarial = {name: getattr(module, name) for name in module.persistent}
    contents = {"state_dict": module.state_dict(), "adversarial": adversarial, "config": config}
    torch.save({**contents, "pytorch-lightning_version": lightning.__version__}, folder / f"{preset}.ckpt")
    return folder / f"{preset}.ckpt"
