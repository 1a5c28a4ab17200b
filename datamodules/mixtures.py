"""The two-dimensional mixtures of the mode-collapse literature, by the protocol of PacGAN.

Lin, Khetan, Fanti and Oh, "PacGAN: the power of two samples in generative adversarial networks" (2018), section 4.1,
after Srivastava et al., "VEEGAN" (2017).
"""

import math

import torch
from torch import Tensor

from datamodules.loading import BatchedDataModule
from datamodules.order import Batches, Raw
from gan_modules import checks
from gan_modules.randomness import mix


class _Mixture(BatchedDataModule):
    """Equally likely Gaussians with the same spread in each direction; batches are points (n, 2)."""

    def __init__(
        self, modes: Tensor, sigma: float, points: int, held_out_points: int, batch_size: int, seed: int | None
    ) -> None:
        super().__init__(batch_size, 0, seed)
        checks.positive(sigma=sigma)
        checks.whole(1, points=points, held_out_points=held_out_points)
        self._modes, self.sigma = modes, sigma
        self.points, self.held_out_points = points, held_out_points

    @property
    def modes(self) -> Tensor:
        """Centres of the Gaussians: float32 (k, 2)."""
        return self._modes

    @property
    def num_classes(self) -> int:
        """Always 0: the points have no labels."""
        return 0

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        self.training = Batches(self._drawn(self.points, 0), seed=self.seed)
        self.held_out = Batches(self._drawn(self.held_out_points, 1), seed=self.seed)

    def _drawn(self, count: int, part: int) -> Tensor:
        generator = torch.Generator().manual_seed(mix(self.seed, part))
        mode = torch.randint(len(self.modes), (count,), generator=generator)
        return self.modes[mode] + self.sigma * torch.randn(count, 2, generator=generator)

    def on_after_batch_transfer(self, batch: object, dataloader_idx: int) -> object:
        return batch.columns[0].to(self.dtype) if isinstance(batch, Raw) else batch


class Ring(_Mixture):
    """Gaussians at equal angles on a circle: `modes` distinct centres, the first at (radius, 0).

    Args:
        modes: how many.
        radius: of the circle.
        sigma: standard deviation of each Gaussian, in each direction.
        points, held_out_points: how many points to draw, once, for training and for validation.
        batch_size: the global batch, shared evenly by all processes.
        seed: of points and order; None takes the environment's PL_GLOBAL_SEED (`seed_everything`), else 0.

    Raises:
        ValueError: for a number that must be positive and is not.
    """

    def __init__(
        self,
        modes: int = 8,
        radius: float = 1.0,
        sigma: float = 0.01,
        points: int = 100_000,
        held_out_points: int = 2_500,
        batch_size: int = 100,
        seed: int | None = None,
    ) -> None:
        checks.whole(1, modes=modes)
        checks.positive(radius=radius)
        angles = torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
        centres = radius * torch.stack([angles.cos(), angles.sin()], dim=1)
        super().__init__(centres.float(), sigma, points, held_out_points, batch_size, seed)


class Grid(_Mixture):
    """Gaussians on a square grid about the origin: by default 25 of them at {-4, -2, 0, 2, 4} squared.

    Args:
        side: modes along each side.
        spacing: distance of neighbours.
        sigma: standard deviation of each Gaussian, in each direction.
        points, held_out_points, batch_size, seed: as for `Ring`.

    Raises:
        ValueError: for a number that must be positive and is not.
    """

    def __init__(
        self,
        side: int = 5,
        spacing: float = 2.0,
        sigma: float = 0.05,
        points: int = 100_000,
        held_out_points: int = 2_500,
        batch_size: int = 100,
        seed: int | None = None,
    ) -> None:
        checks.whole(1, side=side)
        checks.positive(spacing=spacing)
        along = spacing * (torch.arange(side, dtype=torch.float32) - (side - 1) / 2)
        super().__init__(torch.cartesian_prod(along, along), sigma, points, held_out_points, batch_size, seed)
