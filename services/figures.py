"""The figures of a period for the command line: what was released, else what a release would publish."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from shared.casework.exports import readable
from shared.casework.exports.domain import Reader
from shared.casework.figures.commands import Table, figures_of
from shared.casework.figures.domain import period
from shared.casework.here import Here
from shared.casework.pages import words
from shared.kit.db import Transaction
from shared.kit.i18n import SOURCE, Times


async def figures_now(tx: Transaction, here: Here, name: str) -> dict[str, Any]:
    """As JSON: each cube's numbers by key (`age=0-9|sex=male`, `age=0-9`, nothing for all), null where hidden. Raises Conflict."""
    found = await figures_of(tx, here, period(name))
    release = found.release
    return {
        "agency": here.agency, "name": here.entry.name, "period": name, "time_zone": here.programme.time_zone,
        "places": {id_: place.name for id_, place in here.entry.facilities.items()}, "released": release is not None,
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


def in_words(found: dict[str, Any], now: datetime) -> str:
    """The same for people at a terminal: totals and margins in words, places by their names, times on the clock there."""
    times = Times(SOURCE, ZoneInfo(found["time_zone"]), now)
    reader = Reader(
        lambda text, **params: text % params, words.word, lambda place: str(found["places"].get(place, place)), str, times.zoned,
        str,
    )  # fmt: skip
    state = "not released"
    if found["released"]:
        state = f"release {found['number']}, {reader.when(datetime.fromisoformat(found['released_at']))}"
    tables = [
        Table(cube["id"], tuple(cube["dimensions"]), {d: tuple(there) for d, there in cube["dimensions"].items()}, cube["numbers"])
        for cube in found["cubes"]
    ]
    of = period(found["period"])
    name = times.month(of.first) if not of.is_quarter else f"{times.month(of.months[0].first)} to {times.month(of.months[2].first)}"
    lines = [f"{found['name']}, {name}: {state}.", *([found["held"]] if found["held"] else [])]
    for first, *rest in readable.figures(reader, tables):
        lines.append(f"{first}: {': '.join(map(str, rest))}" if rest else str(first))
    return "\n".join(lines)
