"""Sets of small pictures that fit in memory: torchvision's, and arrays in a NumPy file."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torchvision import datasets
from torchvision.transforms.v2 import functional as resizing

from datamodules.few_labels import check_labels_per_class, partly_labelled
from datamodules.loading import PictureDataModule
from datamodules.order import Batches, held_out_every
from datamodules.pixels import in_channels
from gan_modules import checks

Part = tuple[Tensor, Tensor | None]
"""uint8 pictures (n, c, h, w), and their classes, int64 (n,), where known."""


def resized(pictures: Tensor, size: int) -> Tensor:
    """uint8 pictures (n, c, h, w) at size x size.

    28 pixels become 32 by a margin of zeros, as is the custom for MNIST; anything else is resized bilinearly with
    antialiasing (and loses its proportions if it was not square).
    """
    if pictures.shape[-2:] == (size, size):
        return pictures
    if pictures.shape[-2:] == (28, 28) and size == 32:
        return functional.pad(pictures, (2, 2, 2, 2))
    return torch.cat([resizing.resize(part, [size, size], antialias=True) for part in torch.split(pictures, 4096)])


class _InMemory(PictureDataModule):
    """Turns a training and a held-out part into batches."""

    labels: bool
    labels_per_class: int | None

    def _keep(self, training: Part, held_out: Part) -> None:
        known = self.labels_per_class
        self.training = partly_labelled(*self._finished(training), known, vary=self.flip, seed=self.seed)
        pictures, classes = self._finished(held_out)
        self.held_out = Batches(pictures, labels=classes, seed=self.seed)

    def _finished(self, part: Part) -> Part:
        pictures, classes = part
        return resized(in_channels(pictures, self.channels), self.image_size), classes if self.labels else None


class _Torchvision(_InMemory):
    """A torchvision data set: `root`, `download` and `labels` are the same for all."""

    def __init__(
        self,
        make: Callable[..., Any],
        names: Sequence[str],
        root: str | Path,
        download: bool,
        labels: bool,
        batch_size: int,
        image_size: int,
        channels: int,
        flip: bool,
        num_workers: int | None,
        seed: int | None,
        labels_per_class: int | None,
    ) -> None:
        super().__init__(batch_size, image_size, channels, flip, num_workers, seed)
        self._make, self._names = make, names
        checks.switch(download=download, labels=labels)
        check_labels_per_class(labels_per_class, labels)
        self.root, self.download, self.labels, self.labels_per_class = Path(root), download, labels, labels_per_class

    @property
    def class_names(self) -> list[str]:
        return list(self._names) if self.labels else []

    def prepare_data(self) -> None:
        for train in (True, False):
            self._opened(train, self.download)

    def setup(self, stage: str) -> None:
        if not self.ready:
            self._keep(self._part(True), self._part(False))

    def _opened(self, train: bool, download: bool) -> Any:
        try:
            return self._make(str(self.root), train=train, download=download)
        except Exception as error:  # torchvision's readers raise whatever the damage made them stumble over
            what = "could be neither found nor downloaded" if download else "was not found or is damaged"
            reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".:")
            raise ValueError(
                f"{type(self).__name__} {what} in {self.root} ({reason}): "
                "put its files there, or download it where there is a network."
            ) from error

    def _part(self, train: bool) -> Part:
        opened = self._opened(train, False)
        pictures, classes = torch.as_tensor(opened.data), torch.as_tensor(opened.targets)
        pictures = pictures[:, None] if pictures.ndim == 3 else pictures.permute(0, 3, 1, 2).contiguous()
        return pictures, classes.long()


class MNIST(_Torchvision):
    """Handwritten digits (LeCun et al., 1998): 60,000 and 10,000 grey pictures of 28 pixels, ten classes.

    Args:
        root: folder that holds, or receives, `MNIST/raw`.
        download: fetch the files if they are not there.
        labels: give `(pictures, class)` instead of pictures alone.
        batch_size: the global batch, shared evenly by all processes.
        image_size: 28 as they are, 32 with a margin of two black pixels, anything else resized.
        channels: 1 or 3.
        flip: mirror half of the training pictures.
        num_workers: 0 is best, as all lies in memory.
        seed: of order and flips; None takes the environment's PL_GLOBAL_SEED (`seed_everything`), else 0.
        labels_per_class: so many training labels of each class are known and come once more for each picture without
            its label, which is -1 then (`datamodules.few_labels`); None: all are known.

    Raises:
        ValueError: if the files are neither there nor to be had.
    """

    def __init__(
        self,
        root: str | Path = "data",
        download: bool = True,
        labels: bool = True,
        batch_size: int = 64,
        image_size: int = 32,
        channels: int = 1,
        flip: bool = False,
        num_workers: int | None = 0,
        seed: int | None = None,
        labels_per_class: int | None = None,
    ) -> None:
        make, names = datasets.MNIST, datasets.MNIST.classes
        options = batch_size, image_size, channels, flip, num_workers, seed, labels_per_class
        super().__init__(make, names, root, download, labels, *options)


class FashionMNIST(_Torchvision):
    """Articles of clothing (Xiao et al., 2017), in the shape of MNIST; arguments and errors as for `MNIST`."""

    def __init__(
        self,
        root: str | Path = "data",
        download: bool = True,
        labels: bool = True,
        batch_size: int = 64,
        image_size: int = 32,
        channels: int = 1,
        flip: bool = False,
        num_workers: int | None = 0,
        seed: int | None = None,
        labels_per_class: int | None = None,
    ) -> None:
        make, names = datasets.FashionMNIST, datasets.FashionMNIST.classes
        options = batch_size, image_size, channels, flip, num_workers, seed, labels_per_class
        super().__init__(make, names, root, download, labels, *options)


class KMNIST(_Torchvision):
    """Cursive Japanese characters (Clanuwat et al., 2018), in the shape of MNIST; arguments as for `MNIST`."""

    def __init__(
        self,
        root: str | Path = "data",
        download: bool = True,
        labels: bool = True,
        batch_size: int = 64,
        image_size: int = 32,
        channels: int = 1,
        flip: bool = False,
        num_workers: int | None = 0,
        seed: int | None = None,
        labels_per_class: int | None = None,
    ) -> None:
        make, names = datasets.KMNIST, datasets.KMNIST.classes
        options = batch_size, image_size, channels, flip, num_workers, seed, labels_per_class
        super().__init__(make, names, root, download, labels, *options)


_CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


class CIFAR10(_Torchvision):
    """Photographs (Krizhevsky, 2009): 50,000 and 10,000 of 32 pixels in ten classes; arguments as for `MNIST`."""

    def __init__(
        self,
        root: str | Path = "data",
        download: bool = True,
        labels: bool = True,
        batch_size: int = 64,
        image_size: int = 32,
        channels: int = 3,
        flip: bool = False,
        num_workers: int | None = 0,
        seed: int | None = None,
        labels_per_class: int | None = None,
    ) -> None:
        options = batch_size, image_size, channels, flip, num_workers, seed, labels_per_class
        super().__init__(datasets.CIFAR10, _CIFAR10, root, download, labels, *options)


_CIFAR100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""


class CIFAR100(_Torchvision):
    """Photographs (Krizhevsky, 2009): 50,000 and 10,000 of 32 pixels in 100 classes; arguments as for `MNIST`."""

    def __init__(
        self,
        root: str | Path = "data",
        download: bool = True,
        labels: bool = True,
        batch_size: int = 64,
        image_size: int = 32,
        channels: int = 3,
        flip: bool = False,
        num_workers: int | None = 0,
        seed: int | None = None,
        labels_per_class: int | None = None,
    ) -> None:
        options = batch_size, image_size, channels, flip, num_workers, seed, labels_per_class
        super().__init__(datasets.CIFAR100, _CIFAR100.split(), root, download, labels, *options)


class Arrays(_InMemory):
    """Arrays in an `.npz` file: `x_train`, and if there are any `y_train`, `x_test`, `y_test`.

    Pictures are uint8, (n, h, w) or (n, h, w, c) with 1 or 3 channels; classes are whole numbers from 0. Without
    `x_test` every tenth picture of `x_train`, beginning with the first, is held out.

    Args:
        path: the file.
        labels: give `(pictures, class)` instead of pictures alone.
        batch_size, image_size, channels, flip, num_workers, seed, labels_per_class: as for `MNIST`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it does not hold what is described above.
    """

    def __init__(
        self,
        path: str | Path,
        labels: bool = False,
        batch_size: int = 64,
        image_size: int = 32,
        channels: int = 3,
        flip: bool = False,
        num_workers: int | None = 0,
        seed: int | None = None,
        labels_per_class: int | None = None,
    ) -> None:
        super().__init__(batch_size, image_size, channels, flip, num_workers, seed)
        checks.switch(labels=labels)
        check_labels_per_class(labels_per_class, labels)
        self.path, self.labels, self.labels_per_class = Path(path), labels, labels_per_class

    @property
    def class_names(self) -> list[str]:
        if not self.labels:
            return []
        return [str(number) for number in range(int(self._array("y_train").max()) + 1)]

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        training = self._part("train")
        if "x_test" in self._keys():
            self._keep(training, self._part("test"))
            return
        rest, held_out = held_out_every(len(training[0]))
        pictures, classes = training
        self._keep(
            (pictures[rest], None if classes is None else classes[rest]),
            (pictures[held_out], None if classes is None else classes[held_out]),
        )

    def _part(self, name: str) -> Part:
        pictures = self._array(f"x_{name}")
        if pictures.dtype != np.uint8 or pictures.ndim not in (3, 4):
            raise ValueError(
                f"x_{name} of {self.path} holds uint8 pictures (n, h, w) or (n, h, w, c), "
                f"not {pictures.dtype} {pictures.shape}."
            )
        pictures = pictures[..., None] if pictures.ndim == 3 else pictures
        if pictures.shape[-1] not in (1, 3):
            raise ValueError(f"x_{name} of {self.path} has 1 or 3 channels, last, not the shape {pictures.shape}.")
        stacked = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()
        return stacked, self._classes(name, len(stacked)) if self.labels else None

    def _classes(self, name: str, count: int) -> Tensor:
        classes = self._array(f"y_{name}").reshape(-1)
        if len(classes) != count or not np.issubdtype(classes.dtype, np.integer) or classes.min(initial=0) < 0:
            raise ValueError(f"y_{name} of {self.path} holds one whole number from 0 for each of {count} pictures.")
        return torch.from_numpy(classes.astype(np.int64))

    def _keys(self) -> list[str]:
        if not self.path.exists():
            raise FileNotFoundError(f"There is no file {self.path}: give the path of an .npz file.")
        if not zipfile.is_zipfile(self.path):
            raise ValueError(f"{self.path} is not an .npz file.")
        with np.load(self.path) as arrays:
            return list(arrays.files)

    def _array(self, key: str) -> NDArray[Any]:
        if key not in self._keys():
            raise ValueError(f"{self.path} has no array {key}: it has {', '.join(self._keys())}.")
        try:
            with np.load(self.path, allow_pickle=False) as arrays:
                return arrays[key]
        except Exception as error:  # zip archives, compression and numpy's format each have errors of their own
            raise ValueError(f"{key} of {self.path} is damaged or no array of numbers ({error}).") from error
