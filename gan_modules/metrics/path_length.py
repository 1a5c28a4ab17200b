"""The perceptual path length of a generator: how fast its pictures change as a latent moves.

Karras, Laine and Aila, "A style-based generator architecture for generative adversarial networks" (2019), section 4.1,
with the settings of the authors' code.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, distributed, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from gan_modules import checks, randomness
from gan_modules.latents import spherical
from gan_modules.metrics.gathering import in_turn
from gan_modules.metrics.perceptual import PerceptualNetwork
from gan_modules.randomness import mix

EPSILON = 1e-4
_LARGEST = 256  # larger images are averaged down, as the authors do

Between = Callable[[Tensor, Tensor, Tensor], Tensor]


class PathLength(Metric):
    """The mean over latent paths of the perceptual distance that a small step makes, over its square; less is smoother.

    Equation 3: from `between(z1, z2, t)` to `between(z1, z2, t + 1e-4)`, for z1 and z2 from the module's prior and t
    uniform in [0, 1]; the distances below the first and above the last percentile are left out. `compute` has it as
    "ppl" with VGG16 on images as they are (above 511 pixels averaged down to 256 or a little more); any other setting
    says what it is: "ppl_alex", "ppl@64", "ppl-linear", "ppl-ends". torchmetrics and torch-fidelity measure at the
    ends of linear paths, and by default at 64 pixels: their number is "ppl@64-linear-ends".

    Paths depend on the seed and their place among all: the number is the same for any batch size and on any number of
    processes, each of which walks its share.

    Args:
        distance: a `PerceptualNetwork("vgg")`; or any module from two batches of images (n, c, h, w) to (n,).
        num_samples: how many paths (the authors: 100,000).
        between: `spherical`, for latents that are normal; or `torch.lerp`.
        ends: whether t is 0 throughout.
        batch_size: how many paths are walked at once.
        seed: of the paths.

    >>> class Distance(torch.nn.Module):
    ...     def forward(self, first, second):
    ...         return (first - second).square().flatten(1).sum(dim=1)
    >>> class Generator(torch.nn.Module):
    ...     def prior(self, n):
    ...         return torch.randn(n, 8)
    ...     def forward(self, z):
    ...         return z.reshape(-1, 1, 2, 4)
    >>> metric = PathLength(Distance(), num_samples=1000, between=torch.lerp)
    >>> metric.update(Generator().eval())
    >>> [(name, round(value.item())) for name, value in metric.compute().items()]  # the mean of |z1 - z2|^2 is 2 x 8
    [('ppl_distance-linear', 16), ('ppl_distance-linear_std', 7)]
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    between: Between
    distances: list[Tensor]

    def __init__(
        self,
        distance: nn.Module,
        num_samples: int = 10_000,
        between: Between = spherical,
        ends: bool = False,
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__(dist_sync_fn=in_turn)
        checks.whole(2, num_samples=num_samples)
        checks.whole(1, batch_size=batch_size)
        checks.function(distance=distance, between=between)
        checks.switch(ends=ends)
        checks.seed(seed=seed)
        self.distance, self.between, self.ends = distance, between, ends
        self.num_samples, self.batch_size, self.seed = num_samples, batch_size, seed
        self.name = _name(distance, between, ends)
        self.add_state("distances", [], dist_reduce_fx="cat")

    @torch.no_grad()
    def update(self, module: nn.Module, progress: Callable[[int], object] | None = None) -> None:
        """Walk the paths of a generator.

        Args:
            module: in evaluation mode; has `prior(n)`, latents (n, d), and maps them to images (n, c, h, w) in
                [-1, 1]. Where `forward` takes more (a label), `grid_inputs(n, 1)` of the module gives that as well.
            progress: called with a number of paths whenever so many more are done, such as a bar's `update`.

        Raises:
            ValueError: if the module has no prior, is in training mode, or makes anything but finite images.
        """
        rank, processes = _place()
        with _seeded(self.seed), torch.autocast(_device(module).type, enabled=False):
            start, end, conditions = self._paths(module)
            for own in torch.arange(rank, self.num_samples, processes).split(self.batch_size):
                given = [each[own.to(each.device)] for each in conditions]
                noise = mix(self.seed, int(own[0]))
                images = [_images(module, z[own], given, noise) for z in (start, end)]
                self.distances.append(self.distance(*images).flatten() / EPSILON**2)
                if progress is not None:
                    progress(len(own))

    def compute(self) -> dict[str, Tensor]:
        """The mean by its name, and the deviation of the distances with "_std" at its end.

        Raises:
            ValueError: if there are no distances, or some are not finite.
        """
        distances = dim_zero_cat(self.distances) if len(self.distances) else torch.zeros(0)
        if len(distances) < 2 or not distances.isfinite().all():
            raise ValueError(
                f"a path length needs at least two finite distances, got {distances.isfinite().sum()} of "
                f"{len(distances)}; call update first, and look at the losses"
            )
        last = len(distances) - 1
        kept = distances.sort().values[last // 100 : last - last // 100 + 1]
        return {self.name: kept.mean(), f"{self.name}_std": kept.std()}

    def _paths(self, module: Any) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Latents at the two ends of each small step, and what else `forward` takes."""
        if not hasattr(module, "prior"):
            raise ValueError(f"{type(module).__name__} has no prior(n), so its latents have no paths; leave ppl out")
        if module.training:
            raise ValueError("a path length is of a module in evaluation mode; call eval() first")
        first, second = (module.prior(self.num_samples) for _ in range(2))
        conditions = module.grid_inputs(self.num_samples, 1)[1:] if hasattr(module, "grid_inputs") else ()
        position = torch.zeros(self.num_samples, 1) if self.ends else torch.rand(self.num_samples, 1)
        # In float64, of which the step leaves enough digits to float32.
        exact = first.cpu().double(), second.cpu().double()
        start, end = (self.between(*exact, position.double() + step).to(first) for step in (0, EPSILON))
        return start, end, list(conditions)


def _name(distance: nn.Module, between: Between, ends: bool) -> str:
    if isinstance(distance, PerceptualNetwork):
        name = distance.named("ppl", usual="vgg")
    else:
        name = f"ppl_{type(distance).__name__.lower()}"
    if between is not spherical:
        name += "-linear" if between is torch.lerp else f"-{getattr(between, '__name__', type(between).__name__)}"
    return f"{name}-ends" if ends else name


def _images(module: nn.Module, z: Tensor, conditions: list[Tensor], noise: int) -> Tensor:
    """The images of latents; a generator that draws noise of its own draws the same at both ends of a step."""
    torch.manual_seed(noise)
    images = module(z, *conditions)
    if images.ndim != 4:
        raise ValueError(f"a path length needs images (n, c, h, w), got a tensor {tuple(images.shape)}; leave ppl out")
    factor = min(images.shape[-2:]) // _LARGEST
    return F.avg_pool2d(images.float(), factor) if factor > 1 else images.float()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Inside, all random numbers follow from the seed; outside, none are missing."""
    stream = randomness.current()
    with isolate_rng():
        torch.manual_seed(seed)
        randomness.use(None)
        try:
            yield
        finally:
            randomness.use(stream)


def _place() -> tuple[int, int]:
    """The number of this process, and how many there are."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def _device(module: nn.Module) -> torch.device:
    return next((each.device for each in (*module.parameters(), *module.buffers())), torch.device("cpu"))
