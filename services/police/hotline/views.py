"""What is read of calls: a desk's own, those that may be of one person, and what they came to. Every look is kept."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, and_, or_, select
from sqlmodel import col

from services.police.hotline.desks import desks_now, has_hotline, hotline_of, rooms, stations, waiting
from services.police.hotline.domain import ALIKE_WITHIN, Counted, Coverage, Figures, Step, What, coverage, figures, seen_within
from services.police.hotline.tables import Call, CallLook
from shared.casework import scope
from shared.casework.accounts.tables import CaseRead
from shared.casework.cases.views import LIST, LISTED_AGAIN, note_listed, note_read
from shared.casework.here import Actor, Forbidden, Here
from shared.casework.shown import Shown
from shared.casework.situations import KNOWN_TYPES
from shared.casework.timeline.views import page_by_opening
from shared.contracts.casework.codes import IncidentType, Role
from shared.kit.bodies import Body
from shared.kit.bulk import keep_looks
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.ids import new_id
from shared.kit.sealed import as_shown, shut_shown

SPAN_MAX = timedelta(days=366)  # of one question for figures: every call of the span is read
CALLS_MAX = 50  # of one list: more than a room takes in a shift
COUNTED_OVER = timedelta(days=30)  # of the figures on the page; a programme's own months are the ministry's
LOOK = "call"  # what a look at a call is called in its case's log


class CallView(Shown):
    """A call. What she told is null of a wrong number, and where its key is missing (`is_shut`); no number of hers is anywhere."""

    id: UUID
    what: str
    channel: str
    facility: str
    district: str | None
    desk: str | None
    step: str | None
    turns: list[dict[str, str]]
    lacks: list[dict[str, str | None]]
    said: dict[str, Any] | None
    came_at: datetime
    routed_at: datetime | None
    respond_by: datetime | None
    seen_at: datetime | None
    called_back_at: datetime | None
    merged_into: UUID | None
    case_id: UUID | None
    may_be_of_one_person: list[UUID] = Field(default_factory=list)
    is_shut: bool = False

    async def keep_look(self, tx: Transaction, by: Actor) -> None:
        """Keeps it with the call, or in its case's log."""
        await note_look(tx, self, by)


def call_view(call: Call, alike: Sequence[Call] = ()) -> CallView:
    """A call as it is shown."""
    return CallView.model_validate({**as_shown(call), "may_be_of_one_person": [one.id for one in alike]})


async def told_in_call(tx: Transaction, case_id: UUID) -> IncidentType | None:
    """Which kind of violence the newest call of a case told of; None where none did."""
    query = select(Call).where(col(Call.case_id) == case_id).order_by(col(Call.came_at).desc(), col(Call.id).desc())
    with shut_shown():
        calls = (await tx.session.execute(query)).scalars().all()
    told = [(call.said or {}).get("incident_type") for call in calls]
    return next((IncidentType(one) for one in told if one in KNOWN_TYPES), None)


def seen_by(by: Actor) -> ColumnElement[bool]:
    """In a query for calls: those that lie at an account's desks, or were taken there."""
    return or_(scope.at_desk(by, col(Call.desk), col(Call.case_id)), scope.at_desk(by, col(Call.facility), col(Call.case_id)))


async def calls_page(tx: Transaction, by: Actor, cursor: str | None, limit: int) -> tuple[list[Call], str | None]:
    """The calls that an account may see, newest first."""
    with shut_shown():
        rows, following = await page_by_opening(tx, Call, "call.taken", cursor, limit, seen_by(by))
    await note_list(tx, rows, by)
    return rows, following


async def taken_lately(tx: Transaction, by: Actor) -> list[Call]:
    """The newest of them, for the room's page."""
    with shut_shown():
        query = select(Call).where(seen_by(by)).order_by(col(Call.came_at).desc(), col(Call.id).desc()).limit(CALLS_MAX)
        rows = list((await tx.session.execute(query)).scalars())
    await note_list(tx, rows, by)
    return rows


