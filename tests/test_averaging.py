"""The moving average against its closed form."""

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gan_modules import GAN
from gan_modules.averaging import Averages
from gan_modules.networks import MLPDiscriminator, MLPGenerator


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).double()


def parameters(module: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


@torch.no_grad()
def disturb(module: nn.Module) -> None:
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            tensor.add_(torch.rand_like(tensor))


def test_starts_where_the_network_is_and_shares_nothing() -> None:
    net = network()
    averages = Averages({"net": net})
    start = parameters(net)
    disturb(net)
    for average, expected in zip(averages["net"].parameters(), start, strict=True):
        assert torch.equal(average, expected)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.999])
def test_closed_form(decay: float) -> None:
    net = network()
    averages, seen = Averages({"net": net}), [parameters(net)]
    for _ in range(6):
        disturb(net)
        averages.follow({"net": net}, decay)
        seen.append(parameters(net))
    count = len(seen) - 1
    weights = [decay**count] + [(1 - decay) * decay ** (count - step) for step in range(1, count + 1)]
    for index, average in enumerate(averages["net"].parameters()):
        expected = sum(weight * step[index] for weight, step in zip(weights, seen, strict=True))
        torch.testing.assert_close(average.detach(), expected)


def test_buffers_are_copied() -> None:
    net = network()
    averages = Averages({"net": net})
    net(torch.randn(5, 3, dtype=torch.float64))
    averages.follow({"net": net}, 0.9)
    assert averages["net"][1].num_batches_tracked == 1
    for average, buffer in zip(averages["net"].buffers(), net.buffers(), strict=True):
        assert torch.equal(average, buffer) and average is not buffer


def test_no_gradient() -> None:
    net = network()
    averages = Averages({"net": net})
    averages.follow({"net": net}, 0.9)
    assert not any(parameter.requires_grad for parameter in averages.parameters())
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert averages["net"](torch.randn(5, 3, dtype=torch.float64)).grad_fn is None


def test_several_networks_keep_their_own() -> None:
    one, two = network(), network()
    averages = Averages({"one": one, "two": two})
    averages.follow({"one": one, "two": two}, 0.0)
    for name, net in (("one", one), ("two", two)):
        for average, expected in zip(averages[name].parameters(), net.parameters(), strict=True):
            assert torch.equal(average, expected)


def test_state_dict_round_trip() -> None:
    net = network()
    first, second = Averages({"net": net}), Averages({"net": network()})
    disturb(net)
    first.follow({"net": net}, 0.3)
    second.load_state_dict(first.state_dict())
    for ours, theirs in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


class Path(Callback):
    """The generator's weights after each batch."""

    def __init__(self) -> None:
        self.weights: list[list[Tensor]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.weights.append(parameters(pl_module.generator))

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        self.weights.append(parameters(pl_module.generator))


@pytest.mark.parametrize("decay", [0.2, 0.9])
def test_in_training_it_follows_the_generators_steps_with_a_short_memory_at_first(decay: float) -> None:
    module = GAN(
        MLPGenerator(2, hidden=(5,)),
        MLPDiscriminator(hidden=(5,), maxout_pieces=2),
        latent_dim=2,
        generator_learning_rate=0.01,
        average_decay=decay,
    )
    path = Path()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(max_epochs=1, accelerator="cpu", callbacks=[path], enable_model_summary=False, **quiet)
    trainer.fit(module, DataLoader(torch.randn(24, 2), batch_size=4))
    expected, *rest = path.weights
    for step, weights in enumerate(rest, start=1):
        kept = min(decay, (1 + step) / (10 + step))
        expected = [kept * old + (1 - kept) * new for old, new in zip(expected, weights, strict=True)]
    for ours, theirs in zip(module.averages["generator"].parameters(), expected, strict=True):
        torch.testing.assert_close(ours.detach(), theirs)
    assert module.train().serving("generator") is module.generator
    assert module.eval().serving("generator") is module.averages["generator"]


def test_without_a_decay_none_is_kept() -> None:
    module = GAN(MLPGenerator(2, hidden=(5,)), MLPDiscriminator(hidden=(5,)), latent_dim=2)
    assert len(module.averages) == 0
    assert module.eval().serving("generator") is module.generator


@pytest.mark.parametrize("decay", [-0.1, 1.0, 2.0])
def test_a_bad_decay_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match=r"average_decay must be in \[0, 1\)"):
        GAN(MLPGenerator(2), MLPDiscriminator(), average_decay=decay)
