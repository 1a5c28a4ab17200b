"""Samples and translations from checkpoints: what `scripts/sample.py` does."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, pad
from tqdm import tqdm

from datamodules import find_pictures, load_picture
from gan_modules import checkpoints, checks
from gan_modules.adversarial import AdversarialModule
from gan_modules.callbacks import drawing
from gan_modules.evaluation import sides
from gan_modules.latents import spherical
from gan_modules.texts import encoded

_MULTIPLE = 32  # that sides are padded to, unless the network names a size; no translator here halves more often

Translator = Callable[[Tensor], Tensor]


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


@torch.no_grad()
def translate(
    checkpoint: Path,
    source: Path,
    target: Path,
    inverse: bool = False,
    size: int | None = None,
    overwrite: bool = False,
    seed: int = 0,
    trust: tuple[str, ...] = (),
) -> int:
    """Translate all pictures below `source` to PNG files of the same names below `target`; returns how many.

    Pictures keep their proportions: their shorter side becomes `size`, by default the size the model was trained at;
    of a model that enlarges pictures, by default they are taken as they are.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if the model does not translate, there is no picture, one cannot be read, or a file is in the way.
    """
    checks.whole(1, size=1 if size is None else size)
    checks.seed(seed=seed)
    saved = checkpoints.read(checkpoint)
    module = checkpoints.rebuilt(saved, checkpoint, trust)
    if hasattr(module, "grid_inputs"):
        raise ValueError(f"{type(module).__name__} makes pictures from noise: leave --input out")
    if inverse and not hasattr(module, "inverse"):
        raise ValueError(f"{type(module).__name__} translates in one direction: leave --inverse out")
    trained_at = _trained_at(saved["config"])
    translator = cast(Translator, module.inverse if inverse else module)
    network = module.serving(module.generators[-1 if inverse else 0])
    if getattr(network, "scale", 1) > 1:
        trained_at = None  # pictures that are enlarged are taken as they are
    multiple = getattr(network, "image_size", _MULTIPLE)
    jobs = _jobs(find_pictures(source), source, target, overwrite)
    with isolate_rng():
        torch.manual_seed(seed)
        for path, out in tqdm(jobs, unit="picture", disable=None):
            picture = load_picture(path, channels=getattr(network, "in_channels", 3)).float().div(127.5).sub(1)[None]
            made = _translated(translator, picture, size or trained_at, multiple)
            drawing.save_picture(_picture(made[0]), out)
    return len(jobs)


def _trained_at(config: Any) -> int | None:
    """The side of the pictures that a model was trained on, as its checkpoint has it."""
    for key in ("data", "init_args", "image_size"):
        config = config.get(key) if isinstance(config, dict) else None
    checks.whole(1, 2**14, image_size=1 if config is None else config)
    return config


def _jobs(paths: Iterable[Path], source: Path, target: Path, overwrite: bool) -> list[tuple[Path, Path]]:
    jobs: dict[Path, Path] = {}
    for path in paths:
        out = target / path.relative_to(source).with_suffix(".png")
        if out in jobs:
            raise ValueError(f"{jobs[out]} and {path} would both become {out}; rename one of them")
        jobs[out] = path
    if not jobs:
        raise ValueError(f"expected pictures below {source}, found none; give a folder that holds some")
    taken = [out for out in jobs if out.exists()]
    if taken and not overwrite:
        raise ValueError(f"{taken[0]} is there already ({len(taken)} in all); choose another --out, or add --overwrite")
    return [(path, out) for out, path in jobs.items()]


def _translated(translator: Translator, picture: Tensor, size: int | None, multiple: int) -> Tensor:
    factor = 1 if size is None else size / min(picture.shape[-2:])
    height, width = (max(1, round(side * factor)) for side in picture.shape[-2:])
    resized = interpolate(picture, (height, width), mode="bilinear", antialias=True, align_corners=False)
    padded = pad(resized, (0, -width % multiple, 0, -height % multiple), mode="replicate")
    made = translator(padded)
    scale = made.shape[-1] // padded.shape[-1]
    return made[..., : scale * height, : scale * width]


def _picture(image: Tensor) -> Image.Image:
    pixels = image.clamp(-1, 1).add(1).mul(127.5).round().byte().permute(1, 2, 0).squeeze(2)
    return Image.fromarray(pixels.numpy())