async def to_see(tx: Transaction, here: Here, by: Actor) -> list[Call]:
    """What a desk's work list begins with: calls that nobody there has seen, the first that came first; and looks are kept."""
    if by.role is Role.ADMINISTRATOR or not has_hotline(here):
        return []
    with shut_shown():
        mine = and_(*waiting(), scope.at_desk(by, col(Call.desk), col(Call.case_id)))
        query = select(Call).where(mine).order_by(col(Call.came_at), col(Call.id)).limit(CALLS_MAX)
        rows = list((await tx.session.execute(query)).scalars())
    await note_list(tx, rows, by)
    return rows


async def alike(tx: Transaction, call: Call, by: Actor) -> list[Call]:
    """Calls that may be of the same person: from the same district, for the same thing, within an hour. Only a person says so."""
    if call.district is None or not call.said or call.merged_into is not None:
        return []
    query = select(Call).where(
        col(Call.id) != call.id, col(Call.district) == call.district, col(Call.merged_into).is_(None),
        col(Call.came_at) >= call.came_at - ALIKE_WITHIN, col(Call.came_at) <= call.came_at + ALIKE_WITHIN, seen_by(by),
    )  # fmt: skip
    with shut_shown():
        rows = (await tx.session.execute(query.order_by(col(Call.came_at)).limit(CALLS_MAX))).scalars().all()
        need = call.said.get("need")
        return [row for row in rows if need and (row.said or {}).get("need") == need]


# --- looks -----------------------------------------------------------------------------------------------------------------


async def note_look(tx: Transaction, call: Call | CallView, by: Actor, what: str = LOOK) -> None:
    """Keeps who looked: in the case's log where there is one, else beside the call until there is."""
    if call.case_id is not None:
        await note_read(tx, call.case_id, by, what)
        return
    row = {"id": new_id(), "call_id": call.id, "account_id": by.account_id, "what": what, "read_at": tx.clock.now()}
    await keep_looks(tx, CallLook, [row])


async def note_list(tx: Transaction, calls: Iterable[Call], by: Actor) -> None:
    """That a list showed them, once an hour each; of a wrong number there is nothing to be shown."""
    told = [call for call in calls if call.said]
    await note_listed(tx, [call.case_id for call in told if call.case_id is not None], by)
    wanted = {call.id for call in told if call.case_id is None}
    if not wanted:
        return
    now = tx.clock.now()
    query = select(col(CallLook.call_id)).where(
        col(CallLook.account_id) == by.account_id, col(CallLook.what) == LIST, col(CallLook.read_at) > now - LISTED_AGAIN,
        col(CallLook.call_id).in_(wanted),
    )  # fmt: skip
    fresh = wanted - set((await tx.session.execute(query)).scalars())
    rows = [{"id": new_id(), "call_id": c, "account_id": by.account_id, "what": LIST, "read_at": now} for c in sorted(fresh)]
    await keep_looks(tx, CallLook, rows)


async def hand_over_looks(tx: Transaction, call_id: UUID, case_id: UUID) -> None:
    """A case was opened from a call: whoever looked at the call stands in the case's log, with the time at which that was."""
    query = select(CallLook).where(col(CallLook.call_id) == call_id).order_by(col(CallLook.read_at), col(CallLook.id))
    for look in (await tx.session.execute(query)).scalars().all():
        tx.session.add(CaseRead(id=new_id(), case_id=case_id, account_id=look.account_id, what=look.what, read_at=look.read_at))
    await tx.session.flush()


# --- figures ---------------------------------------------------------------------------------------------------------------


