"""On the watcher's clock: a complaint that is to be handed over soon is told to its desk, and one that is late to the post above;
both alarms end by themselves when it is handed over, withdrawn, or she says no.
"""

from uuid import UUID

from sqlalchemy import or_, select
from sqlmodel import col

from services.police.complaints.tables import Complaint
from services.police.hand_overs.domain import HandOver
from services.police.hand_overs.views import has_hand_over, not_handed_over, of_case
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
    """One tick. Each complaint is decided again by itself, so that several watchers say the same."""
    if not has_hand_over(here):
        return
    async with database.read() as tx:
        waiting = {complaint.id for complaint, _case in await not_handed_over(tx, tx.clock.now())}
        # What ended by itself is told again where it comes back: an office has declined.
        told_of = or_(col(Alarm.resolved_at).is_(None), col(Alarm.resolved_by).is_not(None))
        query = select(col(Alarm.about), col(Alarm.kind), col(Alarm.resolved_at)).where(col(Alarm.kind).in_(KINDS), told_of)
        told = list((await tx.session.execute(query)).tuples())
    open_now = {about for about, _kind, resolved_at in told if resolved_at is None}
    known = {(about, kind) for about, kind, _resolved_at in told}
    for complaint_id in sorted(waiting | open_now):
        if (complaint_id, LATE) not in known or complaint_id in open_now:
            async with database.write() as tx:
                await _look(tx, here, complaint_id, {kind for about, kind in known if about == complaint_id})


async def _look(tx: Transaction, here: Here, complaint_id: UUID, told: set[str]) -> None:
    complaint = await tx.session.get(Complaint, complaint_id)
    case = await tx.session.get(Case, complaint.case_id) if complaint is not None else None
    if complaint is None or case is None:
        return
    stands = next((one.stands for one in await of_case(tx, here, case) if one.complaint.id == complaint_id), None)
    wanted = WANTED.get(stands) if stands is not None else None
    await clear(tx, here, complaint_id, set(KINDS) - {wanted or ""})
    if wanted is not None and wanted not in told:  # whoever resolved it knows
        await raise_alarm(
            tx, here, wanted, complaint_id, complaint.facility, Urgency.URGENT, case.id, to_supervisor=wanted == LATE
        )  # fmt: skip
