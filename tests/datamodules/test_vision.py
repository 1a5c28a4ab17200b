"""Sets that fit in memory, from files in the layout of the originals."""

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import CIFAR10, CIFAR100, KMNIST, MNIST, Arrays, FashionMNIST
from datamodules.vision import resized
from mnist_files import write_mnist

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST, KMNIST])
def test_the_mnists(tmp_path: Path, kind: type[MNIST]) -> None:
    arrays = write_mnist(tmp_path, kind.__name__)
    module = kind(tmp_path, download=False, batch_size=4)
    module.prepare_data()
    module.setup("fit")
    raw = module.training[0, torch.arange(30)]
    assert raw.columns[0].shape == (30, 1, 32, 32) and len(module.held_out) == 12
    assert np.array_equal(raw.columns[0][:, 0, 2:30, 2:30], arrays["train-images-idx3-ubyte"])
    assert raw.columns[0][..., :2].max() == 0
    assert raw.labels is not None and raw.labels.tolist() == arrays["train-labels-idx1-ubyte"].tolist()
    assert module.num_classes == len(module.class_names) == 10 and module.channels == 1
    bare = kind(tmp_path, download=False, labels=False, image_size=28, channels=3)
    bare.setup("fit")
    assert bare.num_classes == 0
    x = bare.on_after_batch_transfer(bare.held_out[0, torch.arange(3)], 0)
    assert isinstance(x, torch.Tensor) and x.shape == (3, 3, 28, 28)


@pytest.mark.parametrize(
    ("kind", "folder", "files", "meta", "names", "labels"),
    [
        (
            CIFAR10,
            "cifar-10-batches-py",
            [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"],
            "batches.meta",
            "label_names",
            "labels",
        ),
        (CIFAR100, "cifar-100-python", ["train", "test"], "meta", "fine_label_names", "fine_labels"),
    ],
)
def test_the_cifars(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[CIFAR10],
    folder: str,
    files: list[str],
    meta: str,
    names: str,
    labels: str,
) -> None:
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)  # these are not the originals
    (tmp_path / folder).mkdir()
    (tmp_path / folder / meta).write_bytes(pickle.dumps({names: ["a", "b"]}))
    pixels = RNG.integers(0, 256, (len(files), 5, 3, 32, 32), dtype=np.uint8)
    for part, file in zip(pixels, files, strict=True):
        (tmp_path / folder / file).write_bytes(pickle.dumps({"data": part.reshape(5, -1), labels: [0, 1, 2, 3, 4]}))
    module = kind(tmp_path, download=False)
    module.setup("fit")
    raw = module.training[0, torch.arange(5 * (len(files) - 1))]
    assert np.array_equal(raw.columns[0], pixels[:-1].reshape(-1, 3, 32, 32))
    assert np.array_equal(module.held_out[0, torch.arange(5)].columns[0], pixels[-1])
    assert raw.labels is not None and raw.labels.tolist() == [0, 1, 2, 3, 4] * (len(files) - 1)
    assert module.num_classes == len(set(module.class_names)) == (10 if kind is CIFAR10 else 100)


@pytest.mark.parametrize("kind", [MNIST, CIFAR10])
def test_data_that_are_not_there(tmp_path: Path, kind: type[MNIST]) -> None:
    module = kind(tmp_path, download=False)
    with pytest.raises(
        ValueError, match=f"{kind.__name__} was not found or is damaged in .*: put its files there"
    ) as caught:
        module.prepare_data()
    assert "\n" not in str(caught.value)


def test_damaged_data(tmp_path: Path) -> None:
    write_mnist(tmp_path, "MNIST")
    file = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    file.write_bytes(gzip.compress(file.read_bytes()))
    with pytest.raises(ValueError, match="MNIST was not found or is damaged"):
        MNIST(tmp_path, download=False).setup("fit")


def test_resizing_keeps_flat_areas() -> None:
    x = torch.full((2, 1, 40, 30), 77, dtype=torch.uint8)
    assert resized(x, 16).shape == (2, 1, 16, 16) and (resized(x, 16) == 77).all()
    assert resized(x[..., :30, :], 30).shape == (2, 1, 30, 30)


@pytest.mark.parametrize("channels", [1, 3])
def test_arrays(tmp_path: Path, channels: int) -> None:
    x = RNG.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", x_train=x, y_train=np.arange(40)[:, None] % 7, x_test=x[:5], y_test=np.arange(5))
    module = Arrays(tmp_path / "set.npz", labels=True, channels=channels)
    assert module.num_classes == 7 and module.class_names[-1] == "6"
    module.setup("fit")
    raw = module.training[0, torch.tensor([3, 38])]
    assert raw.columns[0].shape == (2, channels, 32, 32)
    assert channels == 1 or np.array_equal(raw.columns[0].permute(0, 2, 3, 1), x[[3, 38]])
    assert raw.labels is not None and raw.labels.tolist() == [3, 3] and len(module.held_out) == 5


def test_arrays_without_a_test_part(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x_train=np.arange(25, dtype=np.uint8).reshape(-1, 1, 1).repeat(4, 1).repeat(4, 2))
    module = Arrays(tmp_path / "set.npz", image_size=4, channels=1)
    module.setup("fit")
    held_out = module.held_out[0, torch.arange(3)]
    assert held_out.columns[0][:, 0, 0, 0].tolist() == [0, 10, 20] and held_out.labels is None
    assert len(module.training) == 22 and module.num_classes == 0


def test_arrays_that_cannot_be(tmp_path: Path) -> None:
    def refused(error: type[Exception], message: str, labels: bool = False) -> None:
        with pytest.raises(error, match=message) as caught:
            Arrays(tmp_path / "set.npz", labels=labels).setup("fit")
        assert "\n" not in str(caught.value)

    refused(FileNotFoundError, "There is no file")
    (tmp_path / "set.npz").write_text("text")
    refused(ValueError, "is not an .npz file")
    good = np.zeros((3, 4, 4, 3), np.uint8)
    np.savez(tmp_path / "set.npz", y_train=np.zeros(3))
    refused(ValueError, "has no array x_train: it has y_train")
    np.savez(tmp_path / "set.npz", x_train=good.astype(np.float32))
    refused(ValueError, "holds uint8 pictures")
    np.savez(tmp_path / "set.npz", x_train=good.transpose(0, 3, 1, 2))
    refused(ValueError, "1 or 3 channels, last")
    np.savez(tmp_path / "set.npz", x_train=good)
    refused(ValueError, "has no array y_train", labels=True)
    np.savez(tmp_path / "set.npz", x_train=good, y_train=np.array([0.5, 1, 2]))
    refused(ValueError, "one whole number", labels=True)
    np.savez(tmp_path / "set.npz", x_train=np.array([None, 1], dtype=object))
    refused(ValueError, "pickle|uint8")
