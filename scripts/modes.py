"""The mode-collapse laboratory: models under a published protocol, beside what was published.

python scripts/modes.py --data DATA [--models gan,wgan_gp] [--seeds 10] [--epochs E] [--out FOLDER]

Trains each model with each seed by the protocol of the data, in turn, and prints modes, share of high-quality samples
and reverse KL with standard errors beside the published rows. FOLDER (runs/modes/DATA) receives the same in table.txt,
results.json with all that repeats it, and a picture; they are brought up to date after every run. What is finished is
kept, and what was interrupted goes on where it was, when the same command is given again. `--epochs` shortens the
protocol, and the table says so.

ring, grid: Lin, Khetan, Fanti and Oh (2018), "PacGAN", section 4.1. small_ring, small_grid: the same data under a
protocol of our own, in a hundredth of the time. stacked_mnist: Srivastava et al. (2017), "VEEGAN", as PacGAN, section
4.2, repeats it; it needs MNIST (--root), and trains a classifier of digits once.
"""

import hashlib
import json
import logging
import os
import platform
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import signature
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from PIL import Image
from torch import Tensor, nn
from torchmetrics import Metric
from tqdm import tqdm

from datamodules import BatchedDataModule, Grid, Ring, StackedMNIST
from gan_modules import (
    BEGAN,
    BGAN,
    DRAGAN,
    EBGAN,
    FGAN,
    GAN,
    GMMN,
    LSGAN,
    MMDGAN,
    MSGAN,
    R1GAN,
    R3GAN,
    SNGAN,
    WGAN,
    WGANGP,
    AdversarialModule,
    InfoGAN,
    LossSensitiveGAN,
    PacGAN,
    RelativisticGAN,
    UnrolledGAN,
    WGANDiv,
    checks,
    saving,
)
from gan_modules.callbacks import Checkpoints, Modes, drawing
from gan_modules.callbacks.scores import Scorer, Scores
from gan_modules.callbacks.views import View
from gan_modules.cli import ScriptParser, main
from gan_modules.digits import DigitClassifier, kept_classifier, stacked_classes
from gan_modules.metrics import ClassCoverage, ModeCoverage
from gan_modules.networks import (
    MLPDiscriminator,
    MLPGenerator,
    MLPTrunk,
    RecognitionHead,
    ScoreHead,
    StackedDiscriminator,
    StackedGenerator,
    spectrally_normalised,
)
from gan_modules.networks.init import init_glorot, init_normal
from gan_modules.networks.layers import Norm
from gan_modules.randomness import mix

Values = dict[str, float]
Build = Callable[[], AdversarialModule]

COLUMNS = {"modes": ("modes", 1, 1), "high_quality": ("high quality %", 100, 1), "reverse_kl": ("reverse KL", 1, 3)}
"""Heading, factor and decimals of each score."""


def rates(rate: float) -> dict[str, Any]:
    """The same learning rate for both networks of a GAN."""
    return {"generator_learning_rate": rate, "discriminator_learning_rate": rate}


class PointAutoencoder(nn.Module):
    """Points (n, 2) -> (their reconstructions, codes (n, 16)): the discriminator of models of energies."""

    def __init__(self, hidden: tuple[int, ...], init: Callable[[nn.Module], None]) -> None:
        super().__init__()
        self.encoder = MLPGenerator(2, (16,), hidden, norm=None, init=init)
        self.decoder = MLPGenerator(16, (2,), hidden, norm=None, init=init)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        codes = self.encoder(x)
        return self.decoder(codes), codes


