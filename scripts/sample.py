"""Draw samples from a checkpoint, translate a folder of pictures, or predict a film.

python scripts/sample.py --checkpoint runs/dcgan/RUN/checkpoints/last.ckpt --out grid.png [--n 64] [--seed 0]
python scripts/sample.py --checkpoint runs/dcgan/RUN/checkpoints/last.ckpt --out FOLDER [--n 50000]
python scripts/sample.py --checkpoint runs/text_gan/RUN/checkpoints/last.ckpt --out grid.png --text "red apple" "ghost"
python scripts/sample.py --checkpoint runs/cyclegan/RUN/checkpoints/last.ckpt --input FOLDER --out FOLDER [--sheet FILE]
python scripts/sample.py --checkpoint runs/munit/RUN/checkpoints/last.ckpt --input FOLDER --out FOLDER --samples 4
python scripts/sample.py --checkpoint runs/munit/RUN/checkpoints/last.ckpt --input FOLDER --out FOLDER --reference FILE
python scripts/sample.py --checkpoint runs/video_gan/RUN/checkpoints/last.ckpt --out film.gif [--n 4 | --input FOLDER]
"""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from gan_modules import checks
from gan_modules.callbacks.drawing import save_picture
from gan_modules.cli import ScriptParser, main
from gan_modules.filming import save_film
from gan_modules.picture_folders import translate
from gan_modules.sampling import interpolated, samples, save_samples
from gan_modules.translators import load

_OF_PICTURES = "inverse", "size", "tile", "samples", "reference", "domain", "mask", "sheet"
_FORMATS = ".png", ".jpg", ".jpeg", ".webp"


def run(arguments: Sequence[str]) -> None:
    given = _parser().parse_args(arguments)
    given.trust, out = tuple(given.trust), Path(given.out)
    _check(given)
    if out.suffix.lower() == ".gif":
        _check_free(out, given.overwrite)
        save_film(given.checkpoint, out, given.n, given.input, given.trust)
        print(f"the film is in {out}")
        return
    if given.input:
        translator = load(given.checkpoint, given.trust, given.inverse, given.size, given.tile)
        wanted = given.samples, given.reference, given.domain, given.mask, given.sheet
        print(f"{translate(translator, given.input, out, given.overwrite, given.seed, *wanted)} pictures are in {out}")
        return
    if not out.suffix and not given.interpolate:
        drawn = given.n, given.seed, given.truncation, given.overwrite, given.trust, given.text
        save_samples(given.checkpoint, out, *drawn)
        print(f"{given.n} samples are in {out}")
        return
    if given.truncation is not None:
        raise ValueError(f"--truncation is for samples one by one; give a folder as --out in place of {out}")
    _check_free(out, given.overwrite)
    _check_format("--out", out)
    start = given.checkpoint, given.n, given.seed, given.trust
    save_picture(interpolated(*start) if given.interpolate else samples(*start, given.text), out)
    print(f"samples are in {out}")


def _parser() -> ScriptParser:
    parser = ScriptParser(__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="file that scripts/fit.py wrote")
    parser.add_argument(
        "--out", default="grid.png", help="picture to write, or a folder for one each; with --input a folder"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")
    parser.add_argument("--trust", nargs="*", default=[], help="packages whose classes the checkpoint may name")
    noise = parser.add_argument_group("models of noise")
    noise.add_argument("--n", type=int, default=64, help="number of samples")
    noise.add_argument("--truncation", type=float, help="bound of the noise of samples that are written as files")
    noise.add_argument("--interpolate", action="store_true", help="strips from one latent to another")
    noise.add_argument(
        "--text", nargs="+", default=[], help='what a model of texts draws, a row each: --text "red apple"'
    )
    pictures = parser.add_argument_group("models that translate, fill or reconstruct pictures")
    pictures.add_argument("--input", type=Path, help="folder of pictures; for a film, of its frames, or a .gif")
    pictures.add_argument("--inverse", action="store_true", help="translate from the second domain to the first")
    pictures.add_argument("--size", type=int, help="what the shorter side becomes; default: as in training")
    pictures.add_argument("--tile", type=int, help="for large pictures: side of tiles, at the pictures' own size")
    pictures.add_argument("--samples", type=int, help="so many translations of each, of models that have many")
    pictures.add_argument("--reference", type=Path, help="picture, or folder, in whose style to translate")
    pictures.add_argument("--domain", help="name or number of the domain of a StarGAN; default: all of them")
    pictures.add_argument("--mask", type=Path, help="picture, white where the hole is; default: the middle")
    pictures.add_argument("--sheet", type=Path, help="picture to write of the first sources beside their translations")
    return parser


def _check(given: Namespace) -> None:
    placed = [name for name in _OF_PICTURES if getattr(given, name) not in (None, False)]
    if placed and not given.input:
        raise ValueError(f"--{placed[0]} is for translating pictures; add --input FOLDER, or leave it out")
    for name in ("interpolate", "truncation"):
        if given.input and getattr(given, name) not in (None, False):
            raise ValueError(f"--{name} is for samples alone; leave out --input, or --{name}")
    if placed and Path(given.out).suffix.lower() == ".gif":
        raise ValueError(f"--{placed[0]} is for translating pictures, and {given.out} is a film; leave it out")
    if given.text and (given.input or given.interpolate):
        raise ValueError("--text is for samples alone; leave out --input and --interpolate, or --text")
    if given.truncation is not None:
        checks.positive(truncation=given.truncation)
    if given.sheet is not None:
        _check_format("--sheet", given.sheet)


def _check_free(out: Path, overwrite: bool) -> None:
    if out.exists() and not overwrite:
        raise ValueError(f"{out} is there already; choose another --out, or add --overwrite")


def _check_format(option: str, path: Path) -> None:
    if path.suffix.lower() not in _FORMATS:
        raise ValueError(f"{option} expected a .png, .jpg or .webp file, got {path}")


if __name__ == "__main__":
    sys.path.insert(0, "")
    main(run, sys.argv[1:], memory="lower --n or --size, or add --tile 512")
