"""No kill and no full disk damages a checkpoint, and any other damage is noticed."""

import os
import random
import resource
import signal
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from forked import forked
from gan_modules import seals
from gan_modules.reading import contents
from gan_modules.saving import SealedCheckpointIO, damage, newest, previous

Checkpoint = dict[str, Any]


def checkpoint(number: int = 0, size: int = 5_000) -> Checkpoint:
    tensors = {"weights": torch.full((size,), float(number)), "bias": torch.ones(3)}
    return {"pytorch-lightning_version": "2.6", "number": number, "text": "x" * 50, **tensors}


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    SealedCheckpointIO().save_checkpoint(checkpoint(), tmp_path / "last.ckpt")
    return tmp_path / "last.ckpt"


def number_in(path: Path) -> int:
    return int(contents(path)["number"])


def spread(size: int, count: int) -> list[int]:
    """Places all over a file, a tenth of them in its last 100 bytes."""
    inside = [round(place * (size - 101) / (count - count // 10 - 1)) for place in range(count - count // 10)]
    return inside + [size - 1 - place * 10 for place in range(count // 10)]


def test_a_sealed_file_is_one_that_torch_and_zip_read(sealed: Path) -> None:
    assert damage(sealed) is None
    assert torch.equal(torch.load(sealed, weights_only=True)["weights"], checkpoint()["weights"])
    assert torch.equal(torch.load(sealed, weights_only=True, mmap=True)["weights"], checkpoint()["weights"])
    with zipfile.ZipFile(sealed) as archive:
        assert archive.testzip() is None and archive.comment.startswith(b"sha256 ")


def test_a_flipped_byte_is_noticed_wherever_it_is(sealed: Path) -> None:
    whole = sealed.read_bytes()
    places = spread(len(whole), 100)
    assert len(set(places)) == 100
    for place in places:
        sealed.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
        assert damage(sealed), place
        with pytest.raises(ValueError, match=r"last\.ckpt"):
            SealedCheckpointIO().load_checkpoint(sealed)
    sealed.write_bytes(whole)
    assert damage(sealed) is None


@pytest.mark.slow
def test_every_flipped_bit_of_headers_paddings_and_seal_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    SealedCheckpointIO().save_checkpoint({"a": torch.ones(2)}, path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
        assert damage(path), place


def test_a_cut_or_lengthened_file_is_noticed(sealed: Path) -> None:
    whole = sealed.read_bytes()
    lengths = [*range(0, len(whole), len(whole) // 100), *range(len(whole) - 100, len(whole))]
    for changed in [whole[:length] for length in lengths] + [whole + b"\0", whole + whole]:
        sealed.write_bytes(changed)
        assert damage(sealed), len(changed)


def test_checkpoints_of_other_code_are_read_and_their_damage_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "foreign.ckpt"
    torch.save(checkpoint(), path)
    assert damage(path) is None and number_in(path) == 0
    whole = path.read_bytes()
    place = whole.index(checkpoint()["weights"].numpy().tobytes()) + 9
    path.write_bytes(whole[:place] + b"\1" + whole[place + 1 :])
    assert "has changed" in str(damage(path))
    for wrong in (whole[:-1], whole[: len(whole) // 2], b"", b"hello", whole[:-2] + b"\1\0x"):
        path.write_bytes(wrong)
        assert damage(path)


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    assert "cannot be read" in str(damage(tmp_path / "missing.ckpt"))
    assert "cannot be read" in str(damage(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"missing\.ckpt"):
        contents(tmp_path / "missing.ckpt")
    torch.save([1], tmp_path / "list.ckpt")
    with pytest.raises(ValueError, match="holds a list"):
        contents(tmp_path / "list.ckpt")


class Payload:
    def __reduce__(self) -> Any:
        return (os.mkdir, ("executed",))


@pytest.mark.parametrize("weights_only", [None, True, False])
def test_nothing_in_a_file_is_executed_nor_fetched(
    weights_only: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"payload": Payload()}, "bad.ckpt")
    with pytest.raises(ValueError, match=r"bad\.ckpt"):
        SealedCheckpointIO().load_checkpoint("bad.ckpt", weights_only=weights_only)
    assert not Path("executed").exists()
    for url in ("http://localhost:1/a.ckpt", "HTTPS://localhost:1/a.ckpt", "simplecache::http://localhost:1/a.ckpt"):
        with pytest.raises(ValueError, match="the URL"):
            SealedCheckpointIO().load_checkpoint(url, weights_only=weights_only)


def test_other_file_systems_are_left_to_lightning() -> None:
    plugin = SealedCheckpointIO()
    plugin.save_checkpoint(checkpoint(5), "memory://folder/last.ckpt")
    assert plugin.load_checkpoint("memory://folder/last.ckpt")["number"] == 5


def test_the_file_that_is_replaced_is_kept_and_goes_with_it(tmp_path: Path) -> None:
    plugin, last = SealedCheckpointIO(), tmp_path / "checkpoints" / "last.ckpt"
    for number in range(3):
        plugin.save_checkpoint(checkpoint(number), str(last))
    assert sorted(path.name for path in last.parent.iterdir()) == ["last-previous.ckpt", "last.ckpt"]
    assert (number_in(last), number_in(previous(last))) == (2, 1)
    plugin.remove_checkpoint(last)
    assert list(last.parent.iterdir()) == []


def test_without_links_there_is_a_good_file_at_any_moment(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", unsupported)
    replace, seen = os.replace, []

    def watched(source: Path, target: Path) -> None:
        seen.append(newest(sealed.parent))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    SealedCheckpointIO().save_checkpoint(checkpoint(1), sealed)
    assert seen == [sealed, previous(sealed)]
    assert (number_in(sealed), number_in(previous(sealed))) == (1, 0)


def test_a_damaged_file_does_not_take_the_place_of_the_good_one_before_it(sealed: Path) -> None:
    SealedCheckpointIO().save_checkpoint(checkpoint(1), sealed)
    sealed.write_bytes(sealed.read_bytes()[:-7])
    SealedCheckpointIO().save_checkpoint(checkpoint(2), sealed)
    assert (number_in(sealed), number_in(previous(sealed))) == (2, 0)


def test_the_newest_good_one_is_found_and_damaged_ones_are_named(
    sealed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert newest(sealed.parent / "nowhere") is None
    SealedCheckpointIO().save_checkpoint(checkpoint(1), sealed)
    assert newest(sealed.parent) == sealed and capsys.readouterr().err == ""
    sealed.write_bytes(b"")
    assert newest(sealed.parent) == previous(sealed)
    (line,) = capsys.readouterr().err.splitlines()
    assert str(sealed) in line
    previous(sealed).write_bytes(b"")
    assert newest(sealed.parent) is None
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize("elsewhere", [False, True], ids=["", "TMPDIR elsewhere"])
@pytest.mark.parametrize("kills", [8, pytest.param(50, marks=pytest.mark.slow)])
def test_a_kill_inside_a_save_damages_nothing(
    kills: int, elsewhere: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", "/dev/shm" if elsewhere else str(tmp_path))
    last, saved, orphans = tmp_path / "last.ckpt", 0, 0
    moments = random.Random(kills)
    SealedCheckpointIO().save_checkpoint(checkpoint(saved, 1_000_000), last)

    def save_on() -> None:
        plugin = SealedCheckpointIO()
        for number in range(saved + 1, saved + 1_000):
            plugin.save_checkpoint(checkpoint(number, 1_000_000), last)

    for _ in range(kills):
        child = forked(save_on)
        time.sleep(moments.uniform(0.005, 0.08))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        orphans += any(path.suffix == ".tmp" for path in tmp_path.iterdir())
        for path in (last, previous(last)):
            assert not path.exists() or damage(path) is None
        found = newest(tmp_path)
        assert found == last and number_in(last) >= saved
        saved = number_in(last)
    assert orphans > kills / 4  # that many were killed in the middle
    SealedCheckpointIO().save_checkpoint(checkpoint(saved + 1), last)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last-previous.ckpt", "last.ckpt"]
    assert (number_in(last), number_in(previous(last))) == (saved + 1, saved)


def said_when_full(path: Path, limit: int, size: int) -> str:
    """What a save says in a process whose files must not grow beyond `limit` bytes."""
    reader, writer = os.pipe()

    def save() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            SealedCheckpointIO().save_checkpoint(checkpoint(9, size), path)
        except OSError as error:
            os.write(writer, str(error).encode())

    child = forked(save)
    assert os.waitpid(child, 0)[1] == 0
    os.close(writer)
    with os.fdopen(reader) as said:
        return said.read()


@pytest.mark.parametrize("limit", [0, 100, 5_000, 700_000, 799_990, 801_700])
def test_a_full_disk_is_one_sentence_and_older_files_are_as_they_were(limit: int, tmp_path: Path) -> None:
    plugin, last = SealedCheckpointIO(), tmp_path / "last.ckpt"
    for number in range(2):
        plugin.save_checkpoint(checkpoint(number), last)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    sentence = said_when_full(last, limit, 200_000)
    assert str(last) in sentence and "too large" in sentence and "\n" not in sentence
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


class Interrupted:
    """A hash and a disk that Ctrl-C meets."""

    def __call__(self, *_: Any) -> None:
        raise KeyboardInterrupt

    update = __call__


@pytest.mark.parametrize("where", ["hash", "disk"])
def test_ctrl_c_inside_a_save_leaves_older_files_and_no_others(
    where: str, sealed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sealed.read_bytes()
    if where == "disk":
        monkeypatch.setattr(os, "fsync", Interrupted())
    else:
        monkeypatch.setattr(seals.hashlib, "sha256", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        SealedCheckpointIO().save_checkpoint(checkpoint(1), sealed.with_name("new.ckpt"))
    assert list(sealed.parent.iterdir()) == [sealed] and sealed.read_bytes() == before
