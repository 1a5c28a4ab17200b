"""What Lightning costs: our modules in Trainer.fit against the same algorithm as a bare PyTorch loop.

python scripts/benchmark.py [--models NAME ...] [--steps N] [--rounds N] [--device cpu|cuda] [--check]
                            [--compile] [--channels_last] [--finite]

Both sides have the same networks, initial weights, batches, noise, losses and fused Adam. They take turns, a round
each; a time is the median over rounds of the seconds per batch, the first batches left out. `Trainer.fit` has what
scripts/fit.py gives it: the progress bar and a CSV logger with a row every 10 batches. Both sides end with the same
weights. The model `wgan_gp_autograd` is not in the default: its loop has the penalty as autograd computes it, zeros
included that ours leaves out (`PiecewiseLinear`), so that its ratio is what a user gains.
With --compile or --channels_last ours has that option and the loop has not; then the weights agree to rounding, which
Adam enlarges where a gradient is zero but for it.
With --check the exit code is 1 if ours takes more than 1.05 times as long.

With --finite two more rows a model: `Trainer.fit` with and without `check_finite`, the check that stops a run at a
gradient that is not finite. It is switched on and off every 5 batches of one run, and a time is the median over these
turns, of which there are `rounds` times `steps / 10` of either kind.
"""

import csv
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Unpack

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import Adam
from torch.utils.data import DataLoader

from gan_modules import GAN, WGANGP, AdversarialModule
from gan_modules.activations import PiecewiseLinear
from gan_modules.adversarial import Mechanics
from gan_modules.callbacks import ProgressBar
from gan_modules.cli import ScriptParser
from gan_modules.networks import DCGANDiscriminator, DCGANGenerator, ResNetCritic, ResNetGenerator
from gan_modules.randomness import Stream, mix

SEED, LOG_EVERY, ALLOWED = 0, 10, 1.05

Loop = Callable[[nn.Module, nn.Module, Iterator[tuple[Tensor, Stream]]], Iterator[dict[str, Tensor]]]


def dcgan_loop(
    generator: nn.Module, discriminator: nn.Module, batches: Iterator[tuple[Tensor, Stream]], latent_dim: int = 100
) -> Iterator[dict[str, Tensor]]:
    """The non-saturating game; yields the losses of each batch."""
    optimizers = [Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True) for net in (discriminator, generator)]
    for real, stream in batches:
        with torch.no_grad():
            fake = generator(noise(stream, len(real), latent_dim, real))
        optimizers[0].zero_grad()
        loss_d = softplus(-discriminator(real)).mean() + softplus(discriminator(fake)).mean()
        loss_d.backward()
        optimizers[0].step()

        discriminator.requires_grad_(False)
        optimizers[1].zero_grad()
        loss_g = softplus(-discriminator(generator(noise(stream, len(real), latent_dim, real)))).mean()
        loss_g.backward()
        optimizers[1].step()
        discriminator.requires_grad_(True)
        yield {"discriminator": loss_d.detach(), "generator": loss_g.detach()}


