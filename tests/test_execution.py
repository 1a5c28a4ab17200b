"""Compiled and in channels_last, networks compute what they computed before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch._dynamo.exc import TorchDynamoException

from gan_modules import GAN, WGANGP, AdversarialModule, cli, execution, networks
from variants import FIRST, build, loader, losses_of, same, trainer, whole_state

FAST = ("wgan_gp", "cyclegan")


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Compiles without a C++ compiler; the number of nodes of each graph that is made."""
    found: list[int] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        found.append(len(graph.graph.nodes))
        return torch._dynamo.lookup_backend("aot_eager")(graph, inputs)

    monkeypatch.setattr(execution, "BACKEND", backend)
    torch.compiler.reset()
    return found


def ran(name: str, own: bool = False, batches: int = 8, size: int = 4, **options: Any) -> tuple[Any, list[Any]]:
    """A variant after some batches, and all losses that its steps had."""
    precision = options.pop("precision", "32-true")
    module = build(name, own, **options)
    losses = losses_of(module)
    module.seed = 3
    trainer(precision=precision).fit(module, loader(name, batches, size))
    return module, losses


def tensors(module: AdversarialModule) -> dict[str, Tensor]:
    return {key: value for key, value in module.state_dict().items() if isinstance(value, Tensor)}


# ---------------------------------------------------------------------------------------------------------------------
# compiled


@pytest.mark.parametrize(
    "name", [name if name == "gan on points" else pytest.param(name, marks=pytest.mark.slow) for name in FIRST]
)
def test_compiled_steps_are_the_eager_ones(name: str, graphs: list[int]) -> None:
    mechanics: dict[str, Any] = {"average_decay": 0.9, "clip_norm": 1.0}
    eager, expected = ran(name, **mechanics)
    assert not graphs and not eager.compiled
    compiled, losses = ran(name, compile=True, **mechanics)
    assert compiled.compiled and compiled.hparams["compile"] and list(compiled.state_dict()) == list(eager.state_dict())
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(tensors(compiled), tensors(eager), rtol=1e-5, atol=1e-5)
    # frozen and not, each network that learns; the progressive ones for each of four sizes and fades
    players = len([child for child in compiled.children() if child is not compiled.averages])
    players += "augmented" in name  # what changes the images is a graph of its own
    assert 2 <= len(graphs) <= (16 if name == "pggan" else 2 * players) and min(graphs) > 4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wgan_gp", "pix2pix"])
def test_compiling_goes_with_the_other_options(name: str, graphs: list[int]) -> None:
    options: dict[str, Any] = {"precision": "bf16-mixed", "micro_batches": 2, "clip_norm": 1.0, "channels_last": True}
    _, expected = ran(name, batches=4, size=8, **options)
    _, losses = ran(name, batches=4, size=8, compile=True, **options)
    torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-4)
    assert 3 <= len(graphs) <= 5  # one more for images in single precision than for generated ones in half


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wgan_gp", "pix2pix"])
def test_the_compiler_of_every_day_agrees_too(name: str) -> None:
    torch.compiler.reset()
    eager, expected = ran(name, own=True, batches=2)
    compiled, losses = ran(name, own=True, batches=2, compile=True)
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(tensors(compiled), tensors(eager), rtol=1e-5, atol=1e-5)


def test_samples_of_any_number_compile_nothing(graphs: list[int]) -> None:
    module, _ = ran("wgan_gp", own=True, batches=4, compile=True)
    trained = len(graphs)
    with torch.no_grad():
        assert [len(module.eval().sample(count)) for count in range(1, 12)] == list(range(1, 12))
    assert len(graphs) == trained > 0


def test_a_second_fit_compiles_nothing_anew(graphs: list[int]) -> None:
    module, _ = ran("gan on points", batches=2, compile=True)
    first = len(graphs)
    trainer().fit(module, loader("gan on points", 2))
    assert len(graphs) == first > 0


class Branching(nn.Module):
    """A discriminator whose path depends on its numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, points: Tensor) -> Tensor:
        scores = self.linear(points).squeeze(1)
        return -scores if scores.sum() > 0 else scores


def test_a_network_that_is_no_graph_is_refused_in_one_sentence(
    graphs: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    def fit(_: Any) -> None:
        module = GAN(networks.MLPGenerator(4, (2,), (8,)), Branching(), 4, compile=True)
        trainer().fit(module, loader("gan on points", 1))

    with pytest.raises(TorchDynamoException, match="Data-dependent branching"):
        fit(None)
    with pytest.raises(SystemExit, match="1"):
        cli.main(fit, [])
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: torch.compile cannot compile a network (Data-dependent branching); change")


def test_a_networks_own_complaint_survives_compilation(graphs: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    def fit(_: Any) -> None:
        pair = networks.DCGANGenerator(4, 16, 3, 4), networks.DCGANDiscriminator(16, 3, 4)
        trainer().fit(GAN(*pair, 4, compile=True), loader("gan", 1))

    with pytest.raises(SystemExit, match="1"):
        cli.main(fit, [])
    assert "Expected a batch of 3 x 16 x 16 images, got the shape (4, 3, 8, 8)" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------------------------
# channels_last


def gradients(name: str, own: bool, size: int, **options: Any) -> dict[str, Tensor]:
    """What one batch leaves in every parameter's gradient, in double precision."""
    module = build(name, own, **options)
    module.seed = 3
    trainer(precision="64-true").fit(module, loader(name, 2, size))  # WGAN-GP's generator steps on the second
    return {key: p.grad for key, p in module.named_parameters() if p.grad is not None}


