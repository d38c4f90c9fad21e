"""On the watcher's clock: a complaint that is to be handed over soon is told to its desk, and one that is late to the post above;
both alarms end by themselves when it is handed over, withdrawn, or she says no.
"""

from uuid import UUID

from sqlalchemy import or_, select
from sqlmodel import col

from services.police.complaints.tables import Complaint
from services.police.hand_overs.domain import WARNED_AT, HandOver
from services.police.hand_overs.views import has_hand_over, limit_of, not_handed_over, of_case
from shared.casework.alarms.commands import clear, raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.cases.tables import Case
from shared.casework.here import Here
from shared.contracts.casework.codes import Urgency
from shared.kit.db import Database, Transaction

DUE, LATE = "hand_over_due", "hand_over_late"
KINDS = (DUE, LATE)
WANTED = {HandOver.DUE_SOON: DUE, HandOver.LATE: LATE}


async def watch(database: Database, here: Here) -> None:
    """One tick. What must be said is read first, because a writer keeps others waiting, and decided again when it is written."""
    if not has_hand_over(here):
        return
    async with database.read() as tx:
        now = tx.clock.now()
        # What ended by itself is told again where it comes back: an office has declined.
        told_of = or_(col(Alarm.resolved_at).is_(None), col(Alarm.resolved_by).is_not(None))
        query = select(col(Alarm.about), col(Alarm.kind), col(Alarm.resolved_at)).where(col(Alarm.kind).in_(KINDS), told_of)
        told = list((await tx.session.execute(query)).tuples())
        open_now = {about for about, _kind, resolved_at in told if resolved_at is None}
        known = {(about, kind) for about, kind, _resolved_at in told}
        limits = [limit for place in here.entry.facilities if (limit := limit_of(here, place)) is not None]
        due = await not_handed_over(tx, now, counted_before=now - min(limits) * WARNED_AT)
        looked_at = {complaint.id for complaint, _case in due if (complaint.id, LATE) not in known} | open_now
        wanted = {complaint_id: await _wanted(tx, here, complaint_id) for complaint_id in sorted(looked_at)}
    for complaint_id, kind in wanted.items():
        stale = complaint_id in open_now and {k for about, k, at in told if about == complaint_id and at is None} != {kind}
        if stale or (kind is not None and (complaint_id, kind) not in known):
            async with database.write() as tx:
                await _say(tx, here, complaint_id, {kind for about, kind in known if about == complaint_id})


async def _wanted(tx: Transaction, here: Here, complaint_id: UUID) -> str | None:
    """The alarm that a complaint needs now; None where it needs none."""
    complaint = await tx.session.get(Complaint, complaint_id)
    case = await tx.session.get(Case, complaint.case_id) if complaint is not None else None
    if case is None:
        return None
    stands = next((one.stands for one in await of_case(tx, here, case) if one.complaint.id == complaint_id), None)
    return WANTED.get(stands) if stands is not None else None


async def _say(tx: Transaction, here: Here, complaint_id: UUID, told: set[str]) -> None:
    kind = await _wanted(tx, here, complaint_id)
    await clear(tx, here, complaint_id, set(KINDS) - {kind or ""})
    complaint = await tx.session.get(Complaint, complaint_id)
    if kind is not None and kind not in told and complaint is not None:  # whoever resolved it knows
        await raise_alarm(
            tx, here, kind, complaint_id, complaint.facility, Urgency.URGENT, complaint.case_id, to_supervisor=kind == LATE
        )  # fmt: skip
