"""What a run ends with: a short table of its metrics, and where everything is."""

from pathlib import Path

from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer

_NOTHING, _COUNT = "_identity", "_samples"
_BETTER = {"psnr": "higher", "inception_score": "higher", "swd": "lower", "fid": "lower", "kid": "lower"}


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
            trainer.validate(module, datamodule=data, verbose=False)
            metrics = dict(trainer.callback_metrics)
        if not trainer.is_global_zero:
            return
        values = {key.removeprefix("metric/"): float(v) for key, v in metrics.items() if key.startswith("metric/")}
        print("\n" + table(values) if values else "")
        print(whereabouts(folder))


def whereabouts(folder: Path) -> str:
    """What a run has left, and where."""
    names = ("config.yaml", "metrics.csv", "samples/last.png", "checkpoints/last.ckpt")
    return "\n  ".join([f"everything is in {folder}:", *(name for name in names if (folder / name).exists())])


def table(values: dict[str, float]) -> str:
    """A line a metric, with the value of doing nothing beside it where there is one.

    >>> print(table({"psnr/x_to_y": 12.5, "psnr_identity/x_to_y": 8.0, "psnr_samples/x_to_y": 379}))
    metric                value  doing nothing  better  samples
    psnr/x_to_y           12.5              8  higher      379
    """
    lines = [f"{'metric':16s} {'value':>10s}  doing nothing  better  samples"]
    for key, value in sorted(values.items()):
        name, slash, direction = key.partition("/")
        if name.endswith((_NOTHING, _COUNT)):
            continue
        nothing, count = (values.get(f"{name}{suffix}{slash}{direction}") for suffix in (_NOTHING, _COUNT))
        numbers = f"{_shown(value, '.4g'):>10s} {_shown(nothing, '.4g'):>14s}"
        lines += [f"{key:16s} {numbers}  {_BETTER.get(name, ''):6s} {_shown(count, '.0f'):>8s}".rstrip()]
    return "\n".join(lines)


def _shown(value: float | None, digits: str) -> str:
    return "" if value is None else format(value, digits)
