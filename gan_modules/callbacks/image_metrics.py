"""Metrics of generated images that need a network of features, during training."""

from collections.abc import Callable, Hashable
from functools import cached_property
from pathlib import Path
from typing import Literal, TypedDict, Unpack, get_args
from weakref import WeakValueDictionary

import torch
from torch import nn

from gan_modules import checks, metrics
from gan_modules.callbacks.scores import Scorer, Scores, alone, labelled
from gan_modules.metrics.features import FeatureNetwork
from gan_modules.metrics.inception import Resize, inception
from gan_modules.metrics.networks import dinov2, torchvision_network

Dtype = Literal["float32", "bfloat16"]
_known: WeakValueDictionary[Hashable, FeatureNetwork] = WeakValueDictionary()


class NetworkOptions(TypedDict, total=False):
    """Which network, and whether what it makes of the data is kept; see `NetworkScores`."""

    network: nn.Module | str | None
    resize: Resize
    dtype: Dtype
    cache: bool | str | Path


class NetworkScores(Scores):
    """What the callbacks below share: a network of features, of which a run has one copy, and makes one pass a batch.

    The name of a value says what it is from: `metric/fid` is from the published network and resize alone, and
    anything else says so, as `metric/fid-clean`, `metric/fid-bf16` or `metric/fid_mynetwork`.

    Args:
        weights: a file of the network's weights; None: their download. Of Inception they are torch-fidelity's.
        num_samples: use at most so many samples, over all processes; None: all of the validation data.
        every_n_epochs: score the validations of every n-th epoch; in between the last value stands.
        network: another one than the Inception of the published numbers: the name of one of torchvision's classifiers,
            as "efficientnet_b0", or "dinov2"; a `FeatureNetwork`; or any module from byte images (n, 3, h, w) to
            features (n, d). Callbacks with equal options share it.
        resize: how Inception's images are resized, "published" or "clean".
        dtype: what Inception computes in, "float32" or "bfloat16".
        cache: keep what the network makes of the data on the disk, in the folder given, or (True) in the user's, so
            that the next run starts with it; see `gan_modules.metrics.cache`.

    Raises:
        FileNotFoundError: if `weights` is given and is not there.
        ValueError: for other choices.
    """

    def __init__(
        self,
        weights: Path | str | None = None,
        num_samples: int | None = None,
        every_n_epochs: int = 1,
        **options: Unpack[NetworkOptions],
    ) -> None:
        super().__init__(every_n_epochs, num_samples, options.get("cache", True))
        if weights is not None and not Path(weights).is_file():
            raise FileNotFoundError(
                f"expected a file of a network's weights, found none at {weights}; correct the path, or leave it out "
                "to download them"
            )
        self.weights, self._given = None if weights is None else Path(weights), options.get("network")
        self.resize, self.dtype = options.get("resize", "published"), options.get("dtype", "float32")
        checks.choice(get_args(Resize), resize=self.resize)
        checks.choice(get_args(Dtype), dtype=self.dtype)

    @cached_property
    def network(self) -> FeatureNetwork:
        """The network; callbacks with equal options have the same one."""
        if self._given is None:
            return inception(self.weights, self.resize, getattr(torch, self.dtype))
        given = self._given
        if isinstance(given, FeatureNetwork):
            return given
        if isinstance(given, str):
            return _shared((given, self.weights), lambda: _by_name(given, self.weights))
        return _shared(id(given), lambda: FeatureNetwork(given, f"_{type(given).__name__.lower()}"))


class FID(NetworkScores):
    """Logs `metric/fid`, the Fréchet Inception distance, and `metric/fid_samples`, after validation.

    Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter (2017). It is biased upwards, the more so the fewer the
    samples: compare equal numbers of samples alone. Arguments: see `NetworkScores`.
    """

    def scorers(self) -> list[Scorer]:
        return [Scorer("fid", metrics.FrechetDistance(self.network, reset_real=False))]