class HotlineView(Body):
    """What the hotline came to in a span, and how far its desks reach now. `routed`: given to a desk, or the room's own
    (`rooms_own`: a question that it answered, or cut off without a district). `unrouted`: a desk was sought and none was found."""

    number: str
    since: datetime
    until: datetime
    calls: int
    routed: int
    rooms_own: int
    wrong_numbers: int
    cut: int
    unrouted: int
    seen: int
    due: int  # of those that a desk was to see: seen, or not seen and past their time
    seen_in_time: int
    minutes_to_seen_median: float | None
    minutes_to_seen_p90: float | None
    desks_ready: int
    desks: int
    stations_ready: int
    stations: int
    station_coverage_pct: float | None
    desks_not_ready: list[str]


async def hotline_figures(tx: Transaction, here: Here, by: Actor, since: datetime, until: datetime) -> HotlineView:
    """Counts of the whole hotline, of nobody in particular; for whoever works in its room or supervises."""
    hotline = hotline_of(here)
    by.may_work()
    if not may_count(here, by):
        raise Forbidden("Only the hotline's room and supervisors look at its figures.")
    if until - since > SPAN_MAX:
        raise Conflict("Ask for a year at most; the figures of longer spans are the sum of their years.")
    async with scope.whole_agency(tx):
        found = figures(await counted(tx, here, since, until), seen_within(here.programme))
        covered = coverage(here.programme, await desks_now(tx, here), stations(here))
        return _view(hotline.number, since, until, found, covered)


def may_count(here: Here, by: Actor) -> bool:
    """Whether an account works in the hotline's room, or supervises."""
    return by.role is Role.SUPERVISOR or any(by.sees(room) for room in rooms(here))


def _view(number: str, since: datetime, until: datetime, counted: Figures, covered: Coverage) -> HotlineView:
    return HotlineView(
        number=number, since=since, until=until, calls=counted.calls, routed=counted.routed, rooms_own=counted.rooms_own,
        wrong_numbers=counted.wrong_numbers, cut=counted.cut,
        unrouted=counted.unrouted, seen=counted.seen, due=counted.due, seen_in_time=counted.seen_in_time,
        minutes_to_seen_median=counted.minutes_median, minutes_to_seen_p90=counted.minutes_p90, desks_ready=covered.ready,
        desks=covered.of, stations_ready=len(covered.stations_ready), stations=len(covered.stations),
        station_coverage_pct=covered.percent, desks_not_ready=list(covered.gaps),
    )  # fmt: skip


async def counted(tx: Transaction, here: Here, since: datetime, until: datetime) -> list[Counted]:
    """Every call that came in a span."""
    columns = (
        col(Call.what), col(Call.desk), col(Call.facility), col(Call.step), col(Call.turns), col(Call.came_at),
        col(Call.respond_by), col(Call.seen_at), col(Call.merged_into),
    )  # fmt: skip
    query = select(*columns).where(col(Call.came_at) >= since, col(Call.came_at) < until)
    overdue_since = tx.clock.now() - seen_within(here.programme)
    return [
        Counted(
            What(row.what),
            _is_routed(row.turns),
            _minutes(row),
            row.desk or row.facility,
            _is_due(row, overdue_since),
            is_rooms_own=row.step == Step.ANSWERED,
        )
        for row in await tx.session.execute(query)
    ]


def _is_routed(turns: list[dict[str, str]]) -> bool:
    """Whether a desk had it, or none was sought: not what stayed with the room for want of a desk."""
    return any(turn["step"] != Step.LAST_RESORT for turn in turns)


def _begins(row: Any) -> datetime:
    """From the first desk on: that a second one was needed does not make her wait less. From the call where none was found."""
    return datetime.fromisoformat(row.turns[0]["at"]) if row.turns else row.came_at


def _minutes(row: Any) -> float | None:
    if row.seen_at is None or row.step == Step.ANSWERED or not row.turns:
        return None
    waited: timedelta = row.seen_at - _begins(row)
    return waited / timedelta(minutes=1)


def _is_due(row: Any, overdue_since: datetime) -> bool:
    """Whether a desk was to see it, and has or has let the time pass. What was merged unseen is seen with the other call."""
    if row.respond_by is None:
        return False
    return row.seen_at is not None or (row.merged_into is None and _begins(row) < overdue_since)
