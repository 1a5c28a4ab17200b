"""Checkpoints that neither a kill nor a full disk damages, and of which the newest good one is found."""

import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from gan_modules import seals, vetting
from gan_modules.reading import contents, is_url
from gan_modules.seals import damage

NAMES = ("last.ckpt", "last-previous.ckpt")
"""Checkpoints from which a run goes on, the newest first."""


class SealedCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints whole or not at all, and reads none that is damaged.

    A file is written under another name in the same folder, is made to reach the disk, and only then takes its name;
    the file that had the name becomes `NAME-previous.ckpt`. The file carries a seal (see `seals`). On a remote file
    system (`s3://...`), which has no such names, Lightning writes as it always does.
    """

    def __init__(self) -> None:
        self._written: set[Path] = set()

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            OSError: if it cannot be written; the files that were there are as they were.
        """
        if storage_options is not None or is_url(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            if path not in self._written:
                path.parent.mkdir(parents=True, exist_ok=True)
                sweep(path.parent)
            seals.write(checkpoint, temporary)
            if path in self._written or (path.is_file() and damage(path) is None):
                _keep(path)
            os.replace(temporary, path)
            self._written.add(path)
        except OSError as error:
            raise OSError(
                f"{path} could not be written ({(error.strerror or str(error)).lower()}); what was saved before is as "
                "it was; make room or choose another folder, and go on from there"
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
        _sync(path.parent)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = None
    ) -> dict[str, Any]:
        """What a checkpoint holds. Tensors and plain data are read, whatever `weights_only` says, and no code is run.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is no checkpoint, is damaged, is too old, or is to come from the web.
        """
        if is_url(path) and not re.search("https?:", str(path), re.IGNORECASE):
            checkpoint = super().load_checkpoint(path, map_location, weights_only=True)
        else:
            checkpoint = contents(path, map_location=map_location)
        if "state_dict" in checkpoint:  # else one of the files by which processes that are spawned return weights
            vetting.check_version(checkpoint)
        return checkpoint

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint, and the one that it replaced."""
        super().remove_checkpoint(path)
        if not is_url(path):
            previous(Path(path)).unlink(missing_ok=True)


def newest(folder: str | Path) -> Path | None:
    """The newest undamaged checkpoint of a run's folder `checkpoints` from which the run can go on.

    Damaged ones are named on standard error.
    """
    for path in (Path(folder) / name for name in NAMES):
        if path.exists():
            found = damage(path)
            if found is None:
                return path
            print(f"the checkpoint {path} {found}; so it is left out", file=sys.stderr)
    return None


def previous(path: Path) -> Path:
    """Where the checkpoint is that `path` replaced.

    >>> previous(Path("last.ckpt")).name
    'last-previous.ckpt'
    """
    return path.with_name(f"{path.stem}-previous{path.suffix}")


def sweep(folder: Path) -> None:
    """Remove what processes that were killed while they wrote have left in a folder of checkpoints."""
    for path in folder.glob(".*.ckpt.*.tmp"):
        path.unlink(missing_ok=True)


def _keep(path: Path) -> None:
    """Let the file also be the previous one; where a file cannot have two names, let it be that alone."""
    link = path.with_name(f".{path.name}.{os.getpid()}.link.tmp")
    try:
        os.link(path, link)
        os.replace(link, previous(path))
    except OSError:
        os.replace(path, previous(path))
    finally:
        link.unlink(missing_ok=True)  # nothing is renamed where both are names of the same file


def _sync(folder: Path) -> None:
    """Make names reach the disk, where folders can be opened."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
