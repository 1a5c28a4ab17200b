"""Pictures of what the generator makes, to disk and to the loggers, while it trains."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.seed import isolate_rng
from lightning_utilities.core.apply_func import apply_to_collection
from PIL import Image
from torch import Tensor

from gan_modules import checks, randomness
from gan_modules.callbacks import drawing, films
from gan_modules.callbacks.views import View, views_of
from gan_modules.metrics.gathering import in_turn

_POINTS = 1024

Painter = Callable[[LightningModule], Image.Image | None]
Filmer = Callable[[LightningModule], list[Image.Image]]


class SampleGrid(Callback):
    """Every so many batches, and at the end, a picture of fixed samples: `samples/batch-000500.png`.

    The last one is always also `samples/last.png`, and every logger that takes pictures (wandb, TensorBoard) has it as
    `samples`, at the step of the scalars. What is shown follows the model:

    - a translator: the first validation pictures, `source | translation | truth`, for each direction; where it has
      several translations of a source, `another` ones stand beside the first;
    - a model that predicts frames: the first validation clips, seen and true frames in a row and predicted ones under
      it, and as a film, `samples/last.gif`;
    - points: a scatter plot of validation data and samples;
    - a model with inference: samples, and under them validation pictures, each over its reconstruction;
    - `grid_inputs(rows, columns)` where the model has it: a class a row, a code varied a row, a text a row, with
      `grid_titles(rows)` beside them where the model has those too;
    - otherwise `sample(n)`.

    Inputs and noise are the same in all pictures. Painting happens in eval mode (with the averaged generator, where
    there is one) and leaves training alone to the last bit. Of several processes each paints the same picture, that of
    one process, and the first writes it. Where nothing can be written, training goes on.

    Args:
        every_n_batches: batches between two pictures, counted over the whole run.
        rows: rows of the grid.
        columns: columns of the grid; of points, translations and clips it is not asked.
        dirpath: folder of the pictures; None: `samples` in the run's folder.
        scale: whole number by which pixels are enlarged; None: to at most 1024 pixels.
        seed: of inputs and noise.
    """

    def __init__(
        self,
        every_n_batches: int = 500,
        rows: int = 8,
        columns: int = 8,
        dirpath: str | Path | None = None,
        scale: int | None = None,
        seed: int = 0,
    ) -> None:
        checks.whole(1, every_n_batches=every_n_batches, rows=rows, columns=columns)
        checks.whole(1, scale=1 if scale is None else scale)
        checks.seed(seed=seed)
        self.every_n_batches, self.rows, self.columns = every_n_batches, rows, columns
        self.dirpath, self.scale, self.seed = dirpath, scale, seed
        self._painter: Painter | None = None
        self._filmer: Filmer | None = None
        self._painted = -1
        self._folder = Path()
        self._writes = True

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._painter, self._filmer, self._painted, self._writes = None, None, -1, True
        # log_dir talks to the other processes, so that all of them have to ask
        self._folder = Path(self.dirpath or Path(trainer.log_dir or trainer.default_root_dir) / "samples")

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if _batches(trainer) % self.every_n_batches == 0:
            self._paint(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._paint(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        # all processes agree on a SystemExit; a KeyboardInterrupt may meet one alone, and painting may take all
        stopped = (KeyboardInterrupt, SystemExit) if trainer.world_size == 1 else SystemExit
        if isinstance(exception, stopped) and trainer.training:
            self._paint(trainer, pl_module)

    def _paint(self, trainer: Trainer, module: LightningModule) -> None:
        batches = _batches(trainer)
        if batches in (0, self._painted):
            return
        with _at_rest(trainer, module, self.seed):
            self._painter = self._painter or self._choose(trainer, module)
            torch.manual_seed(self.seed)  # the first picture, for which the painter was chosen, has no other noise
            picture = self._painter(module)
            film = self._filmer(module) if self._filmer else []
        self._painted = batches
        if picture is not None and trainer.is_global_zero:
            self._keep(picture, film, batches)
            for logger in trainer.loggers:
                _show(logger, picture, batches - 1)  # where Lightning puts the scalars of this batch

    def _choose(self, trainer: Trainer, module: LightningModule) -> Painter:
        """How this model is shown, judged by what its validation returns."""
        batches = _validation_batches(trainer, _POINTS)
        views = _views(module, _first(batches, 1))
        view = next(iter(views.values()), {})
        if "rollout" in view:
            clips = _first(batches, max(1, self.rows // 2))
            self._filmer = lambda module: films.film(_views(module, clips)[""])
            return lambda module: films.strips(_views(module, clips)[""], self.scale)
        if "source" in view:
            blocks = 1 if len(views) > 1 else 2
            held = _first(batches, blocks * self.rows)
            return lambda module: _translations(_views(module, held), self.rows, self.scale)
        if "fake" in view and view["fake"].ndim == 2:
            return lambda module: _points(_views(module, batches))
        torch.manual_seed(self.seed)
        if "reconstruction" in view:
            return self._inferring(module, batches)
        if grid_inputs := getattr(module, "grid_inputs", None):
            inputs: tuple[Tensor, ...] = grid_inputs(self.rows, self.columns)
            grid_titles = getattr(module, "grid_titles", None)
            titles: list[str] | None = grid_titles(self.rows) if grid_titles else None
            return lambda module: _drawn(module(*inputs), self.columns, self.scale, titles)
        if sample := getattr(module, "sample", None):
            return lambda module: _drawn(sample(self.rows * self.columns), self.columns, self.scale)
        rank_zero_warn(
            "SampleGrid has nothing to show: the module has neither grid_inputs nor sample, and no validation data "
            "with a source; give validation data, or leave SampleGrid out."
        )
        return lambda module: None

    def _inferring(self, module: Any, batches: list[Any]) -> Painter:
        """Samples in the upper half of the rows; in the lower one pictures over their reconstructions."""
        pairs = max(1, self.rows // 4)
        inputs: tuple[Tensor, ...] = module.grid_inputs(max(1, self.rows - 2 * pairs), self.columns)
        held = _first(batches, pairs * self.columns)

        def paint(module: Any) -> Image.Image:
            view = next(iter(_views(module, held).values()))
            sides = zip(*(view[key].split(self.columns) for key in ("real", "reconstruction")), strict=True)
            shown = [module(*inputs), *(side for pair in sides for side in pair)]
            return drawing.grid(torch.cat(shown), self.columns, self.scale)

        return paint

    def _keep(self, picture: Image.Image, film: list[Image.Image], batches: int) -> None:
        if not self._writes:
            return
        try:
            for name in (f"batch-{batches:06d}.png", "last.png"):
                drawing.save_picture(picture, self._folder / name)
            if film:
                drawing.save_film(film, self._folder / "last.gif")
        except OSError as error:
            self._writes = False
            rank_zero_warn(f"No more sample grids are written, because {self._folder} cannot be written to: {error}.")


def _translations(views: dict[str, View], rows: int, scale: int | None) -> Image.Image:
    """Directions side by side; a single one goes on in a second block."""
    groups = []
    for direction, view in views.items():
        parts = [("source", drawing.as_pictures(view["source"])), ("translation", view["fake"])]
        parts += [("another", images) for images in view["samples"].unbind(1)] if "samples" in view else []
        parts += [("truth", view["truth"])] if "truth" in view else []
        for start in range(0, len(view["fake"]), rows):
            columns = [(name, images[start : start + rows]) for name, images in parts]
            groups.append((direction.replace("_", " "), columns))
    return drawing.titled_columns(groups, scale)


def _drawn(samples: Tensor, columns: int, scale: int | None, titles: Sequence[str] | None = None) -> Image.Image:
    return drawing.scatter(None, samples) if samples.ndim == 2 else drawing.grid(samples, columns, scale, titles)


def _points(views: dict[str, View]) -> Image.Image:
    view = next(iter(views.values()))
    return drawing.scatter(view["real"], view["fake"])


def _batches(trainer: Trainer) -> int:
    """Training batches seen, over epochs and restarts, the present one included."""
    return trainer.fit_loop.epoch_loop.total_batch_idx + 1


def _validation_batches(trainer: Trainer, count: int) -> list[Any]:
    """The first validation batches of all processes, on the device, of `count` items together at most."""
    if trainer.val_dataloaders is None:  # nothing was validated yet
        trainer.fit_loop.epoch_loop.val_loop.setup_data()
    loaders = trainer.val_dataloaders
    loader = loaders[0] if isinstance(loaders, (list, tuple)) and loaders else loaders
    if not loader:
        return []
    stage, trainer.validating = trainer.state.stage, True  # data modules change training batches at random
    try:
        found: list[Any] = []
        for batch in loader:
            part = trainer.strategy.batch_to_device(trainer.precision_plugin.convert_input(batch))
            found.append(part if trainer.world_size == 1 else apply_to_collection(part, Tensor, _of_all_processes))
            if sum(map(_length, found)) >= count:
                break
    finally:
        trainer.state.stage = stage
    return _first(found, count)


def _of_all_processes(rows: Tensor) -> Tensor:
    return in_turn(rows)[0]


def _views(module: LightningModule, batches: list[Any]) -> dict[str, View]:
    """What validation shows of all batches, joined, by direction."""
    seen = [views_of(module.validation_step(batch, number)) for number, batch in enumerate(batches)]
    return {
        direction: {key: torch.cat([views[direction][key] for views in seen]) for key in view}
        for direction, view in (seen[0] if seen else {}).items()
    }


def _first(batches: list[Any], count: int) -> list[Any]:
    """The first `count` items of batches."""
    kept = []
    for batch in batches:
        if count > 0:
            kept.append(_cut(batch, count))
            count -= _length(batch)
    return kept


def _cut(batch: Any, count: int) -> Any:
    return batch[:count] if isinstance(batch, Tensor) else tuple(part[:count] for part in batch)


def _length(batch: Any) -> int:
    return len(batch if isinstance(batch, Tensor) else batch[0])


def _show(logger: Logger, picture: Image.Image, step: int) -> None:
    if isinstance(logger, WandbLogger):
        logger.log_image("samples", [picture], step=step)
    elif isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image("samples", np.asarray(picture), step, dataformats="HWC")


@contextmanager
def _at_rest(trainer: Trainer, module: LightningModule, seed: int) -> Iterator[None]:
    """Inside, evaluation mode, no gradients and random numbers from `seed`; afterwards all is as it was."""
    modes, stream = [(part, part.training) for part in module.modules()], randomness.current()
    module.eval()
    randomness.use(None)
    try:
        with isolate_rng(), torch.no_grad(), trainer.precision_plugin.val_step_context():
            torch.manual_seed(seed)
            yield
    finally:
        randomness.use(stream)
        for part, mode in modes:
            part.training = mode
