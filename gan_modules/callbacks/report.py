"""What a run ends with: a short table of its metrics, and where everything is."""

from pathlib import Path

from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer

from gan_modules.callbacks.scores import Scores
from gan_modules.loggers import MetricsFile

_NOTHING, _COUNT = "_identity", "_samples"


class Report(Callback):
    """Remembers when the model was last validated, so that `finish` need not do it again."""

    def __init__(self) -> None:
        self.validated_at = -1

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self.validated_at = trainer.global_step

    def finish(self, trainer: Trainer, module: LightningModule, data: LightningDataModule | None, folder: Path) -> None:
        """Print the metrics of the trained model and the files of its run."""
        metrics = dict(trainer.callback_metrics)
        if self.validated_at != trainer.global_step:
            # of a run that was over already the file has the last row, if that was not ended before
            logged = any(
                isinstance(each, MetricsFile) and each.has_after(trainer.global_step) for each in trainer.loggers
            )
            loggers, trainer.loggers = trainer.loggers, [] if logged else trainer.loggers
            trainer.validate(module, datamodule=data, verbose=False)
            metrics, trainer.loggers = dict(trainer.callback_metrics), loggers
        if not trainer.is_global_zero:
            return
        values = {key.removeprefix("metric/"): float(v) for key, v in metrics.items() if key.startswith("metric/")}
        better = [each.better for each in trainer.callbacks if isinstance(each, Scores)]  # type: ignore[attr-defined]
        print("\n" + table(values, {name: way for ways in better for name, way in ways.items()}) if values else "")
        best = getattr(trainer.checkpoint_callback, "best_model_path", "")
        print(whereabouts(folder, Path(best) if best else None))


def whereabouts(folder: Path, best: Path | None = None) -> str:
    """What a run has left, and where; `best` is the checkpoint with the best value of what is monitored."""
    names = ["config.yaml", "metrics.csv", "samples/last.png", "samples/last.gif", "checkpoints/last.ckpt"]
    lines = [name for name in names if (folder / name).exists()]
    if best is not None:
        lines.append(f"{best.relative_to(folder) if best.is_relative_to(folder) else best} (the best)")
    return "\n  ".join([f"everything is in {folder}:", *lines])


def table(values: dict[str, float], better: dict[str, str]) -> str:
    """A line a metric, with the value of doing nothing beside it where there is one.

    >>> print(table({"psnr/x_to_y": 12.5, "psnr_identity/x_to_y": 8.0, "psnr_samples/x_to_y": 379}, {"psnr": "higher"}))
    metric                value  doing nothing  better  samples
    psnr/x_to_y           12.5              8  higher      379
    """
    width = max(16, *map(len, values))
    lines = [f"{'metric':{width}s} {'value':>10s}  doing nothing  better  samples"]
    for key, value in sorted(values.items()):
        name, slash, direction = key.partition("/")
        if name.endswith((_NOTHING, _COUNT)):
            continue
        nothing, count = (values.get(f"{name}{suffix}{slash}{direction}") for suffix in (_NOTHING, _COUNT))
        numbers = f"{_shown(value, '.4g'):>10s} {_shown(nothing, '.4g'):>14s}"
        lines += [f"{key:{width}s} {numbers}  {better.get(name, ''):6s} {_shown(count, '.0f'):>8s}".rstrip()]
    return "\n".join(lines)


def _shown(value: float | None, digits: str) -> str:
    return "" if value is None else format(value, digits)
