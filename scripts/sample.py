"""Draw samples from a checkpoint, or translate a folder of pictures.

python scripts/sample.py --checkpoint runs/dcgan/RUN/checkpoints/last.ckpt --out grid.png [--n 64] [--seed 0]
python scripts/sample.py --checkpoint runs/dcgan/RUN/checkpoints/last.ckpt --out FOLDER [--n 50000]
python scripts/sample.py --checkpoint runs/text_gan/RUN/checkpoints/last.ckpt --out grid.png --text "red apple" "ghost"
python scripts/sample.py --checkpoint runs/cyclegan/RUN/checkpoints/last.ckpt --input FOLDER --out FOLDER
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from gan_modules import checks
from gan_modules.callbacks.drawing import save_picture
from gan_modules.cli import ScriptParser, main
from gan_modules.sampling import interpolated, samples, save_samples, translate


def run(arguments: Sequence[str]) -> None:
    parser = ScriptParser(__doc__)
    parser.add_argument("--checkpoint", required=True, help="file that scripts/fit.py wrote")
    parser.add_argument(
        "--out", default="grid.png", help="picture to write, or a folder for one each; with --input a folder"
    )
    parser.add_argument("--n", type=int, default=64, help="number of samples")
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--truncation", type=float, help="bound of the noise of samples that are written as files")
    parser.add_argument("--interpolate", action="store_true", help="strips from one latent to another")
    parser.add_argument(
        "--text", nargs="+", default=[], help='what a model of texts draws, a row each: --text "red apple"'
    )
    parser.add_argument("--input", type=Path, help="folder of pictures to translate")
    parser.add_argument("--inverse", action="store_true", help="translate from the second domain to the first")
    parser.add_argument("--size", type=int, help="side to which pictures are resized; default: as they are")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")
    parser.add_argument("--trust", nargs="*", default=[], help="packages whose classes the checkpoint may name")
    given = parser.parse_args(arguments)
    trust = tuple(given.trust)
    if not given.input and (given.inverse or given.size is not None):
        raise ValueError("--inverse and --size are for translating pictures; add --input FOLDER, or leave them out")
    if given.text and (given.input or given.interpolate):
        raise ValueError("--text is for samples alone; leave out --input and --interpolate, or --text")
    if given.input:
        written = translate(
            given.checkpoint,
            given.input,
            Path(given.out),
            given.inverse,
            given.size,
            given.overwrite,
            given.seed,
            trust,
        )
        print(f"{written} pictures are in {given.out}")
        return
    out = Path(given.out)
    if given.truncation is not None:
        checks.positive(truncation=given.truncation)
    if not out.suffix and not given.interpolate:
        save_samples(
            Path(given.checkpoint), out, given.n, given.seed, given.truncation, given.overwrite, trust, given.text
        )
        print(f"{given.n} samples are in {out}")
        return
    if given.truncation is not None:
        raise ValueError(f"--truncation is for samples one by one; give a folder as --out in place of {out}")
    if out.exists() and not given.overwrite:
        raise ValueError(f"{out} is there already; choose another --out, or add --overwrite")
    if out.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise ValueError(f"--out expected a .png, .jpg or .webp file, got {out}")
    options = given.checkpoint, given.n, given.seed, trust
    picture = interpolated(*options) if given.interpolate else samples(*options, given.text)
    save_picture(picture, out)
    print(f"samples are in {out}")


if __name__ == "__main__":
    sys.path.insert(0, "")
    main(run, sys.argv[1:], memory="lower --n or --size")
