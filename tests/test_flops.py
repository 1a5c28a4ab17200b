"""A training step computes what its algorithm needs, to the floating-point operation, and nothing else.

A layer's forward pass, the gradient of its weights and the gradient of its input cost the same number F. So a step's
cost follows from the sum of F over a network's layers and from who needs which gradient:

- a network that is trained on given inputs: 3 sum F, less F for each layer that sees the input itself;
- one that is trained and passes the gradient on to what made its input: 3 sum F;
- one that only passes the gradient on: 2 sum F;
- one that only runs: sum F.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader
from torch.utils.flop_counter import flop_registry

from gan_modules import ACGAN, GAN, WGANGP, AdversarialModule, CycleGAN, Pix2Pix
from gan_modules.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    PatchDiscriminator,
    ResNetCritic,
    ResNetGenerator,
    ResNetTranslator,
    UNetGenerator,
)

N, SIZE = 2, 32


class Flops(TorchDispatchMode):
    """Counts by torch's own formulas; unlike `FlopCounterMode` it bears `autograd.grad` with respect to a leaf."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func._overloadpacket in flop_registry:
            self.total += flop_registry[func._overloadpacket](*args, **(kwargs or {}), out_val=out)
        return out


class PerBatch(Callback):
    """The operations of each training step, by way of `Trainer.fit`."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def on_train_batch_start(self, *args: Any) -> None:
        self.counting = ExitStack()
        self.mode = self.counting.enter_context(Flops())

    def on_train_batch_end(self, *args: Any) -> None:
        self.counting.close()
        self.steps.append(self.mode.total)


@dataclass
class Cost:
    """Of one network: F of all its layers, of those that see its inputs themselves, and of the last one."""

    layers: int
    first: int
    last: int

    @property
    def trained(self) -> int:
        """Forward, and the gradients of the weights."""
        return 3 * self.layers - self.first

    @property
    def trained_and_passed_on(self) -> int:
        """Forward, and the gradients of weights and input."""
        return 3 * self.layers

    @property
    def passed_on(self) -> int:
        """Forward, and the gradient of the input."""
        return 2 * self.layers

    @property
    def penalised(self) -> int:
        """A gradient penalty: forward; the gradient of the input; its derivatives by the weights and by what it was
        before each layer, of which the last layer needs none, having been given a constant."""
        return 4 * self.layers - self.last


def cost(network: nn.Module, *inputs: Tensor) -> Cost:
    """Measure F layer by layer in one forward pass."""
    costs: list[tuple[int, bool]] = []
    counter = Flops()

    def before(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        costs.append((counter.total, inputs[0].requires_grad))

    def after(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        start, inner = costs.pop()
        costs.append((counter.total - start, inner))

    leaves = [m for m in network.modules() if not list(m.children()) and list(m.parameters())]
    handles = [m.register_forward_pre_hook(before) for m in leaves] + [m.register_forward_hook(after) for m in leaves]
    with counter:
        network(*inputs)
    for handle in handles:
        handle.remove()
    counted = [(flops, inner) for flops, inner in costs if flops]
    assert sum(flops for flops, _ in counted) == counter.total
    return Cost(counter.total, sum(flops for flops, inner in counted if not inner), counted[-1][0])


def steps_of(module: AdversarialModule, batches: Sequence[Any]) -> list[int]:
    counted = PerBatch()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        callbacks=[counted],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(batches, batch_size=None))  # type: ignore[arg-type]
    return counted.steps


def images(channels: int = 3) -> Tensor:
    return torch.rand(N, channels, SIZE, SIZE) * 2 - 1


def labels() -> Tensor:
    return torch.arange(N) % 3


def test_what_the_formula_rests_on() -> None:
    layer = nn.Conv2d(3, 5, 4, 2, 1)
    each = cost(layer, images())
    assert each == Cost(2 * N * (SIZE // 2) ** 2 * 5 * 3 * 4**2, each.layers, each.layers)
    with Flops() as counter:
        layer(images().requires_grad_()).sum().backward()
    assert counter.total == each.trained_and_passed_on


def test_dcgan() -> None:
    g, d = DCGANGenerator(8, SIZE, width=4), DCGANDiscriminator(SIZE, width=4)
    on_g, on_d = cost(g, torch.randn(N, 8)), cost(d, images())
    discriminator = on_g.layers + 2 * on_d.trained
    generator = on_g.trained + on_d.passed_on
    assert steps_of(GAN(g, d, 8), [images()] * 2) == [discriminator + generator] * 2


def test_acgan() -> None:
    g, d = DCGANGenerator(8, SIZE, width=4, num_classes=3), DCGANDiscriminator(SIZE, width=4, num_classes=3)
    on_g, on_d = cost(g, torch.randn(N, 8), labels()), cost(d, images())
    discriminator = on_g.layers + 2 * on_d.trained
    generator = on_g.trained + on_d.passed_on
    assert steps_of(ACGAN(g, d, 3, 8), [(images(), labels())]) == [discriminator + generator]


@pytest.mark.parametrize("generator_batch", [1, 2])
def test_wgan_gp(generator_batch: int) -> None:
    g, d = ResNetGenerator(8, SIZE, width=4), ResNetCritic(SIZE, width=4)
    on_g, on_d = cost(g, torch.randn(N, 8)), cost(d, images())
    critic = on_g.layers + 2 * on_d.trained + on_d.penalised
    generator = generator_batch * (on_g.trained + on_d.passed_on)
    module = WGANGP(g, d, 8, n_critic=5, generator_batch=generator_batch)
    assert steps_of(module, [images()] * 6) == [critic] * 4 + [critic + generator] + [critic]


def test_pix2pix() -> None:
    g, d = UNetGenerator(1, 3, SIZE, width=4), PatchDiscriminator(3, 1, width=4, layers=2)
    on_g, on_d = cost(g, images(1)), cost(d, images(), images(1))
    generator = on_g.trained + on_d.passed_on
    discriminator = 2 * on_d.trained
    assert steps_of(Pix2Pix(g, d), [(images(1), images())] * 2) == [generator + discriminator] * 2


@pytest.mark.parametrize("identity_weight", [0.0, 0.5])
def test_cyclegan(identity_weight: float) -> None:
    g, f = ResNetTranslator(width=4, blocks=1), ResNetTranslator(width=4, blocks=1)
    x, y = PatchDiscriminator(width=4, layers=2), PatchDiscriminator(width=4, layers=2)
    on_g, on_d = cost(g, images()), cost(x, images())
    translation = on_g.trained + on_g.trained_and_passed_on + on_d.passed_on
    identity = on_g.trained if identity_weight else 0
    module = CycleGAN(g, f, x, y, identity_weight=identity_weight)
    assert steps_of(module, [(images(), images())] * 2) == [2 * (translation + identity + 2 * on_d.trained)] * 2


def test_micro_batches_cost_what_the_batch_costs() -> None:
    whole, parts = (
        steps_of(
            GAN(DCGANGenerator(8, SIZE, width=4), DCGANDiscriminator(SIZE, width=4), 8, micro_batches=m), [images()]
        )
        for m in (1, N)
    )
    assert whole == parts


def test_what_a_discriminator_is_trained_on_has_no_graph() -> None:
    cases: list[tuple[AdversarialModule, Any, str, str, list[bool], list[bool]]] = [
        (
            GAN(DCGANGenerator(8, SIZE, width=4), DCGANDiscriminator(SIZE, width=4), 8),
            images(), "generator", "discriminator", [False, True], [False, False, True],
        ),
        (
            WGANGP(ResNetGenerator(8, SIZE, width=4), ResNetCritic(SIZE, width=4), 8, n_critic=1),
            images(), "generator", "critic", [False, True], [False, False, True, True],
        ),
        (
            Pix2Pix(UNetGenerator(1, 3, SIZE, width=4), PatchDiscriminator(3, 1, width=4, layers=1)),
            (images(1), images()), "generator", "discriminator", [True], [True, False, False],
        ),
    ]  # fmt: skip
    for module, batch, generator, discriminator, made, judged in cases:
        outputs: list[bool] = []
        inputs: list[bool] = []
        getattr(module, generator).register_forward_hook(lambda _, i, out, to=outputs: to.append(out.requires_grad))
        getattr(module, discriminator).register_forward_pre_hook(lambda _, i, to=inputs: to.append(i[0].requires_grad))
        steps_of(module, [batch])
        assert (outputs, inputs) == (made, judged), type(module).__name__
