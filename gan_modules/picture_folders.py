"""Folders of pictures, translated by a checkpoint: what `scripts/sample.py --input` does."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, pad
from tqdm import tqdm

from datamodules import find_pictures, load_picture
from datamodules.pixels import in_channels, scaled
from gan_modules.callbacks import drawing
from gan_modules.translators import Manner, Translator

_ROWS, _CELL = 16, 256  # of a sheet: pictures at most, and pixels a side at most


_Row = list[Tensor]


class _Job(NamedTuple):
    source: Path
    outs: list[Path]


def translate(
    translator: Translator,
    source: Path,
    target: Path,
    overwrite: bool = False,
    seed: int = 0,
    samples: int | None = None,
    reference: Path | None = None,
    domain: str | int | None = None,
    mask: Path | None = None,
    sheet: Path | None = None,
) -> int:
    """Translate all pictures below `source` to PNG files of the same names below `target`; returns how many.

    Where a picture has several translations, their names end in the number of the sample, the name of the reference
    or that of the domain.

    Args:
        translator: as `translators.load` makes it of a checkpoint.
        source, target: folders; subfolders are kept.
        overwrite: whether files that are there may be replaced.
        seed, samples, domain: see `Translator.manners`.
        reference: picture, or folder of pictures, in whose styles is translated.
        mask: picture that is white where pictures have a hole.
        sheet: picture to write of the first 16 sources beside their translations; None: none.

    Raises:
        FileNotFoundError: if there is no such folder or file.
        ValueError: if the model does not do it, there is no picture, one cannot be read, or a file is in the way.
    """
    references = [] if reference is None else _references(reference)
    manners = translator.manners(samples, references, domain, seed)
    hole = None if mask is None else load_picture(mask, channels=1)
    jobs = _jobs(find_pictures(source), source, target, [manner.name for manner in manners])
    if not overwrite:
        _check_free([out for job in jobs for out in job.outs] + ([] if sheet is None else [sheet]))
    rows: list[_Row] = []
    for job in tqdm(jobs, unit="picture", disable=None):
        picture = load_picture(job.source)
        shown = [_cell(scaled(picture[None]))] if sheet is not None and len(rows) < _ROWS else []
        for manner, out in zip(manners, job.outs, strict=True):
            made = translator(picture, manner, hole)
            drawing.save_picture(as_picture(made), out)
            if shown:
                shown.append(_cell(made[None]))
        rows += [shown] if shown else []
    if sheet is not None:
        drawing.save_picture(_sheet(rows, manners, references), sheet)
    return len(jobs) * len(manners)


def as_picture(image: Tensor) -> Image.Image:
    """An image (1 or 3, h, w) in [-1, 1], beyond which it is cut off."""
    pixels = image.detach().cpu().clamp(-1, 1).add_(1).mul_(127.5).round_().byte().permute(1, 2, 0).squeeze(2)
    return Image.fromarray(pixels.numpy())


def _references(path: Path) -> list[tuple[str, Tensor]]:
    """Names and pictures of a folder; of a file the picture, whose name nobody needs."""
    if path.is_file():
        return [("", load_picture(path))]
    found = find_pictures(path)
    if not found:
        raise ValueError(f"expected pictures below {path}, found none; give a picture or a folder of some")
    return [(each.relative_to(path).with_suffix("").as_posix().replace("/", "-"), load_picture(each)) for each in found]


def _jobs(paths: Iterable[Path], source: Path, target: Path, names: Sequence[str]) -> list[_Job]:
    taken: dict[Path, Path] = {}
    jobs = []
    for path in paths:
        stem = target / path.relative_to(source).with_suffix("")
        outs = [stem.with_name(f"{stem.name}_{name}.png" if name else f"{stem.name}.png") for name in names]
        for out in outs:
            if out in taken:
                raise ValueError(f"{taken[out]} and {path} would both become {out}; rename one of them")
            taken[out] = path
        jobs.append(_Job(path, outs))
    if not jobs:
        raise ValueError(f"expected pictures below {source}, found none; give a folder that holds some")
    return jobs


def _check_free(paths: Sequence[Path]) -> None:
    taken = [path for path in paths if path.exists()]
    if taken:
        raise ValueError(f"{taken[0]} is there already ({len(taken)} in all); choose another --out, or add --overwrite")


def _cell(images: Tensor) -> Tensor:
    """A picture (1, c, h, w) for a sheet: (3, s, s), reduced to at most `_CELL` pixels, on white."""
    images = images.detach().float().cpu().clamp(-1, 1)
    longest = max(images.shape[-2:])
    if longest > _CELL:
        sides = [max(1, round(side * _CELL / longest)) for side in images.shape[-2:]]
        images = interpolate(images, sides, mode="bilinear", antialias=True, align_corners=False)
    return images.expand(-1, 3, -1, -1)[0]


def _sheet(rows: list[_Row], manners: Sequence[Manner], references: Sequence[tuple[str, Tensor]]) -> Image.Image:
    """A row a picture, after one with the references, if there are any."""
    titles = ["source", *(manner.name or "translation" for manner in manners)]
    if references:
        rows = [[torch.ones(3, 1, 1), *(_cell(scaled(in_channels(each[None], 3))) for _, each in references)], *rows]
    side = max(max(cell.shape[1:]) for row in rows for cell in row)
    columns = [torch.stack([_centred(cell, side) for cell in column]) for column in zip(*rows, strict=True)]
    return drawing.titled_columns([("", list(zip(titles, columns, strict=True)))])


def _centred(cell: Tensor, side: int) -> Tensor:
    """A cell enlarged to `side`, as far as whole pixels go, and in the middle of a white square."""
    times = max(1, side // max(cell.shape[1:]))
    cell = cell.repeat_interleave(times, 1).repeat_interleave(times, 2)
    height, width = cell.shape[1:]
    left, top = (side - width) // 2, (side - height) // 2
    return pad(cell, (left, side - width - left, top, side - height - top), value=1.0)
