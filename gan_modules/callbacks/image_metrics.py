"""FID, KID and the Inception Score during training."""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore as TorchInceptionScore
from torchmetrics.image.kid import KernelInceptionDistance
from torchmetrics.utilities import dim_zero_cat

from gan_modules.callbacks.inception import checked_path, inception, inception_input
from gan_modules.callbacks.scores import Scorer, Scores
from gan_modules.callbacks.views import View
from gan_modules.checks import whole
from gan_modules.metrics.gathering import in_turn


class FID(Scores):
    """Logs `metric/fid`, the Fréchet Inception distance, and `metric/fid_samples`, after validation.

    Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter (2017), with the network and the resize of the published
    numbers. It is biased upwards, the more so the fewer the samples: compare equal numbers of samples alone.

    Args:
        weights: a file of torch-fidelity's Inception weights; None: its download.
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.

    Raises:
        FileNotFoundError: if `weights` is given and is not there.
    """

    def __init__(
        self, weights: Path | str | None = None, num_samples: int | None = None, every_n_epochs: int = 1
    ) -> None:
        super().__init__(["fid"], partial(_fid, checked_path(weights)), every_n_epochs, num_samples)


class KID(Scores):
    """Logs `metric/kid`, the kernel Inception distance, `metric/kid_std` over subsets, and `metric/kid_samples`.

    Bińkowski, Sutherland, Arbel and Gretton (2018): unbiased, with the cubic polynomial kernel. The subsets are drawn
    from a seed of their own, for the samples in the order of the validation data: they do not depend on the number of
    processes, nor on the batches.

    Args:
        weights: a file of torch-fidelity's Inception weights; None: its download.
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.
        subsets: how many subsets the mean is taken over.
        subset_size: samples in a subset; where there are fewer, all of them, with a warning.

    Raises:
        FileNotFoundError: if `weights` is given and is not there.
    """

    def __init__(
        self,
        weights: Path | str | None = None,
        num_samples: int | None = None,
        every_n_epochs: int = 1,
        subsets: int = 100,
        subset_size: int = 1000,
    ) -> None:
        whole(1, subsets=subsets)
        whole(2, subset_size=subset_size)
        prepare = partial(_kid, checked_path(weights), subsets, subset_size)
        super().__init__(["kid"], prepare, every_n_epochs, num_samples)


class InceptionScore(Scores):
    """Logs `metric/inception_score`, `metric/inception_score_std` over splits, and `metric/inception_score_samples`.

    Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen (2016). Which split a sample falls into depends on
    its place in the validation data, not on the number of processes or the batches. Weights without the last layer are
    refused: the run says so and goes on without the score.

    Args:
        weights: a file of torch-fidelity's Inception weights; None: its download.
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.
        splits: how many parts the samples are cut into; the score is the mean over them.

    Raises:
        FileNotFoundError: if `weights` is given and is not there.
    """

    def __init__(
        self,
        weights: Path | str | None = None,
        num_samples: int | None = None,
        every_n_epochs: int = 1,
        splits: int = 10,
    ) -> None:
        whole(1, splits=splits)
        super().__init__(
            ["inception_score"], partial(_inception_score, checked_path(weights), splits), every_n_epochs, num_samples
        )


def _fid(weights: Path | None) -> Callable[[], Scorer]:
    network = inception("2048", weights)
    return lambda: _Distance(FrechetInceptionDistance(network, reset_real_features=False), "fid")


def _kid(weights: Path | None, subsets: int, subset_size: int) -> Callable[[], Scorer]:
    network = inception("2048", weights)
    return lambda: _Distance(_quietly(partial(_KernelDistance, network, subsets, subset_size)), "kid", "kid_std")


def _inception_score(weights: Path | None, splits: int) -> Callable[[], Scorer]:
    network = inception("logits_unbiased", weights)
    return lambda: _Score(_quietly(partial(_SplitScore, network, splits)))


class _Distance:
    """A distance between real and generated images, of which the real side is taken in once."""

    def __init__(self, metric: Metric, *names: str) -> None:
        self.metric, self.names = metric, names
        self.knows_real = False

    def to(self, device: torch.device) -> None:
        self.metric.to(device)

    def update(self, view: View) -> None:
        if not self.knows_real:
            self.metric.update(inception_input(view["real"], real=True), real=True)
        self.metric.update(inception_input(view["fake"], real=False), real=False)

    def compute(self) -> dict[str, Tensor]:
        self.knows_real = True
        values = self.metric.compute()
        self.metric.reset()
        return dict(zip(self.names, values if isinstance(values, tuple) else (values,), strict=True))


class _Score:
    """The Inception Score, which asks for no data."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def to(self, device: torch.device) -> None:
        self.metric.to(device)

    def update(self, view: View) -> None:
        self.metric.update(inception_input(view["fake"], real=False))

    def compute(self) -> dict[str, Tensor]:
        score, deviation = self.metric.compute()
        self.metric.reset()
        values = {"inception_score": score, "inception_score_std": deviation}
        return {name: value for name, value in values.items() if value.isfinite()}  # one split has no deviation


class _KernelDistance(KernelInceptionDistance):
    """The kernel Inception distance over subsets that are never larger than what there is.

    The subsets are of the same samples over any number of processes, and in any split into batches.
    """

    def __init__(self, network: nn.Module, subsets: int, subset_size: int) -> None:
        super().__init__(network, subsets, subset_size, reset_real_features=False, dist_sync_fn=in_turn)
        for features in ("real_features", "fake_features"):
            self.add_state(features, [], dist_reduce_fx="cat")

    def compute(self) -> tuple[Tensor, Tensor]:
        available = min(len(dim_zero_cat(self.real_features)), len(dim_zero_cat(self.fake_features)))
        if available < self.subset_size:
            rank_zero_warn(
                f"KID was asked for subsets of {self.subset_size} samples, but there are {available}: it uses subsets "
                f"of {available}; set subset_size={available}, or give more validation data."
            )
            self.subset_size = available
        return super().compute()


class _SplitScore(TorchInceptionScore):
    """The Inception Score, which splits the same samples alike over any number of processes."""

    def __init__(self, network: nn.Module, splits: int) -> None:
        super().__init__(network, splits, dist_sync_fn=in_turn)
        self.add_state("features", [], dist_reduce_fx="cat")


_Built = TypeVar("_Built", bound=Metric)


def _quietly(build: Callable[[], _Built]) -> _Built:
    """A metric, without the warning that it keeps features: the number of samples is the user's to choose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return build()
