"""Three digits in one picture: the thousand modes on which generators are counted."""

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from datamodules.loading import PictureDataModule
from datamodules.order import Batches
from datamodules.vision import MNIST
from gan_modules import checks
from gan_modules.randomness import mix


class StackedMNIST(PictureDataModule):
    """Pictures (3, 28, 28) of three digits drawn at random, one a channel; the class is their number, 0 to 999.

    Metz et al. (2017), "Unrolled generative adversarial networks", and as the protocol of Srivastava et al. (2017),
    "VEEGAN", and of PacGAN, section 4.2, has it: a fixed set of 128,000. Training pictures are stacked of MNIST's
    training digits, held-out ones of its test digits. The digits are kept once, as bytes; a batch is stacked when it is
    asked for.

    Args:
        root: folder that holds, or receives, `MNIST/raw`.
        download: fetch the files if they are not there.
        labels: give `(pictures, class)` instead of pictures alone.
        stacks, held_out_stacks: how many pictures to draw, once, for training and for validation.
        batch_size: the global batch, shared evenly by all processes.
        image_size: 28 as they are, 32 with a margin of two black pixels, anything else resized.
        num_workers: 0 is best, as all lies in memory.
        seed: of what is stacked and of the order; None takes the environment's PL_GLOBAL_SEED (`seed_everything`),
            else 0.

    Raises:
        ValueError: if the files are neither there nor to be had, or for a number that must be positive and is not.
    """

    def __init__(
        self,
        root: str | Path = "data",
        download: bool = True,
        labels: bool = True,
        stacks: int = 128_000,
        held_out_stacks: int = 26_000,
        batch_size: int = 64,
        image_size: int = 28,
        num_workers: int | None = 0,
        seed: int | None = None,
    ) -> None:
        super().__init__(batch_size, image_size, 3, False, num_workers, seed)
        checks.whole(1, stacks=stacks, held_out_stacks=held_out_stacks)
        checks.switch(labels=labels)
        self.digits = MNIST(root, download, image_size=image_size)
        self.labels, self.stacks, self.held_out_stacks = labels, stacks, held_out_stacks

    @property
    def class_names(self) -> list[str]:
        return [f"{number:03d}" for number in range(1000)] if self.labels else []

    def prepare_data(self) -> None:
        self.digits.prepare_data()

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        self.digits.setup(stage)
        self.training = self._stacked(self.digits.training, self.stacks, 0)
        self.held_out = self._stacked(self.digits.held_out, self.held_out_stacks, 1)

    def _stacked(self, digits: Batches, count: int, part: int) -> Batches:
        pictures, classes = cast(Tensor, digits.columns[0]), cast(Tensor, digits.labels)
        generator = torch.Generator().manual_seed(mix(self.seed, part))
        chosen = torch.randint(len(pictures), (count, 3), generator=generator)
        labels = (classes[chosen] * torch.tensor([100, 10, 1])).sum(1)
        return Batches(_Stacks(pictures[:, 0], chosen), labels=labels if self.labels else None, seed=self.seed)


class _Stacks:
    """uint8 pictures (count, 3, h, w) whose channels are `digits[chosen]`, put together when they are asked for."""

    def __init__(self, digits: Tensor, chosen: Tensor) -> None:
        self.digits, self.chosen = digits, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, indices: Tensor) -> Tensor:
        return self.digits[self.chosen[indices]]
