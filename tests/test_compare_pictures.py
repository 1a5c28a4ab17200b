"""The script that compares the metrics of pictures with other implementations finds them equal."""

from pathlib import Path
from types import ModuleType

import pytest
import torch
from torchvision.models import alexnet

from script_modules import loaded


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return loaded("compare_pictures")


@pytest.mark.slow
def test_prints_a_table_of_small_differences(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(alexnet(weights=None).features.state_dict(prefix="features."), tmp_path / "alex.pth")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "alex.pth"))  # where nothing can be kept
    script.run(["--n", "2", "--alex", str(tmp_path / "alex.pth")])
    table, missing = capsys.readouterr()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert {"`ssim`, 64 px", "`ms_ssim`, 192 px", "`lpips`, 64 px"} <= {row[0] for row in rows}
    assert any("ppl_alex-ends" in row[0] for row in rows)
    for what, ours, other, theirs, largest in rows:
        if "with borders" not in other:
            assert float(ours) == pytest.approx(float(theirs), rel=1e-3), what
            assert float(largest) < 0.01
    assert "vgg network could not be downloaded" in missing
    with pytest.raises(ValueError, match="n must be a whole number of at least 1, got 0"):
        script.run(["--n", "0"])
