"""The theorems that scripts/theory.py shows: their numbers, their pictures, and that a wrong number is one."""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import Image
from scipy.stats import norm

from script_modules import loaded_in_place

STEPS = {"discriminator": 2000, "value": 150, "supports": 1000, "bounds": 150, "transport": 300}
"""Fewer than the script's, and enough."""


@pytest.fixture(scope="module")
def theory() -> Iterator[ModuleType]:
    """The script as a module, its folder being on the path as when it is run."""
    with loaded_in_place("theory") as module:
        yield module


def part(name: str) -> Any:
    """A module of the script's."""
    return sys.modules[f"theorems.{name}"]


@pytest.mark.parametrize(("name", "steps"), [("supports", 50), ("bounds", 10)])
def test_without_training_only_what_is_computed_holds(theory: ModuleType, name: str, steps: int) -> None:
    rows = theory.THEOREMS[name](steps).rows
    computed = [row for row in rows if row.computed is not None]
    assert len(computed) >= 10
    assert all(part("findings").Row(**{**vars(row), "trained": None}).holds() for row in computed)
    assert not all(row.holds() for row in rows)


def test_the_three_games(theory: ModuleType, tmp_path: Path) -> None:
    finding = theory.THEOREMS["games"]()
    assert len(finding.rows) == 15 and all(row.holds() for row in finding.rows)
    check_picture(finding, tmp_path / "picture.png")


def check_picture(finding: Any, path: Path) -> None:
    """Its panels have names for their axes and things in them, and its file is small."""
    from matplotlib.figure import Figure

    figure = Figure()
    finding.draw(figure)
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    assert panels and all(axes.lines or axes.collections for axes in panels)
    assert any(axes.get_xlabel() for axes in panels) and panels[0].get_ylabel() and panels[0].get_legend()
    part("drawing").save(finding, path)
    with Image.open(path) as picture:
        assert picture.width >= 1000 and len(picture.getcolors() or []) > 20
    assert path.stat().st_size < 120_000


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_training_finds_the_numbers(theory: ModuleType, name: str, tmp_path: Path) -> None:
    finding = theory.THEOREMS[name](STEPS[name])
    check_picture(finding, tmp_path / "picture.png")
    assert [row.quantity for row in finding.rows if not row.holds()] == []


def test_a_number_that_is_too_far_fails(
    theory: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    findings, main = part("findings"), theory.main
    good, bad = findings.Row("good", 1.0, computed=1.0), findings.Row("bad", 1.0, trained=1.5)

    def finding(*rows: Any) -> Any:
        """Some."""
        return findings.Finding(rows, lambda figure: figure.subplots().plot([0, 1]), (1, 1))

    monkeypatch.setattr(theory, "THEOREMS", {"one": lambda: finding(good), "two": lambda: finding(good, bad)})
    main(theory.run, ["--only", "one", "--out", str(tmp_path / "a")])
    assert (tmp_path / "a" / "theory_one.png").exists() and not (tmp_path / "a" / "theory_two.png").exists()
    with pytest.raises(SystemExit, match="1"):
        main(theory.run, ["--out", str(tmp_path)])
    out, err = capsys.readouterr()
    assert "| bad | 1.5000 |  | 1.0000 | +5.0e-01 | 0.02 **FAILS** |" in out and out.count("FAILS") == 1
    assert "1 of two" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        ({"trained": 1.019}, True),
        ({"trained": 0.979}, False),
        ({"trained": math.nan}, False),
        ({"trained": 0.5, "at_most": True}, True),
        ({"trained": 1.03, "at_most": True}, False),
        ({"trained": math.nan, "at_most": True}, False),
        ({"trained": 1.0, "computed": 1.0 + 1e-5}, False),
        ({"computed": 1.0 - 1e-7}, True),
    ],
)
def test_when_a_row_holds(theory: ModuleType, row: dict[str, Any], holds: bool) -> None:
    assert part("findings").Row("it", 1.0, **row).holds() == holds


def test_without_matplotlib_one_sentence(
    theory: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(part("drawing"), "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="1"):
        theory.main(theory.run, ["--out", str(tmp_path)])
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and "pip install 'gan-modules[plots]'" in err


def test_the_predicted_bias_of_narrow_gaussians_is_that_of_points(theory: ModuleType) -> None:
    """Two points `distance` apart: a slope of 1 + distance / 2 w, as tests/test_theorems.py finds it."""
    gaussian, distance = part("densities").gaussian, 0.8
    estimate = part("transport").predicted_estimate(gaussian(0.0, 0.01), gaussian(distance, 0.01), 10.0)
    assert estimate == pytest.approx(distance * (1 + distance / 20), rel=1e-3)


def test_no_slope_does_better_under_the_soft_penalty_than_the_predicted_one(theory: ModuleType) -> None:
    """E_P f - E_Q f - w E (|f'| - 1)^2, with expectations by quadrature, for slopes around the predicted ones."""
    transport, densities = part("transport"), part("densities")
    pair = densities.mixture([-1.0, 2.0], [0.5, 0.7]), densities.gaussian(0.5, 0.8)
    d, excess = transport.excess_slope(*pair, 10.0)
    r = transport.points_density(*pair)
    assert densities.integral(r) == pytest.approx(1, abs=1e-9)

    def objective(slope: torch.Tensor) -> float:
        return densities.integral(d * slope - 10 * r * (slope.abs() - 1) ** 2)

    best = d.sign() * (1 + excess)
    for change in (0.01, -0.01, 0.3):
        assert objective(best + change) < objective(best)
        assert objective(best + change * densities.GRID.sin()) < objective(best)


def test_closed_forms_against_scipy(theory: ModuleType) -> None:
    densities, discriminators = part("densities"), part("bounds")
    grid = densities.GRID.numpy()
    q = norm(0.7, 1.1).pdf(grid)
    p = norm(0, 1).pdf(grid)
    assert discriminators.variation() == pytest.approx(abs(p - q).sum() * (grid[1] - grid[0]) / 2, abs=1e-6)
    cdf = densities.distribution_function(torch.from_numpy(q))
    torch.testing.assert_close(cdf, torch.from_numpy(norm(0.7, 1.1).cdf(grid)), atol=1e-7, rtol=0)
    step = 1e-4
    slope = densities.shifted_jensen_shannon(1 + step) - densities.shifted_jensen_shannon(1 - step)
    assert densities.slope_of_two_jensen_shannon(1.0) == pytest.approx(slope / step, rel=1e-5)


def test_the_exact_transport_of_points_on_a_line_is_that_of_scipy(theory: ModuleType) -> None:
    real, fake = torch.randn(50, 2) * torch.tensor([1.0, 0.0]), torch.randn(50, 2) * torch.tensor([2.0, 0.0]) + 1
    fake[:, 1] = 0
    expected = part("transport").wasserstein_distance(real[:, 0], fake[:, 0])
    assert part("transport").exact_transport(real, fake) == pytest.approx(expected)
