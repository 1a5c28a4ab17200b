"""Two domains in folders, of which a model is told the labels of one."""

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from datamodules.adaptation import Only
from datamodules.files import Unreadable, listed
from datamodules.folders import GIGABYTE, _class_of, _Folders, _places
from datamodules.order import Batches, Indexed
from gan_modules import checks


class AdaptationFolders(_Folders):
    """Labelled pictures of a source domain, and pictures of a target domain whose labels are not known.

    `source` has a folder for each class. In `target` subfolders do not matter. `test` has pictures of the target in
    folders of the source's classes: they are held out, and say what a classifier has learned.

    Training batches are `(source, target, class of the source)`, shuffled, cropped and flipped independently; an epoch
    shows each picture of the larger domain once. Held-out batches are `(source, target, class of the target)`, where
    the sources, training pictures at equal distances, are there to be translated and are no partners of the targets.

    Args:
        root: the folder of the three.
        only: "source" gives `(pictures, class)`, in training of that domain alone and held out of the target.
        batch_size, image_size, channels, load_size, flip, background, unreadable, cache, num_workers, seed: as for
            `ImageFolder`.

    Raises:
        FileNotFoundError: if there is no such folder, or not all of the three.
        ValueError: as `ImageFolder` does; if one of the three is empty, or `test` has a class that `source` has not; if
            only the target, whose labels are not known, is asked for.
    """

    knows_target: ClassVar[bool] = False
    """Whether `only` can be the target."""

    def __init__(
        self,
        root: str | Path,
        only: Only | None = None,
        batch_size: int = 32,
        image_size: int = 64,
        channels: int = 3,
        load_size: int | None = None,
        flip: bool = True,
        background: str = "white",
        unreadable: Unreadable = "error",
        cache: int = GIGABYTE,
        num_workers: int | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            batch_size,
            image_size,
            channels,
            load_size,
            flip,
            10,  # of which nothing is held out: there is a folder for that
            background,
            unreadable,
            cache,
            num_workers,
            seed,
        )
        if only == "target":
            raise ValueError("only the source's labels are known, so that only cannot be 'target'; give 'source'")
        checks.choice(("source", None), only=only)
        self.root, self.only = Path(root), only

    @property
    def class_names(self) -> list[str]:
        return sorted(set(self._classes(self._listed("source"), "source")))

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        sources, targets, tests = map(self._listed, ("source", "target", "test"))
        names = self.class_names
        source, sources = self._read(sources, True)
        labels = self._labels(sources, "source", names)
        target, tests = self._read(tests, False)
        held_out = self._labels(tests, "test", names)
        if self.only is not None:
            self.training = Batches(source, labels=labels, vary=self.vary, seed=self.seed)
            self.held_out = Batches(target, labels=held_out, seed=self.seed)
            return
        unknown, _ = self._read(targets, True)
        self.training = Batches(source, unknown, labels=labels, vary=self.vary, unpaired=True, seed=self.seed)
        places = torch.arange(len(tests)) * len(sources) // len(tests)
        shown, _ = self._read([sources[place] for place in places.tolist()], False)
        identities = [places, torch.arange(len(tests))]
        self.held_out = Batches(shown, target, labels=held_out, identities=identities, seed=self.seed)

    def _listed(self, name: str) -> list[Path]:
        if self.root.is_dir() and not (self.root / name).is_dir():
            raise FileNotFoundError(
                f"There is no folder {self.root / name}: {self.root} must have source and test, with a folder for each "
                "class, and target."
            )
        return listed(self.root / name if self.root.is_dir() else self.root)

    def _read(self, paths: list[Path], training: bool) -> tuple[Indexed, list[Path]]:
        """Pictures, and the paths of those that were kept."""
        (pictures,), kept = self.read([(path,) for path in paths], self.reader(training, self.channels))
        return pictures, [paths[i] for i in kept.tolist()]

    def _classes(self, paths: list[Path], name: str) -> list[str]:
        return [_class_of(path, self.root / name, "move it into one") for path in paths]

    def _labels(self, paths: list[Path], name: str, names: list[str]) -> Tensor:
        return _places(self._classes(paths, name), self.root / name, names)
