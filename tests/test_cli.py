"""The command line: presets, names, and what a run leaves; test_bad_inputs.py has the mistakes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import wandb
import yaml
from PIL import Image

from gan_modules.augmentation import color, cutout
from gan_modules.checkpoints import load
from gan_modules.cli import expanded, fit, listing, presets
from gan_modules.objectives import minimax_generator

QUICK = [
    "--trainer.max_steps=2",
    "--trainer.limit_val_batches=2",  # 1 is read as 1.0 once gradio has been imported
    "--trainer.log_every_n_steps=1",
    "--trainer.enable_progress_bar=false",
    "--trainer.num_sanity_val_steps=0",
    "--trainer.accelerator=cpu",
    "--data.batch_size=4",
]
Run = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Trains for two batches with the given options; returns the run's folder."""

    def quickly(*options: str) -> Path:
        root = tmp_path / f"runs{len(list(tmp_path.iterdir()))}"
        fit([*options, *QUICK, f"--trainer.default_root_dir={root}"])
        (folder,) = (path for model in root.iterdir() for path in model.iterdir())
        return folder

    return quickly


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a if isinstance(a[k], torch.Tensor))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("gan", "wgan_gp", "acgan") else pytest.mark.slow)
        for name in presets("gan_modules")
        if not name.endswith("_paper")
    ],
)
def test_a_preset_trains_and_leaves_its_files(
    name: str, run: Run, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    folder = run("--model", name)
    assert not [each for each in recwarn if "eval mode" in str(each.message)]  # which frozen networks are in
    assert folder.parent.name == name
    for file in ("config.yaml", "metrics.csv", "checkpoints/last.ckpt", "samples/last.png", "samples/batch-000002.png"):
        assert (folder / file).stat().st_size > 0
    assert min(Image.open(folder / "samples" / "last.png").size) > 400
    printed = capsys.readouterr().out
    assert str(folder) in printed and "samples/last.png" in printed
    preset = presets("gan_modules")[name].read_text()
    translates = "callbacks.TranslationScores" in preset
    assert ("swd" in printed) == (translates or "callbacks.SWD" in preset)
    measures = translates or "callbacks.Reconstruction" in preset or "callbacks.PredictionScores" in preset
    assert ("psnr" in printed) == measures


SEVERAL_SCALES = {  # the smallest scale of a discriminator of three layers needs 24 pixels
    "bicyclegan_paper": ["--data.image_size=64"],
    "pix2pixhd_paper": ["--data.image_size=64", "--model.discriminator.scales=2"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in presets("gan_modules") if name.endswith("_paper")])
def test_a_paper_preset_trains_on_the_shipped_pictures(name: str, run: Run) -> None:
    networks = yaml.safe_load(presets("gan_modules")[name].read_text())["model"]["init_args"].items()
    wide = [part for part, given in networks if isinstance(given, dict) and "width" in given.get("init_args", {})]
    # what UNIT's and DRIT's encoders share has its number of features written out
    narrow = [] if name in ("unit_paper", "drit_paper") else [f"--model.{part}.width=8" for part in wide]
    size = SEVERAL_SCALES.get(name, ["--data.image_size=32"])
    folder = run("--model", name, *size, *narrow, "--samples.rows=2", "--samples.columns=2")
    assert (folder / "checkpoints" / "last.ckpt").exists()


PAPERS = {  # what the papers and their authors' code say
    "cyclegan": {"cycle_weight": 10, "identity_weight": 0.5, "history_size": 50, "learning_rate": 2e-4},
    "pix2pix": {"l1_weight": 100, "learning_rate": 2e-4, "constant_epochs": 100, "decay_epochs": 100},
    "wgan_gp": {"n_critic": 5, "penalty_weight": 10, "generator_batch": 2, "betas": [0, 0.9], "learning_rate": 2e-4},
    "sngan": {"n_critic": 5, "generator_batch": 2, "betas": [0, 0.9], "decay_steps": 50_000},
    "sagan": {"n_critic": 1, "generator_learning_rate": 1e-4, "discriminator_learning_rate": 4e-4, "betas": [0, 0.9]},
    "began": {"diversity": 0.5, "control_rate": 1e-3, "learning_rate": 1e-4, "halving_steps": 100_000},
    "projection": {"n_critic": 5, "generator_batch": 2, "betas": [0, 0.9], "decay_steps": 50_000},
    "sgan": {"unsupervised_weight": 0.5, "learning_rate": 3e-3, "betas": [0.5, 0.999]},
    "unit": {"reconstruction_weight": 10, "kl_weight": 0.01, "cycle_weight": 10, "cycle_kl_weight": 0.01},
    "munit": {"reconstruction_weight": 10, "content_weight": 1, "style_weight": 1, "style_dim": 8},
    "drit": {"cycle_weight": 10, "kl_weight": 0.01, "content_learning_rate": 4e-5, "content_every": 3},
    "esrgan": {"adversarial_weight": 5e-3, "l1_weight": 1e-2, "learning_rate": 1e-4, "betas": [0.9, 0.999]},
    "pggan": {"drift_weight": 1e-3, "penalty_weight": 10, "betas": [0, 0.99], "learning_rate": 1e-3},
}


@pytest.mark.parametrize("name", PAPERS)
def test_paper_presets_have_the_papers_numbers(name: str) -> None:
    given = yaml.safe_load(presets("gan_modules")[f"{name}_paper"].read_text())["model"]["init_args"]
    for key, value in PAPERS[name].items():
        assert given[key] == pytest.approx(value), key


@pytest.mark.parametrize("name", ["cyclegan", "cyclegan_paper"])
def test_cyclegan_normalises_by_image_as_its_authors_do(name: str) -> None:
    networks = yaml.safe_load(presets("gan_modules")[name].read_text())["model"]["init_args"]
    for player in ("discriminator_x", "discriminator_y"):
        assert networks[player]["init_args"]["norm"] == "gan_modules.networks.InstanceNorm"


def test_the_list_names_every_preset_with_its_paper() -> None:
    for package in ("gan_modules", "datamodules"):
        for name, path in presets(package).items():
            assert any(line.split()[:1] == [name] for line in listing().splitlines())
            assert path.read_text().startswith("# ")


@pytest.mark.slow
def test_a_run_repeats_from_its_config(run: Run) -> None:
    first = run("--model", "wgan_gp", "--model.n_critic=2", "--seed_everything=7")
    again = run("--config", str(first / "config.yaml"))
    assert equal(weights(first), weights(again))
    other = run("--model", "wgan_gp", "--model.n_critic=2", "--seed_everything=8")
    assert not equal(weights(first), weights(other))


def test_networks_follow_the_data(run: Run) -> None:
    folder = run("--model", "acgan", "--data", "emoji_labelled", "--data.image_size=16", "--data.channels=1")
    saved = weights(folder)
    assert saved["discriminator.trunk.layers.0.weight"].shape[1] == 1
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["model"]["init_args"]["generator"]["init_args"]["image_size"] == 16
    assert config["model"]["init_args"]["num_classes"] == 9
    assert config["data"]["init_args"]["batch_size"] == 4


def test_a_discriminator_of_packs_follows_the_data_as_well(run: Run) -> None:
    model = ["--model", "gan_modules.PacGAN", "--model.latent_dim=100", "--model.packing=2"]
    model += [f"--model.{each.lower()}=gan_modules.networks.DCGAN{each}" for each in ("Generator", "Discriminator")]
    folder = run(*model, "--data", "emoji", "--data.image_size=16")
    assert weights(folder)["discriminator.trunk.layers.0.weight"].shape[1] == 6


def test_the_game_is_an_option(run: Run) -> None:
    folder = run("--model", "gan", "--model.generator_objective=gan_modules.objectives.minimax_generator")
    assert load(folder / "checkpoints" / "last.ckpt").generator_objective is minimax_generator


def test_augmentation_is_an_option(run: Run) -> None:
    functions = "[gan_modules.augmentation.color, gan_modules.augmentation.cutout]"
    folder = run("--model", "dcgan", f"--model.augmentation={functions}")
    assert load(folder / "checkpoints" / "last.ckpt").augmentation == (color, cutout)


def test_a_network_keeps_what_the_user_gave_and_the_others_follow(run: Run) -> None:
    folder = run("--model", "dcgan", "--data.channels=1", "--model.generator.channels=1")
    assert weights(folder)["discriminator.trunk.layers.0.weight"].shape[1] == 1


def test_points_are_drawn_without_validation_data_too(tmp_path: Path) -> None:
    fit(["--model", "gan", *QUICK, "--trainer.limit_val_batches=0", f"--trainer.default_root_dir={tmp_path}"])
    assert Image.open(next(tmp_path.glob("gan/*/samples/last.png"))).size == (512, 512)


def test_without_a_logger_everything_is_in_the_same_places(run: Run) -> None:
    folder = run("--model", "gan", "--trainer.logger", "false")
    for file in ("config.yaml", "checkpoints/last.ckpt", "samples/last.png"):
        assert (folder / file).exists()


def test_a_run_goes_on_from_its_checkpoint_and_from_no_other(run: Run) -> None:
    first = run("--model", "gan") / "checkpoints" / "last.ckpt"
    assert run("--model", "gan", "--ckpt_path", str(first)).exists()
    with pytest.raises(ValueError, match="another model"):
        run("--model", "dcgan", "--ckpt_path", str(first))


def test_help_is_short_and_names_the_ways_on(capsys: pytest.CaptureFixture[str]) -> None:
    fit(["--help"])
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) < 30
    assert all(f"  {option}" in printed for option in ("--list", "--model", "--data", "--config", "--ckpt_path"))


