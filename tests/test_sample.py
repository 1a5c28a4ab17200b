"""Samples and translations from a checkpoint alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_modules import checkpoints
from gan_modules.cli import fit
from gan_modules.picture_folders import translate
from gan_modules.sampling import interpolated, samples, spherical
from gan_modules.translators import load


def trained(root: Path, *options: str) -> Path:
    quick = ["--trainer.max_steps=2", "--trainer.limit_val_batches=2", "--trainer.enable_progress_bar=false"]
    small = ["--trainer.accelerator=cpu", "--data.batch_size=4", f"--trainer.default_root_dir={root}"]
    fit([*options, *quick, *small])
    (checkpoint,) = root.rglob("last.ckpt")
    return checkpoint


@pytest.fixture(scope="module")
def acgan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("acgan"), "--model", "acgan", "--model.average_decay=0.5")


@pytest.fixture(scope="module")
def cyclegan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("cyclegan"), "--model", "cyclegan", "--data.image_size=16")


def test_the_same_seed_gives_the_same_picture(acgan: Path) -> None:
    state = torch.get_rng_state()
    one, again, other = samples(acgan, 18, 3), samples(acgan, 18, 3), samples(acgan, 18, 4)
    assert one.tobytes() == again.tobytes() != other.tobytes()
    assert torch.equal(state, torch.get_rng_state())


def test_samples_come_from_the_average(acgan: Path) -> None:
    module = checkpoints.load(acgan)
    assert not module.training and module.serving("generator") is module.averages["generator"]
    before = samples(acgan, 9).tobytes()
    saved = torch.load(acgan, weights_only=True)
    for key in list(saved["state_dict"]):
        if key.startswith("generator."):
            saved["state_dict"][key] = torch.zeros_like(saved["state_dict"][key])
    torch.save(saved, acgan.with_name("zeroed.ckpt"))
    assert samples(acgan.with_name("zeroed.ckpt"), 9).tobytes() == before


def test_interpolation_ends_in_its_ends(acgan: Path) -> None:
    assert interpolated(acgan, 16).size[0] > interpolated(acgan, 16).size[1]
    start, end = torch.randn(5, 7, dtype=torch.float64), torch.randn(5, 7, dtype=torch.float64)
    start, end = start / start.norm(dim=1, keepdim=True), end / end.norm(dim=1, keepdim=True)
    torch.testing.assert_close(spherical(start, end, torch.tensor(0.0)), start)
    torch.testing.assert_close(spherical(start, end, torch.tensor(1.0)), end)
    torch.testing.assert_close(spherical(start, end, torch.tensor(0.3)).norm(dim=1), torch.ones(5).double())


def test_a_folder_of_any_pictures_is_translated(cyclegan: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    (source / "sub").mkdir(parents=True)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (23, 17, 3), dtype=np.uint8)).save(source / "odd.png")
    Image.fromarray(rng.integers(0, 255, (64, 40, 4), dtype=np.uint8)).save(source / "clear.png")
    Image.fromarray(rng.integers(0, 65535, (31, 31), dtype=np.uint16)).save(source / "sixteen.png")
    Image.fromarray(rng.integers(0, 255, (50, 90), dtype=np.uint8)).save(source / "sub" / "grey.jpg")
    assert translate(load(cyclegan), source, target) == 4
    sizes = {path.relative_to(target).as_posix(): Image.open(path).size for path in target.rglob("*.png")}
    assert sizes == {"odd.png": (16, 22), "clear.png": (16, 26), "sixteen.png": (16, 16), "sub/grey.png": (29, 16)}
    with pytest.raises(ValueError, match="--overwrite"):
        translate(load(cyclegan), source, target)
    forward = (target / "odd.png").read_bytes()
    assert translate(load(cyclegan, inverse=True, size=32), source, target, overwrite=True) == 4
    assert Image.open(target / "odd.png").size == (32, 43) and (target / "odd.png").read_bytes() != forward


@pytest.mark.parametrize("size", [0, -1, 10**6, "16", 16.0, True, [16]])
def test_a_size_that_is_none_is_refused(size: object, cyclegan: Path, tmp_path: Path) -> None:
    saved = torch.load(cyclegan, weights_only=True)
    saved["config"]["data"]["init_args"]["image_size"] = size
    torch.save(saved, tmp_path / "sized.ckpt")
    with pytest.raises(ValueError, match="image_size"):
        load(tmp_path / "sized.ckpt")


def test_a_translation_is_the_networks(cyclegan: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pixels = np.random.default_rng(1).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in" / "a.png")
    translate(load(cyclegan, size=32), tmp_path / "in", tmp_path / "out")
    module = checkpoints.load(cyclegan)
    with torch.no_grad():
        expected = module(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1)[0]
    found = torch.from_numpy(np.array(Image.open(tmp_path / "out" / "a.png"))).permute(2, 0, 1) / 127.5 - 1
    assert (found - expected).abs().max() < 1 / 127


def test_mistakes_get_a_sentence(acgan: Path, cyclegan: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="--input"):
        samples(cyclegan)
    with pytest.raises(ValueError, match="leave --input out"):
        load(acgan)
    with pytest.raises(ValueError, match="found none"):
        translate(load(cyclegan), tmp_path / "empty", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="missing"):
        translate(load(cyclegan), tmp_path / "missing", tmp_path / "out")
    with pytest.raises(ValueError, match="at least 1"):
        samples(acgan, 0)
    for name, content in (("text.ckpt", b"hello"), ("empty.ckpt", b""), ("cut.ckpt", acgan.read_bytes()[:1000])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="damaged"):
            samples(tmp_path / name)


def test_a_checkpoint_imports_no_class_because_it_names_it(acgan: Path, tmp_path: Path) -> None:
    saved = torch.load(acgan, weights_only=True)
    saved["config"]["model"]["init_args"]["generator"] = {"class_path": "antigravity.Popen", "init_args": {}}
    torch.save(saved, tmp_path / "stranger.ckpt")
    with pytest.raises(ValueError, match="--trust antigravity"):
        samples(tmp_path / "stranger.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="not written by scripts/fit.py"):
        samples(tmp_path / "other.ckpt")


STRANGERS = {
    "a file that names a class": "evil",
    "a module reached through ours": {"class_path": "gan_modules.networks.mlp.math.sqrt"},
    "a function reached through ours": {"class_path": "gan_modules.cli.import_module", "init_args": {"name": "evil"}},
    "a function of ours that runs things": {
        "class_path": "gan_modules.cli.fit",
        "init_args": {"arguments": ["--list"]},
    },
}


@pytest.mark.parametrize("place", ["generator", "norm"])
@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_a_checkpoint_runs_nothing(
    stranger: object, place: str, acgan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from pathlib import Path\nPath('ran').touch()\nimport torch\nclass Net(torch.nn.Module):\n    pass\n"
    (tmp_path / "evil.py").write_text(code)
    (tmp_path / "evil").write_text("class_path: evil.Net\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    saved = torch.load(acgan, weights_only=True)
    networks = saved["config"]["model"]["init_args"]
    if place == "generator":
        networks["generator"] = stranger
    else:
        networks["discriminator"]["init_args"]["norm"] = stranger
    torch.save(saved, "stranger.ckpt")
    with pytest.raises(ValueError, match=r"stranger\.ckpt"):
        checkpoints.load("stranger.ckpt")
    assert not Path("ran").exists()


def test_text_with_a_dot_is_no_class(acgan: Path, tmp_path: Path) -> None:
    saved = torch.load(acgan, weights_only=True)
    saved["config"]["data"] = {"class_path": "my_project.Data", "init_args": {"root": "pictures.v2"}}
    saved["config"]["model"]["init_args"]["class_weight"] = "1.0e-3"
    torch.save(saved, tmp_path / "dots.ckpt")
    assert checkpoints.load(tmp_path / "dots.ckpt").class_weight == pytest.approx(1e-3)


def test_another_models_weights_are_refused(acgan: Path, tmp_path: Path) -> None:
    saved = torch.load(acgan, weights_only=True)
    del saved["state_dict"][next(iter(saved["state_dict"]))]
    torch.save(saved, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="another model"):
        checkpoints.load(tmp_path / "other.ckpt")


def script(*arguments: object) -> subprocess.CompletedProcess[str]:
    path = Path(__file__).parents[1] / "scripts" / "sample.py"
    return subprocess.run([sys.executable, str(path), *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.slow
def test_the_script_writes_a_picture_and_replaces_none(acgan: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "grid.png"
    done = script("--checkpoint", acgan, "--out", out, "--n", 9)
    assert done.returncode == 0 and str(out) in done.stdout, done.stderr
    assert out.stat().st_size > 0
    done = script("--checkpoint", acgan, "--out", out)
    assert done.returncode == 1 and "--overwrite" in done.stderr and len(done.stderr.splitlines()) == 1
    done = script("--checkpoint", acgan, "--n", "many")
    assert done.returncode == 2 and "--n" in done.stderr and len(done.stderr.splitlines()) == 1
