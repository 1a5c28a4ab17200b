"""StyleGAN2 (Karras et al., 2020) with adaptive discriminator augmentation (Karras et al., 2020b)."""

from itertools import chain
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_modules import checks, randomness
from gan_modules.adaptive import augmented
from gan_modules.adversarial import adam
from gan_modules.batches import images_of
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import minimax_discriminator, non_saturating_generator
from gan_modules.penalties import path_lengths, zero_centred


class StyleGAN2(LatentModule):
    """A generator of styles, one for each layer, that a network maps from noise.

    The two regularisers are lazy (appendix B): on every so many batches alone, in an optimizer step of their own, with
    as many times the weight; Adam's rate and betas are corrected for those further steps. ADA watches how many real
    images the discriminator takes for real, and shows it as many changed ones as keep that at a target. The order of
    the steps is that of the authors' `training_loop.py`. Losses of a batch are the means of those of its parts.

    Args:
        mapping: maps noise `(n, latent_dim)` to styles `(n, d)`.
        generator: maps styles `(n, layers, d)` to images in [-1, 1]; its `layers` says how many styles it takes.
        discriminator: maps images to scores `(n,)`.
        latent_dim: dimensions of the standard normal noise.
        mixing: probability that an image has the style of a second noise from a random layer on (0.9).
        r1_weight, r1_interval: gamma of R1 (configuration F: 10; later 0.0002 pixels / batch size), and how lazy (16).
        path_weight, path_decay, path_interval: of the path length regulariser (2, 0.01, every 4 batches); its target is
            the running mean of lengths, before the batch.
        ada_target: mean sign of the scores of real images that the augmentation aims at (0.6); None: no augmentation.
        ada_interval, ada_images: batches between two changes of its probability (4), and the number of images within
            which that can go from 0 to 1 (500k).
        learning_rate, betas: of Adam, before their correction (configuration F: 0.002, 0 and 0.99).
        mechanics: see `gan_modules.latent.LatentMechanics`; regularisers' steps count as steps of the average.
    """

    p: Tensor
    signs: Tensor
    mean_length: Tensor

    def __init__(
        self,
        mapping: nn.Module,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 512,
        mixing: float = 0.9,
        r1_weight: float = 10.0,
        r1_interval: int = 16,
        path_weight: float = 2.0,
        path_decay: float = 0.01,
        path_interval: int = 4,
        ada_target: float | None = 0.6,
        ada_interval: int = 4,
        ada_images: int = 500_000,
        learning_rate: float = 2e-3,
        betas: tuple[float, float] = (0.0, 0.99),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["mapping", "generator", "discriminator"])
        checks.whole(1, r1_interval=r1_interval, path_interval=path_interval)
        checks.whole(1, ada_interval=ada_interval, ada_images=ada_images)
        checks.not_negative(r1_weight=r1_weight, path_weight=path_weight)
        checks.fraction(mixing=mixing, path_decay=path_decay, ada_target=0.0 if ada_target is None else ada_target)
        checks.adam(betas, learning_rate=learning_rate)
        self.layers = _layers(generator)
        self.mapping, self.discriminator = mapping, discriminator
        self.register_generators("mapping", "generator")
        self.mixing, self.learning_rate, self.betas = mixing, learning_rate, betas
        self.r1_weight, self.r1_interval = r1_weight, r1_interval
        self.path_weight, self.path_decay, self.path_interval = path_weight, path_decay, path_interval
        self.ada_target, self.ada_interval, self.ada_images = ada_target, ada_interval, ada_images
        for state in ("p", "signs", "mean_length"):
            self.register_buffer(state, torch.zeros(()))

    def forward(self, z: Tensor, truncation: float | None = None) -> Tensor:
        """Images of one style each, which `truncation` times as far from the mean style are less varied but better."""
        styles = self.serving("mapping")(z)
        if truncation is not None:
            styles = torch.lerp(self.mean_style(), styles, truncation)
        return self.serving("generator")(styles[:, None].expand(-1, self.layers, -1))

    def sample(self, n: int, truncation: float | None = None) -> Tensor:
        """`n` generated images; see `forward`."""
        return self(self.prior(n), truncation)

    def mean_style(self) -> Tensor:
        """Of 4096 noises that are always the same, `(d,)` (the authors: a running mean of training)."""
        with randomness.using(randomness.Stream(0)):
            return self.serving("mapping")(self.prior(4096)).mean(0)

    def styles(self, n: int) -> Tensor:
        """Styles `(n, layers, d)` to train with; whether and where two are mixed, each image decides for itself."""
        first, second = self.mapping(self.prior(n)), self.mapping(self.prior(n))
        u = randomness.uniform(n, 2, device=self.device)
        start = torch.where(u[:, 0] < self.mixing, 1 + u[:, 1] * (self.layers - 1), self.layers).floor()
        mixed = torch.arange(self.layers, device=self.device) >= start[:, None]
        return torch.where(mixed[:, :, None], second[:, None], first[:, None])

    def scores(self, images: Tensor) -> Tensor:
        """Of images as the discriminator is shown them."""
        return self.discriminator(images if self.ada_target is None else augmented(images, self.p))

    def generator_loss(self, real: Tensor) -> Tensor:
        """-E log D(G(z))."""
        return non_saturating_generator(self.scores(self.generator(self.styles(len(real)))))

    def path_loss(self, real: Tensor) -> tuple[Tensor, Tensor]:
        """Lazy E (|J^T y| - a)^2 (equation 4) of half as many images; beside it the mean length."""
        lengths = path_lengths(self.generator, self.styles(-(-len(real) // 2)))
        penalty = (lengths - self.mean_length).square().mean()
        return self.path_interval * self.path_weight * penalty, lengths.mean()

    def discriminator_loss(self, real: Tensor) -> tuple[Tensor, Tensor]:
        """-E log D(x) - E log(1 - D(G(z))); beside it E sign D(x), the ADA paper's r_t (equation 1)."""
        fake = self.generator(self.styles(len(real))).detach()
        real_scores = self.scores(real)
        return minimax_discriminator(real_scores, self.scores(fake)), real_scores.sign().mean()

    def r1_loss(self, real: Tensor) -> Tensor:
        """Lazy gamma / 2 E |grad D(x)|^2."""
        return self.r1_interval * self.r1_weight / 2 * zero_centred(self.scores, real)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real, batches = images_of(batch), self.batches_seen - 1
        generator_optimizer, discriminator_optimizer = self.optimizers()
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, real))
        if self.path_weight > 0 and batches % self.path_interval == 0:
            penalty, length = self.descend(generator_optimizer, self.path_loss, real)
            self.mean_length.lerp_(self.of_all(length), self.path_decay)
            self.record(path=penalty, path_length=length)
        loss, sign = self.descend(discriminator_optimizer, self.discriminator_loss, real)
        self.record(discriminator=loss, real_sign=sign, augmentation=self.p)
        if self.r1_weight > 0 and batches % self.r1_interval == 0:
            self.record(r1=self.descend(discriminator_optimizer, self.r1_loss, real))
        self.adapt(sign, len(real))

    def adapt(self, sign: Tensor, count: int) -> None:
        """Every `ada_interval` batches, p up or down by the images since, as r_t is above or below its target."""
        self.signs += sign
        if self.ada_target is None or self.batches_seen % self.ada_interval:
            return
        step = self.ada_interval * count * self.trainer.world_size / self.ada_images
        beyond = self.of_all(self.signs) / self.ada_interval - self.ada_target
        self.p.add_(beyond.sign() * step).clamp_(0, 1)
        self.signs.zero_()

    def of_all(self, value: Tensor) -> Tensor:
        """The mean over all processes."""
        return self.trainer.strategy.reduce(value.clone(), reduce_op="mean")

    def configure_optimizers(self) -> list[Optimizer]:
        generator = chain(self.mapping.parameters(), self.generator.parameters())
        lazy = (self.path_weight, self.path_interval), (self.r1_weight, self.r1_interval)
        return [
            adam(parameters, rate * self.learning_rate, (self.betas[0] ** rate, self.betas[1] ** rate))
            for parameters, (weight, interval) in zip((generator, self.discriminator.parameters()), lazy, strict=True)
            for rate in [interval / (interval + 1) if weight > 0 else 1.0]
        ]


def _layers(generator: nn.Module) -> int:
    layers = getattr(generator, "layers", None)
    if not isinstance(layers, int) or layers < 1:
        raise ValueError(f"the generator must say how many styles it takes, got layers={layers!r}; give it `layers`")
    return layers
