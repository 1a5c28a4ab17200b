"""How good a checkpoint or a folder of pictures is: what `scripts/evaluate.py` does."""

from gan_modules.evaluation.measuring import evaluate
from gan_modules.evaluation.options import Evaluation

__all__ = ["Evaluation", "evaluate"]