def test_data_of_another_kind_replaces_the_presets(run: Run, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(12):
        Image.new("RGB", (40, 50), (number * 20, 90, 10)).save(pictures / f"{number}.png")
    folder = run("--model", "dcgan", "--data", "folder", "--data.root", str(pictures), "--data.image_size", "16")
    assert (folder / "samples" / "last.png").exists()


def test_own_module_and_own_network(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_project.py").write_text(
        "import torch\n"
        "from gan_modules import GAN\n"
        "class MyGAN(GAN):\n"
        "    pass\n"
        "class MyGenerator(torch.nn.Module):\n"
        "    def __init__(self, hidden: int = 3):\n"
        "        super().__init__()\n"
        "        self.net = torch.nn.Sequential(torch.nn.Linear(5, hidden), torch.nn.Linear(hidden, 2))\n"
        "    def forward(self, z):\n"
        "        return self.net(z)\n"
    )
    config = tmp_path / "networks.yaml"
    config.write_text(
        "model:\n  init_args:\n    latent_dim: 5\n"
        "    generator: {class_path: my_project.MyGenerator, init_args: {hidden: 7}}\n"
        "    discriminator: {class_path: gan_modules.networks.MLPDiscriminator}\n"
        "data: {class_path: datamodules.Ring}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = run("--model", "my_project.MyGAN", "--config", str(config))
    assert folder.parent.name == "mygan" and weights(folder)["generator.net.0.weight"].shape == (7, 5)


def test_wandb_logs_beside_the_csv_offline_without_a_key(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "")  # restored after the test, though the command sets it
    monkeypatch.delenv("WANDB_MODE")
    folder = run("--model", "gan", "--trainer.logger", "wandb")
    wandb.finish()
    assert list(folder.glob("wandb/offline-run-*/*.wandb"))
    assert (folder / "metrics.csv").exists()
    assert "wandb sync" in capsys.readouterr().out


def test_an_installed_copy_finds_its_presets() -> None:
    name, arguments, chosen = expanded(["--model", "dcgan", "--data=mnist", "--model.generator.channels=1"])
    assert name == "dcgan" and chosen == {"generator.channels"}
    assert [Path(path).exists() for path in arguments[1:4:2]] == [True, True]
