"""Films from checkpoints: what `scripts/sample.py` does for models that predict frames."""

from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from datamodules import FilmFolders, MovingEmoji
from datamodules.files import Reader
from datamodules.films import film_at
from gan_modules import checkpoints, checks
from gan_modules.batches import frames_of
from gan_modules.callbacks import drawing, films
from gan_modules.evaluation import comparison
from gan_modules.translation import VideoGAN

_STEPS = 8
_DRAWN = ("style", "emoji_size", "most", "speed", "coloured", "image_size")
"""What a checkpoint's own data decide of the clips."""


def save_film(checkpoint: Path, out: Path, n: int = 4, frames: Path | None = None, trust: tuple[str, ...] = ()) -> None:
    """Write an animated GIF of what the model predicts from the frames in a folder, or in a GIF, or of `n` clips.

    Clips are held out and beside the truth: of the films that the model was trained on if these are `FilmFolders`, else
    of emoji. Of a folder or a GIF, the last frames are seen, which are brought to the size that the model was trained
    at; the frames that follow are the model's alone.

    Raises:
        FileNotFoundError: if there is no such folder, or the films of the training are no longer there.
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
        data: FilmFolders | MovingEmoji | None = _own_films(saved["config"])
        if data is None:
            clips = {"history": history, "ahead": _STEPS, "held_out_clips": n, "channels": network.out_channels}
            data = MovingEmoji(**clips, **options)
        data.setup("validate")
        batch = data.on_after_batch_transfer(data.held_out[0, torch.arange(min(n, len(data.held_out)))], 0)
        seen, future = frames_of(batch)
        return films.film({"history": seen, "rollout": module.predict(seen, future.shape[1]), "future": future})


def _own_films(config: Any) -> FilmFolders | None:
    """The films that a model was trained on, if they are somebody's own."""
    data = config.get("data") if isinstance(config, dict) else None
    if not isinstance(data, dict) or data.get("class_path") != "datamodules.FilmFolders":
        return None
    made, _ = comparison.data_module("", [], data, {})
    return cast(FilmFolders, made)


def _options(config: Any) -> dict[str, Any]:
    for key in ("data", "init_args"):
        config = config.get(key) if isinstance(config, dict) else None
    given = config if isinstance(config, dict) else {}
    found = {name: given[name] for name in _DRAWN if given.get(name) is not None}
    checks.whole(1, 2**14, image_size=found.get("image_size", 1))
    return found


def _frames(path: Path, history: int, channels: int, size: int | None, factor: int) -> Tensor:
    """The last frames of a folder, or of a GIF (1, history, channels, h, w)."""
    given = film_at(path)
    if (length := given.length()) < history:
        raise ValueError(f"expected at least {history} frames in {path}, found {length}; give a longer film")
    seen = given.frames(Reader(channels, None))[torch.arange(length - history, length)]
    pictures = seen.float() / 127.5 - 1
    scale = 1.0 if size is None else size / min(pictures.shape[-2:])
    height, width = (max(1, round(side * scale / factor)) * factor for side in pictures.shape[-2:])
    return interpolate(pictures, (height, width), mode="bilinear", antialias=True, align_corners=False)[None]
