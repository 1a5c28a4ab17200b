"""SRGAN: content on pixels or feature maps, pretraining, and what enlarging a folder does."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import softplus

from gan_modules import SRGAN
from gan_modules.callbacks.translation_scores import as_target
from gan_modules.cli import fit
from gan_modules.picture_folders import translate
from gan_modules.translators import load
from transcribed import assert_same, unreached
from variants import losses_of, trainer
from zoo.own import Judge
from zoo.restoration import Enlarge, Maps

N = 4


def srgan(features: bool = False, **options: Any) -> SRGAN:
    torch.manual_seed(0)
    return SRGAN(Enlarge(), Judge(), Maps() if features else None, **options).double()


def pair() -> tuple[Tensor, Tensor]:
    return torch.rand(N, 3, 4, 4, dtype=torch.float64), 2 * torch.rand(N, 3, 16, 16, dtype=torch.float64) - 1


@pytest.mark.parametrize("features", [False, True])
def test_the_losses(features: bool) -> None:
    module, (source, target) = srgan(features, adversarial_weight=0.3, feature_weight=0.7), pair()
    g, d, maps = module.generator, module.discriminator, module.features

    def content() -> Tensor:
        if maps is None:
            return ((g(source) - target) ** 2).mean()
        pairs = zip(maps(g(source)), maps(target), strict=True)
        return 0.7 * sum(((a - b) ** 2).mean() for a, b in pairs)  # type: ignore[return-value]

    def of_generator() -> Tensor:
        return content() - 0.3 * torch.sigmoid(d(g(source))).log().mean()

    def of_discriminator() -> Tensor:
        real, fake = torch.sigmoid(d(target)), torch.sigmoid(d(g(source).detach()))
        return -(real.log().mean() + (1 - fake).log().mean())

    assert_same(lambda: module.generator_loss(source, target)[0], of_generator, g, d)
    assert_same(lambda: module.generator_loss(source, target)[1], content, g)
    assert_same(lambda: module.discriminator_loss(target, g(source).detach()), of_discriminator, d)
    assert_same(lambda: module.pretraining_loss(source, target), lambda: ((g(source) - target) ** 2).mean(), g)
    assert unreached(module.pretraining_loss(source, target), d)


def test_the_features_are_frozen() -> None:
    module = srgan(features=True)
    assert module.features is not None and not list(module.features.parameters())
    assert not module.train().features.training and module.generator.training  # type: ignore[union-attr]


def test_pretraining_leaves_the_discriminator_alone_and_the_rate_falls_once() -> None:
    module, seen, rates = srgan(pretraining_steps=3, decay_steps=2).float(), [], []
    module.generator_loss = _watched(module.generator_loss, seen)  # type: ignore[method-assign]
    losses, before = losses_of(module), module.discriminator.score.weight.clone()  # type: ignore[operator,union-attr]
    step = module.on_train_batch_end

    def watch(*arguments: Any) -> None:
        step(*arguments)
        rates.append([optimizer.param_groups[0]["lr"] for optimizer in module.trainer.optimizers])
        if module.batches_seen == 3:
            assert torch.equal(module.discriminator.score.weight, before)  # type: ignore[union-attr]

    module.on_train_batch_end = watch  # type: ignore[method-assign]
    source, target = (each.float() for each in pair())
    data = torch.utils.data.TensorDataset(source.repeat(7, 1, 1, 1), target.repeat(7, 1, 1, 1))
    trainer().fit(module, torch.utils.data.DataLoader(data, batch_size=N))
    assert len(seen) == 4 and len(losses) == 3 + 2 * 4 and module.generator_steps == 7
    expected = [[1e-4, 1e-4]] * 4 + [[1e-5, 1e-5]] * 3
    np.testing.assert_allclose(rates, expected)


def _watched(loss: Any, seen: list[int]) -> Any:
    def generator_loss(*arguments: Tensor) -> Any:
        seen.append(1)
        return loss(*arguments)

    return generator_loss


def test_the_generators_gradient_is_the_papers_not_the_saturated_one() -> None:
    """Equation 6 is -log D: as strong as can be where the discriminator is sure."""
    module, (source, _) = srgan(adversarial_weight=1.0), pair()
    fake = module.generator(source).detach().requires_grad_()

    class Sure(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean((1, 2, 3)) - 40

    module.discriminator, module.generator = Sure(), nn.Identity()
    loss, _, _ = module.generator_loss(fake, fake.detach())
    (slope,) = torch.autograd.grad(loss, fake)
    torch.testing.assert_close(slope, torch.full_like(slope, -1 / fake.numel()))
    torch.testing.assert_close(loss, softplus(40 - fake.mean((1, 2, 3))).mean())


def test_the_papers_numbers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(SRGAN).parameters.items()}
    assert defaults["pretraining_steps"] == 10**6 and defaults["decay_steps"] == 10**5
    assert defaults["adversarial_weight"] == 1e-3 and defaults["learning_rate"] == 1e-4
    assert defaults["feature_weight"] == pytest.approx(0.006, rel=0.03)


def test_doing_nothing_is_bicubic() -> None:
    torch.manual_seed(0)
    small = torch.rand(1, 1, 6, 6)
    theirs = Image.fromarray(small[0, 0].numpy(), "F").resize((24, 24), Image.Resampling.BICUBIC)
    ours = as_target(small, torch.zeros(1, 1, 24, 24))[0, 0]
    torch.testing.assert_close(ours, torch.from_numpy(np.array(theirs)), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_folder_is_enlarged_as_it_is(tmp_path: Path) -> None:
    quickly = ["--trainer.max_steps=1", "--trainer.limit_val_batches=2", "--data.image_size=16", "--data.batch_size=2"]
    small = ["--model.generator.width=4", "--model.generator.blocks=1", "--model.discriminator.width=2"]
    fit(["--model", "srgan", *quickly, *small, f"--trainer.default_root_dir={tmp_path}"])
    checkpoint = next(tmp_path.glob("srgan/*/checkpoints/last.ckpt"))
    (tmp_path / "in").mkdir()
    Image.new("RGB", (10, 7), (200, 30, 30)).save(tmp_path / "in" / "a.png")
    assert translate(load(checkpoint), tmp_path / "in", tmp_path / "out") == 1
    assert Image.open(tmp_path / "out" / "a.png").size == (40, 28)
