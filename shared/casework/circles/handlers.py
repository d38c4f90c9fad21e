"""Hearing of a circle: membership, how referrals between other members stand, and coded progress."""

from collections.abc import Sequence, Set
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlmodel import col

from shared.casework.cases.commands import case_for_circle
from shared.casework.cases.tables import Case
from shared.casework.circles.commands import note_off
from shared.casework.circles.tables import CircleMember, Progress
from shared.casework.here import Here
from shared.contracts.casework import events
from shared.exchange import feed
from shared.exchange.erasing import received_key
from shared.exchange.outbox import wake_on_commit
from shared.exchange.registry import Received
from shared.exchange.tables import Activity
from shared.kit.bulk import among, insert_many
from shared.kit.db import Transaction
from shared.kit.sealed import Under

# One trip on PostgreSQL; the portable form stands beside its use.
STANDING = """
    SELECT circle, agency, circle_version, NULL AS case_id, NULL AS facility
    FROM casework_circle_members WHERE circle = ANY($1::uuid[])
    UNION ALL SELECT circle, NULL, NULL, id, facility FROM casework_cases WHERE circle = ANY($1::uuid[])
"""


async def on_circle_announced(received: Received, tx: Transaction, here: Here) -> None:
    """A member says whom it shares with; an older version never replaces a newer one."""
    await on_circles_announced([received], tx, here)


async def on_circles_announced(received: Sequence[Received], tx: Transaction, here: Here) -> None:
    """What members say of whom they share with, for several circles at once."""
    versions, cases = await _standing(tx, {one.subject for one in received})
    known, newest = set(versions), dict[tuple[UUID, str], Received]()
    for one in received:
        member = (one.subject, one.sender)
        if versions.get(member, 0) <= one.data.circle_version:  # said again under a newer consent it goes with that one
            versions[member], newest[member] = one.data.circle_version, one
    fresh = [_member(one) for member, one in newest.items() if member not in known]
    for member in sorted(known & newest.keys()):
        row = _member(newest[member])
        mine = (col(CircleMember.circle) == member[0], col(CircleMember.agency) == member[1])
        newer = update(CircleMember).where(*mine).values({n: value for n, value in row.items() if n not in {"circle", "agency"}})
        if (await tx.session.execute(newer.returning(col(CircleMember.agency)))).first() is None:
            fresh.append(row)  # it went with its consent while this one waited for it
    await insert_many(tx, CircleMember, fresh, absent_only=True)
    # Membership alone opens no file: the first referral or progress does.
    lines = [
        feed.row_of(tx, _line_of(one, *cases[one.subject], {"shares_with": list(one.data.shares_with)}))
        for one in received if one.subject in cases
    ]  # fmt: skip
    await insert_many(tx, Activity, lines)
    if lines:
        wake_on_commit(tx)


Versions = dict[tuple[UUID, str], int]  # what each member has announced last, by circle and agency
Files = dict[UUID, tuple[UUID, str]]  # case and facility, by circle


async def _standing(tx: Transaction, circles: Set[UUID]) -> tuple[Versions, Files]:
    if tx.dialect == "postgresql":
        await tx.flush()
        rows = await (await tx.driver()).fetch(STANDING, list(circles))
        versions = {(circle, agency): version for circle, agency, version, _, _ in rows if agency is not None}
        return versions, {circle: (case_id, facility) for circle, agency, _, case_id, facility in rows if agency is None}
    query = select(col(CircleMember.circle), col(CircleMember.agency), col(CircleMember.circle_version))
    members = (await tx.session.execute(query.where(among(tx, col(CircleMember.circle), circles)))).tuples()
    versions = {(circle, agency): version for circle, agency, version in members}
    found = select(col(Case.circle), col(Case.id), col(Case.facility)).where(among(tx, col(Case.circle), circles))
    files = (await tx.session.execute(found)).tuples()
    return versions, {circle: (case_id, facility) for circle, case_id, facility in files}


def _member(received: Received) -> dict[str, Any]:
    word: events.CircleAnnounced = received.data
    return {
        "circle": received.subject, "agency": received.sender, "circle_version": word.circle_version,
        "shares_with": list(word.shares_with), "consent_id": received.consent_id, "announced_at": received.occurred_at,
    }  # fmt: skip


async def on_referral_progress(received: Received, tx: Transaction, here: Here) -> None:
    """How a referral between two other members stands."""
    await _line(received, tx, here, events.data_of(received.data))


async def on_place_closed(received: Received, tx: Transaction, here: Here) -> None:
    """A member's place is closed: nobody there is to be asked any more. Whatever is open here goes on."""
    await _line(received, tx, here, events.data_of(received.data))


async def on_case_progress(received: Received, tx: Transaction, here: Here) -> None:
    """A coded fact from a member."""
    word: events.CaseProgress = received.data
    case = await case_for_circle(tx, here, received.subject, here.opened_at())
    step = Progress(
        case_id=case.id, agency=received.sender, code=word.code, is_ahead=word.on_date is not None, consent_id=received.consent_id,
        occurred_at=received.occurred_at, recorded_at=tx.clock.now(),
    )  # fmt: skip
    step.on_date = Under(step.key, word.on_date)  # type: ignore[assignment]  # read again it is the day
    tx.session.add(step)
    await tx.session.flush()
    await _line(received, tx, here, events.data_of(word))


async def on_hearing_off(received: Received, tx: Transaction, here: Here) -> None:
    """A hearing that a member told of will not be on its day: no list here says it again."""
    word: events.HearingOff = received.data
    case = await case_for_circle(tx, here, received.subject, here.opened_at())
    await note_off(tx, case.id, received.sender, word.on_date, received.occurred_at)
    await _line(received, tx, here, events.data_of(word))


async def _line(received: Received, tx: Transaction, here: Here, detail: dict[str, object]) -> None:
    case = await case_for_circle(tx, here, received.subject, here.opened_at())
    await feed.record(tx, _line_of(received, case.id, case.facility, detail))


def _line_of(received: Received, case_id: UUID, facility: str, detail: dict[str, object]) -> feed.Line:
    return feed.Line(
        kind=received.type, subject=received.subject, agency=received.sender, is_own=False, occurred_at=received.occurred_at,
        case_id=case_id, facility=facility, event_id=received.id,
        detail={**detail, "consent_id": str(received.consent_id) if received.consent_id else None},
        key=received_key(received.sender, received.consent_id) if received.consent_id else None,
    )  # fmt: skip


async def forget_told(tx: Transaction, sender: str, circle: UUID, consent_id: UUID) -> None:
    """What a member told of the circle under a consent that was taken back goes: whom it shares with, steps, other places.
    There need be no case: membership alone opens none."""
    member = (col(CircleMember.circle) == circle, col(CircleMember.agency) == sender)
    await tx.session.execute(delete(CircleMember).where(*member, col(CircleMember.consent_id) == consent_id))
    here = select(col(Case.id)).where(col(Case.circle) == circle).scalar_subquery()
    steps = (col(Progress.case_id) == here, col(Progress.agency) == sender, col(Progress.consent_id) == consent_id)
    await tx.session.execute(delete(Progress).where(*steps).execution_options(synchronize_session=False))
    lines = select(Activity).where(col(Activity.subject) == circle, col(Activity.agency) == sender, ~col(Activity.is_own))
    for line in (await tx.session.execute(lines)).scalars():
        if line.detail.get("consent_id") == str(consent_id):
            line.detail = {"consent_id": str(consent_id)}
    await tx.session.flush()
