"""What a run ends with: a short table of its metrics, and where everything is."""

from pathlib import Path

from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer

_NOTHING = "_identity"


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
        print(f"everything is in {folder}:")
        for name in ("config.yaml", "metrics.csv", "samples/last.png", "checkpoints/last.ckpt"):
            if (folder / name).exists():
                print(f"  {name}")


def table(values: dict[str, float]) -> str:
    """Lines `metric, value`, with the value of doing nothing beside it where there is one.

    >>> print(table({"psnr/x_to_y": 12.5, "psnr_identity/x_to_y": 8.0}))
    metric                      value   doing nothing
    psnr/x_to_y                 12.50            8.00
    """
    compared = any(_NOTHING in key for key in values)
    lines = [f"{'metric':22s} {'value':>10s}" + ("   doing nothing" if compared else "")]
    for key, value in sorted(values.items()):
        if _NOTHING in key:
            continue
        name, _, direction = key.partition("/")
        nothing = values.get(f"{name}{_NOTHING}" + (f"/{direction}" if direction else ""))
        lines += [f"{key:22s} {value:10.2f}" + (f"{nothing:16.2f}" if nothing is not None else "")]
    return "\n".join(lines)
