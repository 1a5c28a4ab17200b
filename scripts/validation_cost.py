"""What metrics cost in a run: the time of two validations with held-out emoji, and the memory that they need.

    python scripts/validation_cost.py --weights FILE [--metrics FID KID] [--image_size 64] [--num_samples 379]

The model is one layer, so that the metrics are all that counts. In the first validation of a first run the network sees
the data and the generated pictures, afterwards the latter alone; a second run finds the data in the cache.
"""

import logging
import resource
import time
import warnings
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from datamodules import Emoji
from gan_modules import callbacks
from gan_modules.cli import ScriptParser


class Blurred(LightningModule):
    """A generator whose pictures are the data, blurred."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.AvgPool2d(5, 1, 2)
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return self.weight**2

    def validation_step(self, batch: Tensor, batch_idx: int) -> dict[str, Tensor]:
        return {"real": batch, "fake": self.layer(batch)}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class Clock(Callback):
    """Wall-clock and processor seconds of each validation."""

    def __init__(self) -> None:
        self.began = self.worked = 0.0

    def on_validation_start(self, *_: Any) -> None:
        self.began, self.worked = time.perf_counter(), time.process_time()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        seconds, worked = time.perf_counter() - self.began, time.process_time() - self.worked
        values = {key.removeprefix("metric/"): round(float(v), 4) for key, v in trainer.callback_metrics.items()}
        print(f"validation {trainer.current_epoch + 1}: {seconds:.1f} s ({worked:.1f} s of processor time) {values}")


def main() -> None:
    parser = ScriptParser(__doc__)
    parser.add_argument("--weights", required=True, help="a file of torch-fidelity's Inception weights")
    parser.add_argument("--metrics", nargs="+", default=["FID"], help="names of gan_modules.callbacks")
    parser.add_argument("--image_size", type=int, default=64)
    parser.add_argument("--num_samples", type=int, default=379, help="at most all that are held out")
    options = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    scores = [getattr(callbacks, name)(options.weights, options.num_samples) for name in options.metrics]
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=2,
        limit_train_batches=1,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        callbacks=[*scores, Clock()],
        **quiet,  # type: ignore[arg-type]
    )
    trainer.fit(Blurred(), datamodule=Emoji(image_size=options.image_size, batch_size=64))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
