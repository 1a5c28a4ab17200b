"""The field's theorems on densities of one dimension: trained networks beside closed forms and quadrature.

python scripts/theory.py [--only NAME ...] [--out FOLDER]

For each theorem: a table of numbers, each checked to the difference that the table allows, and a picture
FOLDER/theory_NAME.png, which replaces the one of the last run. The exit code is 1 if a number does not hold.
docs/theory.md shows and explains them. Needs matplotlib: pip install 'gan-modules[plots]'.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from gan_modules.cli import ScriptParser, main
from theorems import bounds, discriminators, drawing, games, supports, transport
from theorems.findings import Theorem

THEOREMS: dict[str, Theorem] = {
    "discriminator": discriminators.optimal_discriminator,
    "value": discriminators.optimal_value,
    "supports": supports.disjoint_supports,
    "games": games.three_games,
    "bounds": bounds.variational_bounds,
    "transport": transport.critics_estimate,
}


def show(name: str, out: Path) -> int:
    """Print the table of a theorem and draw its picture; the number of rows that do not hold."""
    torch.manual_seed(0)
    begun = time.monotonic()
    finding = THEOREMS[name]()
    picture = out / f"theory_{name}.png"
    drawing.save(finding, picture)
    print(f"\n{name}: {THEOREMS[name].__doc__}\n\n{finding.table()}\n")
    print(f"{picture}, {time.monotonic() - begun:.0f} seconds", flush=True)
    return sum(not row.holds() for row in finding.rows)


def run(arguments: Sequence[str]) -> None:
    parser = ScriptParser(__doc__)
    parser.add_argument("--only", nargs="+", choices=THEOREMS, default=list(THEOREMS), metavar="NAME")
    parser.add_argument("--out", type=Path, default=Path("runs/theory"), help="folder of the pictures")
    given = parser.parse_args(arguments)
    drawing.check_installed()
    given.out.mkdir(parents=True, exist_ok=True)
    failed = {name: count for name in given.only if (count := show(name, given.out))}
    if failed:
        rows = ", ".join(f"{count} of {name}" for name, count in failed.items())
        raise ValueError(
            f"numbers are further from the exact ones than is allowed: {rows}; see **FAILS** in the tables"
        )


if __name__ == "__main__":
    main(run, sys.argv[1:])
