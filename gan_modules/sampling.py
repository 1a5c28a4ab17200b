"""Samples from checkpoints of models of noise: what `scripts/sample.py` draws without `--input`."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from gan_modules import checkpoints, checks
from gan_modules.adversarial import AdversarialModule
from gan_modules.callbacks import drawing
from gan_modules.evaluation import sides
from gan_modules.latents import spherical
from gan_modules.texts import encoded


@torch.no_grad()
def samples(
    checkpoint: Path, n: int = 64, seed: int = 0, trust: tuple[str, ...] = (), texts: Sequence[str] = ()
) -> Image.Image:
    """A grid of `n` samples, a class, code or text a row where the model has them; the same for the same seed.

    Raises:
        ValueError: if the checkpoint is none (see `checkpoints.load`), or is a translator's, or texts are given to a
            model that takes none.
    """
    checks.whole(1, n=n)
    module: Any = _told(checkpoints.load(checkpoint, trust), texts)
    known = getattr(module, "num_classes", getattr(module, "categories", 0)) or len(getattr(module, "texts", ()))
    rows = int(known or math.ceil(math.sqrt(n)))
    columns = math.ceil(n / rows)
    made = module(*_inputs(module, rows, columns, seed))[:n]
    if made.ndim == 2:
        return drawing.scatter(None, made)
    return drawing.grid(made, columns, titles=module.grid_titles(rows) if hasattr(module, "grid_titles") else None)


def _told(module: AdversarialModule, texts: Sequence[str]) -> AdversarialModule:
    """The module, which from now on draws these texts; none leave it as it is."""
    if not texts:
        return module
    if not hasattr(module, "texts"):
        raise ValueError(f"{type(module).__name__} is told no text: leave --text out")
    encoded(texts)  # refuses what it cannot read
    cast(Any, module).texts = tuple(texts)
    return module


def save_samples(
    checkpoint: Path,
    folder: Path,
    n: int = 64,
    seed: int = 0,
    truncation: float | None = None,
    overwrite: bool = False,
    trust: tuple[str, ...] = (),
    texts: Sequence[str] = (),
) -> None:
    """Write `n` samples as PNG files, those that `scripts/evaluate.py` looks at for the same seed.

    Of a model of classes they are balanced, as with its option `--labels balanced`.

    Raises:
        ValueError: if the checkpoint is none, or is a translator's, or its samples are no images, or files are in the
            way, or texts are given to a model that takes none.
    """
    checks.whole(1, n=n)
    checks.seed(seed=seed)
    module = _told(checkpoints.load(checkpoint, trust), texts)
    _check_samples(module)
    if not overwrite and folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty; choose another --out, or add --overwrite")
    classes: Any = getattr(module, "num_classes", 0)
    labels = sides.labels_for(n, seed, classes, None) if sides.takes_labels(module) else None
    with isolate_rng():
        made = sides.of_model(module, n, seed, labels, (), truncation)
        if made.shape is None or len(made.shape) != 3:
            raise ValueError(f"files are made of images, and this model makes points of shape {made.shape}")
        images = (image for part in made.parts(64) for image in part.images)
        for number, image in enumerate(tqdm(images, total=n, unit="picture", disable=None)):
            pixels = image.permute(1, 2, 0).squeeze(2).cpu().numpy()
            drawing.save_picture(Image.fromarray(pixels), folder / f"{number:06}.png")


@torch.no_grad()
def interpolated(checkpoint: Path, n: int = 64, seed: int = 0, trust: tuple[str, ...] = ()) -> Image.Image:
    """Strips of 8 samples, from one latent to another along the sphere (White, 2016); `n` in all.

    Raises:
        ValueError: if the checkpoint is none, or is a translator's, or its samples are no images.
    """
    checks.whole(8, n=n)
    module = checkpoints.load(checkpoint, trust)
    rows = n // 8
    z, *conditions = _inputs(module, rows, 8, seed)
    z = z.unflatten(0, (rows, 8))
    between = spherical(z[:, :1], z[:, -1:], torch.linspace(0, 1, 8)[:, None])
    made = module(between.flatten(0, 1), *conditions)
    if made.ndim != 4:
        raise ValueError(f"strips are made of images, and this model makes points of shape {tuple(made.shape[1:])}")
    return drawing.grid(made, 8)


def _inputs(module: AdversarialModule, rows: int, columns: int, seed: int) -> tuple[Tensor, ...]:
    checks.seed(seed=seed)
    _check_samples(module)
    with isolate_rng():
        torch.manual_seed(seed)
        return cast(Any, module).grid_inputs(rows, columns)


def _check_samples(module: AdversarialModule) -> None:
    if not hasattr(module, "grid_inputs"):
        raise ValueError(f"{type(module).__name__} translates pictures: add --input FOLDER, and a folder as --out")
