"""Rebuild the shipped emoji: two lossless WebP sprite sheets and their index, from two npm packages.

python scripts/build_emoji.py GOOGLE TWITTER OUT

GOOGLE and TWITTER are the unpacked folders of `emoji-datasource-google` and `emoji-datasource-twitter`, version 16.0.0
(`npm pack NAME@16.0.0`, then `tar xzf`). OUT receives noto.webp, twemoji.webp and emoji.json. Every emoji that both
draw is kept, in the order of its code points, 64 pixels square, composited on white; picture i stands in row
i // columns and column i % columns of either sheet. The sheets are read back and compared with the sources.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = 64
MERGED = {"Component": "Symbols"}  # five skin-tone swatches are too few for a class of their own


def on_white(path: Path) -> NDArray[np.uint8]:
    """The picture at `path` over a white background: (64, 64, 3)."""
    with Image.open(path) as opened:
        picture = opened.convert("RGBA")
    white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    white.alpha_composite(picture)
    return np.asarray(white.convert("RGB"))


def sheet(pictures: Sequence[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """Pictures in row-major order on a white sheet."""
    rows = -(-len(pictures) // columns)
    cells = np.full((rows * columns, SIZE, SIZE, 3), 255, np.uint8)
    cells[: len(pictures)] = pictures
    return cells.reshape(rows, columns, SIZE, SIZE, 3).swapaxes(1, 2).reshape(rows * SIZE, columns * SIZE, 3)


def described(package: Path) -> dict[str, dict[str, Any]]:
    """Name, short name and category of each picture, by the stem of its file; skin tones are pictures of their own."""
    known = {}
    for emoji in json.loads((package / "emoji.json").read_text()):
        about = {
            "name": (emoji["name"] or emoji["short_name"]).capitalize(),
            "short_name": emoji["short_name"],
            "category": MERGED.get(emoji["category"], emoji["category"]),
        }
        for variant in (emoji, *emoji.get("skin_variations", {}).values()):
            known[Path(variant["image"]).stem] = about
    return known


def save_checked(pictures: Sequence[NDArray[np.uint8]], columns: int, path: Path) -> None:
    """Write the sheet and refuse one that does not read back bit for bit."""
    Image.fromarray(sheet(pictures, columns)).save(path, lossless=True, quality=100, method=6)
    with Image.open(path) as opened:
        back = np.asarray(opened.convert("RGB"))
    for i, picture in enumerate(pictures):
        top, left = SIZE * (i // columns), SIZE * (i % columns)
        if not np.array_equal(back[top : top + SIZE, left : left + SIZE], picture):
            raise SystemExit(f"{path}: picture {i} does not read back as it was written")


def main(google: Path, twitter: Path, out: Path) -> None:
    """Write both sheets and the index to `out`."""
    folders = {"noto": google / "img/google/64", "twemoji": twitter / "img/twitter/64"}
    names = sorted(p.stem for p in folders["noto"].glob("*.png") if (folders["twemoji"] / p.name).exists())
    columns = int(np.ceil(np.sqrt(len(names))))
    out.mkdir(parents=True, exist_ok=True)
    for style, folder in folders.items():
        save_checked([on_white(folder / f"{name}.png") for name in names], columns, out / f"{style}.webp")
    known = described(google)
    pictures = [{"code_points": name, **known[name]} for name in names]
    categories = sorted({picture["category"] for picture in pictures})
    index = {"size": SIZE, "columns": columns, "categories": categories}
    rows = ",\n".join(f"    {json.dumps(row)}" for row in pictures)
    head = json.dumps(index, indent=2)[:-2]
    (out / "emoji.json").write_text(f'{head},\n  "pictures": [\n{rows}\n  ]\n}}\n')
    print(f"{len(names)} pictures in {len(categories)} categories, checked bit for bit: {out}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(*map(Path, sys.argv[1:]))
