"""One style for all pictures: readable at the width of a page, in colours that the colour-blind can tell apart."""

from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from theorems.findings import Finding

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours: data and generated, the exact answer, what was trained, and further curves.
DATA, GENERATED, EXACT, TRAINED = "#0072B2", "#D55E00", "#000000", "#009E73"
THREE = ("#0072B2", "#D55E00", "#009E73")
LIGHT, OTHER = "#56B4E9", "#CC79A7"

STYLE: dict[str, Any] = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e5e5",
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
}


def check_installed() -> None:
    """Raise ImportError where pictures cannot be drawn."""
    if find_spec("matplotlib") is None:
        raise ImportError("the pictures need matplotlib, which is not installed; pip install 'gan-modules[plots]'")


def save(finding: Finding, path: Path) -> None:
    """Draw a finding's picture into a PNG file of few colours, and so of few bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=finding.size, layout="constrained")
        finding.draw(figure)
        drawn = BytesIO()
        figure.savefig(drawn, dpi=130)
        Image.open(drawn).convert("RGB").quantize(128).save(path, optimize=True)


def label(axes: "Axes", x: str, y: str, title: str = "", **legend: Any) -> None:
    """Name the axes and the panel, and list its curves."""
    axes.set(xlabel=x, ylabel=y, title=title)
    axes.legend(**legend)