class KID(NetworkScores):
    """Logs `metric/kid`, the kernel Inception distance, `metric/kid_std` over subsets, and `metric/kid_samples`.

    Bińkowski, Sutherland, Arbel and Gretton (2018): unbiased, with the cubic polynomial kernel. The subsets are drawn
    from a seed of their own, for the samples in the order of the validation data: they do not depend on the number of
    processes, nor on the batches.

    Args:
        weights, num_samples, every_n_epochs: see `NetworkScores`.
        subsets: how many subsets the mean is taken over.
        subset_size: samples in a subset; where there are fewer, all of them, with a warning.
        options: of `NetworkScores`.
    """

    def __init__(
        self,
        weights: Path | str | None = None,
        num_samples: int | None = None,
        every_n_epochs: int = 1,
        subsets: int = 100,
        subset_size: int = 1000,
        **options: Unpack[NetworkOptions],
    ) -> None:
        checks.whole(1, subsets=subsets)
        checks.whole(2, subset_size=subset_size)
        super().__init__(weights, num_samples, every_n_epochs, **options)
        self.subsets, self.subset_size = subsets, subset_size

    def scorers(self) -> list[Scorer]:
        metric = metrics.KernelDistance(self.network, self.subsets, self.subset_size, reset_real=False)
        return [Scorer("kid", metric)]


class InceptionScore(NetworkScores):
    """Logs `metric/inception_score`, `metric/inception_score_std` over splits, and `metric/inception_score_samples`.

    Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen (2016). Which split a sample falls into depends on
    its place in the validation data, not on the number of processes or the batches. Weights without the last layer are
    refused: the run says so and goes on without the score.

    Args:
        weights, num_samples, every_n_epochs: see `NetworkScores`.
        splits: how many parts the samples are cut into; the score is the mean over them.
        options: of `NetworkScores`.
    """

    def __init__(
        self,
        weights: Path | str | None = None,
        num_samples: int | None = None,
        every_n_epochs: int = 1,
        splits: int = 10,
        **options: Unpack[NetworkOptions],
    ) -> None:
        checks.whole(1, splits=splits)
        super().__init__(weights, num_samples, every_n_epochs, **options)
        self.splits = splits

    def scorers(self) -> list[Scorer]:
        return [Scorer("inception_score", metrics.InceptionScore(self.network, self.splits), alone)]


class IntraFID(NetworkScores):
    """Logs `metric/intra_fid`, the mean over classes of the Fréchet distance within a class, and `_samples`.

    Miyato and Koyama (2018). It sees classes that are mixed up, and variety that is lost within one. For models that
    show "labels" in validation. Arguments: see `NetworkScores`.
    """

    def scorers(self) -> list[Scorer]:
        return [Scorer("intra_fid", metrics.IntraFrechetDistance(self.network, reset_real=False), labelled)]


class PRDC(NetworkScores):
    """Logs `metric/precision`, `recall`, `density` and `coverage` of generated images, each with its `_samples`.

    Precision says how many generated images look like data, recall how many data look like generated images
    (Kynkäänniemi et al., 2019); density and coverage (Naeem et al., 2020) say the same and are less moved by outliers.
    All depend on the number of samples: compare equal numbers alone.

    Args:
        weights, num_samples, every_n_epochs: see `NetworkScores`.
        k: neighbours that a ball of precision and recall reaches to.
        density_k: neighbours that a ball of density and coverage reaches to.
        options: of `NetworkScores`.
    """

    def __init__(
        self,
        weights: Path | str | None = None,
        num_samples: int | None = None,
        every_n_epochs: int = 1,
        k: int = 3,
        density_k: int = 5,
        **options: Unpack[NetworkOptions],
    ) -> None:
        checks.whole(1, k=k, density_k=density_k)
        self.k, self.density_k, self.least = k, density_k, max(k, density_k) + 1
        super().__init__(weights, num_samples, every_n_epochs, **options)

    def scorers(self) -> list[Scorer]:
        return [Scorer("precision", metrics.PRDC(self.network, self.k, self.density_k, reset_real=False))]


def _shared(key: Hashable, make: Callable[[], FeatureNetwork]) -> FeatureNetwork:
    """The network of that key, of which there is one as long as anything holds it."""
    if (network := _known.get(key)) is None:
        network = _known[key] = make()
    return network


def _by_name(name: str, weights: Path | None) -> FeatureNetwork:
    return dinov2() if name == "dinov2" else torchvision_network(name, weights)
