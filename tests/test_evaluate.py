"""Checkpoints and folders of pictures, evaluated by the real script, which writes all that is needed to repeat it."""

import hashlib
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

import datamodules
from datamodules.pixels import scaled
from gan_modules import checkpoints
from gan_modules.cli import main
from gan_modules.evaluation import scoring, sides
from gan_modules.evaluation.comparison import data_module
from gan_modules.metrics import PSNR, FeatureNetwork, Unavailable
from gan_modules.sampling import save_samples
from script_modules import loaded
from untrained import saved

EVALUATE = loaded("evaluate")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Checkpoints by preset."""
    folder, small = tmp_path_factory.mktemp("models"), {"image_size": 16, "width": 4}
    translators = {f"generator_{name}": {"width": 4, "blocks": 1} for name in "gf"}
    return {
        "acgan": saved(folder, "acgan", {"image_size": 16}, generator=small, discriminator=small),
        "cyclegan": saved(folder, "cyclegan", {"image_size": 16, "domains": "noto2twemoji"}, **translators),
        "gan": saved(folder, "gan", {"points": 600, "held_out_points": 40}),
    }


class Pixels(nn.Module):
    """Features for tests: 4 x 4 means of a picture. Counts the pictures that it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        return adaptive_avg_pool2d(images / 255, 4).flatten(1)


@pytest.fixture
def pixels(monkeypatch: pytest.MonkeyPatch) -> Pixels:
    """In place of Inception."""
    body = Pixels()
    monkeypatch.setattr(scoring, "feature_network", lambda asked: FeatureNetwork(body, "_pixels", "4 x 4"))
    return body


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where statistics of data are kept: another folder for each test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GAN_MODULES_CACHE", str(folder))
    return folder


def evaluated(out: Path, *options: object) -> dict[str, Any]:
    """What the script writes."""
    EVALUATE.run([*map(str, options), "--out", str(out), "--overwrite", "--device", "cpu"])
    return json.loads(out.read_text())


def values(record: dict[str, Any]) -> dict[str, float]:
    rows = record["metrics"]
    return {f"{row['name']} {row['direction']}".strip(): row["value"] for row in rows}


def folder_of(root: Path, count: int, size: int = 16, seed: int = 0) -> Path:
    """Smooth random pictures in files."""
    noise = np.random.default_rng(seed).integers(0, 255, (count, 4, 4, 3), dtype=np.uint8)
    root.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(noise):
        Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC).save(root / f"{number:03}.png")
    return root


def test_a_checkpoint_is_what_its_pictures_in_a_folder_are(
    models: dict[str, Path], pixels: Pixels, tmp_path: Path
) -> None:
    folder = tmp_path / "samples"
    save_samples(models["acgan"], folder, 30, seed=3)
    options = ["--n", 30, "--metrics", "fid,kid,prdc,swd,ms_ssim", "--seed", 3, "--data", "emoji_labelled"]
    of_model = evaluated(tmp_path / "a.json", "--checkpoint", models["acgan"], *options, "--labels", "balanced")
    of_folder = evaluated(tmp_path / "b.json", "--images", folder, *options)
    assert values(of_model) == values(of_folder)
    assert len(values(of_model)) == 9 and values(of_model)["fid_pixels@30"] > 0
    other = evaluated(tmp_path / "a.json", "--checkpoint", models["acgan"], *options, "--labels", "data")
    assert values(of_model)["kid_pixels"] != values(other)["kid_pixels"]
    assert other["labels"] == "drawn from those of the data"


def test_sharpness_is_the_gradient_energy_of_either_side(tmp_path: Path) -> None:
    sides = [folder_of(tmp_path / name, count, seed=seed) for name, count, seed in (("a", 5, 0), ("b", 7, 1))]
    record = evaluated(tmp_path / "a.json", "--images", sides[0], "--data", sides[1], "--metrics", "sharpness")
    expected = []
    for side in sides:
        pictures = [np.asarray(Image.open(path)) / 127.5 - 1 for path in side.iterdir()]
        expected.append(np.mean([sum((np.diff(each, axis=axis) ** 2).mean() for axis in (0, 1)) for each in pictures]))
    assert values(record) == pytest.approx(dict(zip(("sharpness", "sharpness_real"), expected, strict=True)), rel=1e-5)


