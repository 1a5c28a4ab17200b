"""Pictures of samples: grids, columns with titles, and scatter plots."""

import colorsys
import math
import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

WIDTH = 1024  # that pictures are enlarged to at most
_PAPER, _MOUNT, _INK = (255, 255, 255), (232, 232, 232), (40, 40, 40)  # images often have white grounds
_DATA, _SAMPLES = (150, 150, 150), (214, 69, 65)
_FONT = ImageFont.load_default(15)

Column = tuple[str, Tensor]


def grid(
    images: Tensor, columns: int = 8, scale: int | None = None, titles: Sequence[str] | None = None
) -> Image.Image:
    """Images in rows, from left to right and from top to bottom.

    Args:
        images: (n, 1 or 3, h, w) in [-1, 1]; what lies outside is clamped, NaN is black.
        columns: images in a row.
        scale: whole number by which pixels are enlarged; None: as far as fits into 1024 pixels.
        titles: what is written to the left of each row; None: nothing.

    Raises:
        ValueError: if there are no images, or they have neither one nor three channels.
    """
    columns = min(columns, len(images))
    pixels = _enlarged(images, scale or _fitting(images.shape[-1] * max(columns, 1)))
    gap = _gap(pixels)
    height, width = pixels.shape[1] + gap, pixels.shape[2] + gap
    rows = -(-len(pixels) // columns)
    margin = max(round(_FONT.getlength(title)) + 16 for title in titles) if titles else 0
    picture = Image.new("RGB", (margin + columns * width + gap, rows * height + gap), _MOUNT)
    for row, title in enumerate(titles or ()):
        _text(picture, (margin - 8, gap + row * height + height // 2), title, 15, anchor="rm")
    for number, image in enumerate(pixels):
        row, column = divmod(number, columns)
        picture.paste(Image.fromarray(image.numpy()), (margin + gap + column * width, gap + row * height))
    return picture


def titled_columns(groups: Sequence[tuple[str, Sequence[Column]]], scale: int | None = None) -> Image.Image:
    """Groups of columns side by side, each group and each column under its title.

    Args:
        groups: (title, columns); a column is (title, images (n, 1 or 3, h, w) in [-1, 1]). An empty group title is
            left out where all are.
        scale: whole number by which pixels are enlarged; None: as far as fits into 1024 pixels.

    Raises:
        ValueError: if there are no images, or they have neither one nor three channels.
    """
    tensors = [images for _, columns in groups for _, images in columns]
    cell = max(images.shape[-1] for images in tensors), max(images.shape[-2] for images in tensors)
    scale = scale or _fitting(cell[0] * len(tensors))
    width, height = (max(side * scale, smallest) for side, smallest in zip(cell, (72, 1), strict=True))
    gap, between, line = 6, 24, 24
    top = gap + line * (2 if any(title for title, _ in groups) else 1)
    rows = max(map(len, tensors))
    size = (len(tensors) * (width + gap) + gap + (len(groups) - 1) * between, top + rows * (height + gap))
    picture = Image.new("RGB", size, _MOUNT)
    left = gap
    for title, columns in groups:
        middle = left + (len(columns) * (width + gap) - gap) // 2
        _text(picture, (middle, gap + line // 2), title, 17)
        for name, images in columns:
            _text(picture, (left + width // 2, top - line // 2 - 2), name, 15)
            for row, image in enumerate(_enlarged(images, max(1, scale * cell[0] // images.shape[-1]))):
                shown = Image.fromarray(image.numpy())
                picture.paste(shown, (left + (width - shown.width) // 2, top + row * (height + gap)))
            left += width + gap
        left += between
    return picture


def scatter(given: Tensor | None, samples: Tensor, size: int = 512) -> Image.Image:
    """Points of the data in grey under samples in red; the data set the limits, equal for both axes.

    Args:
        given: the data, (n, 2); None: there are only samples, which set the limits.
        samples: (m, 2); those that lie outside the limits, or are not finite, are counted in the legend.
        size: of the picture, in pixels.

    Raises:
        ValueError: if the points do not have two coordinates, or there are no data.
    """
    samples = samples.detach().float().cpu()
    data, layers = samples, [(samples, _SAMPLES, 5)]
    if given is not None:
        data = given.detach().float().cpu()
        layers = [(data, _DATA, 9), *layers]
    if data.ndim != 2 or data.shape[1] != 2 or samples.shape[1:] != (2,) or not len(data):
        raise ValueError(
            f"a scatter plot needs points (n, 2), got {tuple(data.shape)} and {tuple(samples.shape)}; "
            "use a grid for images"
        )
    low, high = data.amin(dim=0), data.amax(dim=0)
    centre, reach = (low + high) / 2, (high - low).amax().clamp(min=1e-3) * 0.6
    margin, fine = 44, 3  # drawn three times as fine and reduced, which smooths the edges
    inner = size - 2 * margin
    canvas = Image.new("RGB", (size * fine, size * fine), _PAPER)
    draw = ImageDraw.Draw(canvas)
    inside = 0
    for points, colour, radius in layers:
        places = (points - centre) / (2 * reach)
        places = places[(places.abs() <= 0.5).all(dim=1)]
        inside = len(places)
        for x, y in (((places * torch.tensor([1.0, -1.0]) + 0.5) * inner + margin) * fine).tolist():
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    picture = canvas.resize((size, size), Image.Resampling.BOX)
    _axes(picture, centre.tolist(), reach.item(), margin)
    outside = len(samples) - inside
    legend = [(f"samples ({outside} outside)" if outside else "samples", _SAMPLES)]
    _legend(picture, legend if given is None else [("data", _DATA), *legend])
    return picture


def as_pictures(images: Tensor) -> Tensor:
    """Images (n, 1 or 3, h, w) as they are; maps of labels, which have other channels, with a colour a label.

    The first label is white, and the others go round the wheel of colours.

    >>> as_pictures(torch.eye(4).reshape(1, 4, 2, 2)).shape
    torch.Size([1, 3, 2, 2])
    """
    labels = images.shape[1]
    if labels in (1, 3):
        return images
    wheel = [colorsys.hsv_to_rgb(number / (labels - 1), 0.6, 0.85) for number in range(labels - 1)]
    colours = torch.tensor([(1.0, 1.0, 1.0), *wheel], device=images.device) * 2 - 1
    return colours[images.argmax(1)].permute(0, 3, 1, 2)


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture whole or not at all; its folder is made, and the suffix says the format.

    Raises:
        OSError: if it cannot be written; what was at `path` is then still there.
    """
    encoded = BytesIO()  # Pillow does not notice that the disk is full while it writes a JPEG
    picture.save(encoded, Image.registered_extensions()[path.suffix.lower()])
    _write(encoded, path)


def save_film(pictures: Sequence[Image.Image], path: Path, duration: int = 200) -> None:
    """Write pictures of one size as an animated GIF that begins again, whole or not at all.

    Args:
        pictures: at least one.
        path: of the file, whose folder is made.
        duration: milliseconds a picture.

    Raises:
        OSError: if it cannot be written; what was at `path` is then still there.
    """
    encoded = BytesIO()
    pictures[0].save(encoded, "GIF", save_all=True, append_images=pictures[1:], duration=duration, loop=0)
    _write(encoded, path)


def _write(encoded: BytesIO, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".unfinished{path.suffix}")
    try:
        unfinished.write_bytes(encoded.getbuffer())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _axes(picture: Image.Image, centre: list[float], reach: float, margin: int) -> None:
    draw = ImageDraw.Draw(picture)
    start, end = margin, picture.width - margin
    draw.rectangle((start, start, end, end), outline=_INK)
    for tick in _ticks(centre[0], reach):
        place = start + ((tick - centre[0]) / reach + 1) / 2 * (end - start)
        draw.line((place, end, place, end + 4), fill=_INK)
        _text(picture, (place, end + 14), f"{tick:g}", 12)
    for tick in _ticks(centre[1], reach):
        place = end - ((tick - centre[1]) / reach + 1) / 2 * (end - start)
        draw.line((start - 4, place, start, place), fill=_INK)
        _text(picture, (start - 6, place), f"{tick:g}", 12, anchor="rm")


def _ticks(centre: float, reach: float) -> list[float]:
    """Round numbers within `reach` of `centre`, three to eight of them."""
    power = 10.0 ** math.floor(math.log10(reach))
    step = next(step * power for step in (5.0, 2.0, 1.0, 0.5, 0.2) if 2 * reach >= 3 * step * power)
    first, last = math.ceil((centre - reach) / step), math.floor((centre + reach) / step)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _legend(picture: Image.Image, entries: Sequence[tuple[str, tuple[int, int, int]]]) -> None:
    draw, left = ImageDraw.Draw(picture), 48
    for name, colour in entries:
        draw.ellipse((left, 18, left + 10, 28), fill=colour)
        _text(picture, (left + 16, 23), name, 14, anchor="lm")
        left += 80


def _text(picture: Image.Image, place: tuple[float, float], text: str, size: int, anchor: str = "mm") -> None:
    ImageDraw.Draw(picture).text(place, text, fill=_INK, font=ImageFont.load_default(size), anchor=anchor)


def _enlarged(images: Tensor, scale: int) -> Tensor:
    """Images as bytes (n, h scale, w scale, 3) on the CPU."""
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not len(images):
        raise ValueError(f"a picture needs images (n, 1 or 3, h, w), got shape {tuple(images.shape)}")
    pixels = images.detach().float().cpu().nan_to_num(-1).clamp(-1, 1)
    pixels = ((pixels + 1) * 127.5).round().to(torch.uint8).expand(-1, 3, -1, -1)
    return F.interpolate(pixels, scale_factor=scale, mode="nearest").permute(0, 2, 3, 1).contiguous()


def _fitting(width: int) -> int:
    return max(1, WIDTH // width)


def _gap(pixels: Tensor) -> int:
    return 2 if pixels.shape[2] > 16 else 1
