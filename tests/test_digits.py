"""The classifier of digits: it learns, is kept, and is not believed when it is damaged or no longer right."""

from pathlib import Path

import pytest
import torch

from datamodules import MNIST, StackedMNIST
from gan_modules import digits
from gan_modules.digits import DigitClassifier, accuracy, kept_classifier, stacked_classes
from gan_modules.saving import SealedCheckpointIO
from mnist_files import write_bars

Part = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    write_bars(folder)
    return folder


@pytest.fixture(scope="module")
def parts(root: Path) -> tuple[Part, Part]:
    data = MNIST(root, download=False, image_size=28)
    data.setup("fit")
    training, test = ((part.columns[0], part.labels) for part in (data.training, data.held_out))
    return training, test  # type: ignore[return-value]


@pytest.fixture(scope="module")
def kept(root: Path, parts: tuple[Part, Part]) -> Path:
    path = root / "made" / "classifier.ckpt"
    _, share = kept_classifier(path, *parts)
    assert 0.99 < share <= 1 and path.is_file()
    return path


def test_it_reads_stacks(root: Path, parts: tuple[Part, Part], kept: Path) -> None:
    classifier, _ = kept_classifier(kept, *parts)
    data = StackedMNIST(root, download=False, stacks=100, held_out_stacks=300, seed=0)
    data.setup("fit")
    images, labels = data.on_after_batch_transfer(data.held_out[0, torch.arange(300)], 0)  # type: ignore[misc]
    assert (stacked_classes(classifier, images) == labels).float().mean() > 0.97


def test_a_kept_one_is_not_trained_again(parts: tuple[Part, Part], kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "trained", lambda *_: pytest.fail("trained again"))
    state = torch.get_rng_state()
    classifier, share = kept_classifier(kept, *parts)
    assert share == accuracy(classifier, *parts[1]) and not classifier.training
    assert torch.equal(torch.get_rng_state(), state)


def wrong_files(kept: Path, folder: Path) -> dict[str, Path]:
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    files = {name: folder / name for name in ("changed", "cut", "text", "untrained", "other")}
    files["changed"].write_bytes(content)
    files["cut"].write_bytes(kept.read_bytes()[:-100])
    files["text"].write_text("no classifier")
    SealedCheckpointIO().save_checkpoint({"classifier": DigitClassifier().state_dict()}, files["untrained"])
    SealedCheckpointIO().save_checkpoint({"classifier": {"weight": torch.zeros(2)}}, files["other"])
    return files


def test_damaged_and_wrong_files_are_replaced(
    parts: tuple[Part, Part],
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    good, share = kept_classifier(kept, *parts)
    monkeypatch.setattr(digits, "trained", lambda *_: good)
    for name, path in wrong_files(kept, tmp_path).items():
        assert kept_classifier(path, *parts)[1] == share
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and str(path) in said and "another one is trained" in said, name
        assert kept_classifier(path, *parts)[1] == share and not capsys.readouterr().err, name


def test_one_that_does_not_learn_is_refused(parts: tuple[Part, Part], tmp_path: Path) -> None:
    (pictures, classes), test = parts
    with pytest.raises(ValueError, match=r"the digit classifier is right on .* of the test digits, and modes are"):
        kept_classifier(tmp_path / "classifier.ckpt", (pictures[:200], classes[:200].flip(0)), test)
    assert not list(tmp_path.iterdir())
