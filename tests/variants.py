"""All seven variants, tiny: modules, data and a trainer for them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Unpack

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from gan_modules import ACGAN, GAN, WGANGP, AdversarialModule, CycleGAN, InfoGAN, Pix2Pix, ProgressiveGAN, networks
from gan_modules.adversarial import Mechanics

CLASSES, LATENT, SIZE = 3, 4, 8
GROWTH = {"stable_images": 8, "fade_images": 16}  # at batches of 4: grown up after 6 of them


class Draw(nn.Module):
    """A user's generator: latents, and labels where there are classes, to images; nothing couples the samples."""

    def __init__(self, latent_dim: int = LATENT, classes: int = 0) -> None:
        super().__init__()
        self.classes = classes
        self.linear = nn.Linear(latent_dim + classes, 8 * 4 * 4)
        self.conv = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is not None:
            z = torch.cat([z, nn.functional.one_hot(labels, self.classes).to(z.dtype)], dim=1)
        features = torch.relu(self.linear(z)).unflatten(1, (8, 4, 4))
        return torch.tanh(self.conv(nn.functional.interpolate(features, scale_factor=2)))


class Translate(nn.Module):
    """A user's translator, with dropout that follows the step and the sample."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 3, 3, padding=1)
        self.dropout = networks.Dropout(0.3)

    def forward(self, source: Tensor) -> Tensor:
        return torch.tanh(self.last(self.dropout(torch.relu(self.first(source)))))


class Judge(nn.Module):
    """A user's discriminator: a score for each image, with class logits where there are classes."""

    def __init__(self, channels: int = 3, classes: int = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 6, 3, stride=2, padding=1)
        self.score = nn.Linear(6 * 4 * 4, 1)
        self.classify = nn.Linear(6 * 4 * 4, classes) if classes else None

    def forward(self, images: Tensor, source: Tensor | None = None) -> Any:
        images = images if source is None else torch.cat([images, source], dim=1)
        features = nn.functional.adaptive_avg_pool2d(nn.functional.silu(self.conv(images)), 4).flatten(1)
        scores = self.score(features).squeeze(1)
        return scores if self.classify is None else (scores, self.classify(features))


class Recognise(nn.Module):
    """A user's recognition head of an InfoGAN."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.category, self.mean = nn.Linear(features, CLASSES), nn.Linear(features, 2)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.category(features), self.mean(features)


class Score(nn.Module):
    """A user's head of a discriminator."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.linear(features).squeeze(1)


def _gan(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return GAN(Draw(), Judge(), LATENT, **options)
    pair = networks.DCGANGenerator(LATENT, SIZE, 3, 4), networks.DCGANDiscriminator(SIZE, 3, 4)
    return GAN(*pair, LATENT, **options)


def _gan_points(own: bool, **options: Any) -> AdversarialModule:
    norm = None if own else nn.BatchNorm1d
    pair = networks.MLPGenerator(LATENT, (2,), (8, 8), norm), networks.MLPDiscriminator((2,), (8, 8), 2)
    return GAN(*pair, LATENT, **options)


def _wgan_gp(own: bool, **options: Any) -> AdversarialModule:
    options = {"n_critic": 2, "decay_steps": 100, **options}
    if own:
        return WGANGP(Draw(), Judge(), LATENT, **options)
    return WGANGP(networks.ResNetGenerator(LATENT, SIZE, 3, 4), networks.ResNetCritic(SIZE, 3, 4), LATENT, **options)


def _acgan(own: bool, **options: Any) -> AdversarialModule:
    if own:
        return ACGAN(Draw(classes=CLASSES), Judge(classes=CLASSES), CLASSES, LATENT, **options)
    generator = networks.DCGANGenerator(LATENT, SIZE, 3, 4, num_classes=CLASSES)
    return ACGAN(generator, networks.DCGANDiscriminator(SIZE, 3, 4, num_classes=CLASSES), CLASSES, LATENT, **options)


def _infogan(own: bool, **options: Any) -> AdversarialModule:
    inputs = LATENT + CLASSES + 2
    if own:
        own_trunk = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.SiLU(), nn.Flatten())
        return InfoGAN(Draw(inputs), own_trunk, Score(96), Recognise(96), LATENT, CLASSES, 2, **options)
    trunk = networks.DCGANTrunk(SIZE, 3, 4, features=8)
    heads = networks.ScoreHead(8), networks.RecognitionHead(8, 8, CLASSES, 2)
    generator = networks.DCGANGenerator(inputs, SIZE, 3, 4)
    return InfoGAN(generator, trunk, *heads, LATENT, CLASSES, 2, **options)


def _pix2pix(own: bool, **options: Any) -> AdversarialModule:
    options = {"constant_epochs": 1, "decay_epochs": 2, **options}
    if own:
        return Pix2Pix(Translate(), Judge(6), **options)
    return Pix2Pix(networks.UNetGenerator(3, 3, 16, 4), networks.PatchDiscriminator(3, 3, 4, 1), **options)


def _cyclegan(own: bool, **options: Any) -> AdversarialModule:
    options = {"history_size": 6, "constant_epochs": 1, "decay_epochs": 2, **options}
    if own:
        return CycleGAN(Translate(), Translate(), Judge(), Judge(), **options)
    g, f = (networks.ResNetTranslator(3, 3, 4, 1, 1) for _ in range(2))
    x, y = (networks.PatchDiscriminator(3, 0, 4, 1, networks.InstanceNorm) for _ in range(2))
    return CycleGAN(g, f, x, y, **options)


