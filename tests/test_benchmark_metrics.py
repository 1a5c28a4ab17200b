"""The comparison with other libraries: both sides see the same pictures and agree; mistakes are one sentence."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from script_modules import loaded


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return loaded("benchmark_metrics")


@pytest.fixture
def images() -> Tensor:
    return torch.randint(256, (8, 3, 16, 16), dtype=torch.uint8)


@pytest.mark.slow
def test_networks_give_one_distance(
    script: ModuleType, images: Tensor, inception_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "images.npz", x_train=images.permute(0, 2, 3, 1).numpy())
    given = ["--images", str(tmp_path / "images.npz"), "--weights", str(inception_weights), "--parts", "features"]
    script.run([*given, "--n", "4", "--batch_size", "4", "--json", str(tmp_path / "report.json")])
    report = json.loads((tmp_path / "report.json").read_text())["features"]
    theirs = report["torch-fidelity"]["fid"]
    assert list(report) == ["ours", "ours, bfloat16", "torchmetrics", "torch-fidelity"] and theirs > 0
    assert report["ours"]["fid"] == pytest.approx(theirs, rel=1e-4) != report["ours, bfloat16"]["fid"]
    assert report["torchmetrics"]["times_torchmetrics"] == [1, 1, 1]
    assert capsys.readouterr().out.count("images_per_second") == 4


def test_formulas_agree_and_memory_is_told(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    distances = script.compare_distances(dimensions=16, rounds=2)
    assert max(row["relative_difference"] for row in distances.values()) < 1e-8
    assert all(row["seconds"] > 0 and min(row["times_torchmetrics"]) > 0 for row in distances.values())
    script.show({"images": 3, "distance": distances, "memory": script.compare_memory(16)})
    printed = capsys.readouterr().out
    assert "torch-fidelity" in printed and "x matrix root" in printed and "16384 images" in printed


def test_a_folder_of_pictures_serves_as_well(script: ModuleType, images: Tensor, tmp_path: Path) -> None:
    for place, image in enumerate(images):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / f"{place}.png")
    assert torch.equal(script.pictures(tmp_path, 5), images[:5])
    with pytest.raises(ValueError, match="expected 9 pictures in .*, found 8; lower --n"):
        script.pictures(tmp_path, 9)
    Image.new("RGB", (3, 4)).save(tmp_path / "0.png")
    with pytest.raises(ValueError, match="expected pictures of one size"):
        script.pictures(tmp_path, 2)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"x": np.zeros((2, 4, 4))}, "got x; name the one to take `x_train`"),
        ({name: np.zeros((2, 4, 4, 3), np.uint8) for name in "ab"}, "got a, b; name the one"),
        (b"no arrays", "could not read the file"),
    ],
)
def test_other_files_are_named(
    content: dict[str, np.ndarray] | bytes,  # type: ignore[type-arg]
    sentence: str,
    script: ModuleType,
    tmp_path: Path,
) -> None:
    path = tmp_path / "images.npz"
    path.write_bytes(content) if isinstance(content, bytes) else np.savez(path, **content)
    with pytest.raises(ValueError, match=sentence):
        script.pictures(path, 1)


def test_wrong_options_are_named(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="expected --images"):
        script.run(["--parts", "features"])
    with pytest.raises(ValueError, match="n must be a whole number of at least 2, got 1"):
        script.run(["--n", "1"])
    with pytest.raises(SystemExit, match="2"):
        script.run(["--n", "many"])
    assert "invalid int value: 'many'" in capsys.readouterr().err
