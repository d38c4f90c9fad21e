"""Cases and incidents as this agency's own accounts see them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from pydantic import Field
from sqlalchemy import bindparam, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.accounts.tables import CaseRead
from shared.casework.cases.tables import Case, Incident, Note
from shared.casework.here import Actor
from shared.casework.shown import Shown
from shared.casework.timeline.views import page_by_opening
from shared.kit.bulk import keep_looks
from shared.kit.db import Transaction
from shared.kit.ids import new_id
from shared.kit.sealed import as_shown, shut_shown

BEYOND = "beyond:"  # before what is kept of a look at a case that was opened beyond the account's own desks
OPENED = "opened:"  # before why it was opened, in what is kept of the opening itself
LIST = "list"  # that a list showed something of it
LISTED_AGAIN = timedelta(hours=1)  # a list that shows a case again within this is one look
LISTED_BEFORE = select(col(CaseRead.case_id)).where(  # put together once: every list asks it
    col(CaseRead.account_id) == bindparam("account_id"), col(CaseRead.what) == LIST, col(CaseRead.read_at) > bindparam("since"),
    col(CaseRead.case_id).in_(bindparam("wanted", expanding=True)),
)  # fmt: skip


class OfACase(Shown):
    """One that shows something of one case, or of none where it names none; `look` is what her log calls it."""

    look: ClassVar[str]
    named_by: ClassVar[str] = "case_id"  # the field that has the case's id

    async def keep_look(self, tx: Transaction, by: Actor) -> None:
        """Keeps it in the case's log."""
        case_id: UUID | None = getattr(self, self.named_by)
        if case_id is not None:
            await note_read(tx, case_id, by, self.look)


class CaseView(OfACase):
    """A case. `is_shut`: its key is missing here, so that in a list what lies under it is null; by itself it is answered 503."""

    look: ClassVar[str] = "case"
    named_by: ClassVar[str] = "id"

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
    notes: list[str] = Field(default_factory=list)
    is_shut: bool = False


class IncidentView(OfACase):
    """An incident."""

    look: ClassVar[str] = "incidents"

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


def case_view(case: Case, notes: list[str] | None = None) -> CaseView:
    """A case as it is shown."""
    return CaseView.model_validate({**as_shown(case), "notes": notes or []})


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


async def cases_page(tx: Transaction, by: Actor, cursor: UUID | None, limit: int) -> tuple[list[CaseView], UUID | None]:
    """The cases that the account may see, newest first."""
    with shut_shown():  # one whose key is missing keeps none of the others from being listed
        rows, following = await case_rows(tx, by, cursor, limit)
    return [case_view(row) for row in rows], following


async def case_rows(tx: Transaction, by: Actor, cursor: UUID | None, limit: int) -> tuple[Sequence[Case], UUID | None]:
    """The same as they lie: by their ids, which are as old as they are, so that one that was put among others stands where its date
    puts it (decision 28)."""
    query = select(Case).where(scope.this_case(by), *(() if cursor is None else (col(Case.id) < cursor,)))
    rows = list((await tx.session.execute(query.order_by(col(Case.id).desc()).limit(limit + 1))).scalars())
    shown = rows[:limit]
    return shown, shown[-1].id if len(rows) > limit else None


async def note_read(tx: Transaction, case_id: UUID, by: Actor, what: str) -> None:
    """Keeps who looked: the survivor may ask."""
    what = f"{BEYOND}{what}" if case_id in by.opened else what
    row = {"id": new_id(), "case_id": case_id, "account_id": by.account_id, "what": what, "read_at": tx.clock.now()}
    await keep_looks(tx, CaseRead, [row])


async def note_listed(tx: Transaction, case_ids: Iterable[UUID], by: Actor) -> None:
    """Keeps that a list showed something of cases; once an hour and case, because a work list is looked at all day."""
    wanted = set(case_ids)
    if not wanted:
        return
    now = tx.clock.now()
    values = {"account_id": by.account_id, "since": now - LISTED_AGAIN, "wanted": list(wanted)}
    fresh = wanted - set((await tx.session.execute(LISTED_BEFORE, values)).scalars())
    fresh -= {
        row["case_id"] for table, row in tx.room.aside
        if table is CaseRead and (row["account_id"], row["what"]) == (by.account_id, LIST) and row["read_at"] > values["since"]
    }  # fmt: skip
    rows = [{"id": new_id(), "case_id": c, "account_id": by.account_id, "what": LIST, "read_at": now} for c in sorted(fresh)]
    await keep_looks(tx, CaseRead, rows)
