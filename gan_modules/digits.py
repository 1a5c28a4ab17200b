"""A classifier of handwritten digits, which says what the pictures of a generator show."""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from gan_modules.classifiers import fitted
from gan_modules.networks.checks import check_images
from gan_modules.randomness import mix
from gan_modules.reading import contents
from gan_modules.saving import SealedCheckpointIO

ACCURACY = 0.99
"""What a classifier must reach on the test digits to be used."""
_PART = 1000  # digits that are classified at once


class DigitClassifier(nn.Module):
    """Digits (n, 1, 28, 28) in [-1, 1] -> logits (n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 24, 5), nn.BatchNorm2d(24), nn.MaxPool2d(2), nn.ReLU(inplace=True),
            nn.Conv2d(24, 48, 5), nn.BatchNorm2d(48), nn.MaxPool2d(2), nn.ReLU(inplace=True),
            nn.Flatten(), nn.Linear(48 * 4 * 4, 128), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Linear(128, 10),
        )  # fmt: skip

    def forward(self, digits: Tensor) -> Tensor:
        check_images(digits, 1, 28)
        return self.layers(digits)


@torch.no_grad()
def stacked_classes(classifier: nn.Module, images: Tensor) -> Tensor:
    """The number 0 to 999 that each of images (n, 3, 28, 28) in [-1, 1] shows: int64 (n,).

    The channels are its hundreds, tens and ones, as in `datamodules.StackedMNIST`.
    """
    digits = images.flatten(0, 1)[:, None]
    found = torch.cat([classifier(part).argmax(1) for part in digits.split(_PART)]).unflatten(0, (-1, 3))
    return (found * torch.tensor([100, 10, 1], device=found.device)).sum(1)


@torch.no_grad()
def accuracy(classifier: nn.Module, digits: Tensor, classes: Tensor) -> float:
    """The share of uint8 digits (n, 1, 28, 28) that the classifier, in evaluation mode, assigns to their class (n,)."""
    classifier.eval()
    parts = zip(digits.split(_PART), classes.split(_PART), strict=True)
    right = sum(int((classifier(scaled(part)).argmax(1) == known).sum()) for part, known in parts)
    return right / len(digits)


def trained(digits: Tensor, classes: Tensor, epochs: int = 6, batch_size: int = 100, seed: int = 0) -> DigitClassifier:
    """A classifier of uint8 digits (n, 1, 28, 28) of known classes (n,), in evaluation mode.

    Adam with a one-cycle learning rate; initial weights, order and dropout are of the seed, and no other random numbers
    are disturbed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(mix(seed))
        classifier, whole = DigitClassifier(), len(digits) // batch_size
        batches = (
            (scaled(digits[chosen]), classes[chosen])
            for _ in range(epochs)
            for chosen in torch.randperm(len(digits)).split(batch_size)[:whole]
        )
        fitted(classifier, batches, epochs * whole)
    return classifier.eval()


def kept_classifier(
    path: Path, training: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]
) -> tuple[DigitClassifier, float]:
    """The classifier that `path` keeps, or one that is trained now and kept there; and its accuracy on the test digits.

    A file is believed if its seal is whole and the classifier in it still is right often enough; otherwise that is said
    and it is replaced.

    Args:
        path: of the file.
        training, test: uint8 digits (n, 1, 28, 28) and their classes (n,).

    Raises:
        ValueError: if a trained classifier is right on no more than 99 % of the test digits.
        OSError: if the file cannot be written.
    """
    if path.exists():
        try:
            classifier = _loaded(path)
            if (share := accuracy(classifier, *test)) > ACCURACY:
                return classifier, share
            reason = f"is right on {share:.1%} of the test digits only"
        except (ValueError, OSError, RuntimeError, KeyError) as error:
            reason = f"cannot be used ({str(error).splitlines()[0]})"
        print(f"the digit classifier {path} {reason}; another one is trained", file=sys.stderr)
    classifier = trained(*training)
    share = accuracy(classifier, *test)
    if share <= ACCURACY:
        raise ValueError(
            f"the digit classifier is right on {share:.1%} of the test digits, and modes are counted by one that is "
            f"right on more than {ACCURACY:.0%}; check that the digits and their labels are MNIST's"
        )
    SealedCheckpointIO().save_checkpoint({"classifier": classifier.state_dict(), "accuracy": share}, path)
    return classifier, share


def scaled(digits: Tensor) -> Tensor:
    """uint8 pictures as numbers in [-1, 1]."""
    return digits.float().div_(127.5).sub_(1)


def _loaded(path: Path) -> DigitClassifier:
    """The classifier in a file, in evaluation mode."""
    with torch.device("meta"):  # draws no random numbers
        classifier = DigitClassifier()
    classifier.load_state_dict(contents(path)["classifier"], assign=True)
    return classifier.eval()