@dataclass(frozen=True)
class PointNetworks:
    """The networks and the Adam of a protocol for points.

    Attributes:
        hidden: units of the generator's layers.
        norm: after each of them, or None.
        judging: units of the discriminator's layers.
        pieces: of its maxout units; 0 for leaky ReLUs.
        rate, betas: of Adam.
        average_decay: of the averaged generator, which is scored; None for none.
        init: draws the first weights of both networks.
    """

    hidden: tuple[int, ...]
    norm: Norm | None
    judging: tuple[int, ...]
    pieces: int
    rate: float
    betas: tuple[float, float]
    average_decay: float | None = None
    init: Callable[[nn.Module], None] = init_normal

    def models(self) -> Mapping[str, Build]:
        """How each model is built. What the protocol does not name is of the model's own paper.

        WGAN-GP has the penalty and Adam of the authors' gan_toy.py, and DRAGAN that penalty too: 10 would hold the
        slope of a discriminator to 1 between modes that are 0.01 wide. WGAN is as algorithm 1 has it, without warm-up.
        SNGAN has its paper's betas: with momentum a score of bounded slope goes round the equilibrium. UnrolledGAN's
        discriminator has the slower rate of the authors' notebook, without which its objective saturates. InfoGAN has
        its paper's codes for MNIST, a category of 10 and two numbers, beside the noise that all have.
        """
        average: dict[str, Any] = {"average_decay": self.average_decay}
        adam = {"learning_rate": self.rate, "betas": self.betas} | average
        two = {**rates(self.rate), "betas": self.betas} | average
        g, d = self._generator, self._judge
        return {
            "gan": lambda: GAN(g(), d(), 2, **two),
            "lsgan": lambda: LSGAN(g(), d(), 2, **adam),
            "f_gan": lambda: FGAN(g(), d(), 2, **adam),
            "bgan": lambda: BGAN(g(), d(), 2, **adam),
            "ls_gan": lambda: LossSensitiveGAN(g(), d(), 2, distance_weight=1.0, **adam),
            "relativistic": lambda: RelativisticGAN(g(), d(), 2, **adam),
            "wgan": lambda: WGAN(g(), d(), 2, n_critic_many=5, learning_rate=self.rate / 2, **average),
            "wgan_gp": lambda: WGANGP(
                g(), d(), 2, penalty_weight=0.1, learning_rate=self.rate, betas=(0.5, 0.9), **average
            ),
            "wgan_div": lambda: WGANDiv(g(), d(), 2, **adam),
            "dragan": lambda: DRAGAN(g(), d(), 2, penalty_weight=0.1, **adam),
            "sngan": lambda: SNGAN(
                g(), spectrally_normalised(d()), 2, **rates(self.rate), betas=(0.0, 0.9), **average
            ),
            "r1_gan": lambda: R1GAN(g(), d(), 2, learning_rate=self.rate, **average),
            "r3gan": lambda: R3GAN(g(), d(), 2, 1.0, 1.0, last_learning_rate=self.rate, burn_in=0, **average),
            "gmmn": lambda: GMMN(g(), 2, (1e-3, 1e-2, 0.1, 1, 10), **adam),
            "mmd_gan": lambda: MMDGAN(
                g(), MLPGenerator(2, (16,), self.judging, norm=None, init=self.init), latent_dim=2, **adam
            ),
            "ebgan": lambda: EBGAN(g(), PointAutoencoder(self.judging, self.init), 2, 1.0, **two),
            "began": lambda: BEGAN(g(), PointAutoencoder(self.judging, self.init), 2, **adam),
            "unrolled": lambda: UnrolledGAN(
                g(), d(), 2, generator_learning_rate=self.rate, betas=self.betas, **average
            ),
            "pacgan2": lambda: PacGAN(g(), d((4,)), 2, **adam),
            "msgan": lambda: MSGAN(g(), d(), latent_dim=2, **adam),
            "infogan": lambda: self._infogan(**two),
        }  # fmt: skip

    def _infogan(self, **options: Any) -> InfoGAN:
        heads = ScoreHead(self.judging[-1]), RecognitionHead(self.judging[-1])
        for head in heads:
            self.init(head)
        trunk = MLPTrunk((2,), self.judging, self.pieces, self.init)
        return InfoGAN(self._generator(2 + 10 + 2), trunk, *heads, noise_dim=2, **options)

    def _generator(self, latent_dim: int = 2) -> MLPGenerator:
        return MLPGenerator(latent_dim, hidden=self.hidden, norm=self.norm, init=self.init)

    def _judge(self, shape: tuple[int, ...] = (2,)) -> MLPDiscriminator:
        return MLPDiscriminator(shape, self.judging, self.pieces, self.init)


