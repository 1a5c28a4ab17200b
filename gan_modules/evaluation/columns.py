"""The columns of a table of models, and what fills them: the metrics that fit what a model's validation shows."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import NamedTuple

from torchmetrics import Metric

from gan_modules.callbacks import (
    FID,
    KID,
    LPIPS,
    SWD,
    Accuracy,
    Diversity,
    NearestNeighbour,
    Reconstruction,
    Saturation,
    Sharpness,
    TranslationScores,
)
from gan_modules.callbacks.scores import Scorer, Scores
from gan_modules.callbacks.views import View
from gan_modules.metrics import L1


class Column(NamedTuple):
    """What stands above a number, and how it is written."""

    heading: str
    form: str


COLUMNS: Mapping[str, Column] = {
    "fid": Column("FID ↓", ".1f"),
    "kid": Column("KID ↓", ".4f"),
    "swd": Column("SWD ↓", ".1f"),
    "swd_identity": Column("SWD of sources", ".1f"),
    "psnr": Column("PSNR ↑", ".2f"),
    "psnr_identity": Column("PSNR of sources", ".2f"),
    "ssim": Column("SSIM ↑", ".3f"),
    "ssim_identity": Column("SSIM of sources", ".3f"),
    "lpips": Column("LPIPS ↓", ".3f"),
    "lpips_identity": Column("LPIPS of sources", ".3f"),
    "psnr_hole": Column("PSNR in holes ↑", ".2f"),
    "psnr_hole_identity": Column("PSNR in holes of sources", ".2f"),
    "cycle": Column("there and back, L1 ↓", ".3f"),
    "diversity": Column("diversity", ".3f"),
    "diversity_lpips": Column("diversity, LPIPS", ".3f"),
    "saturation": Column("saturation", ".3f"),
    "saturation_real": Column("saturation of data", ".3f"),
    "sharpness": Column("sharpness", ".3f"),
    "sharpness_reconstruction": Column("sharpness of reconstructions", ".3f"),
    "sharpness_real": Column("sharpness of data", ".3f"),
    "reconstruction_psnr": Column("reconstruction, PSNR ↑", ".2f"),
    "reconstruction_ssim": Column("reconstruction, SSIM ↑", ".3f"),
    "reconstruction_l1": Column("reconstruction, L1 ↓", ".3f"),
    "nearest_neighbour": Column("1-NN of codes ↑", ".3f"),
    "nearest_neighbour_identity": Column("1-NN of pixels", ".3f"),
    "accuracy": Column("accuracy ↑", ".3f"),
    "parameters": Column("parameters, to use it", ",.0f"),
    "parameters_in_all": Column("parameters, in all", ",.0f"),
    "images_per_second": Column("images/s ↑", ",.0f"),
}


class Measures:
    """The callbacks that score models during training, of which each model has those that fit.

    Args:
        count: pictures that are scored.
        weights: a file with the weights of the published Inception, for FID and KID; None: neither.
        lpips_weights: a file with the convolutions of torchvision's AlexNet, for LPIPS; None: pixels are compared.
    """

    def __init__(self, count: int, weights: Path | None = None, lpips_weights: Path | None = None) -> None:
        self._of_features: list[Scores] = []
        if weights is not None:
            self._of_features = [FID(weights), KID(weights, subset_size=min(count, 1000))]
        self._perceptual = None if lpips_weights is None else LPIPS(weights=lpips_weights)
        self._diversity = Diversity("alex" if lpips_weights is not None else None, lpips_weights)
        self._known: dict[Hashable, list[Scorer]] = {}

    def scorers(self, view: View, data: Hashable) -> list[Scorer]:
        """Those for a direction of which validation shows this.

        Args:
            view: its first batch.
            data: what says which data and direction it is of. Models of equal ones have the same scorers, which keep
                what they know of the data.

        Raises:
            ValueError: if it shows no pictures.
        """
        if view["fake"].ndim != 4:
            raise ValueError(
                f"models of pictures are compared, and this one makes {tuple(view['fake'].shape[1:])}; points are "
                "compared by scripts/modes.py"
            )
        first = view["real"][:1].cpu()
        key = data, frozenset(view), first.shape, first.numpy().tobytes()
        if key not in self._known:
            found = [scorer for callback in self._callbacks(view) for scorer in callback.scorers()]
            self._known[key] = found + ([Scorer("cycle", L1(), _returned)] if "returned" in view else [])
        return self._known[key]

    def _callbacks(self, view: View) -> list[Scores]:
        found: list[Scores] = [TranslationScores() if "source" in view else SWD(), Saturation(), Sharpness()]
        if self._perceptual is not None and "truth" in view:
            found.append(self._perceptual)
        if "samples" in view:
            found.append(self._diversity)
        if "reconstruction" in view:
            found.append(Reconstruction())
        if "codes" in view:
            found.append(NearestNeighbour())
        if {"classes", "predicted"} <= view.keys():
            found.append(Accuracy())
        return self._of_features + found


def _returned(metric: Metric, view: View, real: bool) -> None:
    if not real:
        metric.update(view["returned"], view["source"])
