"""What every network must do, in one place."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_modules.networks import (
    AdaINDecoder,
    AttributeDecoder,
    BEGANDiscriminator,
    BEGANGenerator,
    BigGANDiscriminator,
    BigGANGenerator,
    CodeDiscriminator,
    ConditionalDCGANDiscriminator,
    ContentDecoder,
    ContentDiscriminator,
    ContentEncoder,
    ContextGenerator,
    CoupledDiscriminator,
    CoupledGenerator,
    DCGANClassifier,
    DCGANDiscriminator,
    DCGANEncoder,
    DCGANGenerator,
    DCGANTrunk,
    DiscoGANDiscriminator,
    DiscoGANGenerator,
    EBGANDiscriminator,
    FeatureDiscriminator,
    ImageClassifier,
    InstanceNorm,
    JointDiscriminator,
    LayerNorm,
    LocalEnhancer,
    MLPClassifier,
    MLPDiscriminator,
    MLPGenerator,
    MLPTrunk,
    MultiScaleDiscriminator,
    PatchDiscriminator,
    PixelDADiscriminator,
    PixelDAGenerator,
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    ProjectionDiscriminator,
    ProjectionGenerator,
    ProjectionHead,
    PyramidDiscriminator,
    R3GANDiscriminator,
    R3GANGenerator,
    RecognitionHead,
    ResNetCritic,
    ResNetEncoder,
    ResNetGenerator,
    ResNetTranslator,
    RRDBGenerator,
    ScoreHead,
    SelfAttention,
    SelfAttentionDiscriminator,
    SelfAttentionGenerator,
    SharedBlocks,
    SPADEEncoder,
    SPADEGenerator,
    SRGANDiscriminator,
    SRResNetGenerator,
    StackedDiscriminator,
    StackedGenerator,
    StarGANDiscriminator,
    StarGANGenerator,
    StyleEncoder,
    StyleGAN2Discriminator,
    StyleGAN2Generator,
    StyleGAN2Mapping,
    TextDiscriminator,
    TextGenerator,
    UNetGenerator,
    VideoDiscriminator,
    VideoGenerator,
)


@dataclass
class Case:
    build: Callable[[], nn.Module]
    inputs: tuple[tuple[int, ...], ...]  # shapes but for the batch; () for labels
    outputs: tuple[tuple[int, ...], ...]
    smallest_batch: int = 1
    whole_graph: bool = True  # not with counted random numbers: their seeds belong to no graph


def _attending(network: nn.Module) -> nn.Module:
    for layer in network.modules():
        if isinstance(layer, SelfAttention):
            nn.init.constant_(layer.gate, 0.7)  # at 0, as it starts, no other weight of the layer has a gradient
    return network


class _OfScales(nn.Module):
    """A judge of a list of frames, given one by one."""

    def __init__(self, judge: nn.Module) -> None:
        super().__init__()
        self.judge = judge

    def forward(self, *frames: Tensor) -> Any:
        return self.judge(frames[:-1], frames[-1])


def _branching(network: nn.Module) -> nn.Module:
    for name, parameter in network.named_parameters():
        if name.endswith("branch.4.weight"):
            nn.init.normal_(parameter, std=0.1)  # at 0, as it starts, no other weight of the block has a gradient
    return network


CASES = {
    "mlp generator": Case(lambda: MLPGenerator(hidden=(8, 8)), ((2,),), ((2,),), smallest_batch=2),
    "mlp generator of images": Case(
        lambda: MLPGenerator(5, (3, 4, 4), (8,), norm=None, activation=nn.Tanh), ((5,),), ((3, 4, 4),)
    ),
    "mlp discriminator": Case(lambda: MLPDiscriminator(hidden=(8, 8)), ((2,),), ((),)),
    "mlp trunk": Case(lambda: MLPTrunk(hidden=(8, 6)), ((2,),), ((6,),)),
    "mlp discriminator of images": Case(
        lambda: MLPDiscriminator((3, 4, 4), (8,), maxout_pieces=0), ((3, 4, 4),), ((),)
    ),
    "biggan generator": Case(
        lambda: BigGANGenerator(6, 12, 1, 4, 3, 5, attention=0), ((6,), ()), ((1, 12, 12),), smallest_batch=2
    ),
    "biggan generator that attends": Case(
        lambda: _attending(BigGANGenerator(6, 16, 3, 4, 3, 5)), ((6,), ()), ((3, 16, 16),), smallest_batch=2
    ),
    "biggan discriminator": Case(lambda: _attending(BigGANDiscriminator(24, 3, 4, 3, 2, 2)), ((3, 24, 24), ()), ((),)),
    "mlp classifier": Case(lambda: MLPClassifier((3, 4, 4), (8, 8), 3), ((3, 4, 4),), ((3,), (8,)), whole_graph=False),
    "dcgan generator": Case(lambda: DCGANGenerator(7, 16, 3, 4), ((7,),), ((3, 16, 16),)),
    "dcgan generator of classes": Case(lambda: DCGANGenerator(7, 28, 1, 4, num_classes=3), ((7,), ()), ((1, 28, 28),)),
    "dcgan discriminator": Case(lambda: DCGANDiscriminator(16, 3, 4), ((3, 16, 16),), ((),)),
    "dcgan discriminator without norm": Case(lambda: DCGANDiscriminator(24, 3, 4, norm=None), ((3, 24, 24),), ((),)),
    "dcgan discriminator with spectral norm": Case(
        lambda: DCGANDiscriminator(16, 3, 4, None, spectral_norm=True), ((3, 16, 16),), ((),)
    ),
    "dcgan discriminator of classes": Case(
        lambda: DCGANDiscriminator(20, 1, 4, num_classes=3), ((1, 20, 20),), ((), (3,))
    ),
    "conditional dcgan discriminator": Case(
        lambda: ConditionalDCGANDiscriminator(16, 3, 4, num_classes=3), ((3, 16, 16), ()), ((),)
    ),
    "coupled generator": Case(lambda: CoupledGenerator(7, 16, 3, 4), ((7,),), ((3, 16, 16), (3, 16, 16))),
    "coupled discriminator": Case(lambda: CoupledDiscriminator(16, 3, 4), ((3, 16, 16), (3, 16, 16)), ((), ())),
    "image classifier": Case(lambda: ImageClassifier(5, 16, 3, 4), ((3, 16, 16),), ((5,),)),
    "image classifier without norm": Case(
        lambda: ImageClassifier(5, 8, 1, 4, None, 6, 0.3), ((1, 8, 8),), ((5,),), whole_graph=False
    ),
    "dcgan classifier": Case(lambda: DCGANClassifier(16, 3, 4, 3, 9, 0.0), ((3, 16, 16),), ((3,), (9,))),
    "dcgan classifier with dropout": Case(
        lambda: DCGANClassifier(16, 3, 4, 3, 9), ((3, 16, 16),), ((3,), (9,)), whole_graph=False
    ),
    "dcgan trunk": Case(lambda: DCGANTrunk(16, 3, 4, features=9), ((3, 16, 16),), ((9,),), smallest_batch=2),
    "dcgan encoder": Case(lambda: DCGANEncoder(5, 20, 1, 4), ((1, 20, 20),), ((5,), (5,))),
    "dcgan encoder of codes": Case(lambda: DCGANEncoder(5, 16, 3, 4, None, False), ((3, 16, 16),), ((5,),)),
    "feature discriminator": Case(lambda: FeatureDiscriminator(16, 3, 4), ((3, 16, 16),), ((), (8, 4, 4))),
    "joint discriminator": Case(lambda: JointDiscriminator(5, 16, 3, 4, features=6), ((3, 16, 16), (5,)), ((),)),
    "code discriminator": Case(lambda: CodeDiscriminator(5, (8, 8)), ((5,),), ((),)),
    "score head": Case(lambda: ScoreHead(9), ((9,),), ((),)),
    "recognition head": Case(lambda: RecognitionHead(9, 8, 4, 2), ((9,),), ((4,), (2,)), smallest_batch=2),
    "projection generator": Case(
        lambda: ProjectionGenerator(7, 12, 1, 4, num_classes=3), ((7,), ()), ((1, 12, 12),), smallest_batch=2
    ),
    "projection discriminator": Case(lambda: ProjectionDiscriminator(24, 3, 4, 3), ((3, 24, 24), ()), ((),)),
    "projection head": Case(lambda: ProjectionHead(9, 3), ((9,), ()), ((),)),
    "resnet generator": Case(lambda: ResNetGenerator(7, 16, 3, 4), ((7,),), ((3, 16, 16),)),
    "resnet generator of classes": Case(
        lambda: ResNetGenerator(7, 12, 1, 4, num_classes=3), ((7,), ()), ((1, 12, 12),)
    ),
    "resnet critic": Case(lambda: ResNetCritic(32, 3, 4), ((3, 32, 32),), ((),)),
    "resnet critic with layer norm": Case(lambda: ResNetCritic(16, 1, 4, norm=LayerNorm), ((1, 16, 16),), ((),)),
    "resnet critic with spectral norm": Case(lambda: ResNetCritic(16, 3, 4, spectral_norm=True), ((3, 16, 16),), ((),)),
    "self-attention": Case(lambda: _attending(SelfAttention(8)), ((8, 6, 4),), ((8, 6, 4),)),
    "sagan generator": Case(
        lambda: _attending(SelfAttentionGenerator(7, 16, 3, 4)), ((7,),), ((3, 16, 16),), smallest_batch=2
    ),
    "sagan discriminator": Case(lambda: _attending(SelfAttentionDiscriminator(20, 1, 4)), ((1, 20, 20),), ((),)),
    "r3gan generator": Case(lambda: _branching(R3GANGenerator(7, 24, 1, 4, 4)), ((7,),), ((1, 24, 24),)),
    "r3gan generator beyond 32 pixels": Case(
        lambda: _branching(R3GANGenerator(7, 64, 3, 4, 4)), ((7,),), ((3, 64, 64),)
    ),
    "r3gan discriminator": Case(lambda: _branching(R3GANDiscriminator(24, 3, 4, 4)), ((3, 24, 24),), ((),)),
    "r3gan discriminator beyond 32 pixels": Case(
        lambda: _branching(R3GANDiscriminator(64, 3, 4, 4)), ((3, 64, 64),), ((),)
    ),
    "discogan generator": Case(lambda: DiscoGANGenerator(1, 3, 4, 2), ((1, 16, 12),), ((3, 16, 12),)),
    "discogan generator without norm": Case(lambda: DiscoGANGenerator(3, 3, 4, 1, None), ((3, 8, 8),), ((3, 8, 8),)),
    "discogan discriminator": Case(lambda: DiscoGANDiscriminator(20, 1, 4), ((1, 20, 20),), ((), (8, 5, 5))),
    "stargan generator": Case(lambda: StarGANGenerator(3, 3, 4, 2, 1), ((3, 16, 12), ()), ((3, 16, 12),)),
    "stargan discriminator": Case(lambda: StarGANDiscriminator(3, 24, 1, 4, 3), ((1, 24, 24),), ((1, 3, 3), (3,))),
    "ebgan discriminator": Case(lambda: EBGANDiscriminator(3, 4, 2), ((3, 16, 12),), ((3, 16, 12), (8, 4, 3))),
    "ebgan discriminator without norm": Case(
        lambda: EBGANDiscriminator(1, 4, 3, None), ((1, 16, 16),), ((1, 16, 16), (16, 2, 2))
    ),
    "began generator": Case(lambda: BEGANGenerator(7, 20, 1, 4), ((7,),), ((1, 20, 20),)),
    "began discriminator": Case(lambda: BEGANDiscriminator(5, 16, 3, 4), ((3, 16, 16),), ((3, 16, 16), (5,))),
    "content encoder": Case(lambda: ContentEncoder(1, 4, 2, 1), ((1, 16, 12),), ((16, 4, 3),)),
    "content encoder without norm": Case(lambda: ContentEncoder(3, 4, 1, 1, None), ((3, 8, 8),), ((8, 4, 4),)),
    "shared blocks": Case(lambda: SharedBlocks(4, 2), ((4, 5, 4),), ((4, 5, 4),)),
    "shared blocks with noise": Case(lambda: SharedBlocks(4, 1, 1.0), ((4, 5, 4),), ((4, 5, 4),), whole_graph=False),
    "content decoder": Case(lambda: ContentDecoder(1, 4, 2, 1), ((16, 4, 3),), ((1, 16, 12),)),
    "style encoder": Case(lambda: StyleEncoder(3, 5, 4, 3), ((3, 16, 11),), ((5,),)),
    "adain decoder": Case(lambda: AdaINDecoder(1, 5, 4, 1, 2, 8), ((8, 4, 5), (5,)), ((1, 8, 10),)),
    "attribute decoder": Case(lambda: AttributeDecoder(1, 5, 4, 2, 1), ((16, 4, 3), (5,)), ((1, 16, 12),)),
    "content discriminator": Case(lambda: ContentDiscriminator(4, 1), ((4, 11, 13),), ((1, 1, 2),)),
    "multi-scale discriminator": Case(
        lambda: MultiScaleDiscriminator(3, 4, 2, 2), ((3, 16, 12),), ((1, 4, 3), (1, 2, 1))
    ),
    "unet": Case(lambda: UNetGenerator(1, 3, 32, 4, dropout=0.0), ((1, 32, 32),), ((3, 32, 32),)),
    "unet with dropout": Case(
        lambda: UNetGenerator(1, 3, 16, 4, norm=InstanceNorm), ((1, 16, 16),), ((3, 16, 16),), whole_graph=False
    ),
    "unet without norm": Case(lambda: UNetGenerator(3, 1, 16, 4, None, 0.0), ((3, 16, 16),), ((1, 16, 16),)),
    "context": Case(lambda: ContextGenerator(3, 1, 16, 4, 6), ((3, 16, 16),), ((1, 16, 16),), smallest_batch=2),
    "context without bottleneck": Case(lambda: ContextGenerator(1, 3, 8, 4, 0), ((1, 8, 8),), ((3, 8, 8),)),
    "srresnet": Case(lambda: SRResNetGenerator(1, 3, 4, 2), ((1, 5, 6),), ((3, 20, 24),)),
    "rrdb": Case(lambda: RRDBGenerator(3, 1, 4, 1, 2), ((3, 5, 6),), ((1, 20, 24),)),
    "srgan discriminator": Case(lambda: SRGANDiscriminator(16, 3, 2, 8), ((3, 16, 16),), ((),), smallest_batch=2),
    "patch discriminator": Case(lambda: PatchDiscriminator(3, 0, 4), ((3, 32, 32),), ((1, 2, 2),)),
    "patch discriminator of pairs": Case(
        lambda: PatchDiscriminator(3, 1, 4, 2, InstanceNorm), ((3, 16, 24), (1, 16, 24)), ((1, 2, 4),)
    ),
    "spade generator": Case(
        lambda: SPADEGenerator(4, 3, 16, 4, 2, 5, 4, spectral_norm=False), ((4, 16, 16), (5,)), ((3, 16, 16),)
    ),
    "spade generator without codes": Case(
        lambda: SPADEGenerator(4, 3, 16, 4, 2, 0, 4), ((4, 16, 16),), ((3, 16, 16),), whole_graph=False
    ),
    "spade encoder": Case(lambda: SPADEEncoder(1, 16, 5, 4), ((1, 16, 16),), ((5,), (5,)), whole_graph=False),
    "local enhancer": Case(lambda: LocalEnhancer(1, 3, 4, 1, 1, 1), ((1, 16, 12),), ((3, 16, 12),)),
    "local enhancer without norm": Case(lambda: LocalEnhancer(3, 3, 4, 1, 2, 0, None), ((3, 16, 16),), ((3, 16, 16),)),
    "pyramid discriminator": Case(
        lambda: PyramidDiscriminator(3, 1, 4, 1, None, 2), ((3, 16, 16), (1, 16, 16)), ((1, 6, 6), (1, 2, 2))
    ),
    "pyramid discriminator with features": Case(
        lambda: PyramidDiscriminator(3, 0, 4, 1, None, 1, features=True, spectral_norm=True),
        ((3, 16, 16),),
        ((4, 8, 8), (8, 7, 7), (1, 6, 6)),
        whole_graph=False,
    ),
    "resnet encoder": Case(lambda: ResNetEncoder(3, 5, 4, 2), ((3, 16, 24),), ((5,), (5,))),
    "resnet encoder without norm": Case(lambda: ResNetEncoder(1, 5, 4, 4, None), ((1, 32, 32),), ((5,), (5,))),
    "unet of a code": Case(
        lambda: UNetGenerator(1, 3, 16, 4, None, 0.0, code_dim=5), ((1, 16, 16), (5,)), ((3, 16, 16),)
    ),
    "unet of a code at its input": Case(
        lambda: UNetGenerator(1, 3, 16, 4, None, 0.0, code_dim=5, code_everywhere=False),
        ((1, 16, 16), (5,)),
        ((3, 16, 16),),
    ),
    "pixel discriminator": Case(lambda: PatchDiscriminator(3, 0, 4, layers=0, norm=None), ((3, 8, 8),), ((1, 8, 8),)),
    "stacked generator": Case(lambda: StackedGenerator(5, 3, 2), ((5,),), ((3, 28, 28),)),
    "stacked discriminator": Case(lambda: StackedDiscriminator(3, 2), ((3, 28, 28),), ((),)),
    "stacked discriminator without norm": Case(lambda: StackedDiscriminator(3, 2, None), ((3, 28, 28),), ((),)),
    "video generator": Case(
        lambda: VideoGenerator(6, 3, 4), ((6, 16, 24),), ((3, 2, 3), (3, 4, 6), (3, 8, 12), (3, 16, 24))
    ),
    "video discriminator": Case(
        lambda: _OfScales(VideoDiscriminator(3, 6, 32, 4)),
        ((3, 4, 4), (3, 8, 8), (3, 16, 16), (3, 32, 32), (6, 32, 32)),
        ((), (), (), ()),
    ),
    "text generator": Case(lambda: TextGenerator(7, 9, 5, 16, 3, 4), ((7,), (9,)), ((3, 16, 16),)),
    "text discriminator": Case(lambda: TextDiscriminator(9, 5, 16, 3, 4), ((3, 16, 16), (9,)), ((),)),
    "translator": Case(lambda: ResNetTranslator(1, 3, 4, blocks=2), ((1, 16, 12),), ((3, 16, 12),)),
    "translator with dropout": Case(
        lambda: ResNetTranslator(3, 3, 4, 1, 1, dropout=0.5), ((3, 8, 8),), ((3, 8, 8),), whole_graph=False
    ),
    "translator without norm": Case(lambda: ResNetTranslator(3, 1, 4, 1, 3, norm=None), ((3, 16, 16),), ((1, 16, 16),)),
    "pixel da generator": Case(
        lambda: PixelDAGenerator(3, 4, 5, 4, 1), ((3, 8, 4), (5,)), ((3, 8, 4),), smallest_batch=2
    ),
    "pixel da discriminator": Case(
        lambda: PixelDADiscriminator(8, 3, 4), ((3, 8, 8),), ((),), smallest_batch=2, whole_graph=False
    ),
    "progressive generator": Case(lambda: ProgressiveGenerator(6, 16, 3, 8, 32), ((6,),), ((3, 16, 16),)),
    "progressive discriminator": Case(lambda: ProgressiveDiscriminator(16, 3, 8, 32), ((3, 16, 16),), ((),)),
    "stylegan2 mapping": Case(lambda: StyleGAN2Mapping(6, 5, 2), ((6,),), ((5,),)),
    "stylegan2 generator": Case(lambda: StyleGAN2Generator(5, 16, 3, 8, 64), ((6, 5),), ((3, 16, 16),)),
    "stylegan2 discriminator": Case(lambda: StyleGAN2Discriminator(16, 3, 8, 64), ((3, 16, 16),), ((),)),
}
every_network = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def built(case: Case, dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(1)
    return case.build().to(dtype)


def inputs_of(case: Case, count: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    torch.manual_seed(2)
    return [
        torch.randn(count, *shape, dtype=dtype) if shape else torch.arange(count) % 3  # three classes
        for shape in case.inputs
    ]


def outputs_of(network: nn.Module, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    torch.manual_seed(0)  # dropout's
    return flat(network(*inputs))


def flat(outputs: Any) -> tuple[Tensor, ...]:
    """The tensors in nested tuples and lists."""
    return (outputs,) if isinstance(outputs, Tensor) else tuple(leaf for each in outputs for leaf in flat(each))


def descend(outputs: tuple[Tensor, ...]) -> None:
    """Send every output a gradient that is not constant."""
    torch.manual_seed(3)
    weighted = [(y * torch.randn(y.shape, dtype=y.dtype)).sum() for y in outputs]
    torch.autograd.backward(weighted)


@every_network
@pytest.mark.parametrize("extra", [0, 2])
def test_shapes(case: Case, extra: int) -> None:
    count = case.smallest_batch + extra
    outputs = outputs_of(built(case), inputs_of(case, count))
    assert tuple(tuple(y.shape) for y in outputs) == tuple((count, *shape) for shape in case.outputs)


@every_network
def test_double_precision_and_the_gradient_of_every_parameter(case: Case) -> None:
    network, inputs = built(case, torch.float64), inputs_of(case, 3, torch.float64)
    outputs = outputs_of(network, inputs)
    assert {y.dtype for y in outputs} == {torch.float64}
    descend(outputs)
    growing = {"to_images.0", "to_images.1", "from_images.0", "from_images.1"}
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not [name for name in idle if ".".join(name.split(".")[:2]) not in growing]


@every_network
def test_both_memory_formats_give_one_gradient(case: Case) -> None:
    gradients = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        network = built(case, torch.float64).to(memory_format=memory_format)
        inputs = inputs_of(case, case.smallest_batch, torch.float64)
        inputs = [x.contiguous(memory_format=memory_format) if x.dim() == 4 else x for x in inputs]
        descend(outputs_of(network, inputs))
        gradients.append([p.grad for p in network.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@every_network
def test_a_copy_and_a_restored_network_are_the_network(case: Case) -> None:
    network, inputs = built(case), inputs_of(case, 3)
    outputs_of(network, inputs)
    restored = case.build()
    restored.load_state_dict(network.state_dict())
    expected = outputs_of(network.eval(), inputs)
    for twin in (copy.deepcopy(network), restored.eval()):
        for ours, theirs in zip(outputs_of(twin, inputs), expected, strict=True):
            assert torch.equal(ours, theirs)


@every_network
def test_half_precision_stays_finite(case: Case) -> None:
    network, inputs = built(case), inputs_of(case, 3)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = outputs_of(network, inputs)
    descend(outputs)
    assert all(y.isfinite().all() for y in outputs)
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


@pytest.mark.slow
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items() if case.whole_graph])
def test_one_graph_captures_the_forward(case: Case) -> None:
    network, inputs = built(case).eval(), inputs_of(case, 3)
    expected = outputs_of(network, inputs)
    torch.compiler.reset()
    compiled = torch.compile(network, backend="eager", fullgraph=True)(*inputs)
    for ours, theirs in zip(flat(compiled), expected, strict=True):
        torch.testing.assert_close(ours, theirs)
