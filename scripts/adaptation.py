"""What domain adaptation is worth: a trained PixelDA beside classifiers that learn from one domain alone.

python scripts/adaptation.py --checkpoint runs/pixel_da/RUN/checkpoints/last.ckpt [--epochs 40]

Prints the share of held-out pictures that each names right, of the target domain and of the source: of a classifier
that learns from the source alone, which adaptation is to surpass; of the checkpoint's; and of one that is told the
labels of the target, which is the most that can be hoped for. All three are of one architecture; those of one domain
are trained anew on the checkpoint's data. Of a user's own pictures (--data adaptation_folders) the target's training
labels are not known, nor are sources held out: there the last line and the second column are left out.
"""

import copy
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from gan_modules import PixelDA, checkpoints, checks, classifiers
from gan_modules.batches import labelled_domains_of
from gan_modules.cli import ScriptParser, main
from gan_modules.evaluation.comparison import data_module


def untrained(classifier: nn.Module) -> nn.Module:
    """A copy whose layers have new weights, the same in every run."""
    classifier = copy.deepcopy(classifier)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for layer in classifier.modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
    return classifier


@torch.no_grad()
def shares(classifier: nn.Module, data: Any) -> list[float]:
    """The shares of held-out pictures that a classifier names right: of the target, and, where they are pairs, of both.

    Pairs have the truth of their translation in their batches.
    """
    right, seen = torch.zeros(1), 0
    for batch in data.val_dataloader():
        finished = data.on_after_batch_transfer(batch, 0)
        source, target, labels = labelled_domains_of(finished)
        shown = (target, source) if len(finished) == 4 else (target,)
        right = right + torch.stack([(classifier(images).argmax(1) == labels).sum() for images in shown])
        seen += len(labels)
    return (right / seen).tolist()


def prepared(config: Any, trust: tuple[str, ...], *options: str) -> Any:
    """The data of a checkpoint, with other options, mirrored and cropped in training as for the checkpoint."""
    arguments = config.get("init_args") if isinstance(config, dict) else None
    known = arguments if isinstance(arguments, dict) else {}
    varied = [f"--data.{name}={known[name]}" for name in ("flip", "load_size") if known.get(name) is not None]
    data, _ = data_module("", [*options, *varied], config, {}, trust)
    data.prepare_data()
    data.setup("fit")
    return data


def run(arguments: Sequence[str]) -> None:
    parser = ScriptParser(__doc__)
    parser.add_argument("--checkpoint", required=True, help="of a pixel_da, that scripts/fit.py wrote")
    parser.add_argument(
        "--epochs", type=int, help="of the classifiers of one domain; else as many batches as the checkpoint's"
    )
    parser.add_argument("--trust", nargs="*", default=[], help="packages whose classes the checkpoint may name")
    given = parser.parse_args(arguments)
    checks.whole(1, epochs=1 if given.epochs is None else given.epochs)
    saved, trust = checkpoints.read(given.checkpoint), tuple(given.trust)
    module = checkpoints.rebuilt(saved, given.checkpoint, trust)
    if not isinstance(module, PixelDA):
        raise ValueError(f"{given.checkpoint} is of a {type(module).__name__}, which adapts none; give a PixelDA's")
    config = saved["config"].get("data")
    data = prepared(config, trust)
    known = getattr(data, "knows_target", True)
    print(f"{'classifier':16s}{'target':>10s}" + (f"{'source':>10s}" if known else ""))
    for name, only in (("source only", "source"), ("pixel_da", None), *([("target only", "target")] if known else [])):
        classifier = module.classifier
        if only is not None:
            alone = prepared(config, trust, f"--data.only={only}")
            alone.batch_size = min(alone.batch_size, len(alone.training))
            epochs = given.epochs or max(1, round(module.batches_seen / len(alone.train_dataloader())))
            classifier = classifiers.trained(untrained(module.classifier), alone, epochs)
        print(f"{name:16s}" + "".join(f"{share:10.1%}" for share in shares(classifier, data)))
    if not known:
        print("no classifier learns from the target alone, because the labels of its training pictures are not known")


if __name__ == "__main__":
    sys.path.insert(0, "")
    main(run, sys.argv[1:])
