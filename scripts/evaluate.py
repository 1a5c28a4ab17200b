"""Say how good a checkpoint is, or a folder of pictures: a table, and a JSON with all that is needed to repeat it.

python scripts/evaluate.py --checkpoint runs/dcgan/RUN/checkpoints/last.ckpt [--data NAME] [--metrics fid,kid,prdc]
python scripts/evaluate.py --images FOLDER --data NAME
python scripts/evaluate.py --images FOLDER --data FOLDER
"""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from gan_modules.cli import ScriptParser, fail, main
from gan_modules.evaluation import Evaluation, evaluate
from gan_modules.evaluation.options import DEVICES, DTYPES, LABELS
from gan_modules.evaluation.scoring import MEASURES
from gan_modules.evaluation.sides import SPLITS

MEMORY = "lower --batch_size, or --n for metrics that keep features or pictures"


def parser() -> ScriptParser:
    made = ScriptParser(__doc__)
    add = made.add_argument
    add("--checkpoint", type=Path, help="file that scripts/fit.py wrote")
    add("--images", type=Path, help="folder, or .npz file, of pictures in place of a checkpoint")
    add(
        "--data",
        default="",
        help="data set (fit.py --list), class path, folder or .npz file to compare with; default:"
        " what the checkpoint was trained on; --data.ARGUMENT as in fit.py",
    )
    add("--split", choices=SPLITS, help="part of the data set; default: held_out")
    add("--metrics", default="", help=f"names with commas, of {', '.join(MEASURES)}; default: what can be had")
    add("--n", type=int, default=50_000, help="samples to make; as many real ones, or all; default: %(default)s")
    add("--out", type=Path, help="JSON to write; default: beside the checkpoint or the folder")
    add("--overwrite", action="store_true", help="replace it if it is there")
    add("--seed", type=int, default=0, help="of noise, labels, and what metrics draw")
    add("--batch_size", type=int, default=64, help="pictures at once; default: %(default)s")
    add("--device", choices=DEVICES, default="auto")
    add("--precision", choices=tuple(DTYPES), default="float32", help="of the network of features")
    add("--network", default="inception", help="of features: inception-clean, dinov2, one of torchvision's, ...")
    add("--weights", type=Path, help="file of its weights; default: their download")
    add("--lpips_weights", type=Path, help="file of torchvision's AlexNet; default: the download")
    add("--ppl_weights", type=Path, help="file of torchvision's VGG16; default: the download")
    add("--size", type=int, help="side that pictures of folders are resized to; default: as they are")
    add("--truncation", type=float, help="bound of the noise")
    add("--labels", choices=LABELS, help="of conditional samples: drawn from the data's (default), or balanced")
    add("--no_cache", action="store_true", help="neither use nor keep statistics of data on the disk")
    add("--trust", nargs="*", default=[], help="packages whose classes the checkpoint may name")
    return made


def run(arguments: Sequence[str]) -> None:
    given, rest = parser().parse_known_args(arguments)
    options = _data_options(rest)
    metrics = [name.strip() for name in given.metrics.split(",") if name.strip()]
    chosen = {name: value for name, value in vars(given).items() if name not in ("metrics", "no_cache", "trust")}
    asked = Evaluation(
        **chosen,
        metrics=metrics,
        cache=not given.no_cache,
        trust=tuple(given.trust),
        data_options=options,
        command=["python", "scripts/evaluate.py", *arguments],
    )
    try:
        evaluate(asked)
    except KeyboardInterrupt:
        print("\nstopped before the end, so that there is no result and nothing was written", file=sys.stderr)
        raise SystemExit(130) from None


def _data_options(rest: Sequence[str]) -> list[str]:
    """`--data.NAME VALUE` as `--data.NAME=VALUE`; anything else is none of this script's options."""
    found: list[str] = []
    for word in rest:
        if word.startswith("--data."):
            found.append(word)
        elif found and "=" not in found[-1] and not word.startswith("--"):
            found[-1] += f"={word}"
        else:
            fail(f"unrecognized argument {word}; --help prints them all", 2)
    return found


if __name__ == "__main__":
    sys.path.insert(0, "")  # so that --data my_project.MyData is found from where the command is run
    warnings.formatwarning = lambda message, *_, **__: f"note: {message}\n"
    main(run, sys.argv[1:], memory=MEMORY)
