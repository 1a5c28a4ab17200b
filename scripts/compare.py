"""Compare trained models: a table in Markdown with a row for each, and a JSON with all that is needed to repeat it.

python scripts/compare.py runs/cyclegan/RUN/checkpoints/last.ckpt runs/cut/RUN/checkpoints/last.ckpt
python scripts/compare.py with=FILE without=FILE --columns diversity,psnr

Each model is scored on the held-out part of the data it was trained on, all with one seed and on equally many pictures,
and timed in turn with the others. A model that translates in two directions has a row for either. A cell is empty where
a model does not show what the number is of.
"""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from gan_modules.cli import ScriptParser, main
from gan_modules.evaluation import Table, compare
from gan_modules.evaluation.columns import COLUMNS
from gan_modules.evaluation.options import DEVICES

MEMORY = "lower --batch_size, or --n"


def parser() -> ScriptParser:
    made = ScriptParser(__doc__)
    add = made.add_argument
    add("checkpoints", nargs="+", metavar="[NAME=]FILE", help="that scripts/fit.py wrote, and what its row is called")
    add("--columns", default="", help=f"names with commas, of {', '.join(COLUMNS)}; default: all there are numbers for")
    add("--n", type=int, help="held-out pictures of each model; default: as many as the smallest data have")
    add("--out", type=Path, default=Path("comparison.json"), help="JSON to write; default: %(default)s")
    add("--overwrite", action="store_true", help="replace it if it is there")
    add("--seed", type=int, default=0, help="of noise")
    add("--batch_size", type=int, default=16, help="pictures at once; default: %(default)s")
    add("--repeats", type=int, default=20, help="how often a batch's translation is timed; default: %(default)s")
    add("--device", choices=DEVICES, default="auto")
    add("--weights", type=Path, help="file of the published Inception, for FID and KID; default: neither")
    add("--lpips_weights", type=Path, help="file of torchvision's AlexNet, for LPIPS; default: pixels are compared")
    add("--trust", nargs="*", default=[], help="packages whose classes the checkpoints may name")
    return made


def run(arguments: Sequence[str]) -> None:
    given = vars(parser().parse_args(arguments))
    columns = [name.strip() for name in given.pop("columns").split(",") if name.strip()]
    files, trust = named(given.pop("checkpoints")), tuple(given.pop("trust"))
    compare(Table(files, columns, trust=trust, command=["python", "scripts/compare.py", *arguments], **given))


def named(words: Sequence[str]) -> dict[str, Path]:
    """Files by the names of their rows: as given, else the model's folder of runs, or the file's name.

    Raises:
        ValueError: if two have one name.

    >>> named(["runs/cut/2026-11-29/checkpoints/last.ckpt", "old=a.ckpt", "b.ckpt"]).keys()
    dict_keys(['cut', 'old', 'b'])
    """
    found: dict[str, Path] = {}
    for word in words:
        name, _, rest = word.partition("=")
        path = Path(word if Path(word).exists() or not rest else rest)
        if path == Path(word):
            name = path.parts[-4] if len(path.parts) > 3 and path.parent.name == "checkpoints" else path.stem
        if name in found:
            raise ValueError(f"{found[name]} and {path} would both be called {name}; name them, as NAME={path}")
        found[name] = path
    return found


if __name__ == "__main__":
    warnings.formatwarning = lambda message, *_, **__: f"note: {message}\n"
    main(run, sys.argv[1:], memory=MEMORY)
