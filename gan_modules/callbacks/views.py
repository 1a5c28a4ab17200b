"""What callbacks know of a model: what its `validation_step` returns."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

View = Mapping[str, Tensor]


def views_of(outputs: Any) -> dict[str, View]:
    """The views in what `validation_step` returned, keyed by direction; "" where there is only one.

    A view holds "real" and "fake" (images (n, c, h, w) in [-1, 1], or points (n, 2)), and what else the model has:
    "labels", of both; "source" and "truth" (translators); "samples" (n, k, c, h, w), k further translations of each
    source (stochastic ones); true "classes" and "predicted" ones (classifiers); "reconstruction" and "codes" of the
    real ones (models with inference); the frames that were seen, "history" (n, t, c, h, w), and k predicted ones beside
    the true ones, "rollout" and "future" (n, k, c, h, w), of which "fake" and "truth" are the first (models of films).

    Raises:
        ValueError: if the outputs are neither a view nor views by direction.

    >>> import torch
    >>> list(views_of({"real": torch.zeros(1, 2), "fake": torch.zeros(1, 2)}))
    ['']
    """
    if _is_view(outputs):
        return {"": outputs}
    if isinstance(outputs, Mapping) and outputs and all(_is_view(view) for view in outputs.values()):
        return dict(outputs)
    given = sorted(map(str, outputs)) if isinstance(outputs, Mapping) else type(outputs).__name__
    raise ValueError(
        f'this callback needs a validation_step that returns {{"real": Tensor, "fake": Tensor}}, got {given}; '
        "return it, or leave the callback out"
    )


def metric_key(name: str, direction: str) -> str:
    """The key under which a metric is logged.

    >>> metric_key("fid", ""), metric_key("fid", "x_to_y")
    ('metric/fid', 'metric/fid/x_to_y')
    """
    return f"metric/{name}/{direction}" if direction else f"metric/{name}"


def _is_view(outputs: Any) -> bool:
    return isinstance(outputs, Mapping) and all(isinstance(outputs.get(key), Tensor) for key in ("real", "fake"))
