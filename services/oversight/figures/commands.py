"""A file of what agencies have released of a quarter: encrypted, marked and logged as every file that leaves."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from services.oversight.figures.views import of_quarter
from shared.casework.exports import readable
from shared.casework.exports.commands import Wish, export_row, lines_of, make_export
from shared.casework.exports.domain import Reader, What
from shared.casework.exports.tables import Export
from shared.casework.figures.domain import HIDDEN, Period
from shared.casework.here import Actor, Here
from shared.kit.db import Transaction
from shared.kit.errors import NotFound


async def export_quarter(tx: Transaction, here: Here, by: Actor, quarter: Period, wish: Wish, reader: Reader) -> Export:
    """Raises Forbidden, NotFound, NoKey."""
    by.may_let_out()
    found = [one for one in await of_quarter(tx, here, quarter) if one.tables]
    if not found:
        raise NotFound("No agency has released its figures of this quarter yet.")
    export = export_row(tx, by, What.COLLECTED, wish, period=quarter.name)
    lines: list[Sequence[object]] = [("agency", "cube", "dimension", "is", "and", "is", "number")]
    read = [*readable.heading(reader, export, by.name, here.entry.name, quarter.name)]
    for one in found:
        tables = list(one.tables.values())
        lines += [(one.agency, *line) for table in tables for line in lines_of(table)]
        of_agency = replace(reader, place=partial(_place, here, one.agency))
        read += [[reader.agency(one.agency)], *readable.figures(of_agency, tables)]
    about = [("period", quarter.name), ("hidden", f"{HIDDEN} is a hidden number; it is not nought")]
    return await make_export(tx, here, by, export, about, lines, read)


def _place(here: Here, agency: str, facility: str | None) -> str:
    found = here.network.facility(agency, facility) if facility else None
    return found.name if found is not None else facility or ""
