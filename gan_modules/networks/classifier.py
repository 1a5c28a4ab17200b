"""A small classifier of images, as a target of attacks and for the task of a domain adaptation."""

from itertools import pairwise

from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import base_and_doublings, check_images
from gan_modules.networks.layers import Dropout, Norm, normalised


class ImageClassifier(nn.Module):
    """Images (n, channels, h, w) -> class logits (n, num_classes): convolutions of 3 x 3, each halving the size.

    With `norm=None`, `hidden=100` and `dropout=0.5` it is the classifier of pixel-level domain adaptation (Bousmalis et
    al., 2017; the authors' `doubling_cnn_class_and_quaternion`).

    Args:
        num_classes: number of classes.
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width: feature maps of the first layer; they double with every halving of the size.
        norm: after every convolution; None for biases instead.
        hidden: units of a layer before the logits; 0 for none.
        dropout: probability with which they, or the last feature maps, are dropped.

    Raises:
        ValueError: for another image_size; from `forward`, for images of another shape.
    """

    def __init__(
        self,
        num_classes: int = 10,
        image_size: int = 32,
        channels: int = 3,
        width: int = 32,
        norm: Norm | None = nn.BatchNorm2d,
        hidden: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        checks.whole(1, num_classes=num_classes, channels=channels, width=width)
        checks.whole(0, hidden=hidden)
        checks.fraction(dropout=dropout)
        base, doublings = base_and_doublings(image_size)
        self.image_size, self.channels = image_size, channels
        widths = [channels, *(width * 2**level for level in range(doublings))]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=norm is None)
            layers += [convolution, *normalised(norm, outputs), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        layers.append(nn.Flatten())
        features = widths[-1] * base**2
        if hidden:
            layers += [nn.Linear(features, hidden), nn.ReLU(inplace=True)]
        if dropout:
            layers.append(Dropout(dropout))
        self.layers = nn.Sequential(*layers, nn.Linear(hidden or features, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.channels, self.image_size)
        return self.layers(images)