POINTS = PointNetworks((400, 400, 400, 400), nn.BatchNorm1d, (200, 200, 200), 5, 1e-4, (0.8, 0.999)).models()
SMALL = PointNetworks((128, 128, 128), None, (128, 128, 128), 0, 1e-3, (0.5, 0.999), 0.99, init_glorot).models()

# WGAN-GP has the penalty, the schedule and Adam of the authors' gan_mnist.py
STACKED: Mapping[str, Build] = {
    "gan": lambda: GAN(StackedGenerator(), StackedDiscriminator(), 100, **rates(2e-4), n_generator=2),
    "wgan_gp": lambda: WGANGP(StackedGenerator(), StackedDiscriminator(norm=None), 100, betas=(0.5, 0.9)),
    "pacgan2": lambda: PacGAN(
        StackedGenerator(), StackedDiscriminator(6), 100, n_generator=2, learning_rate=2e-4, betas=(0.5, 0.999)
    ),
    # R3GAN's ablation (Huang et al., 2024, section 2): small networks, gamma 1, and for both games steps without
    # momentum, of RMSprop or, what is the same but for its first steps, Adam
    "rpgan_r1_r2": lambda: relativistic_pairs(r2=True),
    "rpgan_r1": lambda: relativistic_pairs(r2=False),
    "gan_r1_r2": lambda: R1GAN(*small(), 100, 1.0, 1.0, learning_rate=5e-4),
    "gan_r1": lambda: R1GAN(*small(), 100, 1.0, learning_rate=5e-4),
}


def small() -> tuple[StackedGenerator, StackedDiscriminator]:
    """Networks of a quarter of the protocol's width, for penalties for each sample."""
    return StackedGenerator(width=16), StackedDiscriminator(width=16, norm=None)


def relativistic_pairs(r2: bool) -> R3GAN:
    """R3GAN's game with R1, and R2 or not, at constant rates."""
    return R3GAN(*small(), 100, 1.0, 1.0, r2, last_learning_rate=5e-4, burn_in=0)


@dataclass(frozen=True)
class Published:
    """A row of a paper's table, in its digits: mean ± standard error of each score, high quality in percent."""

    source: str
    name: str
    modes: str
    high_quality: str
    reverse_kl: str


@dataclass(frozen=True)
class Protocol:
    """Data, models, lengths and published rows that belong together.

    Attributes:
        title: whose it is.
        data: seed, folder of downloads and number of samples to evaluate -> data module, with as many held-out items.
        models: how each is built.
        epochs: of training.
        samples: generated samples that are evaluated.
        modes: how many there are.
        published: rows to print beside ours.
    """

    title: str
    data: Callable[[int, str, int], BatchedDataModule]
    models: Mapping[str, Build]
    epochs: int
    samples: int
    modes: int
    published: Sequence[Published]


