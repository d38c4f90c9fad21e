"""The figures of a period for the command line: what was released, else what a release would publish."""

from typing import Any

from shared.casework.figures.commands import figures_of
from shared.casework.figures.domain import HIDDEN, PLACE, TOTAL, period
from shared.casework.here import Here
from shared.kit.db import Transaction


async def figures_now(tx: Transaction, here: Here, name: str) -> dict[str, Any]:
    """As JSON: each cube's numbers by key (`age=0-9|sex=male`, `age=0-9`, nothing for all), null where hidden. Raises Conflict."""
    found = await figures_of(tx, here, period(name))
    release = found.release
    return {
        "agency": here.agency, "period": name, "released": release is not None,
        "number": release.number if release is not None else None,
        "released_at": release.released_at.isoformat() if release is not None else None, "held": found.held,
        "cubes": [
            {
                "id": table.id, "withheld": table.values is None, "numbers": table.values,
                "dimensions": {dimension: list(there) for dimension, there in table.categories.items()},
            }
            for table in (found.shown or {}).values()
        ],
    }  # fmt: skip


def in_words(found: dict[str, Any]) -> str:
    """The same for a terminal: totals and margins, places by their names."""
    state = f"release {found['number']} of {found['released_at']}" if found["released"] else "not released"
    lines = [f"{found['agency']}, {found['period']}: {state}. Reports, not prevalence. {HIDDEN} is a hidden number, not nought."]
    if found["held"]:
        lines.append(found["held"])
    for cube in found["cubes"]:
        numbers = cube["numbers"]
        lines.append(f"{cube['id']}: {'withheld' if numbers is None else _number(numbers[TOTAL])}")
        for dimension, categories in cube["dimensions"].items():
            ordered = sorted(categories) if dimension == PLACE else categories
            lines += [f"    {dimension} {one}: {_number(numbers[f'{dimension}={one}'])}" for one in ordered]
    return "\n".join(lines)


def _number(value: int | None) -> str:
    return HIDDEN if value is None else str(value)
