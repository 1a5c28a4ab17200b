"""The network of the published FID: torch-fidelity's port of the 2015 Inception, and where its weights come from."""

from pathlib import Path

from torch import Tensor, nn
from torchmetrics.image.fid import NoTrainInceptionV3

from gan_modules.metrics.features import Unavailable
from gan_modules.metrics.inception import checked_path, checked_state, downloaded
from gan_modules.metrics.pixels import match_channels, to_bytes

__all__ = ["checked_path", "inception", "inception_input"]


def inception(feature: str, weights: Path | None) -> nn.Module:
    """The network as byte images (n, 3, h, w) -> features, with the published resize (bilinear, not antialiased).

    Args:
        feature: "2048" (pooled features) or "logits_unbiased".
        weights: a file of torch-fidelity's; None: its download, kept in torch's hub folder.

    Raises:
        Unavailable: if there are no weights, or they lack the last layer that the logits need.
        ValueError: if the file does not hold this network's weights.
    """
    path = weights or downloaded()
    state = checked_state(path)
    if feature != "2048" and not state["fc.weight"].any():
        raise Unavailable(
            f"The Inception Score is left out: the last layer in {path} is all zero, so that every score would be 1; "
            "give weights that have it, such as torch-fidelity's own."
        )
    try:
        return _Inception("inception-v3-compat", [feature], str(path), antialias=False)
    except RuntimeError as error:
        raise ValueError(
            f"expected torch-fidelity's Inception weights in {path}, got those of another network"
        ) from error


class _Inception(NoTrainInceptionV3):
    """The network, which has an answer for no images: a process may have none of those that are scored."""

    num_features = 2048  # asked for by FID alone

    def forward(self, images: Tensor) -> Tensor:
        if len(images):
            return super().forward(images)
        return super().forward(images.new_zeros(1, *images.shape[1:]))[:0]


def inception_input(images: Tensor, real: bool) -> Tensor:
    """Images (n, 1 or 3, h, w) in [-1, 1] as byte images (n, 3, h, w).

    Raises:
        ValueError: as `to_bytes` and `match_channels`.
    """
    return match_channels(to_bytes(images, real), 3)
