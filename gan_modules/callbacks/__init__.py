"""Lightning callbacks: metrics, sample grids and the progress bar; they know only what `validation_step` returns."""

from gan_modules.callbacks.image_metrics import FID, KID, InceptionScore
from gan_modules.callbacks.progress import ProgressBar
from gan_modules.callbacks.samples import SampleGrid
from gan_modules.callbacks.translation_scores import SWD, TranslationScores

__all__ = ["FID", "KID", "SWD", "InceptionScore", "ProgressBar", "SampleGrid", "TranslationScores"]
