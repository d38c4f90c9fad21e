"""Counts what the cubes are made of, out of this agency's own records. What was erased is counted without what it said; whoever has
said no to being counted is in none of it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from shared.casework.cases.tables import Case, Incident
from shared.casework.consents.tables import Consent, Refusal
from shared.casework.figures.domain import CUBES, DIMENSIONS, PLACE, UNKNOWN, Categories, Period, count
from shared.casework.here import Here
from shared.casework.referrals import story
from shared.casework.referrals.tables import Referral, WalkIn
from shared.contracts.casework.codes import ENDED, NEEDS_ARRIVAL, AgeBand, Basis, OutcomeCode, ReferralState, Sex
from shared.contracts.casework.lifecycle import Standing
from shared.exchange.tables import Activity
from shared.kit.db import Transaction
from shared.kit.sealed import as_it_lies, sealed_columns

ROWS = 500  # read at once: opening what they say takes some 10 ms, and others wait no longer for their pages
HOURS_LIMITS = ((timedelta(hours=72), "72"), (timedelta(hours=120), "120"))
STAGE_OF = {
    ReferralState.ISSUED: "not_seen", ReferralState.ACKNOWLEDGED: "seen", ReferralState.ACCEPTED: "accepted",
    ReferralState.ON_HOLD: "accepted", ReferralState.ARRIVED: "came", ReferralState.IN_SERVICE: "came",
}  # fmt: skip

Thing = Mapping[str, str]
COUNTED = ~col(Case.not_counted)  # `stat`: asked on the page on which she says who may know


@dataclass(frozen=True, slots=True)
class Counted:
    """A cube as it was counted."""

    id: str
    chain: tuple[str, ...]
    categories: Categories
    values: Mapping[str, int]


async def counted(tx: Transaction, here: Here, of: Period) -> dict[str, Counted]:
    """Every cube of a period, by its id, with every number as it is. It is never shown as it stands."""
    zone = ZoneInfo(here.programme.time_zone)
    first, until = (datetime.combine(day, time(), zone) for day in (of.first, of.until))
    sources = {"reports": _reports, "referrals": _referrals, "offers": _offers, "arrivals": _arrivals}
    found = {}
    for cube in CUBES:
        things = [thing async for thing in sources[cube.id](tx, here, first, until)]
        places = {*here.entry.facilities, *(thing[PLACE] for thing in things if PLACE in thing)}
        categories = {d: tuple(sorted(places)) if d == PLACE else DIMENSIONS[d] for d in cube.chain}
        found[cube.id] = Counted(cube.id, cube.chain, categories, count(cube.chain, categories, things))
    return found


async def _rows(tx: Transaction, query: Select[Any], key: Any) -> AsyncIterator[Any]:
    """The rows of a query a page at a time, by their key, which stands first."""
    last: UUID | None = None
    while True:
        page = query.where(key > last) if last is not None else query
        rows = (await tx.session.execute(page.order_by(key).limit(ROWS))).all()
        for row in rows:
            yield row
        if len(rows) < ROWS:
            return
        last = rows[-1][0]


def _of_counted(table: Any, *columns: Any) -> Select[Any]:
    """Columns of a table whose rows are about cases, without those that are not counted."""
    return select(*columns).join(Case, col(Case.id) == table.case_id).where(COUNTED)


def _sealed(table: Any, *names: str) -> list[Any]:
    return [as_it_lies(getattr(table, name)) for name in names]


def _said(tx: Transaction, table: Any, row: Any, name: str) -> Any:
    return sealed_columns(table)[name].read(getattr(row, name), tx.keys)


async def _reports(tx: Transaction, _here: Here, first: datetime, until: datetime) -> AsyncIterator[Thing]:
    """Incidents that were told here, when they were told: a sheet counts in the month in which it was written."""
    earlier = aliased(Incident)
    is_again = exists().where(col(earlier.case_id) == col(Incident.case_id), col(earlier.id) < col(Incident.id))
    sealed = [*_sealed(Incident, "incident_type", "earliest_at", "latest_at"), *_sealed(Case, "needs")]
    query = (
        select(col(Incident.id), col(Case.facility), col(Activity.occurred_at), is_again.label("is_again"), *sealed)
        .join(Case, col(Case.id) == col(Incident.case_id))
        .join(Activity, (col(Activity.subject) == col(Incident.id)) & (col(Activity.kind) == "incident.recorded"))
        # Nothing is told after it is written down, so the index on the latter finds where to begin.
        .where(COUNTED, col(Incident.recorded_at) >= first, col(Activity.occurred_at) >= first, col(Activity.occurred_at) < until)
    )
    async for row in _rows(tx, query, col(Incident.id)):
        needs = _said(tx, Case, row, "needs") or {}
        since = _said(tx, Incident, row, "earliest_at") or _said(tx, Incident, row, "latest_at")
        yield {
            "hours": _hours(row.occurred_at - since) if since is not None else UNKNOWN,
            "incident": _said(tx, Incident, row, "incident_type") or UNKNOWN, "age": needs.get("age_band", AgeBand.UNKNOWN),
            "sex": needs.get("sex", Sex.UNKNOWN), "again": "again" if row.is_again else "first", PLACE: row.facility,
        }  # fmt: skip


def _hours(since: timedelta) -> str:
    return next((name for limit, name in HOURS_LIMITS if since <= limit), "later")


def _kind(here: Here, agency: str) -> str:
    kind = here.known_kind(agency)
    return kind.value if kind is not None and kind.value in DIMENSIONS["to_kind"] else UNKNOWN


async def _referrals(tx: Transaction, here: Here, first: datetime, until: datetime) -> AsyncIterator[Thing]:
    """Referrals that this agency issued, and how far each has come, as far as this agency may know it."""
    query = _of_counted(Referral, col(Referral.id), col(Referral.recipient), col(Referral.urgency), col(Referral.standing)).where(
        col(Referral.direction) == "out", col(Referral.issued_at) >= first, col(Referral.issued_at) < until
    )
    async for row in _rows(tx, query, col(Referral.id)):
        yield {"urgency": row.urgency, "to_kind": _kind(here, row.recipient), "stage": _stage(story.load(row.standing))}


def _stage(standing: Standing) -> str:
    if standing.no_feedback or standing.undisclosed:
        return "no_news"
    return STAGE_OF.get(standing.state) or _ended(standing.outcome, is_ended=True)


def _ended(outcome: OutcomeCode | str | None, *, is_ended: bool) -> str:
    if not is_ended:
        return "open"
    return "finished" if outcome in NEEDS_ARRIVAL else "ended_otherwise"


async def _offers(tx: Transaction, here: Here, first: datetime, until: datetime) -> AsyncIterator[Thing]:
    """What she answered when she was asked whether an agency may know."""
    query = _of_counted(Consent, col(Consent.id), col(Consent.recipient), col(Consent.taken_back_at)).where(
        col(Consent.basis) == Basis.CONSENT, col(Consent.given_at) >= first, col(Consent.given_at) < until
    )
    async for row in _rows(tx, query, col(Consent.id)):
        answer = "taken_back" if row.taken_back_at is not None else "yes"
        yield {"to_kind": _kind(here, row.recipient), "offered": answer}
    refused = _of_counted(Refusal, col(Refusal.id), col(Refusal.recipient)).where(
        col(Refusal.said_at) >= first, col(Refusal.said_at) < until
    )
    async for row in _rows(tx, refused, col(Refusal.id)):
        yield {"to_kind": _kind(here, row.recipient), "offered": "no"}


async def _arrivals(tx: Transaction, here: Here, first: datetime, until: datetime) -> AsyncIterator[Thing]:
    """Those who came: on a request of another agency, or by themselves."""
    query = _of_counted(Referral, col(Referral.id), col(Referral.issuer), col(Referral.standing)).where(
        col(Referral.direction) == "in", col(Referral.arrived_at) >= first, col(Referral.arrived_at) < until
    )
    async for row in _rows(tx, query, col(Referral.id)):
        standing = story.load(row.standing)
        yield {"way": _kind(here, row.issuer), "ended": _ended(standing.outcome, is_ended=standing.state in ENDED)}
    by_herself = _of_counted(WalkIn, col(WalkIn.id), col(WalkIn.ended_at), *_sealed(WalkIn, "outcome")).where(
        col(WalkIn.referral_id).is_(None),
        col(WalkIn.after_referral).is_(None),
        col(WalkIn.came_at) >= first,
        col(WalkIn.came_at) < until,
    )
    async for row in _rows(tx, by_herself, col(WalkIn.id)):
        yield {"way": "by_herself", "ended": _ended(_said(tx, WalkIn, row, "outcome"), is_ended=row.ended_at is not None)}
