"""Write the generator of a checkpoint as a file that other programs run, and check it by running it; or weights alone.

python scripts/export.py --checkpoint runs/cyclegan/RUN/checkpoints/last.ckpt --out cyclegan.onnx [--inverse]
python scripts/export.py --checkpoint runs/munit/RUN/checkpoints/last.ckpt --out style.onnx --encoder
python scripts/export.py --checkpoint runs/dcgan/RUN/checkpoints/last.ckpt --out dcgan.safetensors [--all]

The suffix says the format: .onnx, .pt2 (torch.export), .ts or .pt (TorchScript), .safetensors (weights). What is
exported is what scripts/sample.py uses: the average of the generator, if one was kept, in evaluation mode.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from gan_modules import checkpoints
from gan_modules.adversarial import AdversarialModule
from gan_modules.cli import ScriptParser, main
from gan_modules.exporting import metadata, save, save_weights
from gan_modules.served import Served
from gan_modules.translators import trained_at


def run(arguments: Sequence[str]) -> None:
    parser = ScriptParser(__doc__)
    parser.add_argument("--checkpoint", required=True, type=Path, help="file that scripts/fit.py wrote")
    parser.add_argument("--out", required=True, type=Path, help="file to write")
    parser.add_argument("--inverse", action="store_true", help="from the second domain to the first")
    parser.add_argument(
        "--encoder", action="store_true", help="the network that reads codes or styles off pictures, of models with one"
    )
    parser.add_argument("--without-noise", action="store_true", help="drop nothing where dropout is the noise")
    parser.add_argument("--size", type=int, help="side of pictures, where that is fixed; default: as in training")
    parser.add_argument("--all", action="store_true", help="all networks, beside the averages: .safetensors alone")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    parser.add_argument("--trust", nargs="*", default=[], help="packages whose classes the checkpoint may name")
    given = parser.parse_args(arguments)
    weights = given.out.suffix.lower() == ".safetensors"
    if weights and (given.inverse or given.encoder or given.without_noise or given.size is not None):
        raise ValueError("--inverse, --encoder, --without-noise and --size are not for weights alone; leave them out")
    if given.all and not weights:
        raise ValueError(f"--all is for .safetensors files, got {given.out}; leave it out")
    saved = checkpoints.read(given.checkpoint)
    module = checkpoints.rebuilt(saved, given.checkpoint, tuple(given.trust))
    if weights:
        count = save_weights(module, given.out, given.all, given.overwrite)
        print(f"{count} tensors are in {given.out}")
        return
    method = _method(module, given.encoder, given.inverse)
    served = Served(module, method, given.size, trained_at(saved["config"]), not given.without_noise)
    difference = save(served, given.out, given.overwrite)
    for name, described in json.loads(metadata(served)["inputs"]).items():
        shape = ", ".join(map(str, described["shape"]))
        print(f"{name}: {described['type']} ({shape}), {described['meaning']}")
    print(f"{given.out} makes what {served.name} makes, but for {difference:.1e} at most")


def _method(module: AdversarialModule, encoder: bool, inverse: bool) -> str:
    if encoder:
        return "encode" if hasattr(module, "encode") else "inverse_style" if inverse else "style"
    return "inverse" if inverse else "filled" if hasattr(module, "filled") else "forward"


if __name__ == "__main__":
    sys.path.insert(0, "")
    main(run, sys.argv[1:])
