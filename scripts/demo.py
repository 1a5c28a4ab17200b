"""A web page to play with a checkpoint: sliders and classes of a model of noise, drawings for one that translates.

python scripts/demo.py --checkpoint runs/dcgan/RUN/checkpoints/last.ckpt [--port 7860] [--host 127.0.0.1]
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from gan_modules.cli import ScriptParser, main


def run(arguments: Sequence[str]) -> None:
    parser = ScriptParser(__doc__)
    parser.add_argument("--checkpoint", required=True, type=Path, help="file that scripts/fit.py wrote")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0: all of this machine's")
    parser.add_argument("--port", type=int, default=7860, help="of that address; 0: any that is free")
    parser.add_argument("--trust", nargs="*", default=[], help="packages whose classes the checkpoint may name")
    given = parser.parse_args(arguments)
    from gan_modules.demo import page, serve  # here, as Gradio is optional: without it there is a sentence

    made = page(given.checkpoint, tuple(given.trust))
    print(f"the page is at {serve(made, given.host, given.port)} until Ctrl-C", flush=True)
    made.block_thread()


if __name__ == "__main__":
    sys.path.insert(0, "")
    main(run, sys.argv[1:], memory="lower the number of samples")
