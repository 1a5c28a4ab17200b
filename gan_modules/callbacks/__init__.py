"""Lightning callbacks: metrics, sample grids, checkpoints and the progress bar; none knows which model it watches."""

from gan_modules.callbacks.attack import AttackSuccess
from gan_modules.callbacks.checkpoints import Checkpoints
from gan_modules.callbacks.diversity import Diversity
from gan_modules.callbacks.early_stopping import EarlyStopping
from gan_modules.callbacks.image_metrics import FID, KID, PRDC, InceptionScore, IntraFID
from gan_modules.callbacks.inference import NearestNeighbour, Reconstruction, Sharpness
from gan_modules.callbacks.modes import Modes
from gan_modules.callbacks.picture_metrics import LPIPS, MSSSIM, Accuracy, ClassificationAccuracy, PerceptualPathLength
from gan_modules.callbacks.prediction import PredictionScores
from gan_modules.callbacks.progress import ProgressBar
from gan_modules.callbacks.samples import SampleGrid
from gan_modules.callbacks.saturation import Saturation
from gan_modules.callbacks.translation_scores import SWD, TranslationScores

__all__ = [
    "FID",
    "KID",
    "LPIPS",
    "MSSSIM",
    "PRDC",
    "SWD",
    "Accuracy",
    "AttackSuccess",
    "Checkpoints",
    "ClassificationAccuracy",
    "Diversity",
    "EarlyStopping",
    "InceptionScore",
    "IntraFID",
    "Modes",
    "NearestNeighbour",
    "PerceptualPathLength",
    "PredictionScores",
    "ProgressBar",
    "Reconstruction",
    "SampleGrid",
    "Saturation",
    "Sharpness",
    "TranslationScores",
]