@pytest.mark.slow
def test_neither_the_batch_size_nor_what_was_drawn_before_changes_a_number(
    models: dict[str, Path], pixels: Pixels, tmp_path: Path
) -> None:
    found = []
    for batch_size in (7, 30):
        torch.rand(batch_size)
        state = torch.get_rng_state()
        options = ["--n", 30, "--metrics", "kid,swd", "--batch_size", batch_size]
        found.append(values(evaluated(tmp_path / "a.json", "--checkpoint", models["acgan"], *options)))
        assert torch.equal(state, torch.get_rng_state())
    assert found[0] == pytest.approx(found[1], rel=1e-3)
    changed = values(evaluated(tmp_path / "a.json", "--checkpoint", models["acgan"], *options, "--seed", 1))
    assert changed["swd"] != pytest.approx(found[1]["swd"], rel=1e-3)


def test_a_sample_is_the_same_in_any_batch(models: dict[str, Path]) -> None:
    module = checkpoints.load(models["acgan"])
    labels = sides.labels_for(300, 5, 9, torch.arange(9))
    side = sides.of_model(module, 300, 5, labels)
    whole, parts = (torch.cat([part.images for part in side.parts(size)]) for size in (300, 23))
    difference = (whole.int() - parts.int()).abs()
    assert difference.max() <= 1 and (difference > 0).float().mean() < 1e-3  # convolutions may round in another order
    assert len(whole.unique(dim=0)) == 300
    assert len(labels.unique()) == 9


def test_all_metrics_share_one_pass(models: dict[str, Path], pixels: Pixels, tmp_path: Path) -> None:
    evaluated(tmp_path / "a.json", "--checkpoint", models["acgan"], "--n", 40, "--metrics", "fid,kid,prdc,intra_fid")
    assert pixels.seen == 80


def test_data_are_looked_at_once(pixels: Pixels, tmp_path: Path, cache: Path) -> None:
    made, real = folder_of(tmp_path / "made", 8), folder_of(tmp_path / "real", 10, seed=1)
    options = ["--images", made, "--data", real, "--metrics", "fid,kid,prdc,swd"]
    first = evaluated(tmp_path / "a.json", *options)
    assert pixels.seen == 18
    again = evaluated(tmp_path / "a.json", *options, "--batch_size", 3)
    assert pixels.seen == 26 and values(again) == pytest.approx(values(first), rel=1e-9)
    assert values(evaluated(tmp_path / "a.json", *options, "--no_cache")) == values(first) and pixels.seen == 44
    Image.new("RGB", (16, 16)).save(real / "000.png")
    changed = evaluated(tmp_path / "a.json", *options)
    assert pixels.seen == 62 and values(changed)["fid_pixels@8"] != values(first)["fid_pixels@8"]
    for path in cache.rglob("*.pt"):
        path.write_bytes(path.read_bytes()[:-100])
    assert values(evaluated(tmp_path / "a.json", *options)) == values(changed) and pixels.seen == 80


