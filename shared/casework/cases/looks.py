"""Who looked at a case, and who tried to: on screen, and on a sheet that she may be handed. She may ask for either.

Whoever looked is named on the sheet by role, place and a staff number, never by name; of what was seen it says nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import CompoundSelect, Select, String, Table, cast, literal, select, union_all
from sqlmodel import SQLModel, col

from shared.casework.accounts.tables import Account, Attempt, CaseRead
from shared.casework.cases.tables import Case
from shared.casework.cases.views import BEYOND, OPENED
from shared.casework.here import Here
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import DatabaseAway

if TYPE_CHECKING:
    from shared.kit.pdf import Document

ESCROW = "escrow"  # in place of a role: two holders of the escrow have no account here
ATTEMPT = "attempt"  # what an attempt is called among the looks, whichever route it took
PAPER_LOOKS_MAX = 5_000  # of one sheet; a case of years has some hundreds
LINES_MAX = 400  # of one sheet: ten pages, which is more than anybody reads; how many are left off stands there
MARGIN_MM = 16.0
LAST_MM = 276.0  # from the top: where a page ends
LINE_MM = 5.0


class ReadView(Body):
    """Somebody looked, or tried to and was shown nothing (`what` "attempt"). `staff` tells accounts apart without a name; `beyond`
    where it lay beyond the account's own desks, because a life was in danger or a second person agreed, and `why` that was."""

    id: UUID
    account: str
    staff: UUID
    role: str
    facility: str | None
    what: str
    why: str | None
    beyond: bool
    read_at: datetime


# Of its tables that name a case, these alone have ids that stand for a look or a list of somebody's own.
OF_NO_CASE = {"casework_case_reads", "casework_subscriptions"}


@cache
def _of_a_case(kind: str) -> tuple[Table, ...]:
    """Every table of a kind of agency whose rows have an id and say of which case they are."""
    mine = ("casework_", f"{kind}_")
    tables = (table for table in SQLModel.metadata.sorted_tables if table.name.startswith(mine) and "case_id" in table.c)
    return tuple(one for one in tables if one.primary_key.columns.keys() == ["id"] and one.name not in OF_NO_CASE)


def ids_of(here: Here, case_id: UUID) -> CompoundSelect[Any]:
    """The case, and all that addresses and answers may name in its place."""
    rows = (select(table.c.id).where(table.c.case_id == case_id) for table in _of_a_case(here.kind))
    return union_all(select(col(Case.id)).where(col(Case.id) == case_id), *rows)


def _looks(here: Here, case_id: UUID) -> Select[Any]:
    """All looks and attempts."""
    what = cast(literal(ATTEMPT), String).label("what")
    attempts: Select[Any] = select(col(Attempt.id), col(Attempt.account_id), what, col(Attempt.tried_at).label("read_at"))
    attempts = attempts.where(col(Attempt.about).in_(ids_of(here, case_id)))
    reads = select(col(CaseRead.id), col(CaseRead.account_id), col(CaseRead.what), col(CaseRead.read_at))
    both = union_all(reads.where(col(CaseRead.case_id) == case_id), attempts).subquery()
    return select(both.c.id, both.c.account_id, both.c.what, both.c.read_at)


async def access_log(
    tx: Transaction, here: Here, case_id: UUID, cursor: str | None, limit: int
) -> tuple[list[ReadView], str | None]:
    """A page of who looked at a case, newest first; the cursor is the last line's id. Raises DatabaseAway while looks wait for room
    on a full disk: she would be told of fewer than there were."""
    if tx.room.is_lacking or tx.room.aside:
        raise DatabaseAway("The disk is full: who looked just now cannot be shown yet. Ask again when there is room.")
    looks = _looks(here, case_id).subquery()
    query = select(looks, Account).outerjoin(Account, col(Account.id) == looks.c.account_id)
    if cursor is not None:
        query = query.where(looks.c.id < UUID(cursor))
    rows = (await tx.session.execute(query.order_by(looks.c.id.desc()).limit(limit + 1))).all()
    shown = [
        ReadView(
            id=id_, account=by.name if by else "", staff=account_id, role=by.role if by else ESCROW,
            facility=by.facility if by else None, what=_plain(what), why=_why(what), beyond=what.startswith((BEYOND, OPENED)),
            read_at=read_at,
        )
        for id_, account_id, what, read_at, by in rows[:limit]
    ]  # fmt: skip
    return shown, str(shown[-1].id) if len(rows) > limit else None


def _plain(what: str) -> str:
    # "taken_back:" goes on with the referral that it is about.
    return what.removeprefix(BEYOND).partition(":")[0]


def _why(what: str) -> str | None:
    return what.removeprefix(OPENED) if what.startswith(OPENED) else None


# --- on paper ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PaperLine:
    """What one account did with the case on one day, and how often."""

    first: ReadView
    count: int


@dataclass(frozen=True, slots=True)
class LooksText:
    """What stands on the sheet around the lines, in one language; `days` are its lines as they are written, by day."""

    title: str
    rules: tuple[str, ...]
    days: tuple[tuple[str, tuple[str, ...]], ...]
    end: str
    is_rtl: bool = False


def paper_lines(rows: Iterable[ReadView]) -> Iterator[PaperLine]:
    """The looks of one day, in the order in which they are given, each kind of an account's once."""

    def kind(row: ReadView) -> tuple[UUID, str, str | None, bool]:
        return row.staff, row.what, row.why, row.beyond

    for _kind, alike in groupby(rows, kind):
        found = list(alike)
        yield PaperLine(found[-1], len(found))


def looks_pdf(text: LooksText) -> bytes:
    """An A4 sheet or several. Nothing in the file says who made it or when."""
    from shared.kit.pdf import Document  # the library takes a third of a process's start, and most print nothing

    document = Document("A4", margin_mm=MARGIN_MM, is_rtl=text.is_rtl)
    document.add_page()
    document.words(text.title, 18, bold=True, gap_mm=3)
    for rule in text.rules:
        document.words(rule, 11, gap_mm=1)
    for day, lines in text.days:
        _room_for(document, 2)
        document.ln(3)
        document.words(day, 12, bold=True)
        for line in lines:
            _room_for(document, 2)
            document.words(line, 11)
    document.ln(4)
    _room_for(document, 2)
    document.words(text.end, 10)
    return document.bytes()


def _room_for(document: "Document", lines: int) -> None:
    if document.get_y() + lines * LINE_MM * 1.2 > LAST_MM:
        document.add_page()
