"""Hearing about the lines themselves: a peer has discarded an event of ours; and what the exchange tells its agency."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import func, select, update
from sqlmodel import col

from shared.casework import homecoming
from shared.casework.accounts.sessions import end_everybodys
from shared.casework.alarms.commands import raise_alarm
from shared.casework.cases.tables import Case
from shared.casework.here import Here
from shared.casework.holds.commands import held_subjects
from shared.casework.referrals import handlers as referrals
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.authority import SERVING
from shared.contracts.casework.codes import Urgency
from shared.contracts.casework.events import OVER, ExchangeRefused
from shared.exchange.registry import Received, Returned
from shared.kit.bulk import among
from shared.kit.db import Transaction

# Of whole batches, so on the driver on PostgreSQL; the portable forms stand beside their use.
DELIVERED = """
    UPDATE casework_referrals SET delivered_at = $2, sent_at = coalesce(sent_at, $2)
    WHERE issued_event_id = ANY($1::uuid[]) AND direction = 'out' AND delivered_at IS NULL
"""
SENT = """
    UPDATE casework_referrals SET sent_at = $2 WHERE issued_event_id = ANY($1::uuid[]) AND direction = 'out' AND sent_at IS NULL
"""

LINE = UUID("6f1d3c1e-6a55-4c7e-9d53-3d6f2b1c0a11")  # the namespace of what stands in for a peer's trouble in an alarm


async def on_exchange_refused(received: Received, tx: Transaction, here: Here) -> None:
    """What we said could not be applied there and was given up: somebody here must phone."""
    word: ExchangeRefused = received.data
    referral = await tx.session.get(Referral, received.subject)
    facility = referral.desk if referral is not None else next(iter(here.entry.facilities))
    urgency = Urgency(referral.urgency) if referral is not None else Urgency.URGENT
    case_id = referral.case_id if referral is not None else None
    detail = {"peer": received.sender, "event_id": str(word.event_id)}
    await raise_alarm(tx, here, "refused_by_peer", received.subject, facility, urgency, case_id, detail)


class ExchangeHooks:
    """What the exchange tells this agency inside its own transactions."""

    def __init__(self, here: Here) -> None:
        self._here = here
        self.acts_first = OVER

    async def delivered(self, event_ids: list[UUID], at: datetime, tx: Transaction) -> None:
        """The recipient's signature covers these events."""
        # A receipt proves that it was sent, even where a crash swallowed our own mark.
        if tx.dialect == "postgresql":
            await tx.flush()
            await (await tx.driver()).execute(DELIVERED, event_ids, at)
            return
        times = {"delivered_at": at, "sent_at": func.coalesce(col(Referral.sent_at), at)}
        mine = (among(tx, col(Referral.issued_event_id), event_ids), col(Referral.direction) == "out")
        fresh = update(Referral).where(*mine, col(Referral.delivered_at).is_(None)).values(**times)
        await tx.session.execute(fresh.execution_options(synchronize_session=False))

    async def sent(self, event_ids: list[UUID], at: datetime, tx: Transaction) -> None:
        """The broker has taken these events."""
        if tx.dialect == "postgresql":
            await tx.flush()
            await (await tx.driver()).execute(SENT, event_ids, at)
            return
        mine = (among(tx, col(Referral.issued_event_id), event_ids), col(Referral.direction) == "out")
        fresh = update(Referral).where(*mine, col(Referral.sent_at).is_(None)).values(sent_at=at)
        await tx.session.execute(fresh.execution_options(synchronize_session=False))

    async def related(self, subjects: list[UUID], tx: Transaction) -> list[UUID]:
        """The circles of referrals that this agency issued, whose members are told; the referrals that rest on a consent here."""
        query = (
            select(col(Case.circle))
            .join(Referral, col(Referral.case_id) == col(Case.id))
            .where(among(tx, col(Referral.id), set(subjects)), col(Referral.direction) == "out")
        )
        resting = select(col(Referral.id)).where(
            among(tx, col(Referral.consent_id), set(subjects)), col(Referral.direction) == "in"
        )
        return [*(await tx.session.execute(query)).scalars(), *(await tx.session.execute(resting)).scalars()]

    async def withheld(self, sender: str, event_id: UUID, subject: UUID, tx: Transaction) -> None:
        """A sender withholds what was applied here before."""
        await referrals.on_withheld(sender, event_id, subject, tx, self._here)

    async def came_home(self, recipient: str, words: list[Returned], tx: Transaction) -> frozenset[UUID]:
        """Our own words are put back into our records."""
        return await homecoming.put_back(recipient, words, tx, self._here)

    async def is_older(self, tx: Transaction) -> None:
        """Whose access was taken away since is not known any more: everybody signs in anew."""
        await end_everybodys(tx)

    async def never_told(self, recipient: str, event_ids: list[UUID], tx: Transaction) -> None:
        """What had been cancelled before it left stays so."""
        await referrals.on_never_told(event_ids, tx, self._here)

    async def held(self, tx: Transaction) -> set[UUID]:
        """What events of held cases are about."""
        return await held_subjects(tx)

    async def trouble(self, kind: str, peer: str, detail: dict[str, Any], tx: Transaction) -> None:
        """Something a person must look at: one open alarm a peer and kind, or a parked event."""
        about = UUID(detail["event_id"]) if "event_id" in detail else uuid5(LINE, f"{kind}:{peer}")
        facility = await self._facility_of(detail, tx)
        shown = {name: one for name, one in detail.items() if name != "subject" or self._here.kind in SERVING}
        await raise_alarm(tx, self._here, kind, about, facility, Urgency.URGENT, None, {"peer": peer, **shown})

    async def _facility_of(self, detail: dict[str, Any], tx: Transaction) -> str:
        known = None
        if "subject" in detail:
            query = select(col(Referral.desk)).where(col(Referral.id) == UUID(detail["subject"]))
            known = (await tx.session.execute(query)).scalar_one_or_none()
        return known or next(iter(self._here.entry.facilities))
