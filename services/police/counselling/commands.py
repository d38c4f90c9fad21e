"""Writing down that somebody was counselled."""

from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.police.counselling.domain import RECORD, What
from services.police.counselling.tables import Counselling
from shared.casework.cases.commands import Form, NoteText, happened, load_case
from shared.casework.here import Actor, Here
from shared.contracts.casework import events
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.ids import new_id


class Counsel(Form):
    """What it was, and by which post; a note stays here, sealed."""

    what: What
    language: events.LanguageTag
    interpreter: bool
    post: events.Code
    note: NoteText | None = None
    occurred_at: events.Moment | None = None


def has_register(here: Here) -> bool:
    """Whether the programme's police counsel."""
    return RECORD in here.programme.records


def needs_register(here: Here) -> None:
    """Raises NotFound where they do not."""
    if not has_register(here):
        raise NotFound("This programme keeps no register of counselling.")


async def counsel(case_id: UUID, command: Counsel, tx: Transaction, here: Here, by: Actor) -> Counselling:
    """Keeps it; raises Conflict where the place has no such post."""
    by.may_work()
    case = await load_case(tx, case_id, by, lock=True)
    needs_register(here)
    facility = by.facility or case.facility
    if command.post not in here.posts(facility):
        raise Conflict("This place has no such post; choose one of its own.")
    now = tx.clock.now()
    row = Counselling(
        id=new_id(), case_id=case.id, what=command.what, language=command.language, note=command.note,
        interpreter=command.interpreter, post=command.post, facility=facility,
        occurred_at=happened("occurred_at", command.occurred_at, now), recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row


async def counselled(tx: Transaction, case_id: UUID) -> list[Counselling]:
    """Every time of a case, oldest first."""
    query = select(Counselling).where(col(Counselling.case_id) == case_id)
    return list((await tx.session.execute(query.order_by(col(Counselling.occurred_at), col(Counselling.id)))).scalars())