def _pggan(own: bool, **options: Any) -> AdversarialModule:
    pair = networks.ProgressiveGenerator(LATENT, SIZE, 3, 8), networks.ProgressiveDiscriminator(SIZE, 3, 8)
    # each of two parts of 8 images holds a whole group of the standard deviation
    options = {**GROWTH, "batch_sizes": {4: 8, 8: 8} if own else {4: 2}, **options}
    return ProgressiveGAN(*pair, LATENT, **options)


BUILDERS: dict[str, Callable[..., AdversarialModule]] = {
    "gan": _gan,
    "gan on points": _gan_points,
    "wgan_gp": _wgan_gp,
    "acgan": _acgan,
    "infogan": _infogan,
    "pix2pix": _pix2pix,
    "cyclegan": _cyclegan,
    "pggan": _pggan,
}
NAMES = tuple(BUILDERS)
LATENT_MODELS = tuple(name for name in NAMES if name not in ("pix2pix", "cyclegan"))


def build(name: str, own: bool = False, seed: int = 0, **options: Any) -> AdversarialModule:
    """A variant with our networks, or with a user's `own`, in which no sample depends on another.

    Progressive networks have no user's form: theirs couple neighbours in groups of four.
    """
    torch.manual_seed(seed)
    return BUILDERS[name](own, **options)


def data(name: str, count: int = 32) -> tuple[Tensor, ...]:
    """Random data of the kind that the variant wants."""
    generator = torch.Generator().manual_seed(1)
    size = 16 if name == "pix2pix" else SIZE
    shape = (count, 2) if name == "gan on points" else (count, 3, size, size)
    images = 2 * torch.rand(2, *shape, generator=generator) - 1
    if name == "acgan":
        return images[0], torch.arange(count) % CLASSES
    return tuple(images) if name in ("pix2pix", "cyclegan") else (images[0],)


class Part(Sequence[list[int]]):
    """Batches in a fixed order, of which this process takes its part: every so many-th sample."""

    def __init__(self, count: int, batch_size: int, rank: int, processes: int) -> None:
        self.batches = [
            list(range(start + rank, start + batch_size, processes)) for start in range(0, count, batch_size)
        ]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: Any) -> Any:
        return self.batches[index]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)


def loader(
    name: str, batches: int = 8, batch_size: int = 4, rank: int = 0, processes: int = 1
) -> DataLoader[tuple[Tensor, ...]]:
    """The variant's data, in batches of a fixed order; `batch_size` is that of all processes together."""
    count = batches * batch_size
    return DataLoader(TensorDataset(*data(name, count)), batch_sampler=Part(count, batch_size, rank, processes))


def trainer(**options: Any) -> Trainer:
    """A trainer that writes nothing and says nothing."""
    defaults: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
        "log_every_n_steps": 2,
    }
    return Trainer(**{**defaults, **options})


def trained(name: str, own: bool = False, batches: int = 8, **mechanics: Unpack[Mechanics]) -> AdversarialModule:
    """The variant after `batches` batches."""
    module = build(name, own, **mechanics)
    trainer().fit(module, loader(name, batches))
    return module


def losses_of(module: AdversarialModule) -> list[Tensor]:
    """The losses of all steps that the module will take, as it takes them."""
    losses, descend = list[Tensor](), module.descend

    def watched(*arguments: Any) -> Any:
        returned = descend(*arguments)
        losses.append(returned[0] if isinstance(returned, tuple) else returned)
        return returned

    module.descend = watched  # type: ignore[assignment,method-assign]
    return losses


def same(left: Any, right: Any) -> bool:
    """Whether nested dicts, lists and tensors are equal bit for bit."""
    if isinstance(left, Tensor):
        return isinstance(right, Tensor) and left.dtype == right.dtype and torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def assert_close(actual: Any, expected: Any, path: str) -> None:
    """Compare nested states: floating-point tensors to 1e-12 of their size, everything else exactly."""
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys(), path
        for key, value in expected.items():
            assert_close(actual[key], value, f"{path}.{key}")
    elif isinstance(expected, list):
        for index, (each, value) in enumerate(zip(actual, expected, strict=True)):
            assert_close(each, value, f"{path}.{index}")
    elif isinstance(expected, Tensor) and expected.is_floating_point():
        size = max(1e-3, float(expected.abs().max()))  # biases start at 0: then it is what the steps moved
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12 * size, msg=lambda text: f"{path}: {text}")
    else:
        assert same(actual, expected), path


def whole_state(module: AdversarialModule, fitted: Trainer) -> dict[str, Any]:
    """All that a run carries from one batch to the next, copied."""
    schedulers = [config.scheduler.state_dict() for config in fitted.lr_scheduler_configs]
    return {
        "module": {name: _copied(value) for name, value in module.state_dict().items()},
        "optimizers": [_copied(optimizer.state_dict()) for optimizer in fitted.optimizers],
        "schedulers": schedulers,
        "counters": {name: getattr(module, name) for name in module.persistent},
        "global_step": fitted.global_step,
    }


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value
