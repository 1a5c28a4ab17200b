"""Pictures of predicted frames: strips of a film under each other, and the film itself."""

import torch
from PIL import Image

from gan_modules.callbacks import drawing
from gan_modules.callbacks.views import View

_EMPTY = 0.82  # as light as the mount


def strips(view: View, scale: int | None = None) -> Image.Image:
    """For each clip a row of the frames that were seen and of those that followed, and under it the predicted ones.

    Args:
        view: holds "history" (n, t, c, h, w), "rollout" (n, k, c, h, w) and "future" of the same shape.
        scale: whole number by which pixels are enlarged; None: as far as fits into 1024 pixels.
    """
    history, rollout, future = (view[key].float() for key in ("history", "rollout", "future"))
    rows = [torch.cat([history, future], dim=1), torch.cat([torch.full_like(history, _EMPTY), rollout], dim=1)]
    images = torch.stack(rows, dim=1).flatten(0, 2)
    return drawing.grid(images, history.shape[1] + rollout.shape[1], scale, ["truth", "prediction"] * len(history))


def film(view: View, rows: int = 4, scale: int = 3) -> list[Image.Image]:
    """A picture for each moment: true frames beside the predicted ones, which begin after the history.

    Args:
        view: as for `strips`; without a "future" there are predicted frames alone.
        rows: clips under each other; more of them go on in further columns.
        scale: whole number by which pixels are enlarged.
    """
    history, rollout = view["history"], view["rollout"]
    seen, shown = history.shape[1], {"prediction": torch.cat([history, rollout], dim=1)}
    if "future" in view:
        shown = {"truth": torch.cat([history, view["future"]], dim=1), **shown}
    pictures = []
    for moment in range(seen + rollout.shape[1]):
        names = {"prediction": "seen"} if moment < seen else {}
        columns = [(names.get(name, name), frames[:, moment]) for name, frames in shown.items()]
        blocks = range(0, len(history), rows)
        groups = [("", [(name, each[start : start + rows]) for name, each in columns]) for start in blocks]
        pictures.append(drawing.titled_columns(groups, scale))
    return pictures
