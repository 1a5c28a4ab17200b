"""LightningDataModules of real pictures, and of the points on which GANs are tested."""

from datamodules.adaptation import DigitsOnPatches, EmojiAdaptation
from datamodules.adaptation_folders import AdaptationFolders
from datamodules.emoji import Emoji, EmojiPairs, EmojiStyles, EmojiUnpaired
from datamodules.films import FilmFolders
from datamodules.folders import ImageFolder, MadePairs, PairedFolders, SideBySide, UnpairedFolders
from datamodules.loading import BatchedDataModule, PictureDataModule
from datamodules.mixtures import Grid, Ring
from datamodules.moving import MovingEmoji
from datamodules.pictures import find_pictures, load_picture
from datamodules.stacked import StackedMNIST
from datamodules.vision import CIFAR10, CIFAR100, KMNIST, MNIST, Arrays, FashionMNIST

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "KMNIST",
    "MNIST",
    "AdaptationFolders",
    "Arrays",
    "BatchedDataModule",
    "DigitsOnPatches",
    "Emoji",
    "EmojiAdaptation",
    "EmojiPairs",
    "EmojiStyles",
    "EmojiUnpaired",
    "FashionMNIST",
    "FilmFolders",
    "Grid",
    "ImageFolder",
    "MadePairs",
    "MovingEmoji",
    "PairedFolders",
    "PictureDataModule",
    "Ring",
    "SideBySide",
    "StackedMNIST",
    "UnpairedFolders",
    "find_pictures",
    "load_picture",
]
