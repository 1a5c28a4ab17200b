"""A run that was ended anywhere and goes on is the run that was not, bit for bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback, LightningModule, Trainer
from variants import build, same, trainer, whole_state

from datamodules import Emoji, EmojiPair
from gan_modules.callbacks import Checkpoints

BATCHES, EPOCHS = 5, 3
Options = dict[str, Any]


def emoji(name: str, workers: int) -> Any:
    """The shipped pictures at 8 pixels, flipped at random."""
    kind = EmojiPair if name == "cyclegan" else Emoji
    return kind(batch_size=8, image_size=8, num_workers=workers, seed=3)


def fit(name: str, path: Path | None = None, workers: int = 0, callbacks: Any = (), **options: Any) -> Options:
    """All that a run has at its end, begun anew or gone on from `path`."""
    module = build(name, seed=0 if path is None else 1, average_decay=0.9)
    module.seed = 7 if path is None else None
    defaults: Options = {"max_epochs": EPOCHS, "limit_train_batches": BATCHES, "limit_val_batches": 2}
    fitted = trainer(**{**defaults, "enable_checkpointing": True, "callbacks": list(callbacks), **options})
    fitted.fit(module, datamodule=emoji(name, workers), ckpt_path=None if path is None else str(path))
    return whole_state(module, fitted)
