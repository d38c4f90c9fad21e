"""What she answered when she was asked whether an agency may know, and what became of her taking a yes back."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from shared.casework.alarms.watcher import ERASED_WITHIN
from shared.casework.cases.tables import Case
from shared.casework.consents.her_own import StandIn
from shared.casework.consents.tables import Consent, Erasure, Refusal
from shared.casework.eyes.tables import Opening, Review
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import COUNTED, of_counted, rows, said, sealed
from shared.casework.here import Here
from shared.contracts.casework.codes import AgencyKind, Basis, ErasureOutcome
from shared.contracts.casework.events import OVER
from shared.exchange.tables import OutboxRow
from shared.kit.db import Transaction
from shared.programmes.indicators import Measure

YES, TAKEN_BACK, NO = "yes", "taken_back", "no"


@dataclass(frozen=True, slots=True)
class Answer:
    """What she said of one recipient, once."""

    case_id: UUID
    place: str
    recipient: str
    said: str
    at: datetime


async def answers(tx: Transaction, first: datetime, until: datetime) -> AsyncIterator[Answer]:
    """Her answers in a span; what the law or her life asked for instead is none."""
    columns = (col(Consent.id), col(Consent.case_id), col(Case.facility), col(Consent.recipient), col(Consent.given_at),
               col(Consent.taken_back_at))  # fmt: skip
    query = of_counted(Consent, *columns).where(
        col(Consent.basis) == Basis.CONSENT, col(Consent.given_at) >= first, col(Consent.given_at) < until
    )
    async for row in rows(tx, query, col(Consent.id)):
        is_standing = row.taken_back_at is None
        yield Answer(row.case_id, row.facility, row.recipient, YES if is_standing else TAKEN_BACK, row.given_at)
    refused = of_counted(
        Refusal, col(Refusal.id), col(Refusal.case_id), col(Case.facility), col(Refusal.recipient), col(Refusal.said_at)
    ).where(col(Refusal.said_at) >= first, col(Refusal.said_at) < until)
    async for row in rows(tx, refused, col(Refusal.id)):
        yield Answer(row.case_id, row.facility, row.recipient, NO, row.said_at)


async def offered(tx: Transaction, here: Here, of: Period) -> Counts:
    """Cases in which she was asked in the period whether a place of health may know, and those in which her last answer was no."""
    found = Counts.of(Measure.HEALTH_OFFERED, Measure.HEALTH_DECLINED_BY_HER)
    last: dict[UUID, Answer] = {}
    async for one in answers(tx, here.begin_of(of.first), here.begin_of(of.until)):
        if here.known_kind(one.recipient) is AgencyKind.HEALTH:
            before = last.get(one.case_id)
            last[one.case_id] = one if before is None or one.at >= before.at else before
    for one in last.values():
        found.add(Measure.HEALTH_OFFERED, one.place)
        found.add(Measure.HEALTH_DECLINED_BY_HER, one.place, int(one.said == NO))
    return found


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """Noes, by when they were said; consents taken back, those of which the recipient has signed within the hour that its copies
    are destroyed (or that was told nothing), and what went past a consent."""
    found = Counts.of(
        Measure.CONSENTS_REFUSED, Measure.CONSENTS_TAKEN_BACK, Measure.CONSENTS_HONOURED_IN_TIME, Measure.CONSENT_BREACHES
    )  # fmt: skip
    first, until = here.begin_of(of.first), here.begin_of(of.until)
    said_no = of_counted(Refusal, col(Case.facility)).where(col(Refusal.said_at) >= first, col(Refusal.said_at) < until)
    for place in (await tx.session.execute(said_no)).scalars():
        found.add(Measure.CONSENTS_REFUSED, place)
    columns = (col(Consent.taken_back_at), col(Case.facility), col(Erasure.told_at), col(Erasure.outcome), col(Erasure.signed_at))
    query = of_counted(Consent, *columns).outerjoin(Erasure, col(Erasure.consent_id) == col(Consent.id)).where(
        col(Consent.taken_back_at) >= first, col(Consent.taken_back_at) < until
    )  # fmt: skip
    for taken_at, place, told_at, outcome, signed_at in (await tx.session.execute(query)).tuples():
        is_gone = outcome == ErasureOutcome.DESTROYED and signed_at is not None and signed_at - taken_at <= ERASED_WITHIN
        found.add(Measure.CONSENTS_TAKEN_BACK, place)
        found.add(Measure.CONSENTS_HONOURED_IN_TIME, place, int(told_at is None or is_gone))
    for place in await _breaches(tx, first, until):
        found.add(Measure.CONSENT_BREACHES, place)
    return found


async def adults(tx: Transaction, here: Here, of: Period) -> Counts:
    """Children whose case was opened here in the period, and for whom another adult stands in for the one who looks after them."""
    found = Counts.of(Measure.ADULTS_REPLACED)
    columns = (col(Case.id), col(Case.facility), *sealed(Case, "adult"))
    query = select(*columns).where(
        COUNTED, ~col(Case.is_received), col(Case.adult).is_not(None), col(Case.opened_at) >= here.begin_of(of.first),
        col(Case.opened_at) < here.begin_of(of.until),
    )  # fmt: skip
    async for row in rows(tx, query, col(Case.id)):
        stands_in = (said(tx, Case, row, "adult") or {}).get("stands_in", StandIn.NOT_FOUND)
        found.add(Measure.ADULTS_REPLACED, row.facility, int(stands_in != StandIn.NOT_FOUND))
    return found


async def _breaches(tx: Transaction, first: datetime, until: datetime) -> list[str]:
    """The place of each case of which something was said under a consent that she had taken back by then (which is kept from
    happening, and so it is looked for), and of each that was opened beyond the own desk and, a supervisor found, wrongly."""
    late = of_counted(Consent, col(Case.facility)).join(OutboxRow, col(OutboxRow.consent_id) == col(Consent.id)).where(
        col(OutboxRow.recorded_at) > col(Consent.taken_back_at), col(OutboxRow.recorded_at) >= first,
        col(OutboxRow.recorded_at) < until, col(OutboxRow.type).not_in(OVER), ~col(OutboxRow.is_withheld),
    )  # fmt: skip
    wrong = of_counted(Opening, col(Case.facility)).join(Review, col(Review.opening_id) == col(Opening.id)).where(
        ~col(Review.was_right), col(Opening.opened_at) >= first, col(Opening.opened_at) < until
    )  # fmt: skip
    return [place for query in (late, wrong) for place in (await tx.session.execute(query)).scalars()]