def test_the_record_suffices_to_measure_again(
    models: dict[str, Path], pixels: Pixels, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = evaluated(tmp_path / "a.json", "--checkpoint", models["acgan"], "--n", 400, "--metrics", "prdc")
    printed = capsys.readouterr().out
    assert [row["name"] for row in record["metrics"]][:2] == ["precision_pixels", "recall_pixels"]
    assert all((row["generated"], row["real"]) == (400, 379) for row in record["metrics"])  # all there are
    assert all(row["name"] in printed for row in record["metrics"]) and str(tmp_path / "a.json") in printed
    assert record["sha256"] == hashlib.sha256(models["acgan"].read_bytes()).hexdigest()
    assert record["network"]["label"] == "_pixels" and len(record["network"]["fingerprint"]) == 64
    assert record["data"]["class_path"] == "datamodules.Emoji" and record["data"]["split"] == "held_out"
    assert record["data"]["init_args"]["image_size"] == 16
    assert len(record["data"]["fingerprint"]) == 64
    assert record["versions"]["torch"] == torch.__version__.partition("+")[0]
    words = shlex.split(record["command"])
    assert words[:2] == ["python", "scripts/evaluate.py"]
    EVALUATE.run(words[2:])
    assert values(json.loads((tmp_path / "a.json").read_text())) == values(record)


@pytest.mark.slow
def test_a_translator_is_compared_in_each_direction(models: dict[str, Path], tmp_path: Path) -> None:
    record = evaluated(tmp_path / "a.json", "--checkpoint", models["cyclegan"], "--n", 20, "--metrics", "swd,psnr,ssim")
    names = [f"{name}{end} {way}" for way in ("x_to_y", "y_to_x") for name in ("swd", "psnr", "ssim") for end in ENDS]
    assert list(values(record)) == names
    assert all(row["generated"] == 20 for row in record["metrics"])
    data = datamodules.EmojiUnpaired("noto2twemoji", image_size=16, flip=False)
    data.setup("fit")
    x, y, x_as_y, _ = (column[sides.spread(379, 20)] for column in data.held_out.columns)
    module, psnr, identity = checkpoints.load(models["cyclegan"]), PSNR(), PSNR()
    with torch.no_grad():
        made = ((module(scaled(x)).clamp(-1, 1) + 1) * 127.5).round()
    psnr.update(made / 127.5 - 1, scaled(x_as_y))
    identity.update(scaled(x), scaled(x_as_y))
    assert values(record)["psnr x_to_y"] == pytest.approx(psnr.compute().item(), abs=1e-3)
    assert values(record)["psnr_identity x_to_y"] == pytest.approx(identity.compute().item(), abs=1e-4)


ENDS = ("", "_identity")


def test_each_picture_of_unequal_domains_counts_once(models: dict[str, Path], tmp_path: Path) -> None:
    for name, count in (("trainA", 3), ("trainB", 3), ("testA", 9), ("testB", 5)):
        folder_of(tmp_path / name, count, seed=count)
    options = ["--data", "unpaired_folders", "--data.root", tmp_path, "--metrics", "swd", "--batch_size", 4]
    record = evaluated(tmp_path / "a.json", "--checkpoint", models["cyclegan"], *options)
    counts = {row["direction"]: (row["generated"], row["real"]) for row in record["metrics"]}
    assert counts == {"x_to_y": (9, 5), "y_to_x": (5, 9)}


def test_pictures_of_any_size_are_read(pixels: Pixels, tmp_path: Path) -> None:
    folder_of(tmp_path / "mixed", 6, 16), folder_of(tmp_path / "mixed" / "sub", 5, 24)
    Image.new("L", (33, 20), 99).save(tmp_path / "mixed" / "grey.jpg")
    folder_of(tmp_path / "other", 12, 20, seed=1)
    options = ["--images", tmp_path / "mixed", "--data", tmp_path / "other", "--metrics", "prdc"]
    found = [evaluated(tmp_path / "a.json", *options, "--batch_size", size) for size in (2, 64)]
    assert values(found[0]) == values(found[1])
    assert found[0]["metrics"][0]["generated"] == found[0]["metrics"][0]["real"] == 12
    with pytest.raises(ValueError, match="--size"):
        evaluated(tmp_path / "b.json", *options[:-1], "swd")
    assert evaluated(tmp_path / "b.json", *options[:-1], "swd", "--size", 16)["images"]["size"] == 16


def test_an_array_is_what_its_pictures_in_a_folder_are(pixels: Pixels, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "files", 10)
    stored = np.stack([np.array(Image.open(path)) for path in sorted(folder.iterdir())])
    np.savez(tmp_path / "stored.npz", arr_0=stored)
    other = folder_of(tmp_path / "other", 8, seed=1)
    both = [
        values(evaluated(tmp_path / "a.json", "--images", images, "--data", other, "--metrics", "kid,swd"))
        for images in (folder, tmp_path / "stored.npz")
    ]
    assert both[0] == both[1]
    assert len(evaluated(tmp_path / "b.json", "--images", folder, "--data", tmp_path / "stored.npz")["metrics"]) == 6


def test_folders_of_classes_are_compared_class_by_class(pixels: Pixels, tmp_path: Path) -> None:
    for side in ("one", "other"):
        for seed, name in enumerate(("cats", "dogs")):
            folder_of(tmp_path / side / name, 6, seed=seed)
    options = ["--images", tmp_path / "one", "--data", tmp_path / "other", "--metrics", "intra_fid"]
    assert values(evaluated(tmp_path / "a.json", *options))["intra_fid_pixels"] == pytest.approx(0, abs=1e-5)
    (tmp_path / "one" / "cats").rename(tmp_path / "one" / "x")
    (tmp_path / "one" / "dogs").rename(tmp_path / "one" / "cats")
    (tmp_path / "one" / "x").rename(tmp_path / "one" / "dogs")
    assert values(evaluated(tmp_path / "a.json", *options))["intra_fid_pixels"] > 0.5


def test_the_training_part_is_neither_mirrored_nor_cropped(pixels: Pixels, tmp_path: Path) -> None:
    folder_of(tmp_path / "all" / "train", 10), folder_of(tmp_path / "all" / "test", 5, seed=1)
    options = ["--data", "folder", "--data.root", tmp_path / "all", "--split", "train", "--metrics", "prdc"]
    found = evaluated(tmp_path / "a.json", "--images", tmp_path / "all" / "train", *options)
    assert values(found)["precision_pixels"] == values(found)["coverage_pixels"] == 1
    assert found["data"]["of"] == 10
    arguments = {"root": str(tmp_path / "all"), "image_size": 16, "load_size": 20, "flip": True}
    module, _ = data_module("", [], {"class_path": "datamodules.ImageFolder", "init_args": arguments}, {})
    assert not module.vary


@pytest.mark.slow
def test_truncated_noise_is_nearer_to_the_middle(models: dict[str, Path], pixels: Pixels, tmp_path: Path) -> None:
    options = ["--checkpoint", models["acgan"], "--n", 40, "--metrics", "ms_ssim"]
    free, bound = (evaluated(tmp_path / "a.json", *options, *more) for more in ([], ["--truncation", 0.1]))
    assert bound["truncation"] == 0.1
    assert values(bound)["ms_ssim@1"] > values(free)["ms_ssim@1"] + 0.1
    with pytest.raises(ValueError, match="leave them out"):
        evaluated(tmp_path / "a.json", "--checkpoint", models["cyclegan"], "--truncation", 0.1)


def test_what_needs_no_network_is_measured_where_there_is_none(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(asked: object) -> FeatureNetwork:
        raise Unavailable("There are no weights.")

    monkeypatch.setattr(scoring, "feature_network", none)
    record = evaluated(tmp_path / "a.json", "--checkpoint", models["acgan"], "--n", 20)
    assert list(values(record)) == ["swd"] and record["network"] is None
    assert "There are no weights." in capsys.readouterr().out
    with pytest.raises(ValueError, match="There are no weights"):
        evaluated(tmp_path / "b.json", "--checkpoint", models["acgan"], "--n", 20, "--metrics", "kid")


def test_points_are_told_from_pictures(models: dict[str, Path], tmp_path: Path) -> None:
    record = evaluated(tmp_path / "a.json", "--checkpoint", models["gan"], "--n", 20)
    assert [(row["name"], row["better"], row["generated"]) for row in record["metrics"]] == [
        ("modes", "higher", 20),
        ("high_quality", "higher", 20),
        ("reverse_kl", "lower", 20),
    ]
    with pytest.raises(ValueError, match="swd needs pictures"):
        evaluated(tmp_path / "a.json", "--checkpoint", models["gan"], "--n", 20, "--metrics", "swd")
    with pytest.raises(ValueError, match="points"):
        evaluated(tmp_path / "a.json", "--checkpoint", models["gan"], "--n", 20, "--data", "emoji")


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), float("nan")], ids=["stopped", "nan"])
def test_what_is_not_whole_is_not_written(
    problem: BaseException | float,
    models: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def compute(self: object) -> Tensor:
        if isinstance(problem, BaseException):
            raise problem
        return torch.tensor(problem)

    monkeypatch.setattr(scoring.SlicedWasserstein, "compute", compute)
    options = ["--checkpoint", str(models["acgan"]), "--n", "20", "--metrics", "swd", "--out", str(tmp_path / "a.json")]
    with pytest.raises(SystemExit) as ended:
        main(EVALUATE.run, options)
    assert ended.value.code == (130 if isinstance(problem, BaseException) else 1)
    assert ("stopped" if isinstance(problem, BaseException) else "nan") in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


MISTAKES: dict[str, tuple[list[str], str]] = {
    "nothing": ([], "--checkpoint FILE or --images FOLDER"),
    "both": (["--checkpoint", "ACGAN", "--images", "PICTURES", "--data", "PICTURES"], "one of them"),
    "no data": (["--images", "PICTURES"], "--data"),
    "one sample": (["--checkpoint", "ACGAN", "--n", "1"], "n must be a whole number of at least 2"),
    "unknown metric": (["--checkpoint", "ACGAN", "--metrics", "swd,kidd"], "did you mean kid"),
    "unknown data": (["--checkpoint", "ACGAN", "--data", "emojy"], "did you mean emoji"),
    "unknown split": (["--checkpoint", "ACGAN", "--split", "test"], "held_out"),
    "unknown option": (["--checkpoint", "ACGAN", "--samples", "3"], "--samples"),
    "unknown option of the data": (["--checkpoint", "ACGAN", "--data.image_sise", "8"], "did you mean image_size"),
    "missing checkpoint": (["--checkpoint", "MISSING/a.ckpt"], "is no file"),
    "wrong checkpoint": (["--checkpoint", "TEXT"], "expected a checkpoint"),
    "missing folder": (["--images", "MISSING", "--data", "PICTURES"], "is not there"),
    "missing data folder": (["--images", "PICTURES", "--data", "MISSING/a"], "is not there"),
    "empty folder": (["--images", "EMPTY", "--data", "PICTURES"], "found none"),
    "unreadable picture": (["--images", "BROKEN", "--data", "PICTURES"], "broken.png"),
    "array without pictures": (["--images", "ARRAY", "--data", "PICTURES"], "expected uint8 pictures"),
    "missing weights": (["--checkpoint", "ACGAN", "--weights", "MISSING/w.pth"], "found none at"),
    "wrong weights": (["--checkpoint", "ACGAN", "--weights", "TEXT", "--metrics", "kid"], "Inception"),
    "labels missing": (["--checkpoint", "ACGAN", "--data", "emoji", "--metrics", "intra_fid"], "needs labels"),
    "labels of none": (["--checkpoint", "CYCLEGAN", "--labels", "balanced"], "leave them out"),
    "too few": (["--checkpoint", "ACGAN", "--n", "5", "--metrics", "prdc"], "at least 6 items"),
    "size of a data set": (["--checkpoint", "ACGAN", "--size", "8"], "--data.image_size"),
    "labels of unlabelled data": (["--checkpoint", "ACGAN", "--data", "emoji", "--labels", "data"], "balanced"),
    "too small": (["--images", "PICTURES", "--data", "PICTURES", "--size", "8", "--metrics", "ms_ssim"], "11 x 11"),
    "no truth": (["--checkpoint", "ACGAN", "--metrics", "psnr"], "psnr needs the truth"),
    "one domain": (["--checkpoint", "CYCLEGAN", "--data", "PICTURES"], "two domains"),
    "result is there": (["--checkpoint", "ACGAN", "--out", "RESULT"], "--overwrite"),
    "result is no json": (["--checkpoint", "ACGAN", "--out", "TEXT"], ".json"),
    "split of a folder": (["--images", "PICTURES", "--data", "PICTURES", "--split", "train"], "leave it out"),
    "no such device": (["--checkpoint", "ACGAN", "--device", "tpu"], "--device"),
}


@pytest.fixture(scope="module")
def places(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What the words in capitals above stand for."""
    root = tmp_path_factory.mktemp("places")
    (root / "empty").mkdir()
    (root / "text.txt").write_text("hello")
    (root / "result.json").write_text("{}")
    np.savez(root / "array.npz", arr_0=np.zeros((4, 8, 8, 3)))
    (folder_of(root / "broken", 3) / "broken.png").write_bytes(b"no picture")
    return {
        "ACGAN": models["acgan"],
        "CYCLEGAN": models["cyclegan"],
        "PICTURES": folder_of(root / "pictures", 3),
        "EMPTY": root / "empty",
        "BROKEN": root / "broken",
        "ARRAY": root / "array.npz",
        "TEXT": root / "text.txt",
        "RESULT": root / "result.json",
    }


@pytest.mark.parametrize(("options", "told"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_get_a_sentence(
    options: list[str], told: str, places: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(places.get(word, word)).replace("MISSING", str(tmp_path / "missing")) for word in options]
    words += [] if "--out" in words else ["--out", str(tmp_path / "new.json")]
    with pytest.raises(SystemExit) as ended:
        main(EVALUATE.run, words)
    error = capsys.readouterr().err
    assert ended.value.code in (1, 2) and told in error and len(error.splitlines()) == 1, error
    assert not (tmp_path / "new.json").exists() and places["RESULT"].read_text() == "{}"


def test_a_strangers_data_is_not_imported(models: dict[str, Path], tmp_path: Path) -> None:
    for data in ({"class_path": "antigravity.Data"}, {"class_path": "datamodules.loading.os.system"}, "text", None):
        contents = torch.load(models["acgan"], weights_only=True)
        contents["config"]["data"] = data
        torch.save(contents, tmp_path / "stranger.ckpt")
        with pytest.raises(ValueError, match="--data"):
            evaluated(tmp_path / "a.json", "--checkpoint", tmp_path / "stranger.ckpt", "--n", 4)


@pytest.mark.slow
def test_the_script_measures_with_inception(models: dict[str, Path], inception_weights: Path, tmp_path: Path) -> None:
    path = Path(__file__).parents[1] / "scripts" / "evaluate.py"
    options = ["--checkpoint", models["acgan"], "--n", 8, "--weights", inception_weights, "--device", "cpu"]
    done = subprocess.run([sys.executable, str(path), *map(str, options)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    record = json.loads(models["acgan"].with_name("acgan-evaluation.json").read_text())
    assert {"fid@8", "kid", "precision"} <= set(values(record)) and "fid@8" in done.stdout
    assert record["network"]["label"] == "" and record["network"]["preprocessing"].startswith("resize published")
