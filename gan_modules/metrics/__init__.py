"""Metrics that torchmetrics does not have, or does not have right, fast or comparable."""

from gan_modules.metrics.absolute import L1
from gan_modules.metrics.accuracy import Accuracy, ClassificationAccuracy
from gan_modules.metrics.diversity import SampleDiversity
from gan_modules.metrics.features import FeatureMetric, FeatureNetwork, Unavailable
from gan_modules.metrics.frechet import FrechetDistance, frechet_distance
from gan_modules.metrics.inception_score import InceptionScore, inception_score
from gan_modules.metrics.kernel import KernelDistance, kernel_distance
from gan_modules.metrics.manifold import PRDC, prdc
from gan_modules.metrics.modes import ClassCoverage, ModeCoverage
from gan_modules.metrics.neighbours import NearestNeighbour
from gan_modules.metrics.networks import ImageNetInput, dinov2, torchvision_network
from gan_modules.metrics.path_length import PathLength
from gan_modules.metrics.per_class import IntraFrechetDistance, frechet_by_class
from gan_modules.metrics.perceptual import LPIPS, LPIPSDiversity, PerceptualNetwork
from gan_modules.metrics.psnr import PSNR
from gan_modules.metrics.saturation import MeanSaturation
from gan_modules.metrics.sharpness import Sharpness, gradient_energy
from gan_modules.metrics.sliced_wasserstein import SlicedWasserstein
from gan_modules.metrics.structure import SSIM, MultiScaleSSIM

__all__ = [
    "L1",
    "LPIPS",
    "PRDC",
    "PSNR",
    "SSIM",
    "Accuracy",
    "ClassCoverage",
    "ClassificationAccuracy",
    "FeatureMetric",
    "FeatureNetwork",
    "FrechetDistance",
    "ImageNetInput",
    "InceptionScore",
    "IntraFrechetDistance",
    "KernelDistance",
    "LPIPSDiversity",
    "MeanSaturation",
    "ModeCoverage",
    "MultiScaleSSIM",
    "NearestNeighbour",
    "PathLength",
    "PerceptualNetwork",
    "SampleDiversity",
    "Sharpness",
    "SlicedWasserstein",
    "Unavailable",
    "dinov2",
    "frechet_by_class",
    "frechet_distance",
    "gradient_energy",
    "inception_score",
    "kernel_distance",
    "prdc",
    "torchvision_network",
]
