"""Lightning callbacks: metrics, sample grids, checkpoints and the progress bar; none knows which model it watches."""

from gan_modules.callbacks.checkpoints import Checkpoints
from gan_modules.callbacks.image_metrics import FID, KID, PRDC, InceptionScore
from gan_modules.callbacks.progress import ProgressBar
from gan_modules.callbacks.samples import SampleGrid
from gan_modules.callbacks.translation_scores import SWD, TranslationScores

__all__ = ["FID", "KID", "SWD", "PRDC", "Checkpoints", "InceptionScore", "ProgressBar", "SampleGrid", "TranslationScores"]
