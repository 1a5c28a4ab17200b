"""Plain networks: any `nn.Module` with the same signature does in their place."""

from gan_modules.networks.attention import SelfAttention, SelfAttentionDiscriminator, SelfAttentionGenerator
from gan_modules.networks.autoencoder import BEGANDiscriminator, BEGANGenerator, EBGANDiscriminator
from gan_modules.networks.biggan import BigGANDiscriminator, BigGANGenerator
from gan_modules.networks.classifier import ImageClassifier
from gan_modules.networks.coupled import CoupledDiscriminator, CoupledGenerator
from gan_modules.networks.dcgan import (
    ConditionalDCGANDiscriminator,
    DCGANClassifier,
    DCGANDiscriminator,
    DCGANGenerator,
    DCGANTrunk,
    RecognitionHead,
    ScoreHead,
)
from gan_modules.networks.discogan import DiscoGANDiscriminator, DiscoGANGenerator
from gan_modules.networks.encoders import ResNetEncoder
from gan_modules.networks.enlarging import RRDBGenerator, SRGANDiscriminator, SRResNetGenerator
from gan_modules.networks.inference import CodeDiscriminator, DCGANEncoder, FeatureDiscriminator, JointDiscriminator
from gan_modules.networks.init import init_glorot, init_kaiming, init_normal, init_orthogonal
from gan_modules.networks.inpainting import ContextGenerator
from gan_modules.networks.layers import (
    ConditionalBatchNorm,
    Dropout,
    EqualizedConv2d,
    EqualizedDownConv2d,
    EqualizedLinear,
    EqualizedUpConv2d,
    GaussianNoise,
    InstanceNorm,
    LayerNorm,
    Maxout,
    MinibatchStd,
    PixelNorm,
)
from gan_modules.networks.mlp import MLPClassifier, MLPDiscriminator, MLPGenerator, MLPTrunk
from gan_modules.networks.multiscale import MultiScaleDiscriminator
from gan_modules.networks.patchgan import PatchDiscriminator, PyramidDiscriminator
from gan_modules.networks.pixel_da import PixelDADiscriminator, PixelDAGenerator
from gan_modules.networks.progressive import ProgressiveDiscriminator, ProgressiveGenerator
from gan_modules.networks.projection import ProjectionDiscriminator, ProjectionGenerator, ProjectionHead
from gan_modules.networks.r3gan import R3GANDiscriminator, R3GANGenerator
from gan_modules.networks.resnet import ResNetCritic, ResNetGenerator
from gan_modules.networks.spade import SPADEEncoder, SPADEGenerator, SpatialNorm
from gan_modules.networks.spectral import spectrally_normalised
from gan_modules.networks.stacked import StackedDiscriminator, StackedGenerator
from gan_modules.networks.stargan import StarGANDiscriminator, StarGANGenerator
from gan_modules.networks.styled import (
    AdaINDecoder,
    AttributeDecoder,
    ContentDecoder,
    ContentDiscriminator,
    ContentEncoder,
    SharedBlocks,
    StyleEncoder,
)
from gan_modules.networks.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator, StyleGAN2Mapping
from gan_modules.networks.text import TextDiscriminator, TextEncoder, TextGenerator
from gan_modules.networks.translator import LocalEnhancer, PatchHeads, ResNetTranslator
from gan_modules.networks.unet import UNetGenerator
from gan_modules.networks.video import VideoDiscriminator, VideoGenerator

__all__ = [
    "AdaINDecoder",
    "AttributeDecoder",
    "BEGANDiscriminator",
    "BEGANGenerator",
    "BigGANDiscriminator",
    "BigGANGenerator",
    "CodeDiscriminator",
    "ConditionalBatchNorm",
    "ConditionalDCGANDiscriminator",
    "ContentDecoder",
    "ContentDiscriminator",
    "ContentEncoder",
    "ContextGenerator",
    "CoupledDiscriminator",
    "CoupledGenerator",
    "DCGANClassifier",
    "DCGANDiscriminator",
    "DCGANEncoder",
    "DCGANGenerator",
    "DCGANTrunk",
    "DiscoGANDiscriminator",
    "DiscoGANGenerator",
    "Dropout",
    "EBGANDiscriminator",
    "EqualizedConv2d",
    "EqualizedDownConv2d",
    "EqualizedLinear",
    "EqualizedUpConv2d",
    "FeatureDiscriminator",
    "GaussianNoise",
    "ImageClassifier",
    "InstanceNorm",
    "JointDiscriminator",
    "LayerNorm",
    "LocalEnhancer",
    "MLPClassifier",
    "MLPDiscriminator",
    "MLPGenerator",
    "MLPTrunk",
    "Maxout",
    "MinibatchStd",
    "MultiScaleDiscriminator",
    "PatchDiscriminator",
    "PatchHeads",
    "PixelDADiscriminator",
    "PixelDAGenerator",
    "PixelNorm",
    "ProgressiveDiscriminator",
    "ProgressiveGenerator",
    "ProjectionDiscriminator",
    "ProjectionGenerator",
    "ProjectionHead",
    "PyramidDiscriminator",
    "R3GANDiscriminator",
    "R3GANGenerator",
    "RRDBGenerator",
    "RecognitionHead",
    "ResNetCritic",
    "ResNetEncoder",
    "ResNetGenerator",
    "ResNetTranslator",
    "SPADEEncoder",
    "SPADEGenerator",
    "SRGANDiscriminator",
    "SRResNetGenerator",
    "ScoreHead",
    "SelfAttention",
    "SelfAttentionDiscriminator",
    "SelfAttentionGenerator",
    "SharedBlocks",
    "SpatialNorm",
    "StackedDiscriminator",
    "StackedGenerator",
    "StarGANDiscriminator",
    "StarGANGenerator",
    "StyleEncoder",
    "StyleGAN2Discriminator",
    "StyleGAN2Generator",
    "StyleGAN2Mapping",
    "TextDiscriminator",
    "TextEncoder",
    "TextGenerator",
    "UNetGenerator",
    "VideoDiscriminator",
    "VideoGenerator",
    "init_glorot",
    "init_kaiming",
    "init_normal",
    "init_orthogonal",
    "spectrally_normalised",
]
