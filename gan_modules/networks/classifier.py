"""A small classifier of images, as a target of attacks."""

from itertools import pairwise

from torch import Tensor, nn

from gan_modules import checks
from gan_modules.networks.checks import base_and_doublings, check_images


class ImageClassifier(nn.Module):
    """Images (n, channels, h, w) -> class logits (n, num_classes): convolutions of 3 x 3, each halving the size.

    Args:
        num_classes: number of classes.
        image_size: 4, 5, 6 or 7 times a power of two, at least 8.
        channels: of the images.
        width: feature maps of the first layer; they double with every halving of the size.

    Raises:
        ValueError: for another image_size; from `forward`, for images of another shape.
    """

    def __init__(self, num_classes: int = 10, image_size: int = 32, channels: int = 3, width: int = 32) -> None:
        super().__init__()
        checks.whole(1, num_classes=num_classes, channels=channels, width=width)
        base, doublings = base_and_doublings(image_size)
        self.image_size, self.channels = image_size, channels
        widths = [channels, *(width * 2**level for level in range(doublings))]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * base**2, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.channels, self.image_size)
        return self.layers(images)