def wgan_gp_loop(
    generator: nn.Module,
    critic: nn.Module,
    batches: Iterator[tuple[Tensor, Stream]],
    latent_dim: int = 128,
    slopes: Callable[[], AbstractContextManager[Any]] = PiecewiseLinear,
) -> Iterator[dict[str, Tensor]]:
    """Five critic steps, each on a batch of its own, for one generator step; yields the losses of each batch."""
    optimizers = [Adam(net.parameters(), lr=1e-4, betas=(0.0, 0.9), fused=True) for net in (critic, generator)]
    for index, (real, stream) in enumerate(batches, start=1):
        with torch.no_grad():
            fake = generator(noise(stream, len(real), latent_dim, real))
        optimizers[0].zero_grad()
        distance = critic(real).mean() - critic(fake).mean()
        points = torch.lerp(real, fake, stream.draw(torch.rand, (len(real), 1, 1, 1), real.device, real.dtype))
        points.requires_grad_()
        with slopes():
            (gradients,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
        penalty = (gradients.flatten(1).norm(2, dim=1) - 1).square().mean()
        loss = 10 * penalty - distance
        loss.backward(inputs=list(critic.parameters()))
        optimizers[0].step()
        losses = {"critic": loss.detach(), "distance": distance.detach()}
        if index % 5 == 0:
            critic.requires_grad_(False)
            optimizers[1].zero_grad()
            loss_g = -critic(generator(noise(stream, len(real), latent_dim, real))).mean()
            loss_g.backward()
            optimizers[1].step()
            critic.requires_grad_(True)
            losses["generator"] = loss_g.detach()
        yield losses


def noise(stream: Stream, n: int, latent_dim: int, like: Tensor) -> Tensor:
    """Standard normal numbers `(n, latent_dim)`."""
    return stream.draw(torch.randn, (n, latent_dim), like.device, like.dtype)


@dataclass
class Case:
    """A model to compare: its module, which holds the initial weights, and the same algorithm as a loop."""

    module: AdversarialModule
    players: tuple[str, str]
    loop: Loop
    image_size: int
    batch_size: int = 64


def dcgan(image_size: int = 64, width: int = 64, batch_size: int = 64, **mechanics: Unpack[Mechanics]) -> Case:
    """DCGAN at 64 pixels, in the paper's widths unless told otherwise."""
    networks = DCGANGenerator(100, image_size, width=width), DCGANDiscriminator(image_size, width=width)
    return Case(GAN(*networks, **mechanics), ("generator", "discriminator"), dcgan_loop, image_size, batch_size)


def wgan_gp(image_size: int = 32, width: int = 128, batch_size: int = 64, **mechanics: Unpack[Mechanics]) -> Case:
    """The CIFAR-10 ResNets of WGAN-GP."""
    networks = ResNetGenerator(128, image_size, width=width), ResNetCritic(image_size, width=width)
    return Case(WGANGP(*networks, **mechanics), ("generator", "critic"), wgan_gp_loop, image_size, batch_size)


def wgan_gp_autograd(**options: Any) -> Case:
    """The same against a loop whose penalty is autograd's own: what leaving out its zeros gains."""
    return replace(wgan_gp(**options), loop=partial(wgan_gp_loop, slopes=nullcontext))


CASES: dict[str, Callable[..., Case]] = {"dcgan": dcgan, "wgan_gp": wgan_gp, "wgan_gp_autograd": wgan_gp_autograd}


@dataclass
class Outcome:
    """One side's run: seconds per batch, losses as means over 10 batches, and the final weights."""

    seconds: float
    losses: dict[str, list[float]]
    weights: dict[str, Tensor]


def batches_of(case: Case, steps: int) -> DataLoader[Tensor]:
    """`steps` batches of random pixels; a loader over ready batches, which costs next to nothing."""
    generator = torch.Generator().manual_seed(SEED)
    shape = steps, case.batch_size, 3, case.image_size, case.image_size
    return DataLoader(torch.rand(shape, generator=generator).mul_(2).sub_(1), batch_size=None)  # type: ignore[arg-type]


class Clock:
    """The time between the ends of two batches; waits for the device at these two alone."""

    def __init__(self, first: int, last: int, device: torch.device) -> None:
        self.first, self.last, self.device = first, last, device
        self.at: dict[int, float] = {}

    def tick(self, batch: int) -> None:
        """Say that batch number `batch` is done."""
        if batch in (self.first, self.last):
            self.at[batch] = _now(self.device)

    @property
    def seconds(self) -> float:
        """Per batch."""
        return (self.at[self.last] - self.at[self.first]) / (self.last - self.first)


def _now(device: torch.device) -> float:
    """The time, once the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


class Timer(Callback):
    """A clock for `Trainer.fit`; setting it up is not part of a step."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_train_batch_end(self, *args: Any) -> None:
        self.clock.tick(args[4] + 1)


def bare(case: Case, steps: int, warm_up: int, device: torch.device) -> Outcome:
    """The loop, on copies of the initial networks."""
    networks = [deepcopy(getattr(case.module, name)).to(device).train() for name in case.players]
    clock, gathered = Clock(warm_up, steps, device), list[dict[str, Tensor]]()

    def batches() -> Iterator[tuple[Tensor, Stream]]:
        for step, real in enumerate(batches_of(case, steps), start=1):
            yield real.to(device), Stream(mix(SEED, step))

    for step, losses in enumerate(case.loop(networks[0], networks[1], batches()), start=1):
        gathered.append(losses)
        clock.tick(step)
    weights = dict(zip(case.players, networks, strict=True))
    return Outcome(clock.seconds, _means(gathered), _weights(weights))


def ours(case: Case, steps: int, warm_up: int, device: torch.device) -> Outcome:
    """`Trainer.fit` as scripts/fit.py calls it, on a copy of the module."""
    module = deepcopy(case.module)
    module.seed = SEED
    clock = Clock(warm_up, steps, device)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            accelerator="gpu" if device.type == "cuda" else "cpu",
            devices=1,
            max_epochs=1,
            logger=CSVLogger(folder, "run", "0", flush_logs_every_n_steps=50),
            log_every_n_steps=LOG_EVERY,
            callbacks=[ProgressBar(), Timer(clock)],
            enable_checkpointing=False,
            enable_model_summary=False,
        )
        with redirect_stdout(sys.stderr):  # the bar; standard output is the table's
            trainer.fit(module, batches_of(case, steps))
        losses = _logged(Path(folder) / "run" / "0" / "metrics.csv")
    return Outcome(clock.seconds, losses, _weights({name: getattr(module, name) for name in case.players}))


class CheckTurns(Callback):
    """Switches `check_finite` on and off, five batches a turn, and writes the seconds per batch of both.

    Args:
        found: where the medians over turns go at the end, with the check and without it. The first two turns are left
            out.
    """

    def __init__(self, found: Any) -> None:
        self.found = found
        self.turns: dict[bool, list[float]] = {True: [], False: []}
        self.begun = 0.0

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
        turn, place = divmod(trainer.global_step, 5)
        if place == 0:
            now = _now(pl_module.device)
            if turn > 2:
                self.turns[pl_module.check_finite].append((now - self.begun) / 5)
            self.begun, pl_module.check_finite = now, turn % 2 == 0

    def on_train_end(self, *_: Any) -> None:
        self.found[:] = [median(self.turns[True]), median(self.turns[False])]


