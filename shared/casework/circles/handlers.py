"""Hearing of a circle: membership, how referrals between other members stand, and coded progress."""

from sqlalchemy import select
from sqlmodel import col

from shared.casework.cases.commands import case_for_circle
from shared.casework.cases.tables import Case
from shared.casework.circles.tables import CircleMember, Progress
from shared.casework.here import Here
from shared.contracts.casework import codes, events, minimal_data
from shared.exchange import feed
from shared.exchange.outbox import insert_if_absent
from shared.exchange.registry import Received, Unauthorised
from shared.kit.db import Transaction
from shared.kit.errors import Coded


async def on_circle_announced(received: Received, tx: Transaction, here: Here) -> None:
    """A member says whom it shares with; an older version never replaces a newer one."""
    word: events.CircleAnnounced = received.data
    row = {
        "circle": received.subject, "agency": received.sender, "circle_version": word.circle_version,
        "shares_with": list(word.shares_with), "announced_at": received.occurred_at,
    }  # fmt: skip
    await tx.session.execute(insert_if_absent(tx, CircleMember), [row])
    known = await tx.session.get(CircleMember, (received.subject, received.sender), populate_existing=True)
    if known is not None and known.circle_version < word.circle_version:
        known.circle_version, known.shares_with = word.circle_version, list(word.shares_with)
        known.announced_at = received.occurred_at
        await tx.session.flush()
    # Membership alone opens no file: the first referral or progress does.
    if (await tx.session.execute(select(col(Case.id)).where(col(Case.circle) == received.subject))).first() is not None:
        await _line(received, tx, here, {"shares_with": list(word.shares_with)})


async def on_referral_progress(received: Received, tx: Transaction, here: Here) -> None:
    """How a referral between two other members stands."""
    if (here.kind_of(received.sender), here.kind) not in minimal_data.REFERRAL_PROGRESS_CROSSES:
        raise Unauthorised("An agency of its kind does not tell this one how its referrals stand.")
    await _line(received, tx, here, events.data_of(received.data))


async def on_case_progress(received: Received, tx: Transaction, here: Here) -> None:
    """A coded fact from a member that may say it."""
    word: events.CaseProgress = received.data
    kind = here.kind_of(received.sender)
    if word.code not in codes.PROGRESS_OF[kind] or word.code not in minimal_data.PROGRESS_CROSSES.get((kind, here.kind), {}):
        raise Unauthorised("An agency of its kind may not tell this one: %(what)s.", what=Coded(word.code, "progress"))
    case = await case_for_circle(tx, here, received.subject)
    tx.session.add(
        Progress(case_id=case.id, agency=received.sender, code=word.code, on_date=word.on_date,
                 occurred_at=received.occurred_at, recorded_at=tx.clock.now())
    )  # fmt: skip
    await tx.session.flush()
    await _line(received, tx, here, events.data_of(word))


async def _line(received: Received, tx: Transaction, here: Here, detail: dict[str, object]) -> None:
    case = await case_for_circle(tx, here, received.subject)
    await feed.record(
        tx, feed.Line(kind=received.type, subject=received.subject, agency=received.sender, is_own=False,
                      occurred_at=received.occurred_at, case_id=case.id, facility=case.facility, event_id=received.id,
                      detail={**detail, "consent_id": str(received.consent_id) if received.consent_id else None}),
    )  # fmt: skip
