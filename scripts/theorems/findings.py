"""What came out of a theorem: numbers beside what they should be, and a picture."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Row:
    """A number found by training a network, by quadrature, or both, beside the exact one.

    Args:
        quantity: what it is.
        exact: its closed form; quadrature of its definition where there is none.
        trained, computed: what was found.
        tolerance, precision: how far `trained` and `computed` may be from `exact`.
        at_most: `exact` is an upper bound, and what was found may lie below it.
    """

    quantity: str
    exact: float
    trained: float | None = None
    computed: float | None = None
    tolerance: float = 0.02
    precision: float = 1e-6
    at_most: bool = False

    def differences(self) -> list[tuple[float, float]]:
        """What was found minus the exact number, and how far from 0 that may be."""
        pairs = ((self.trained, self.tolerance), (self.computed, self.precision))
        return [(found - self.exact, allowed) for found, allowed in pairs if found is not None]

    def holds(self) -> bool:
        """Whether all that was found is near enough; what is not a number never is."""
        return all((d if self.at_most else abs(d)) <= allowed for d, allowed in self.differences())

    def cells(self) -> list[str]:
        """Its cells in the table."""
        numbers = ["" if x is None else _number(x) for x in (self.trained, self.computed)]
        exact = ("at most " if self.at_most else "") + _number(self.exact)
        differences = "; ".join(f"{d:+.1e}" for d, _ in self.differences())
        allowed = "; ".join(f"{a:.2g}" for _, a in self.differences())
        return [self.quantity, *numbers, exact, differences, allowed + ("" if self.holds() else " **FAILS**")]


@dataclass(frozen=True)
class Finding:
    """The rows of a theorem's table, and what draws its picture of `size` inches."""

    rows: Sequence[Row]
    draw: "Callable[[Figure], None]"
    size: tuple[float, float]
    columns: tuple[str, str, str] = ("by training", "by quadrature", "closed form")

    def table(self) -> str:
        """The rows in Markdown, without columns that none of them fills."""
        head, cells = ["quantity", *self.columns, "difference", "allowed"], [row.cells() for row in self.rows]
        filled = [column for column in range(len(head)) if any(row[column] for row in cells)]
        lines = [head, ["---"] * len(head), *cells]
        return "\n".join(f"| {' | '.join(line[column] for column in filled)} |" for line in lines)


Theorem = Callable[[], Finding]
"""A function whose docstring is what it shows."""


def _number(x: float) -> str:
    return f"{x:.4f}" if x == 0 or 1e-2 <= abs(x) < 1e3 or not math.isfinite(x) else f"{x:.2e}"
