"""All variants, tiny."""

from zoo import (
    conditional,
    convergence,
    energy,
    first,
    inference,
    objectives,
    others,
    paired,
    restoration,
    style,
    styles,
    transport,
    unpaired,
)
from zoo.case import Case

CASES: dict[str, Case] = {
    **first.CASES,
    **objectives.CASES,
    **transport.CASES,
    **energy.CASES,
    **convergence.CASES,
    **style.CASES,
    **styles.CASES,
    **conditional.CASES,
    **others.CASES,
    **paired.CASES,
    **inference.CASES,
    **restoration.CASES,
    **unpaired.CASES,
}