def check_turns(case: Case, turns: int, device: torch.device) -> tuple[float, float]:
    """Seconds per batch of `Trainer.fit` with and without `check_finite`, by `turns` turns of each."""
    module, found = deepcopy(case.module), [0.0, 0.0]
    module.seed = SEED
    trainer = Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        max_epochs=1,
        logger=False,
        callbacks=[CheckTurns(found)],
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    trainer.fit(module, batches_of(case, 10 * turns + 11))
    return found[0], found[1]


def _means(gathered: list[dict[str, Tensor]]) -> dict[str, list[float]]:
    """Of every full window of `LOG_EVERY` batches, over those that computed the loss."""
    means: dict[str, list[float]] = {}
    for end in range(LOG_EVERY, len(gathered) + 1, LOG_EVERY):
        window = gathered[end - LOG_EVERY : end]
        for name in sorted({name for losses in window for name in losses}):
            values = [losses[name] for losses in window if name in losses]
            means.setdefault(name, []).append(torch.stack(values).mean().item())
    return means


def _logged(path: Path) -> dict[str, list[float]]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name.startswith("loss/")]
    return {name.removeprefix("loss/"): [float(row[name]) for row in rows if row[name]] for name in sorted(names)}


def _weights(networks: dict[str, nn.Module]) -> dict[str, Tensor]:
    return {f"{k}.{name}": value.cpu() for k, net in networks.items() for name, value in net.state_dict().items()}


@dataclass
class Comparison:
    """Seconds per batch of both sides, and the largest relative differences of weights and losses."""

    bare: float
    ours: float
    weights: float
    losses: float

    @property
    def ratio(self) -> float:
        """Ours over the bare loop."""
        return self.ours / self.bare


def compare(case: Case, steps: int, rounds: int, warm_up: int, device: torch.device) -> Comparison:
    """Let both sides take turns; who begins changes with the round."""
    runs: dict[Any, list[Outcome]] = {bare: [], ours: []}
    for turn in range(rounds):
        for side in (bare, ours) if turn % 2 == 0 else (ours, bare):
            runs[side].append(side(case, steps, warm_up, device))
    one, other = runs[bare][0], runs[ours][0]
    return Comparison(
        bare=median(run.seconds for run in runs[bare]),
        ours=median(run.seconds for run in runs[ours]),
        weights=max(_difference(one.weights[name], other.weights[name]) for name in one.weights),
        losses=max(_difference(torch.tensor(one.losses[n]), torch.tensor(other.losses[n])) for n in one.losses),
    )


def _difference(expected: Tensor, given: Tensor) -> float:
    """The largest difference, relative to the largest value."""
    expected, given = expected.double(), given.double()
    return ((expected - given).abs().max() / expected.abs().max().clamp_min(1e-30)).item()


def main() -> int:
    """Print a table; the exit code tells whether all is within what is allowed, if that was asked."""
    parser = ScriptParser(__doc__)
    parser.add_argument("--models", nargs="+", choices=CASES, default=["dcgan", "wgan_gp"])
    parser.add_argument("--steps", type=int, default=30, help="batches a round, a multiple of 10")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--width", type=int, help="feature maps of the networks; the paper's by default")
    parser.add_argument("--compile", action="store_true", help="compile ours with torch.compile")
    parser.add_argument("--channels_last", action="store_true", help="train ours in that memory format")
    parser.add_argument("--check", action="store_true", help=f"exit with 1 if a ratio is above {ALLOWED}")
    parser.add_argument("--finite", action="store_true", help="what the check of gradients costs, in two more rows")
    options = parser.parse_args()
    if options.steps < 20 or options.steps % LOG_EVERY or options.rounds < 1:
        parser.error("expected --steps 20, 30, 40 ... (the first 10 are not timed) and --rounds of at least 1")
    given: dict[str, Any] = {
        name: value for name in ("width", "compile", "channels_last") if (value := getattr(options, name))
    }
    slow = False
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.device}")
    print("model            bare s/step ours s/step  ratio  images/s weights diff losses diff", flush=True)
    for name in options.models:
        torch.manual_seed(SEED)
        case = CASES[name](**given)
        found = compare(case, options.steps, options.rounds, LOG_EVERY, torch.device(options.device))
        slow = slow or found.ratio > ALLOWED
        print(
            f"{name:16s} {found.bare:11.5f} {found.ours:11.5f} {found.ratio:6.3f} {case.batch_size / found.ours:9.1f} "
            f"{found.weights:12.1e} {found.losses:11.1e}",
            flush=True,
        )
        if options.finite:
            turns = options.rounds * options.steps // LOG_EVERY
            checked, unchecked = check_turns(case, turns, torch.device(options.device))
            print(f"{'  with the check':28s} {checked:11.5f} {checked / unchecked:6.3f}", flush=True)
            print(f"{'  without the check':28s} {unchecked:11.5f}", flush=True)
    return 1 if options.check and slow else 0


if __name__ == "__main__":
    sys.exit(main())
