"""A case that another agency's word has opened without naming a place: which place looks after it, and what lies there then."""

from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Table, select, update
from sqlmodel import SQLModel, col

from shared.casework import scope
from shared.casework.alarms.commands import lie_at
from shared.casework.alarms.tables import Alarm
from shared.casework.cases.commands import Form, load_case
from shared.casework.cases.tables import Case
from shared.casework.here import NOWHERE, Actor, Forbidden, Here
from shared.contracts.casework import events
from shared.contracts.casework.codes import Role
from shared.exchange import feed
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound

PLACES = ("facility", "desk", "from_facility")  # columns that say at which of this agency's places something lies


class PlaceCase(Form):
    """Which place looks after a case."""

    facility: events.FacilityId


async def place_case(case_id: UUID, command: PlaceCase, tx: Transaction, here: Here, by: Actor) -> Case:
    """A supervisor says which of her places looks after a case that came here without one: until then no desk sees it. Raises
    Conflict."""
    by.may_work()
    await load_case(tx, case_id, by)
    if by.role is not Role.SUPERVISOR:
        raise Forbidden("Only a supervisor says which place looks after a case.")
    here.facility(command.facility)
    if not by.sees(command.facility):
        raise NotFound("There is nothing at this address.")
    query = select(Case).where(col(Case.id) == case_id).with_for_update().execution_options(populate_existing=True)
    case = (await tx.session.execute(query)).scalar_one()
    if case.facility != NOWHERE:
        raise Conflict("A place looks after this case already; open it there.")
    await scope.for_the_agency(tx)  # it lies at that desk from now on
    case.facility = command.facility
    await tx.session.flush()
    await lies_at(tx, here, case.id, case.facility)
    await feed.record(
        tx, feed.Line(kind="case.placed", subject=case.id, agency=here.agency, is_own=True, occurred_at=tx.clock.now(),
                      case_id=case.id, facility=case.facility),
    )  # fmt: skip
    return case


async def lies_at(tx: Transaction, here: Here, case_id: UUID, facility: str) -> None:
    """Whatever was kept of a case while it lay nowhere lies at the place that looks after it from now on."""
    for table, column in _placed(here.kind):
        mine = (table.c.case_id == case_id, column == NOWHERE)
        await tx.session.execute(update(table).where(*mine).values({column: facility}))
    await lie_at(tx, here, case_id, facility)


@cache
def _placed(kind: str) -> tuple[tuple[Table, Column[Any]], ...]:
    """Every column of a kind of agency's that says where something of a case lies; but of alarms, which climb there too."""
    mine = ("casework_", f"{kind}_")
    tables = (one for one in SQLModel.metadata.sorted_tables if one.name.startswith(mine) and "case_id" in one.c)
    return tuple((one, one.c[name]) for one in tables for name in PLACES if name in one.c and one.name != Alarm.__tablename__)
