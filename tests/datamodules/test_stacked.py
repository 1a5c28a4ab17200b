"""Stacks of three digits: the channels are the digits of the label, and the set is fixed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import StackedMNIST
from mnist_files import write_bars


def test_the_channels_show_the_label(tmp_path: Path) -> None:
    arrays = write_bars(tmp_path, (40, 20))
    module = StackedMNIST(tmp_path, download=False, stacks=500, held_out_stacks=70, seed=3)
    module.prepare_data()
    module.setup("fit")
    assert len(module.training) == 500 and len(module.held_out) == 70 and module.num_classes == 1000
    for batches, part in ((module.training, "train"), (module.held_out, "t10k")):
        raw = batches[0, torch.arange(len(batches))]
        stacks, labels = raw.columns[0], raw.labels
        assert labels is not None and stacks.shape == (len(batches), 3, 28, 28) and stacks.dtype == torch.uint8
        shown = stacks[..., 4:24, :].float().mean(3).argmax(2) // 2  # the rows of the bar say the digit
        assert torch.equal(shown @ torch.tensor([100, 10, 1]), labels)
        assert [module.class_names[label] for label in labels[:9]] == [
            "".join(map(str, row)) for row in shown[:9].tolist()
        ]
        digits = {digit.tobytes() for digit in arrays[f"{part}-images-idx3-ubyte"]}
        assert {plane.tobytes() for plane in stacks.flatten(0, 1).numpy()} <= digits
    x, labels = module.on_after_batch_transfer(module.training[0, torch.arange(5)], 0)  # type: ignore[misc]
    assert x.min() >= -1 and x.max() == 1 and x.dtype == torch.float32


def test_the_set_is_of_the_seed_and_not_of_the_epoch(tmp_path: Path) -> None:
    write_bars(tmp_path, (40, 20))

    def stacks(seed: int, epoch: int) -> torch.Tensor:
        module = StackedMNIST(tmp_path, download=False, labels=False, stacks=64, seed=seed)
        module.setup("fit")
        raw = module.training[epoch, torch.arange(64)]
        assert raw.labels is None and not raw.numbers
        return raw.columns[0]

    assert torch.equal(stacks(0, 0), stacks(0, 1)) and not torch.equal(stacks(0, 0), stacks(1, 0))


def test_digits_are_drawn_evenly_and_kept_once(tmp_path: Path) -> None:
    write_bars(tmp_path, (1000, 20))
    module = StackedMNIST(tmp_path, download=False, stacks=30_000, seed=0)
    module.setup("fit")
    known, labels = module.digits.training.labels, module.training.labels
    assert known is not None and labels is not None
    share = known.bincount(minlength=10) / 1000
    for power in (100, 10, 1):
        found = (labels // power % 10).bincount(minlength=10) / 30_000
        assert (found - share).abs().max() < 4.5 * float((share * (1 - share) / 30_000).sqrt().max())
    stacks = module.training.columns[0]
    assert len(stacks.digits) == 1000 and stacks.chosen.shape == (30_000, 3)  # type: ignore[union-attr]


def test_other_sizes_and_missing_files(tmp_path: Path) -> None:
    arrays = write_bars(tmp_path, (5, 5))
    module = StackedMNIST(tmp_path, download=False, stacks=4, image_size=32, seed=0)
    module.setup("fit")
    stacks = module.training[0, torch.arange(4)].columns[0]
    assert stacks.shape == (4, 3, 32, 32) and stacks[..., :2].max() == 0
    assert stacks[0, 0, 2:30, 2:30].numpy().tobytes() in {
        np.ascontiguousarray(d).tobytes() for d in arrays["train-images-idx3-ubyte"]
    }
    with pytest.raises(ValueError, match="MNIST was not found or is damaged in"):
        StackedMNIST(tmp_path / "nowhere", download=False).setup("fit")
