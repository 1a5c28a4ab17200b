"""The script that compares metrics: its rows, the pictures it takes, and what it says of wrong folders."""

from itertools import chain
from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image

from script_modules import loaded


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return loaded("compare_metrics")


def test_all_numbers_are_those_of_the_references(script: ModuleType) -> None:
    features = script.Features(torch.randn(60, 16).exp(), torch.rand(60, 16) * 3, 3 * torch.randn(60, 7))
    labels = torch.arange(60) % 3
    side = script.Side(torch.zeros(60), labels, ["a", "b", "c"])
    pair = features, features
    rows = list(
        chain(script.distances(*pair, side, side), script.kernels(*pair), script.shares(*pair), script.scores(*pair))
    )
    assert {"FID", "intra FID, 3 classes", "KID, all pairs", "precision, k = 3", "Inception Score"} <= {
        r[0] for r in rows
    }
    for name, ours, _, reference in rows:
        drawn = "subsets" in name or name == "their deviation"
        assert ours == pytest.approx(reference, rel=0.3 if drawn else 1e-4), name
    headless = features._replace(logits=torch.zeros(60, 7))
    assert not list(script.scores(headless, headless))


def test_pictures_are_taken_evenly_with_their_classes(script: ModuleType, tmp_path: Path) -> None:
    for place in range(12):
        path = tmp_path / "ab"[place // 6] / f"{place:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (3, 2), (place, 0, 255)).save(path)
    side = script.folder(tmp_path, 4)
    assert side.images.shape == (4, 3, 2, 3) and side.images[:, 0, 0, 0].tolist() == [0, 3, 6, 9]
    assert side.labels.tolist() == [0, 0, 1, 1] and side.classes == ["a", "b"]
    with pytest.raises(ValueError, match=f"at least 13 pictures in {tmp_path}, found 12; lower --count"):
        script.folder(tmp_path, 13)
