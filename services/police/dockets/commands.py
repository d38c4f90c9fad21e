"""Entering a docket number."""

from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlmodel import col

from services.police.dockets.tables import Docket
from shared.casework.cases.commands import Form, load_case
from shared.casework.here import Actor
from shared.casework.scope import whole_agency
from shared.kit.db import Transaction
from shared.kit.errors import Conflict


class EnterDocket(Form):
    """The number as it stands in the occurrence book."""

    number: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9/-]{0,29}$")]


async def case_with(tx: Transaction, number: str) -> UUID | None:
    """The case of a whole docket number."""
    index = tx.keys.index("police_dockets.number", "".join(number.split()).upper())
    return (await tx.session.execute(select(col(Docket.case_id)).where(col(Docket.number_index) == index))).scalar_one_or_none()


async def enter_docket(case_id: UUID, command: EnterDocket, tx: Transaction, by: Actor) -> Docket:
    """Enters or corrects a case's docket number; raises Conflict where another case has it."""
    by.may_work()
    case = await load_case(tx, case_id, by, lock=True)
    async with whole_agency(tx):  # no two cases have one number, whosever they are
        index = tx.keys.index("police_dockets.number", command.number)
        query = select(col(Docket.case_id)).where(col(Docket.number_index) == index, col(Docket.case_id) != case.id)
        if (await tx.session.execute(query)).first() is not None:
            raise Conflict("Another case has this docket number; look it up in the occurrence book.")
    docket = await tx.session.get(Docket, case.id)
    if docket is None:
        docket = Docket(
            case_id=case.id, number=command.number, number_index=index, entered_at=tx.clock.now(), entered_by=by.account_id
        )
        tx.session.add(docket)
    docket.number, docket.number_index = command.number, index
    await tx.session.flush()
    return docket
