"""Checkpoint files that carry a hash of all their bytes, so that whatever changes in them later is noticed.

A file is what `torch.save` writes, a zip archive, with a comment: the SHA-256 of the archive without it. All readers of
zip archives read it as ever.
"""

import hashlib
import os
import zipfile
from pathlib import Path
from typing import IO, Any

import torch

_MARK = b"sha256 "
_COMMENT = len(_MARK) + 2 * hashlib.sha256().digest_size
_LENGTH = _COMMENT.to_bytes(2, "little")
_END = b"PK\x05\x06"  # of a zip archive's last record, 22 bytes, of which the last two are the length of the comment
_CHUNK = 2**20


def write(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a file and its seal, until they are on the disk.

    Raises:
        OSError: if that is not possible; half a file may be left.
    """
    with open(path, "wb") as file:
        hashed = _Hashed(file)
        try:
            torch.save(checkpoint, hashed)  # type: ignore[arg-type]
        except RuntimeError as error:
            raise hashed.failure or error from error
        file.seek(-2, os.SEEK_END)
        file.write(_LENGTH + _MARK + hashed.hash.hexdigest().encode())
        file.flush()
        os.fsync(file.fileno())


def damage(source: str | Path | IO[bytes]) -> str | None:
    """What is wrong with a file, to be said after its name; None: it is as it was written.

    A file that `write` wrote is compared with its seal. One that other code wrote has none: its entries are compared
    with the checksums that a zip archive has.
    """
    try:
        if not isinstance(source, (str, Path)):
            return _damage(source)
        with open(source, "rb") as file:
            return _damage(file)
    except OSError as error:
        return f"cannot be read ({(error.strerror or str(error)).lower()})"


def _damage(file: IO[bytes]) -> str | None:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _COMMENT - 2, 0))
    end = file.read()
    if end[2:].startswith(_MARK):
        whole = end == _LENGTH + _MARK + _digest(file, size - len(end))
        return None if whole else "is damaged: it is not what was written"
    # a seal that is lost or spoilt leaves something behind the last record, or half of it
    if end[-22:-18] != _END or end[-2:] != b"\0\0":
        return "is none, or is damaged"
    return _damaged_entry(file)


def _digest(file: IO[bytes], size: int) -> bytes:
    """The SHA-256 of the file as `torch.save` wrote it: the first `size` bytes, and a comment of no length."""
    file.seek(0)
    found = hashlib.sha256()
    while size > 0 and (chunk := file.read(min(_CHUNK, size))):
        found.update(chunk)
        size -= len(chunk)
    found.update(b"\0\0")
    return found.hexdigest().encode()


def _damaged_entry(file: IO[bytes]) -> str | None:
    try:
        with zipfile.ZipFile(file) as archive:
            # torch compresses nothing; what is compressed may unpack to any size
            compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())
            damaged = None if compressed else archive.testzip()
    except OSError:
        raise
    except Exception:  # of a damaged archive zipfile raises nearly anything
        return "is none, or is damaged"
    if compressed:
        return "is none: it is compressed"
    return f"is damaged: its part {damaged} has changed" if damaged else None


class _Hashed:
    """A file for `torch.save` that hashes what passes, and remembers what went wrong, which `torch.save` does not."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.hash = file, hashlib.sha256()
        self.failure: BaseException | None = None

    def write(self, data: Any) -> int:
        try:
            self.hash.update(data)
            return self.file.write(data)
        except BaseException as failure:
            self.failure = failure
            raise

    def flush(self) -> None:
        pass
