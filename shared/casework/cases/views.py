"""Cases and incidents as this agency's own accounts see them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import bindparam, select
from sqlmodel import col

from shared.casework.accounts.tables import Account, CaseRead
from shared.casework.cases.tables import Case, Incident, Note
from shared.casework.here import Actor
from shared.casework.timeline.views import is_referred_to, page_by_opening
from shared.kit.bulk import insert_many
from shared.kit.db import Transaction
from shared.kit.ids import new_id

LISTED_AGAIN = timedelta(hours=1)  # a list that shows a case again within this is one look
LISTED_BEFORE = select(col(CaseRead.case_id)).where(  # put together once: every list asks it
    col(CaseRead.account_id) == bindparam("account_id"), col(CaseRead.what) == "list", col(CaseRead.read_at) > bindparam("since"),
    col(CaseRead.case_id).in_(bindparam("wanted", expanding=True)),
)  # fmt: skip


class CaseView(BaseModel):
    """A case."""

    id: UUID
    number: str
    circle: UUID
    facility: str
    is_received: bool
    needs: dict[str, Any] | None
    child: dict[str, Any] | None
    safety: dict[str, Any] | None
    relay: dict[str, Any] | None
    dependants: dict[str, Any] | None
    came_with: str | None
    opened_at: datetime
    notes: list[str] = []


class IncidentView(BaseModel):
    """An incident."""

    id: UUID
    case_id: UUID
    incident_type: str
    contexts: list[str]
    earliest_at: datetime | None
    latest_at: datetime | None
    given: list[dict[str, Any]]
    urgent_mental_health: bool | None
    hurt_now: bool | None
    recorded_at: datetime


class ReadView(BaseModel):
    """Somebody looked."""

    account: str
    role: str
    what: str
    read_at: datetime


def case_view(case: Case, notes: list[str] | None = None) -> CaseView:
    """A case as it is shown."""
    return CaseView.model_validate({**case.model_dump(), "notes": notes or []})


def incident_view(incident: Incident) -> IncidentView:
    """An incident as it is shown."""
    return IncidentView.model_validate(incident.model_dump(exclude={"recorded_by"}))


async def notes_of(tx: Transaction, case_id: UUID) -> list[str]:
    """The case's own notes, oldest first."""
    query = select(col(Note.text)).where(col(Note.case_id) == case_id).order_by(col(Note.written_at), col(Note.id))
    return list((await tx.session.execute(query)).scalars())


async def incidents_of(tx: Transaction, case_id: UUID, cursor: str | None, limit: int) -> tuple[list[IncidentView], str | None]:
    """The case's incidents, newest first."""
    rows, following = await page_by_opening(tx, Incident, "incident.recorded", cursor, limit, col(Incident.case_id) == case_id)
    return [incident_view(row) for row in rows], following


async def cases_page(tx: Transaction, by: Actor, cursor: str | None, limit: int) -> tuple[list[CaseView], str | None]:
    """The cases within the account's scope, newest first."""
    scope = []
    if by.facility is not None:
        scope = [col(Case.facility).in_(by.desks) | is_referred_to(by.desks, col(Case.id))]
    rows, following = await page_by_opening(tx, Case, "case.opened", cursor, limit, *scope)
    return [case_view(row) for row in rows], following


async def note_read(tx: Transaction, case_id: UUID, by: Actor, what: str) -> None:
    """Keeps who looked: the survivor may ask."""
    tx.session.add(CaseRead(id=new_id(), case_id=case_id, account_id=by.account_id, what=what, read_at=tx.clock.now()))
    await tx.session.flush()


async def note_listed(tx: Transaction, case_ids: Iterable[UUID], by: Actor) -> None:
    """Keeps that a list showed something of cases; once an hour and case, because a work list is looked at all day."""
    wanted = set(case_ids)
    if not wanted:
        return
    now = tx.clock.now()
    values = {"account_id": by.account_id, "since": now - LISTED_AGAIN, "wanted": list(wanted)}
    fresh = wanted - set((await tx.session.execute(LISTED_BEFORE, values)).scalars())
    rows = [{"id": new_id(), "case_id": c, "account_id": by.account_id, "what": "list", "read_at": now} for c in sorted(fresh)]
    await insert_many(tx, CaseRead, rows)


async def access_log(tx: Transaction, case_id: UUID, cursor: str | None, limit: int) -> tuple[list[ReadView], str | None]:
    """A page of who looked at a case, newest first; the cursor is the last line's id."""
    query = select(CaseRead, Account).join(Account, col(Account.id) == col(CaseRead.account_id))
    query = query.where(col(CaseRead.case_id) == case_id)
    if cursor is not None:
        query = query.where(col(CaseRead.id) < UUID(cursor))
    rows = (await tx.session.execute(query.order_by(col(CaseRead.id).desc()).limit(limit + 1))).tuples().all()
    shown = [ReadView(account=a.name, role=a.role, what=read.what, read_at=read.read_at) for read, a in rows[:limit]]
    return shown, str(rows[limit - 1][0].id) if len(rows) > limit else None