PACGAN = "Lin et al. (2018), table 1, 10 runs"
PACGAN_2 = "Lin et al. (2018), table 2, 10 runs"
VEEGAN = "Srivastava et al. (2017), table 2"
PROTOCOLS = {
    "ring": Protocol(
        "PacGAN, section 4.1",
        lambda seed, root, samples: Ring(held_out_points=samples, seed=seed),
        POINTS, 400, 2_500, 8,
        [
            Published(PACGAN, "GAN", "6.3 ± 0.5", "98.2 ± 0.2", "0.45 ± 0.09"),
            Published(PACGAN, "ALI", "6.6 ± 0.3", "97.6 ± 0.4", "0.36 ± 0.04"),
            Published(PACGAN, "PacGAN2", "7.9 ± 0.1", "95.6 ± 2.0", "0.07 ± 0.03"),
            Published(PACGAN, "PacGAN3", "7.8 ± 0.1", "97.7 ± 0.3", "0.10 ± 0.02"),
            Published(PACGAN, "PacGAN4", "7.8 ± 0.1", "95.9 ± 1.4", "0.07 ± 0.02"),
        ],
    ),
    "grid": Protocol(
        "PacGAN, section 4.1",
        lambda seed, root, samples: Grid(held_out_points=samples, seed=seed),
        POINTS, 400, 2_500, 25,
        [
            Published(PACGAN, "GAN", "17.3 ± 0.8", "94.8 ± 0.7", "0.70 ± 0.07"),
            Published(PACGAN, "ALI", "24.1 ± 0.4", "95.7 ± 0.6", "0.14 ± 0.03"),
            Published(PACGAN, "PacGAN2", "23.8 ± 0.7", "91.3 ± 0.8", "0.13 ± 0.04"),
            Published(PACGAN, "PacGAN3", "24.6 ± 0.4", "94.2 ± 0.4", "0.06 ± 0.02"),
            Published(PACGAN, "PacGAN4", "24.8 ± 0.2", "93.6 ± 0.6", "0.04 ± 0.01"),
        ],
    ),
    "small_ring": Protocol(
        "our own (docs/modes.md)",
        lambda seed, root, samples: Ring(held_out_points=samples, batch_size=256, seed=seed),
        SMALL, 6, 2_500, 8, [],
    ),
    "small_grid": Protocol(
        "our own (docs/modes.md)",
        lambda seed, root, samples: Grid(held_out_points=samples, batch_size=256, seed=seed),
        SMALL, 6, 2_500, 25, [],
    ),
    "stacked_mnist": Protocol(
        "VEEGAN, as PacGAN, section 4.2, repeats it",
        lambda seed, root, samples: StackedMNIST(root, held_out_stacks=samples, seed=seed),
        STACKED, 50, 26_000, 1_000,
        [
            Published(VEEGAN, "DCGAN", "99", "", "3.40"),
            Published(VEEGAN, "ALI", "16", "", "5.40"),
            Published(VEEGAN, "Unrolled GAN", "48.7", "", "4.32"),
            Published(VEEGAN, "VEEGAN", "150", "", "2.95"),
            Published(PACGAN_2, "DCGAN", "78.9 ± 6.5", "", "4.50 ± 0.13"),
            Published(PACGAN_2, "PacDCGAN2", "1000.0 ± 0.0", "", "0.06 ± 0.003"),
            Published(PACGAN_2, "PacDCGAN3", "1000.0 ± 0.0", "", "0.06 ± 0.003"),
            Published(PACGAN_2, "PacDCGAN4", "1000.0 ± 0.0", "", "0.07 ± 0.005"),
        ],
    ),
}  # fmt: skip


class StackedModes(Scores):
    """Logs `metric/modes` and `metric/reverse_kl` of generated stacks of digits, as a classifier reads them."""

    def __init__(self, classifier: DigitClassifier) -> None:
        super().__init__(1, None)
        self.classifier = classifier

    def scorers(self) -> list[Scorer]:
        return [Scorer("modes", ClassCoverage(1000), self._read)]

    def _read(self, metric: Metric, view: View, real: bool) -> None:
        if not real:
            images = view["fake"].float()
            metric.update(stacked_classes(self.classifier.to(images.device), images))


