"""What encoders are worth, and sharpness: against numpy, by their names, and pictures beside their reconstructions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gan_modules import metrics
from gan_modules.callbacks import NearestNeighbour, Reconstruction, SampleGrid, Sharpness, drawing


@pytest.fixture
def known(models: Any) -> Any:
    """A model whose codes are mean colours, and whose reconstructions are darker."""

    class Known(models.GAN):
        def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
            images, *classes = batch if isinstance(batch, (list, tuple)) else (batch,)
            codes = images.mean(dim=(2, 3))
            view = {"real": images, "fake": 0.5 * images, "reconstruction": 0.8 * images, "codes": codes}
            return view | ({"classes": classes[0]} if classes else {})

    return Known


def scored(module: Any, trainer: Any, data: Any, loader: Any, *callbacks: Any) -> dict[str, float]:
    fit = trainer(callbacks=list(callbacks), num_sanity_val_steps=0)
    fit.fit(module, loader(data), loader(data, 3))
    return {key[7:]: value.item() for key, value in fit.callback_metrics.items() if key.startswith("metric/")}


def test_reconstructions_are_compared_with_their_originals(known, trainer, loader, pictures) -> None:
    images = pictures(7, size=16)
    found = scored(known(), trainer, images, loader, Reconstruction())
    table = images.double().numpy()
    errors = (0.2 * table) ** 2
    assert found["reconstruction_psnr"] == pytest.approx(
        np.mean([10 * np.log10(4 / error.mean()) for error in errors]), rel=1e-5
    )
    assert found["reconstruction_l1"] == pytest.approx(np.abs(0.2 * table).mean(), rel=1e-5)
    ssim = metrics.SSIM()
    ssim.update(0.8 * images, images)
    assert found["reconstruction_ssim"] == pytest.approx(ssim.compute().item(), rel=1e-5)
    assert {found[f"reconstruction_{name}_samples"] for name in ("psnr", "ssim", "l1")} == {7}


def test_small_pictures_have_no_ssim(known, trainer, loader, pictures) -> None:
    found = scored(known(), trainer, pictures(4), loader, Reconstruction())
    assert "reconstruction_psnr" in found and "reconstruction_ssim" not in found


def nearest(points: np.ndarray[Any, Any], classes: list[int]) -> float:
    """The share, by loops."""
    right = 0
    for i, point in enumerate(points):
        distances = [np.inf if i == j else float(((point - other) ** 2).sum()) for j, other in enumerate(points)]
        right += classes[int(np.argmin(distances))] == classes[i]
    return right / len(points)


def test_neighbours_of_codes_and_of_pixels(known, trainer, loader, pictures) -> None:
    images, classes = pictures(24), torch.arange(24) % 3
    images = (images + 0.3 * (classes - 1)[:, None, None, None]).clamp(-1, 1)  # the class is a little in the brightness
    data = list(zip(images, classes, strict=True))

    class Labelled(known):  # type: ignore[misc]
        def training_step(self, batch: Any, batch_idx: int) -> None:
            super().training_step(batch[0], batch_idx)

    found = scored(Labelled(), trainer, data, loader, NearestNeighbour())
    table = images.double().numpy()
    assert found["nearest_neighbour"] == pytest.approx(nearest(table.mean((2, 3)), classes.tolist()))
    assert found["nearest_neighbour_identity"] == pytest.approx(nearest(table.reshape(24, -1), classes.tolist()))
    assert found["nearest_neighbour"] > 1 / 3 and found["nearest_neighbour_samples"] == 24
    assert not scored(known(), trainer, images, loader, NearestNeighbour()), "without classes there is no number"


def test_a_sample_is_no_neighbour_of_itself_and_batches_do_not_matter() -> None:
    codes, classes = torch.randn(9, 2), torch.arange(9)
    metric = metrics.NearestNeighbour()
    metric.update(codes, classes)
    assert metric.compute() == 0
    parts = metrics.NearestNeighbour()
    for part, named in zip(torch.cat([codes, codes]).split(5), torch.cat([classes, classes]).split(5), strict=True):
        parts.update(part, named)
    assert parts.compute() == 1, "each has its twin"
    with pytest.raises(ValueError, match="a class for each of 9 samples"):
        metric.update(codes, classes[:3])
    with pytest.raises(ValueError, match="at least two samples"):
        metrics.NearestNeighbour().compute()


def test_sharpness_stands_beside_that_of_the_data(known, trainer, loader, pictures) -> None:
    images = pictures(7)
    found = scored(known(), trainer, images, loader, Sharpness())
    table, energy = images.double().numpy(), 0.0
    for image in table:
        energy += (np.diff(image, axis=1) ** 2).mean() + (np.diff(image, axis=2) ** 2).mean()
    assert found["sharpness_real"] == pytest.approx(energy / 7, rel=1e-5)
    assert found["sharpness"] == pytest.approx(0.25 * energy / 7, rel=1e-5)
    assert found["sharpness_reconstruction"] == pytest.approx(0.64 * energy / 7, rel=1e-5)


def test_blur_has_less_energy_and_noise_more(pictures) -> None:
    images = pictures(8, size=16)
    energies = [
        metrics.gradient_energy(each).mean().item()
        for each in (torch.nn.functional.avg_pool2d(images, 3, 1, 1), images, images + 0.3 * torch.randn_like(images))
    ]
    assert energies == sorted(energies) and energies[0] < 0.8 * energies[1] < 0.8 * energies[2]


@pytest.mark.parametrize(("callback", "wanted"), [(Reconstruction, "reconstruction"), (NearestNeighbour, "codes")])
def test_models_without_an_encoder_are_refused(callback, wanted, models, trainer, loader, pictures) -> None:
    with pytest.raises(ValueError, match=f'{callback.__name__} needs "{wanted}"'):
        scored(models.GAN(), trainer, pictures(4), loader, callback())


def test_the_grid_has_pictures_over_their_reconstructions(models, trainer, loader, pictures, tmp_path: Path) -> None:
    images = pictures(8)

    class Codes(models.Codes):
        def validation_step(self, batch: Tensor, batch_idx: int) -> dict[str, Tensor]:
            return {"real": batch, "fake": self.sample(len(batch)), "reconstruction": -batch}

    module = Codes()
    fit = trainer(callbacks=[SampleGrid(1, rows=8, columns=3, scale=1)], max_steps=1)
    fit.fit(module, loader(images), loader(images))
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        samples = module.eval()(*module.grid_inputs(4, 3))
    shown = torch.cat([samples, images[:3], -images[:3], images[3:6], -images[3:6]])
    expected = np.asarray(drawing.grid(shown, columns=3, scale=1))
    assert (np.asarray(Image.open(tmp_path / "samples/last.png")) == expected).all()
