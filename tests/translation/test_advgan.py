"""AdvGAN: the attack's loss, the ball, the hinge, a frozen classifier that is trained once and kept."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from datamodules import Emoji
from gan_modules import AdvGAN, classifiers
from gan_modules.callbacks import AttackSuccess
from gan_modules.cli import fit
from gan_modules.networks import ImageClassifier
from gan_modules.objectives import logit_margin
from script_modules import loaded
from transcribed import assert_same, unreached

N, SIDE, CLASSES = 6, 4, 3
LABELS = torch.tensor([0, 1, 2, 2, 1, 0])


class Flat(nn.Module):
    """Pictures of 4 x 4 to numbers, or to pictures again."""

    def __init__(self, outputs: int, picture: bool = False) -> None:
        super().__init__()
        self.layers, self.picture = nn.Sequential(nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, outputs)), picture

    def forward(self, images: Tensor) -> Tensor:
        made = self.layers(images.flatten(1))
        return made.view_as(images) if self.picture else made.squeeze(1)


def advgan(**options: Any) -> AdvGAN:
    return AdvGAN(Flat(16, picture=True), Flat(1), Flat(CLASSES), **options).double()


def pictures() -> Tensor:
    return 2 * torch.rand(N, 1, SIDE, SIDE, dtype=torch.float64) - 1


def test_the_margin_is_of_logits_and_a_mean() -> None:
    logits = (5 * torch.randn(N, CLASSES, dtype=torch.float64)).requires_grad_()
    table, labels = logits.detach().numpy(), LABELS.numpy()
    for confidence in (0.0, 1.5):
        terms, slopes = [], np.zeros_like(table)
        for i, label in enumerate(labels):
            other = max((k for k in range(CLASSES) if k != label), key=lambda k, i=i: table[i, k])
            terms.append(max(table[i, label] - table[i, other], -confidence))
            if terms[-1] > -confidence:
                slopes[i, label], slopes[i, other] = 1 / N, -1 / N
        value = logit_margin(logits, LABELS, confidence)
        assert value.item() == pytest.approx(np.mean(terms), rel=1e-12) and min(terms) == -confidence
        np.testing.assert_allclose(torch.autograd.grad(value, logits)[0].numpy(), slopes)
    torch.testing.assert_close(logit_margin(logits.repeat(3, 1), LABELS.repeat(3)), logit_margin(logits, LABELS))
    torch.testing.assert_close(logit_margin(logits + 7, LABELS), logit_margin(logits, LABELS))


def test_the_losses() -> None:
    options = {"gan_weight": 0.3, "hinge_weight": 0.7, "norm_bound": 0.4, "confidence": 0.2, "epsilon": 0.5}
    module, real = advgan(**options), pictures()
    g, d, f = module.generator, module.discriminator, module.classifier

    def attacked() -> tuple[Tensor, Tensor]:
        change = 0.5 * g(real).clamp(-1, 1)
        return (real + change).clamp(-1, 1), change

    def of_discriminator() -> Tensor:
        return ((d(real) - 1) ** 2).mean() + (d(attacked()[0].detach()) ** 2).mean()

    def of_generator() -> Tensor:
        fake, change = attacked()
        logits = f(fake)
        own = logits[torch.arange(N), LABELS]
        other = torch.stack([torch.cat([row[:k], row[k + 1 :]]).max() for row, k in zip(logits, LABELS, strict=True)])
        lengths = change.square().sum((1, 2, 3)).sqrt()
        hinge = torch.maximum(lengths - 0.4, torch.zeros_like(lengths)).mean()
        attack = torch.maximum(own - other, torch.full_like(own, -0.2)).mean()
        return attack + 0.3 * ((d(fake) - 1) ** 2).mean() + 0.7 * hinge

    assert_same(lambda: module.discriminator_loss(real, LABELS), of_discriminator, d)
    assert_same(lambda: module.generator_loss(real, LABELS)[0], of_generator, g, d)
    assert unreached(module.discriminator_loss(real, LABELS), g)
    assert unreached(module.generator_loss(real, LABELS)[1], d), "the attack is the generator's alone"


def test_the_hinge_is_in_use_and_free_up_to_its_bound() -> None:
    module, real = advgan(norm_bound=1e3), pictures()
    _, _, hinge = module.generator_loss(real, LABELS)
    assert hinge == 0
    module.norm_bound = 0.0
    torch.testing.assert_close(
        module.generator_loss(real, LABELS)[2], module.perturbation(real).square().sum((1, 2, 3)).sqrt().mean()
    )
    with torch.no_grad():
        for parameter in module.generator.parameters():
            parameter.zero_()
    (slope,) = torch.autograd.grad(module.generator_loss(real, LABELS)[2], module.generator.layers[2].bias)  # type: ignore
    assert slope.isfinite().all(), "a change of length zero"


@pytest.mark.parametrize("scale", [0.1, 50.0])
def test_nothing_leaves_the_ball_or_the_range(scale: float) -> None:
    module, real = advgan(epsilon=0.6), pictures()
    with torch.no_grad():
        module.generator.layers[2].weight.mul_(scale)  # type: ignore[index,union-attr]
        fake = module(real)
    assert (fake - real).abs().max() <= 0.6 + 1e-12 and fake.abs().max() <= 1
    assert scale == 0.1 or (fake - real).abs().max() > 0.59


def test_the_classifier_is_frozen_and_saved() -> None:
    module, plain = advgan(), Flat(CLASSES)
    assert not list(module.classifier.parameters())
    assert {name for name in module.state_dict() if name.startswith("classifier")} == {
        f"classifier.{name}" for name in plain.state_dict()
    }
    images = torch.randn(N, 1, SIDE, SIDE)
    torch.testing.assert_close(classifiers.frozen(plain)(images), plain(images))
    assert not module.train().classifier.training and module.generator.training
    normal = classifiers.frozen(ImageClassifier(CLASSES, 8, 1, 4))
    before = {name: value.clone() for name, value in normal.state_dict().items()}
    normal(torch.randn(9, 1, 8, 8))
    assert all(torch.equal(value, before[name]) for name, value in normal.state_dict().items())


@pytest.fixture
def emoji() -> Emoji:
    return Emoji(labels=True, image_size=8, batch_size=400, seed=0)


def untouched(network: nn.Module, data: Emoji) -> float:
    return classifiers.withstood(network, data, lambda images, _: images)["untouched"]


def quick(**options: Any) -> Trainer:
    silent = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(accelerator="cpu", num_sanity_val_steps=0, **{"enable_checkpointing": False, **silent, **options})


@pytest.mark.slow
def test_a_classifier_is_trained_once_and_kept(
    emoji: Emoji, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GAN_MODULES_CACHE", str(tmp_path))
    runs, train = [], classifiers.trained
    monkeypatch.setattr(classifiers, "trained", lambda *arguments: runs.append(1) or train(*arguments))
    emoji.setup("fit")
    start = ImageClassifier(9, 8, 3, 8)
    chance = untouched(start.eval(), emoji)
    first = classifiers.kept(start, emoji, 2)
    share = untouched(first, emoji)
    assert share > chance and share > 0.4, "nine categories, of which the largest has half of the pictures"
    second = classifiers.kept(ImageClassifier(9, 8, 3, 8), emoji, 2)
    assert all(
        torch.equal(one, two)
        for one, two in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    assert len(runs) == 1
    (file,) = tmp_path.glob("classifiers/*.ckpt")
    file.write_bytes(b"damaged")
    classifiers.kept(ImageClassifier(9, 8, 3, 8), emoji, 2)
    assert len(runs) == 2 and "another one is trained" in capsys.readouterr().err


def test_a_run_trains_its_target_first_and_its_checkpoint_has_it(emoji: Emoji, tmp_path: Path) -> None:
    def module() -> AdvGAN:
        networks = nn.Conv2d(3, 3, 1), nn.Sequential(nn.Flatten(), nn.Linear(192, 1), nn.Flatten(0))
        return AdvGAN(*networks, ImageClassifier(9, 8, 3, 4), classifier_epochs=1)

    attack, trainer = module(), quick(max_epochs=1, callbacks=[AttackSuccess()], limit_val_batches=1)
    trainer.fit(attack, datamodule=emoji)
    logged = trainer.callback_metrics
    assert untouched(attack.classifier, emoji) > 0.3
    assert 0 <= logged["metric/attack_success"] <= 1 and logged["metric/perturbation"] <= 0.6 + 1e-6
    assert (
        logged["metric/attacked_accuracy"] >= logged["metric/accuracy"] * (1 - logged["metric/attack_success"]) - 1e-6
    )
    trainer.save_checkpoint(tmp_path / "saved.ckpt")
    fresh = module()
    again = AdvGAN.load_from_checkpoint(
        tmp_path / "saved.ckpt",
        generator=fresh.generator,
        discriminator=fresh.discriminator,
        classifier=ImageClassifier(9, 8, 3, 4),
    )
    images = torch.randn(4, 3, 8, 8)
    torch.testing.assert_close(again.eval().classifier(images), attack.eval().classifier(images))


def test_without_a_data_module_a_target_must_come_trained() -> None:
    module = AdvGAN(Flat(16, picture=True), Flat(1), Flat(CLASSES), classifier_epochs=1)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(pictures().float(), LABELS), batch_size=3)
    with pytest.raises(ValueError, match="a classifier is trained on a data module, and there is none"):
        quick(max_steps=1).fit(module, loader)


def test_adversarial_training_uses_the_attack(emoji: Emoji) -> None:
    emoji.setup("fit")
    seen: list[Tensor] = []

    def attack(images: Tensor, labels: Tensor) -> Tensor:
        seen.append(labels)
        return images.flip(-1)

    classifiers.trained(ImageClassifier(9, 8, 3, 4), emoji, 1, attack)
    assert len(seen) == len(emoji.training) // 400


class Bright(nn.Module):
    """Says 1 of bright pictures."""

    def forward(self, images: Tensor) -> Tensor:
        bright = (images.mean((1, 2, 3)) > 0).float()
        return torch.stack([1 - bright, bright], dim=1)


def test_what_an_attack_does_to_a_classifier(emoji: Emoji) -> None:
    emoji.setup("fit")
    raw = emoji.held_out
    assert raw.labels is not None
    images = raw.columns[0][:].float() / 127.5 - 1  # type: ignore[index]
    bright, ones = images.mean((1, 2, 3)) > 0, raw.labels == 1
    found = classifiers.withstood(Bright(), emoji, lambda images, _: torch.ones_like(images))
    right = (bright & ones) | (~bright & (raw.labels == 0))
    assert found["untouched"] == pytest.approx(right.float().mean().item())
    assert found["attacked"] == pytest.approx(ones.float().mean().item())
    assert found["success"] == pytest.approx((right & ~ones).sum().item() / max(right.sum().item(), 1))


@pytest.mark.slow
def test_the_script_compares_two_classifiers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quickly = ["--trainer.max_steps=1", "--trainer.limit_val_batches=2", "--data.image_size=8", "--data.batch_size=400"]
    fit(["--model", "advgan", *quickly, "--model.classifier_epochs=1", f"--trainer.default_root_dir={tmp_path}"])
    checkpoint = str(next(tmp_path.glob("advgan/*/checkpoints/last.ckpt")))
    capsys.readouterr()
    loaded("attack").run(["--checkpoint", checkpoint, "--epochs", "1"])
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["classifier", "untouched", "attacked", "success"]
    assert [row[:20].strip() for row in rows] == ["as it was", "trained against it"]
    assert all(0 <= float(share.rstrip("%")) <= 100 for row in rows for share in row[20:].split())


def test_success_is_counted_among_what_was_right() -> None:
    view = {
        "labels": torch.tensor([0, 1, 2, 1]), "before": torch.tensor([0, 1, 0, 1]), "after": torch.tensor([1, 1, 2, 0]),
        "source": torch.zeros(4, 1, 2, 2), "real": torch.zeros(4, 1, 2, 2), "fake": torch.full((4, 1, 2, 2), 0.5),
    }  # fmt: skip
    found = {}
    for scorer in AttackSuccess().scorers():
        scorer.feed(scorer.metric, view, False)
        scorer.feed(scorer.metric, view, True)
        found |= {name: value.item() for name, value in scorer.compute().items()}
    expected = {
        "attack_success": 2 / 3,
        "accuracy": 3 / 4,
        "attacked_accuracy": 2 / 4,
        "perturbation": 0.5,
        "perturbation_l2": 1.0,
    }
    assert found == pytest.approx(expected)
    with pytest.raises(ValueError, match="AttackSuccess needs"):
        AttackSuccess().scorers()[0].feed(scorer.metric, {"real": torch.zeros(1), "fake": torch.zeros(1)}, False)


def test_the_papers_numbers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(AdvGAN).parameters.items()}
    assert defaults["epsilon"] == 2 * 0.3 and defaults["confidence"] == 0 and defaults["learning_rate"] == 1e-3


def test_a_sure_classifier_still_gives_a_gradient() -> None:
    """On probabilities, as a copy has it, the margin of a sure classifier is 1 and flat."""
    logits = torch.tensor([[60.0, 0.0, -5.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(logit_margin(logits, torch.tensor([0])), logits)
    assert slope.tolist() == [[1.0, -1.0, 0.0]]
    shares = logits.softmax(1)
    assert torch.autograd.grad(shares[0, 0] - shares[0, 1], logits)[0].abs().max() < 1e-12
    assert cross_entropy(logits, torch.tensor([0])) < 1e-12
