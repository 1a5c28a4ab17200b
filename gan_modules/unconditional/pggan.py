"""Progressive growing of GANs for improved quality, stability, and variation (Karras et al., 2018)."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Unpack

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.optim import Optimizer

from gan_modules import checks
from gan_modules.adversarial import AdversarialModule, adam
from gan_modules.batches import images_of
from gan_modules.growth import Growth, images_at
from gan_modules.latent import LatentMechanics, LatentModule
from gan_modules.objectives import wasserstein_critic, wasserstein_generator
from gan_modules.penalties import gradient_penalty


class ProgressiveGAN(LatentModule):
    """Networks that grow from 4 x 4 pixels to full size, trained as WGAN-GP with a drift term.

    A batch is cut into batches of the size that the present resolution is trained with, a step each, so that the data
    keep one batch size throughout.

    Args:
        generator: maps noise `(n, latent_dim)`, stage and fade to images of 4 * 2**stage pixels in [-1, 1]; its
            `stages` says how many stages there are.
        discriminator: maps such images, stage and fade to scores `(n,)`.
        latent_dim: dimensions of the standard normal noise.
        stable_images, fade_images: images shown per stage before, and while, the next one is faded in (appendix A.1:
            800k for CelebA-HQ; the later code: 600k).
        batch_sizes: the global batch size by resolution; others use the data's (appendix A.1: 16, then 14, 6 and 3 at
            256, 512 and 1024 pixels).
        penalty_weight: weight of the gradient penalty (appendix A.1: 10).
        drift_weight: weight of E D(x)^2 (appendix A.1: 0.001).
        learning_rate, betas: of Adam (appendix A.1: 1e-3, 0 and 0.99), whose moments are reset as layers come in.
        mechanics: see `gan_modules.latent.LatentMechanics`; the paper's average of the generator decays by 0.999.
    """

    persistent: ClassVar[tuple[str, ...]] = (*AdversarialModule.persistent, "images_shown", "phase")

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int = 512,
        stable_images: int = 600_000,
        fade_images: int = 600_000,
        batch_sizes: Mapping[int, int] | None = None,
        penalty_weight: float = 10.0,
        drift_weight: float = 1e-3,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.0, 0.99),
        **mechanics: Unpack[LatentMechanics],
    ) -> None:
        super().__init__(generator, latent_dim, **mechanics)
        self.save_hyperparameters(ignore=["generator", "discriminator"])
        _check_batch_sizes({} if batch_sizes is None else batch_sizes)
        checks.not_negative(penalty_weight=penalty_weight, drift_weight=drift_weight)
        checks.adam(betas, learning_rate=learning_rate)
        self.discriminator = discriminator
        self.growth = Growth(_stages(generator, discriminator), stable_images, fade_images)
        self.batch_sizes = dict(batch_sizes or {})
        self.penalty_weight, self.drift_weight = penalty_weight, drift_weight
        self.learning_rate, self.betas = learning_rate, betas
        self.images_shown, self.phase = 0, (0, False)

    def forward(self, z: Tensor) -> Tensor:
        stage, fade = self.growth.at(self.images_shown)
        return interpolate(
            self.serving("generator")(z, stage, self.argument(fade)), scale_factor=2 ** (self.growth.stages - 1 - stage)
        )

    def sample(self, n: int) -> Tensor:
        """`n` generated images of the present resolution, shown at full size."""
        return self(self.prior(n))

    def argument(self, fade: float) -> float | Tensor:
        """`fade` as networks take it: compiled ones are compiled anew for each number, but not for each tensor."""
        return torch.full((), fade, device=self.device) if self.compiled and fade < 1 else fade

    def discriminator_loss(self, real: Tensor, stage: int, fade: float) -> tuple[Tensor, Tensor]:
        """WGAN-GP with drift (appendix A.1); beside it the estimate of the Wasserstein distance."""
        fake = self.generator(self.prior(len(real)), stage, self.argument(fade)).detach()
        critic = partial(self.discriminator, stage=stage, fade=self.argument(fade))
        real_scores = critic(real)
        negative_distance = wasserstein_critic(real_scores, critic(fake))
        loss = negative_distance + self.drift_weight * real_scores.square().mean()
        if self.penalty_weight > 0:
            loss = loss + self.penalty_weight * gradient_penalty(critic, real, fake)
        return loss, -negative_distance

    def generator_loss(self, real: Tensor, stage: int, fade: float) -> Tensor:
        """-E D(G(z))."""
        fake = self.generator(self.prior(len(real)), stage, self.argument(fade))
        return wasserstein_generator(self.discriminator(fake, stage, self.argument(fade)))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        images = images_of(batch)
        while len(images):
            stage, fade = self.growth.at(self.images_shown)
            size = self.batch_size_at(4 * 2**stage) or len(images)
            self.step(images[:size], stage, fade)
            images = images[size:]

    def batch_size_at(self, resolution: int) -> int:
        """This process's part of the batch size of a resolution; 0 where the data's is used."""
        size, processes = self.batch_sizes.get(resolution, 0), self.trainer.world_size
        if size % processes:
            raise ValueError(
                f"the batch of {size} at {resolution} pixels does not divide among {processes} processes; "
                "choose multiples of that number as batch_sizes"
            )
        return size // processes

    def step(self, images: Tensor, stage: int, fade: float) -> None:
        """One step of each player at one stage."""
        discriminator_optimizer, generator_optimizer = self.optimizers()
        if self.phase != (stage, fade < 1):
            self.phase = stage, fade < 1
            discriminator_optimizer.state.clear()
            generator_optimizer.state.clear()
            if self.compiled:
                torch.compiler.reset()  # the graphs of earlier phases would count towards torch's limit
        real = images_at(images, stage, fade)
        self.images_shown += len(images) * self.trainer.world_size
        loss, distance = self.descend(discriminator_optimizer, self.discriminator_loss, real, stage, fade)
        self.record(discriminator=loss, distance=distance)
        self.record(generator=self.descend(generator_optimizer, self.generator_loss, real, stage, fade))

    def configure_optimizers(self) -> list[Optimizer]:
        return [adam(net.parameters(), self.learning_rate, self.betas) for net in (self.discriminator, self.generator)]


def _check_batch_sizes(batch_sizes: Mapping[int, int]) -> None:
    if not isinstance(batch_sizes, Mapping):
        raise ValueError(f"batch_sizes must be sizes by resolution, got {batch_sizes!r}; {{256: 14, 512: 6}} is usual")
    for resolution, size in batch_sizes.items():
        checks.whole(4, **{"a resolution of batch_sizes": resolution})
        checks.whole(1, **{f"batch_sizes[{resolution}]": size})


def _stages(generator: nn.Module, discriminator: nn.Module) -> int:
    """How many stages both networks have; a discriminator may leave it unsaid."""
    stages = getattr(generator, "stages", None)
    if not isinstance(stages, int) or getattr(discriminator, "stages", stages) != stages:
        raise ValueError(
            f"generator and discriminator must grow through the same `stages`, got {stages} and "
            f"{getattr(discriminator, 'stages', None)}; give both the same image_size"
        )
    return stages
