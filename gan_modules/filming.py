"""Films from checkpoints: what `scripts/sample.py` does for models that predict frames."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from datamodules import MovingEmoji, find_pictures, load_picture
from gan_modules import checkpoints, checks
from gan_modules.batches import frames_of
from gan_modules.callbacks import drawing, films
from gan_modules.translation import VideoGAN

_STEPS = 8
_DRAWN = ("style", "emoji_size", "most", "speed", "coloured", "image_size")
"""What a checkpoint's own data decide of the clips."""


def save_film(checkpoint: Path, out: Path, n: int = 4, frames: Path | None = None, trust: tuple[str, ...] = ()) -> None:
    """Write an animated GIF of what the model predicts from the frames in a folder, or of `n` clips of emoji.

    Emoji are held out and beside the truth. Of a folder, the last frames by name are seen, which are brought to the
    size that the model was trained at; the frames that follow are the model's alone.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if the checkpoint is none (see `checkpoints.load`), its model predicts no frames, there are too few
            of them, or one cannot be read.
    """
    drawing.save_film(film(checkpoint, n, frames, trust), out)


@torch.no_grad()
def film(checkpoint: Path, n: int = 4, frames: Path | None = None, trust: tuple[str, ...] = ()) -> list[Image.Image]:
    """The pictures of `save_film`'s film.

    Raises:
        FileNotFoundError, ValueError: as `save_film`.
    """
    checks.whole(1, n=n)
    saved = checkpoints.read(checkpoint)
    module = checkpoints.rebuilt(saved, checkpoint, trust)
    if not isinstance(module, VideoGAN):
        raise ValueError(f"{type(module).__name__} makes no films: give a picture or a folder as --out, not a .gif")
    network: Any = module.serving("generator")
    options = _options(saved["config"])
    history = network.in_channels // network.out_channels
    with isolate_rng():
        if frames is not None:
            seen = _frames(frames, history, network.out_channels, options.get("image_size"), network.multiple)
            return films.film({"history": seen, "rollout": module.predict(seen, _STEPS)})
        data = MovingEmoji(history=history, ahead=_STEPS, held_out_clips=n, channels=network.out_channels, **options)
        data.setup("validate")
        batch = data.on_after_batch_transfer(data.held_out[0, torch.arange(n)], 0)
        seen, future = frames_of(batch)
        return films.film({"history": seen, "rollout": module.predict(seen, _STEPS), "future": future})


def _options(config: Any) -> dict[str, Any]:
    for key in ("data", "init_args"):
        config = config.get(key) if isinstance(config, dict) else None
    given = config if isinstance(config, dict) else {}
    found = {name: given[name] for name in _DRAWN if given.get(name) is not None}
    checks.whole(1, 2**14, image_size=found.get("image_size", 1))
    return found


def _frames(folder: Path, history: int, channels: int, size: int | None, factor: int) -> Tensor:
    """The last frames of a folder (1, history, channels, h, w)."""
    paths = find_pictures(folder)[-history:]
    if len(paths) < history:
        raise ValueError(f"expected at least {history} frames in {folder}, found {len(paths)}; give a longer film")
    pictures = [load_picture(path, channels=channels).float() / 127.5 - 1 for path in paths]
    scale = 1.0 if size is None else size / min(pictures[0].shape[-2:])
    height, width = (max(1, round(side * scale / factor)) * factor for side in pictures[0].shape[-2:])
    resized = [
        interpolate(picture[None], (height, width), mode="bilinear", antialias=True, align_corners=False)
        for picture in pictures
    ]
    return torch.stack(resized, dim=1)
