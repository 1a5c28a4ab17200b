"""What the data modules share: loaders of whole batches, and pixels that stay uint8 until they are on the device."""

import hashlib
import os
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from datamodules.order import Batches, GlobalBatches, OneEpoch, Raw
from datamodules.pixels import jittered, scaled
from gan_modules import checks


class BatchedDataModule(LightningDataModule):
    """Loaders over `Batches`; a subclass's `setup` fills `training` and `held_out`.

    Args:
        batch_size: the global batch, shared evenly by all processes.
        num_workers: processes that read ahead; None: none for what lies in memory, up to four for files.
        seed: of order and augmentation; None takes the environment's PL_GLOBAL_SEED (`seed_everything`), else 0.
    """

    training: Batches
    held_out: Batches

    def __init__(self, batch_size: int, num_workers: int | None, seed: int | None) -> None:
        super().__init__()
        checks.whole(1, batch_size=batch_size)
        checks.whole(0, num_workers=0 if num_workers is None else num_workers)
        checks.seed(seed=0 if seed is None else seed)
        self.batch_size, self.num_workers, self.given_seed = batch_size, num_workers, seed

    @property
    def seed(self) -> int:
        """Of order and augmentation."""
        return int(os.environ.get("PL_GLOBAL_SEED", 0)) if self.given_seed is None else self.given_seed

    @property
    def ready(self) -> bool:
        """Whether `setup` has run."""
        return hasattr(self, "held_out")

    def fingerprint(self, part: Literal["held_out", "training"]) -> str | None:
        """A digest of what `part` gives after `setup`: of the items, and of how they reach a model; None: unknown.

        It does not depend on where the data lie or on the batch size, nor on a seed where nothing is drawn from it.
        """
        checks.choice(("held_out", "training"), part=part)
        batches: Batches = getattr(self, part)
        items = batches.fingerprint()
        if items is None:
            return None
        settings = (type(self).__qualname__, *self.finish(batches), items)
        return hashlib.sha256(repr(settings).encode()).hexdigest()

    def finish(self, batches: Batches) -> tuple[object, ...]:
        """What is done to the items of a part on the device, for the `fingerprint`."""
        return ()

    def train_dataloader(self) -> DataLoader[Raw]:
        return self._loader(self.training, shuffle=True)

    def val_dataloader(self) -> DataLoader[Raw]:
        return self._loader(self.held_out, shuffle=False)

    def test_dataloader(self) -> DataLoader[Raw]:
        return self._loader(self.held_out, shuffle=False)

    def _loader(self, dataset: Batches, shuffle: bool) -> DataLoader[Raw]:
        workers = self.num_workers
        if workers is None:
            workers = 0 if dataset.in_memory else min(4, os.cpu_count() or 1)
        rank, processes = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        repeated = getattr(self.trainer, "overfit_batches", 0) > 0  # set by the Trainer, not declared
        start = resumed_at(self.trainer) if shuffle and self.trainer and not repeated else (0, 0)
        sampler = GlobalBatches(
            dataset, self.batch_size, shuffle=shuffle, seed=self.seed, rank=rank, processes=processes, start=start
        )
        return ResumableLoader(
            OneEpoch(dataset, sampler) if repeated else dataset,
            sampler=None if repeated else sampler,
            batch_size=None,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # else each new iterator takes a number from the global generator
        )

    @property
    def dtype(self) -> torch.dtype:
        """That of the module which is trained: of its first floating parameter, float32 without one."""
        module = self.trainer.lightning_module if self.trainer else None
        parameters = module.parameters() if module else iter(())
        return next((p.dtype for p in parameters if p.is_floating_point()), torch.float32)


class ResumableLoader(DataLoader[Raw]):
    """What Lightning takes for a loader that can go on inside an epoch, as its sampler can without a state."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def resumed_at(trainer: Trainer) -> tuple[int, int]:
    """The epoch that a run is in, and how many of its batches it has trained on: (0, 0) for a new run.

    A checkpoint of an epoch's last batch was written before Lightning had ended that epoch, or after.
    """
    epochs: Any = trainer.fit_loop.epoch_progress.current
    batches: Any = trainer.fit_loop.epoch_loop.batch_progress
    if epochs.processed == epochs.ready:
        return epochs.processed, 0
    if batches.is_last_batch:
        return epochs.processed + 1, 0
    return epochs.processed, batches.current.processed


class PictureDataModule(BatchedDataModule):
    """Pictures: flipped, cropped and scaled to [-1, 1] on the device, a whole batch at a time.

    Args:
        batch_size, num_workers, seed: as for `BatchedDataModule`.
        image_size: side of the square pictures that a batch has, in pixels.
        channels: 1 (grey) or 3 (colour); pictures are converted.
        flip: mirror half of the training pictures.
    """

    def __init__(
        self, batch_size: int, image_size: int, channels: int, flip: bool, num_workers: int | None, seed: int | None
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        checks.whole(1, image_size=image_size)
        checks.choice((1, 3), channels=channels)
        checks.switch(flip=flip)
        self.image_size, self.channels, self.flip = image_size, channels, flip

    @property
    def class_names(self) -> list[str]:
        """Name of each class, by label; empty without labels."""
        return []

    @property
    def num_classes(self) -> int:
        """Number of classes; 0 without labels."""
        return len(self.class_names)

    def finish(self, batches: Batches) -> tuple[object, ...]:
        return self.image_size, batches.vary and self.flip

    def side(self, pictures: Tensor) -> int:
        """Of the squares that these pictures (n, c, h, w) of a batch are cropped to."""
        return self.image_size

    def on_after_batch_transfer(self, batch: object, dataloader_idx: int) -> object:
        if not isinstance(batch, Raw):
            return batch
        varied = batch.numbers or (None,) * len(batch.columns)
        moved = (jittered(x, u, self.side(x), self.flip) for x, u in zip(batch.columns, varied, strict=True))
        finished = (*(scaled(x, self.dtype) for x in moved), *([] if batch.labels is None else [batch.labels]))
        return finished if len(finished) > 1 else finished[0]


class FilmDataModule(PictureDataModule):
    """Films, whose one column has a clip's frames joined along the channels; see `MovingEmoji` for the batches.

    A subclass sets `history`.
    """

    history: int

    @property
    def source_channels(self) -> int:
        """Channels of the history."""
        return self.history * self.channels

    def finish(self, batches: Batches) -> tuple[object, ...]:
        return *super().finish(batches), self.history, self.channels

    def on_after_batch_transfer(self, batch: object, dataloader_idx: int) -> object:
        finished = super().on_after_batch_transfer(batch, dataloader_idx)
        if not isinstance(batch, Raw) or not isinstance(finished, Tensor):
            return finished
        first, second = self.source_channels, self.source_channels + self.channels
        parts = finished[:, :first], finished[:, first:second], finished[:, second:]
        return tuple(part for part in parts if part.shape[1])