class History(Callback):
    """The scores of every validation by the batches before it, and the seconds of training; both outlive the process.

    Args:
        bar: is moved on with every batch.
    """

    def __init__(self, bar: tqdm) -> None:
        self.bar, self.scores, self.seconds = bar, list[Values](), 0.0
        self._since = 0.0

    def on_train_start(self, trainer: Trainer, *_: Any) -> None:
        self.bar.update(trainer.global_step)
        self._since = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        self.bar.update()

    def on_validation_end(self, trainer: Trainer, *_: Any) -> None:
        found = {name: float(trainer.callback_metrics[f"metric/{name}"]) for name in scores_in(trainer)}
        self.scores.append({"batches": trainer.global_step, **found})

    def state_dict(self) -> dict[str, Any]:
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now
        return {"scores": self.scores, "seconds": self.seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.scores, self.seconds = state["scores"], state["seconds"]


def scores_in(trainer: Trainer) -> list[str]:
    """The names of the scores that were logged."""
    return [name for name in COLUMNS if f"metric/{name}" in trainer.callback_metrics]


class Laboratory:
    """All runs of a command, and the folder that keeps them.

    Args:
        name: of the protocol.
        models: names of models.
        seeds: runs a model; they have the seeds 0, 1, ...
        epochs: of training, which may be a fraction.
        samples: that are evaluated; None: as many as the protocol says.
        root: folder that holds, or receives, MNIST.
        out: folder of the results.
    """

    def __init__(
        self, name: str, models: Sequence[str], seeds: int, epochs: float, samples: int | None, root: str, out: Path
    ) -> None:
        self.name, self.protocol, self.out = name, PROTOCOLS[name], out
        self.models, self.seeds, self.epochs, self.root = models, seeds, epochs, root
        self.samples = samples or self.protocol.samples
        self.results: dict[str, dict[int, dict[str, Any]]] = {model: {} for model in models}
        self.truth: list[Values] = []
        self.classifier: DigitClassifier | None = None
        self.accuracy: float | None = None

    def run(self) -> None:
        """Train what is not yet trained; after every run bring the table, results.json and the picture up to date."""
        runs = [(seed, model) for seed in range(self.seeds) for model in self.models]
        self._prepare()
        with tqdm(total=len(runs) * self._batches(), unit="batch", mininterval=1, smoothing=0.02) as bar:
            for seed, model in runs:
                bar.set_description(f"{self.name}: {model}, seed {seed}")
                self.results[model][seed] = self._kept_or_trained(model, seed, bar)
                self._write()

    def table(self) -> str:
        """Ours and the published rows."""
        epochs, whole = self.epochs, self.protocol.epochs
        shortened = "" if epochs == whole else f", shortened to {epochs:g} of its {whole} epochs"
        found = [name for name in COLUMNS if any(name in values for values in self.truth)]
        lines = [
            f"{self.name}: {self.protocol.modes} modes; the protocol of {self.protocol.title}{shortened}; "
            f"{self.samples:,} samples a run; mean ± standard error",
            f"{'':12s}" + "".join(f"{COLUMNS[name][0]:>18s}" for name in found) + "    runs  epochs",
        ]
        ours = {model: [run["scores"] for run in self.results[model].values()] for model in self.models}
        for row, values in {"(the data)": self.truth, **ours}.items():
            cells = [_cell(name, [each[name] for each in values]) for name in found]
            trained = "" if row == "(the data)" else f"{epochs:g}"
            lines += [f"{row:12s}" + "".join(f"{cell:>18s}" for cell in cells) + f"{len(values):8d}{trained:>8s}"]
        for source in dict.fromkeys(each.source for each in self.protocol.published):
            lines += [f"published: {source}, {whole} epochs"]
            for each in (row for row in self.protocol.published if row.source == source):
                lines += [f"{each.name:12s}" + "".join(f"{getattr(each, name):>18s}" for name in found)]
        return "\n".join(line.rstrip() for line in lines)

    def _prepare(self) -> None:
        """What all runs share: the data's own scores, and the classifier."""
        for seed in range(self.seeds):
            data = self._data(seed)
            self.truth.append(_scores_of_data(data))
            if isinstance(data, StackedMNIST) and self.classifier is None:
                parts = [(part.columns[0], part.labels) for part in (data.digits.training, data.digits.held_out)]
                self.classifier, self.accuracy = kept_classifier(self.out.parent / "digit_classifier.ckpt", *parts)
                print(f"the digit classifier is right on {self.accuracy:.2%} of the test digits")

    def _data(self, seed: int) -> BatchedDataModule:
        data = self.protocol.data(seed, self.root, self.samples)
        data.prepare_data()
        data.setup("fit")
        return data

    def _batches(self) -> int:
        data = self._data(0)
        return max(1, round(self.epochs * (len(data.training) // data.batch_size)))

    def _kept_or_trained(self, model: str, seed: int, bar: tqdm) -> dict[str, Any]:
        data = self._data(seed)
        seed_everything(seed, verbose=False)
        module = self.protocol.models[model]()
        settings = _settings(module, data, self._batches(), self.samples, seed)
        key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
        path = self.out / "runs" / f"{model}-{seed}-{key}.json"
        if (kept := _read(path, settings)) is not None:
            bar.update(settings["batches"])
            return kept
        unfinished = path.with_suffix("")
        history = self._train(module, data, settings["batches"], unfinished, bar)
        drawing.save_picture(_picture(module, data), path.with_suffix(".png"))
        *_, last = history.scores
        scores = {name: value for name, value in last.items() if name in COLUMNS}
        kept = {"settings": settings, "scores": scores, "history": history.scores, "seconds": history.seconds}
        _write_json(path, kept := kept | {"machine": _machine()})
        shutil.rmtree(unfinished, ignore_errors=True)
        return kept

    def _train(
        self, module: AdversarialModule, data: BatchedDataModule, batches: int, unfinished: Path, bar: tqdm
    ) -> History:
        scores = Modes() if self.classifier is None else StackedModes(self.classifier)
        history = History(bar)
        checkpoints = Checkpoints(
            dirpath=unfinished, save_last=True, save_top_k=0, save_on_exception=True, enable_version_counter=False
        )
        trainer = Trainer(
            devices=1,
            max_epochs=-1,
            max_steps=batches,
            check_val_every_n_epoch=max(1, round(self.epochs / 20)),
            num_sanity_val_steps=0,
            log_every_n_steps=1000,
            logger=False,
            callbacks=[scores, history, checkpoints],
            plugins=[saving.SealedCheckpointIO()],
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        start = saving.newest(unfinished)
        trainer.fit(module, datamodule=data, ckpt_path=start, weights_only=True)
        history.state_dict()  # counts the seconds
        if not history.scores or history.scores[-1]["batches"] != batches:
            trainer.validate(module, datamodule=data, verbose=False)
        return history

    def _write(self) -> None:
        (self.out / "table.txt").write_text(self.table() + "\n")
        means = {
            model: {
                name: dict(
                    zip(("mean", "standard_error"), _mean_and_error([run["scores"][name] for run in of]), strict=True)
                )
                for name in COLUMNS
                if all(name in run["scores"] for run in of)
            }
            for model, runs in self.results.items()
            if (of := list(runs.values()))
        }
        everything = {
            "command": {
                "data": self.name, "models": ",".join(self.models), "seeds": self.seeds, "epochs": self.epochs,
                "samples": self.samples,
            },
            "protocol": {"title": self.protocol.title, "epochs": self.protocol.epochs, "modes": self.protocol.modes},
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "digit_classifier_accuracy": self.accuracy,
            "summary": means,
            "data_themselves": self.truth,
            "published": [vars(row) for row in self.protocol.published],
            "runs": {model: list(runs.values()) for model, runs in self.results.items()},
        }  # fmt: skip
        _write_json(self.out / "results.json", everything)
        panels = []
        for model in self.models:
            pictures = sorted((self.out / "runs").glob(f"{model}-0-*.png"), key=lambda path: path.stat().st_mtime)
            if pictures:
                panels.append((model, _as_image(Image.open(pictures[-1]))))
        if panels:
            drawing.save_picture(drawing.titled_columns([("", panels)], scale=1), self.out / f"{self.name}.png")


def _scores_of_data(data: BatchedDataModule) -> Values:
    """What a perfect generator would have: the scores of the held-out data themselves."""
    metric: Any = ClassCoverage(1000)
    if isinstance(data, StackedMNIST):
        metric.update(data.held_out.labels)
    else:
        metric = ModeCoverage(data.modes, data.sigma)
        metric.update(data.held_out.columns[0])
    return {name: value.item() for name, value in metric.compute().items()}


def _settings(
    module: AdversarialModule, data: BatchedDataModule, batches: int, samples: int, seed: int
) -> dict[str, Any]:
    """All that a run's numbers depend on, as JSON has it."""
    named = {name: getattr(data, name, None) for name in signature(type(data)).parameters if name != "num_workers"}
    settings = {
        "model": type(module).__name__,
        "hyperparameters": dict(module.hparams),
        "networks": {
            name: str(child) for name, child in module.named_children() if any(True for _ in child.parameters())
        },
        "first_weights": _digest(module),
        "data": {name: value for name, value in named.items() if isinstance(value, (bool, int, float, str))},
        "modes": [[round(x, 6) + 0.0 for x in mode] for mode in data.modes.tolist()]
        if hasattr(data, "modes")
        else 1000,
        "batches": batches,
        "samples": samples,
        "seed": seed,
    }
    return json.loads(json.dumps(settings))


def _digest(module: AdversarialModule) -> str:
    """Of all weights, as the networks' constructors and the seed made them."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def _machine() -> dict[str, Any]:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or platform.machine()
    versions = {"python": platform.python_version(), "torch": torch.__version__, "lightning": lightning.__version__}
    return versions | {"device": device, "cpus": os.cpu_count(), "threads": torch.get_num_threads()}


def _read(path: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """What a finished run left, unless it is damaged or was of other settings."""
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text())
        if found["settings"] == settings and all(isinstance(value, float) for value in found["scores"].values()):
            return found
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    print(f"{path} is damaged, so that run is made again", file=sys.stderr)
    return None


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(content, indent=1))
    temporary.replace(path)


@torch.no_grad()
def _picture(module: AdversarialModule, data: BatchedDataModule) -> Image.Image:
    """Samples: stacks of digits in colour, points on the data."""
    module.eval()
    with torch.random.fork_rng():
        torch.manual_seed(mix(0))
        if isinstance(data, StackedMNIST):
            return drawing.grid(module.sample(64), 8, scale=2)
        return drawing.scatter(data.held_out.columns[0], module.sample(len(data.held_out)))


def _as_image(picture: Image.Image) -> Tensor:
    """A picture as numbers (1, 3, h, w) in [-1, 1]."""
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None] / 127.5 - 1


def _mean_and_error(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean, and its standard error where there are two values or more."""
    return mean(values), stdev(values) / len(values) ** 0.5 if len(values) > 1 else None


def _cell(name: str, values: Sequence[float]) -> str:
    """Mean ± standard error of a score, as the table has it."""
    if not values:
        return "-"
    _, factor, decimals = COLUMNS[name]
    shown = [f"{factor * number:.{decimals}f}" for number in _mean_and_error(values) if number is not None]
    return " ± ".join(shown)


def run(arguments: Sequence[str]) -> None:
    parser = ScriptParser(__doc__)
    parser.add_argument("--data", required=True, choices=list(PROTOCOLS), help="whose protocol is followed")
    parser.add_argument("--models", default="gan,wgan_gp", help="names, with commas between them")
    parser.add_argument("--seeds", type=int, default=10, help="runs a model")
    parser.add_argument("--epochs", type=float, help="fewer than the protocol has; may be a fraction")
    parser.add_argument("--samples", type=int, help="that are evaluated; default: the protocol's number")
    parser.add_argument("--root", default="data", help="folder that holds, or receives, MNIST")
    parser.add_argument("--out", type=Path, help="folder of the results; default: runs/modes/DATA")
    given = parser.parse_args(arguments)
    protocol = PROTOCOLS[given.data]
    models = given.models.split(",")
    if unknown := [name for name in models if name not in protocol.models]:
        raise ValueError(f"--models expected names among {', '.join(protocol.models)}, got {unknown[0]!r}; correct it")
    checks.whole(1, seeds=given.seeds)
    epochs = protocol.epochs if given.epochs is None else given.epochs
    checks.positive(epochs=epochs)
    checks.whole(2, samples=protocol.samples if given.samples is None else given.samples)
    out = given.out or Path("runs/modes") / given.data
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for noise in (
        ".*does not have many workers",
        ".*is not empty",
        "Be aware that when using `ckpt_path`",
        ".*LeafSpec",
    ):
        warnings.filterwarnings("ignore", noise)
    laboratory = Laboratory(given.data, models, given.seeds, epochs, given.samples, given.root, out)
    try:
        laboratory.run()
    except SystemExit:  # told to stop
        print(f"what was done is kept in {out}: the same command goes on from there")
        raise
    print(laboratory.table())
    print(f"{out} has table.txt, results.json and {given.data}.png; the runs are in {out / 'runs'}")


if __name__ == "__main__":
    sys.path.insert(0, "")
    main(run, sys.argv[1:], memory="lower --samples")
