"""Her things as they are shown. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.police.property import commands, domain
from services.police.property.domain import Standing
from services.police.property.tables import Property, PropertyEntry
from shared.casework.cases.tables import Case
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.kit.db import Transaction
from shared.kit.i18n import mark as _


@dataclass(frozen=True, slots=True)
class Shown:
    """A thing with its book."""

    row: Property
    lines: Sequence[PropertyEntry]
    standing: Standing


async def shown(tx: Transaction, row: Property) -> Shown:
    """One thing."""
    lines = await commands.lines_of(tx, row)
    return Shown(row, lines, domain.standing(await commands.entries_of(tx, row)))


async def of_case(tx: Transaction, case: Case) -> list[Shown]:
    """The things of a case, by their numbers."""
    return [await shown(tx, row) for row in await commands.things_of(tx, case.id)]


async def case_ways(_tx: Transaction, here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where the things of a case are listed."""
    return [(f"/cases/{case.id}/property", _("Things that are kept"))] if commands.has_register(here) else []
