"""Modes: what is logged of a mixture, and what the run says of other data."""

from typing import Any

import pytest
import torch

from datamodules import Grid, Ring
from gan_modules import GAN
from gan_modules.callbacks import Modes
from gan_modules.metrics import ModeCoverage
from gan_modules.networks import MLPDiscriminator, MLPGenerator


class Known(GAN):
    """Generates what it is told to."""

    fake: torch.Tensor

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, torch.Tensor]:
        return {"real": batch, "fake": self.fake[100 * batch_idx :][: len(batch)]}


def tiny() -> Known:
    return Known(MLPGenerator(2, hidden=(4,)), MLPDiscriminator(hidden=(4,)), 2)


@pytest.mark.parametrize("kind", [Ring, Grid])
def test_logs_what_the_metric_says(kind: type[Ring], trainer) -> None:
    data, module = kind(points=200, held_out_points=230, seed=1), tiny()
    module.fake = data.modes[torch.arange(230) % 3] + 1.5 * data.sigma * torch.randn(230, 2)
    fit = trainer(callbacks=[Modes()], max_epochs=2)
    fit.fit(module, datamodule=data)
    metric = ModeCoverage(data.modes, data.sigma)
    metric.update(module.fake)
    expected = {f"metric/{name}": value.item() for name, value in metric.compute().items()}
    found = {name: value.item() for name, value in fit.callback_metrics.items() if name.startswith("metric/")}
    assert 0 < expected["metric/high_quality"] < 1 and expected["metric/modes"] == 3
    assert found == pytest.approx(expected | {f"{name}_samples": 230 for name in expected})


def test_other_data_are_trained_without_it(trainer, loader) -> None:
    fit = trainer(callbacks=[Modes()])
    with pytest.warns(UserWarning, match="Modes is left out: the data module has no modes"):
        fit.fit(tiny(), loader(torch.randn(8, 2)))
    assert not any(name.startswith("metric/") for name in fit.callback_metrics)
