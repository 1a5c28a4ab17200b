"""What a trained AdvGAN does to its classifier, and to one that was trained against it.

python scripts/attack.py --checkpoint runs/advgan/RUN/checkpoints/last.ckpt [--epochs 5]

Prints the share of held-out pictures that each names right, untouched and attacked, and the attack's success: how many
of those named right are lost. The second classifier is trained anew on the checkpoint's data, half of its loss being of
attacked pictures (adversarial training); the attack is the same for both, and knows the first alone.
"""

import copy
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gan_modules import AdvGAN, checkpoints, checks, classifiers
from gan_modules.cli import ScriptParser, main
from gan_modules.evaluation.comparison import data_module


def measured(module: AdvGAN, data: Any, epochs: int) -> dict[str, dict[str, float]]:
    """Scores of both classifiers, by their names."""

    @torch.no_grad()
    def attack(images: Tensor, labels: Tensor) -> Tensor:
        return module(images)

    against = classifiers.trained(copy.deepcopy(module.given[0]), data, epochs, attack)
    named: dict[str, nn.Module] = {"as it was": module.classifier, "trained against it": against}
    return {name: classifiers.withstood(classifier, data, attack) for name, classifier in named.items()}


def run(arguments: Sequence[str]) -> None:
    parser = ScriptParser(__doc__)
    parser.add_argument("--checkpoint", required=True, help="of an advgan, that scripts/fit.py wrote")
    parser.add_argument("--epochs", type=int, default=5, help="of adversarial training")
    parser.add_argument("--trust", nargs="*", default=[], help="packages whose classes the checkpoint may name")
    given = parser.parse_args(arguments)
    checks.whole(1, epochs=given.epochs)
    saved, trust = checkpoints.read(given.checkpoint), tuple(given.trust)
    module = checkpoints.rebuilt(saved, given.checkpoint, trust)
    if not isinstance(module, AdvGAN):
        raise ValueError(f"{given.checkpoint} is of a {type(module).__name__}, which attacks nothing; give an AdvGAN's")
    data, _ = data_module("", [], saved["config"].get("data"), {}, trust)
    data.prepare_data()
    data.setup("fit")
    print(f"{'classifier':20s}{'untouched':>12s}{'attacked':>12s}{'success':>12s}")
    for name, scores in measured(module, data, given.epochs).items():
        print(f"{name:20s}" + "".join(f"{scores[each]:12.1%}" for each in ("untouched", "attacked", "success")))


if __name__ == "__main__":
    sys.path.insert(0, "")
    main(run, sys.argv[1:])
