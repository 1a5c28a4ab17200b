"""The distance between translations of one source: against numpy, through a Trainer, and where it is shown."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_modules.callbacks import Diversity, SampleGrid, drawing, samples
from gan_modules.metrics import SampleDiversity


def several(view: dict[str, Tensor]) -> dict[str, Tensor]:
    """Three more translations of each source, which depend on the source and the place alone."""
    steps = torch.tensor([0.0, 0.3, 1.5]).reshape(1, 3, 1, 1, 1)
    return {**view, "samples": torch.sin(3 * view["fake"][:, None] + steps)}


@pytest.fixture
def stochastic(models) -> Any:
    """A translator, of one direction or two, that shows several translations."""

    class Stochastic(models.Translator):
        def validation_step(self, batch: Any, batch_idx: int) -> Any:
            shown = super().validation_step(batch, batch_idx)
            return several(shown) if self.directions == 1 else {key: several(view) for key, view in shown.items()}

    return Stochastic


def by_hand(images: Tensor) -> float:
    shown = images.double().numpy()
    pairs = [np.abs(shown[:, i] - shown[:, j]).mean() for i in range(3) for j in range(i)]
    return float(np.mean(pairs))


@pytest.mark.parametrize("directions", [1, 2])
def test_it_is_the_mean_over_pairs_of_one_source(directions: int, stochastic, trainer, loader, domains) -> None:
    module, callback = stochastic(directions), Diversity()
    fit = trainer(callbacks=[callback], max_epochs=2)
    fit.fit(module, loader(domains), loader(domains, 5))
    with torch.no_grad():
        shown = module.validation_step(tuple(torch.stack(part) for part in zip(*domains, strict=True)), 0)
    for end, view in {"": shown}.items() if directions == 1 else ((f"/{key}", view) for key, view in shown.items()):
        assert fit.callback_metrics[f"metric/diversity{end}"].item() == pytest.approx(by_hand(view["samples"]), 1e-5)
        assert fit.callback_metrics[f"metric/diversity_samples{end}"] == 12
    assert callback.better == {"diversity": "higher"}


def test_equal_translations_have_none_and_opposite_ones_two() -> None:
    metric = SampleDiversity()
    metric.update(torch.ones(2, 3, 3, 4, 4))
    assert metric.compute() == 0
    metric.reset()
    metric.update(torch.tensor([-1.0, 5.0]).reshape(1, 2, 1, 1, 1).expand(3, 2, 3, 4, 4))  # an overshoot is clamped
    assert metric.compute() == 2


def test_lpips_is_named(tmp_path: Path) -> None:
    from metrics.test_perceptual import random_state

    torch.save(random_state("vgg"), tmp_path / "vgg.pth")
    callback = Diversity("vgg", tmp_path / "vgg.pth")
    (scorer,) = callback.scorers()
    images = torch.rand(2, 3, 3, 16, 16) * 2 - 1
    scorer.feed(scorer.metric, {"samples": images}, False)
    scorer.feed(scorer.metric, {"samples": images}, True)  # the data have no say
    network = callback.network
    assert network is not None
    wanted = torch.stack([network(images[:, i], images[:, j]) for i in range(3) for j in range(i)]).mean()
    assert scorer.name == "diversity_lpips_vgg"
    torch.testing.assert_close(scorer.metric.compute(), wanted)


def test_the_grid_shows_them_beside_the_translation(stochastic, trainer, loader, domains, monkeypatch) -> None:
    shown = []
    monkeypatch.setattr(
        samples.drawing,
        "titled_columns",
        lambda groups, scale: shown.append(groups) or drawing.grid(torch.zeros(1, 3, 2, 2)),
    )
    trainer(callbacks=[SampleGrid(3, rows=4)]).fit(stochastic(1), loader(domains), loader(domains))
    (_, columns), (_, below) = shown[-1]
    assert [name for name, _ in columns] == ["source", "translation", "another", "another", "another", "truth"]
    assert all(images.shape == (4, *images.shape[1:]) for _, images in [*columns, *below])
    view = several({"fake": columns[1][1]})
    assert torch.equal(columns[3][1], view["samples"][:, 1])


def test_what_is_missing_is_named(models, trainer, loader, domains) -> None:
    with pytest.raises(ValueError, match='Diversity needs "samples"'):
        trainer(callbacks=[Diversity()]).fit(models.Translator(1), loader(domains), loader(domains))
    with pytest.raises(ValueError, match="at least 2 translations of each source"):
        SampleDiversity().update(torch.zeros(2, 1, 3, 4, 4))
    with pytest.raises(ValueError, match="diversity needs at least one image"):
        SampleDiversity().compute()
