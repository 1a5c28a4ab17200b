"""How good a checkpoint or a folder of pictures is, or several: `scripts/evaluate.py` and `compare.py`."""

from gan_modules.evaluation.measuring import evaluate
from gan_modules.evaluation.options import Evaluation
from gan_modules.evaluation.tables import Table, compare

__all__ = ["Evaluation", "Table", "compare", "evaluate"]