IMAGES = [
    pytest.param(name, own, size, marks=[] if name in FAST else pytest.mark.slow)
    for name in FIRST
    for own in (False, True)
    for size in (1, 4)
    # without images, or with batch normalisation of a single pixel
    if name != "gan on points" and (name, own, size) != ("infogan", False, 1)
]


@pytest.mark.parametrize(("name", "own", "size"), IMAGES)
def test_gradients_do_not_depend_on_the_memory_format(name: str, own: bool, size: int) -> None:
    expected = gradients(name, own, size)
    found = gradients(name, own, size, channels_last=True)
    assert found.keys() == expected.keys()
    convolutions = [g for g in found.values() if g.ndim == 4 and g.shape[1] > 1 and g.shape[2] > 1]
    assert convolutions and all(g.is_contiguous(memory_format=torch.channels_last) for g in convolutions)
    largest = max(float(gradient.abs().max()) for gradient in expected.values())
    for key, gradient in expected.items():
        torch.testing.assert_close({key: found[key]}, {key: gradient}, rtol=1e-7, atol=1e-10 * largest)


@pytest.mark.parametrize("name", ["gan", "wgan_gp", "pix2pix", "pggan"])
def test_activations_follow_the_weights(name: str) -> None:
    formats: dict[str, bool] = {}

    def look(key: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            if output.shape[1] > 1 and output.shape[2] > 1:
                formats[key] = output.is_contiguous(memory_format=torch.channels_last)

        return hook

    module = build(name, channels_last=True)
    for key, layer in module.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, networks.layers.EqualizedConv2d)):
            layer.register_forward_hook(look(key))
    trainer().fit(module, loader(name, 8))
    # a generator's first maps, which come from a linear layer
    first = {key for key in formats if key.startswith("generator.blocks.0.branch.2")}
    assert {key for key, is_last in formats.items() if not is_last} <= first < formats.keys()


@pytest.mark.parametrize("formats", [(False, True), (True, False)], ids=["into channels_last", "out of channels_last"])
def test_a_run_may_go_on_in_another_format(formats: tuple[bool, bool], tmp_path: Path) -> None:
    def fit(channels_last: bool, epochs: int, start: Path | None = None) -> dict[str, Any]:
        module = build("wgan_gp", own=True, average_decay=0.9, channels_last=channels_last)
        module.seed = 3
        save = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
        fitted = trainer(max_epochs=epochs, enable_checkpointing=True, callbacks=[save])
        fitted.fit(module, loader("wgan_gp", 4), ckpt_path=start and str(start))
        return whole_state(module, fitted)

    expected = fit(False, 2)
    for path in tmp_path.iterdir():
        path.unlink()
    fit(formats[0], 1)
    found = fit(formats[1], 2, tmp_path / "epoch=0.ckpt")
    torch.testing.assert_close(found["module"], expected["module"], rtol=1e-5, atol=1e-6)
    assert same(found["counters"], expected["counters"])


def test_a_layer_that_torch_gets_wrong_is_refused() -> None:
    critic = nn.Sequential(
        nn.Conv2d(3, 4, 4, 2, 1), nn.InstanceNorm2d(4), nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0)
    )
    module = WGANGP(build("wgan_gp").generator, critic, 4, channels_last=True)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Sequential.1 is a torch.nn.InstanceNorm2d, .* use gan_modules.networks.Inst"):
        trainer().fit(module, loader("wgan_gp", 1))


def test_that_layer_is_still_wrong() -> None:
    images, incoming = torch.randn(2, 1, 4, 6, 6).unbind()
    found = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        points = images.clone().requires_grad_()
        nn.functional.instance_norm(points).backward(incoming.contiguous(memory_format=memory_format))
        found.append(points.grad)
    expected, gradient = cast(tuple[Tensor, Tensor], tuple(found))
    assert not torch.allclose(gradient, expected, atol=1e-5), (
        "torch's instance norm is right now: execution.channels_last need not refuse it"
    )
