"""What a batch may be, and the sentence for what it may not."""

import pytest
import torch

from gan_modules.batches import images_of, labelled_domains_of, labelled_images_of, two_images_of

X, Y = torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)
LABELS, POINTS = torch.tensor([0, 1]), torch.zeros(5, 2)


@pytest.mark.parametrize("kind", [tuple, list])
def test_images(kind: type) -> None:
    assert images_of(X) is X
    assert images_of(POINTS) is POINTS
    assert images_of(kind([X])) is X
    assert images_of(kind([X, LABELS])) is X


@pytest.mark.parametrize("kind", [tuple, list])
def test_labelled_images(kind: type) -> None:
    images, labels = labelled_images_of(kind([X, LABELS]))
    assert images is X and labels is LABELS


@pytest.mark.parametrize("kind", [tuple, list])
@pytest.mark.parametrize("rest", [(), (X, Y)])
def test_two_images(kind: type, rest: tuple[torch.Tensor, ...]) -> None:
    x, y = two_images_of(kind([X, Y, *rest]))
    assert x is X and y is Y


@pytest.mark.parametrize("batch", [(X, Y), (X, Y, X, Y), {"image": X}, (), None, (X, LABELS.float()), (None, LABELS)])
def test_what_is_not_images_is_refused(batch: object) -> None:
    with pytest.raises(ValueError, match="expected a batch of images or .images, labels., got"):
        images_of(batch)


@pytest.mark.parametrize("batch", [X, (X,), (X, Y), (X, LABELS.float()), (X, LABELS[:, None]), (X, LABELS, LABELS)])
def test_missing_labels_are_refused(batch: object) -> None:
    with pytest.raises(ValueError, match="this model needs labels: expected .images, labels., got"):
        labelled_images_of(batch)


@pytest.mark.parametrize("batch", [X, (X,), (X, LABELS), (POINTS, POINTS), (X, Y.to(torch.uint8)), {"x": X, "y": Y}])
def test_what_is_not_two_domains_is_refused(batch: object) -> None:
    with pytest.raises(ValueError, match="this model translates images: expected .x, y., got"):
        two_images_of(batch)


def test_labelled_domains() -> None:
    source, target, labels = labelled_domains_of([X, Y, LABELS])
    assert source is X and target is Y and labels is LABELS


@pytest.mark.parametrize(
    "batch", [(X, Y), (X, LABELS, Y), (X, Y, Y), (X, Y, LABELS.float()), (X, Y, LABELS, LABELS), X]
)
def test_what_is_not_labelled_domains_is_refused(batch: object) -> None:
    with pytest.raises(ValueError, match="this model adapts a domain: expected .source, target, labels., got"):
        labelled_domains_of(batch)


def test_the_sentence_says_what_was_given() -> None:
    with pytest.raises(
        ValueError, match=r"got \(float32 of shape \(2, 3, 4, 4\), int64 of shape \(2,\)\); choose data"
    ):
        two_images_of((X, LABELS))
    with pytest.raises(ValueError, match="got dict; choose data"):
        images_of({"image": X})
