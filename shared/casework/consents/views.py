"""Consents as this agency's own accounts see them."""

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import select, true
from sqlmodel import col

from shared.casework.cases.views import OfACase
from shared.casework.consents.tables import Consent, Erasure, Refusal
from shared.casework.timeline.views import page_by_opening
from shared.contracts.casework.codes import Basis
from shared.kit.bulk import among
from shared.kit.db import Transaction


class ConsentView(OfACase):
    """A consent; `version` is its ETag. `erasure`: what became of what its recipient had received, as that has signed."""

    look: ClassVar[str] = "consents"

    id: UUID
    case_id: UUID
    recipient: str
    purpose: str
    items: list[str]
    basis: str
    legal_duty: str | None
    how: str
    language: str
    interpreter: bool
    given_at: datetime
    expires_at: datetime | None
    taken_back_at: datetime | None
    version: int
    erasure: str | None = None
    erasure_signed_at: datetime | None = None


class RefusalView(OfACase):
    """Her no about one recipient."""

    look: ClassVar[str] = "consents"

    id: UUID
    case_id: UUID
    recipient: str
    how: str
    language: str
    interpreter: bool
    said_at: datetime


def refusal_view(no: Refusal) -> RefusalView:
    """Her no, as it is shown."""
    return RefusalView.model_validate(no.model_dump(exclude={"explained_by"}))


def consent_view(consent: Consent, erasure: Erasure | None = None) -> ConsentView:
    """A consent as it is shown; `erasure`: what its recipient was told to destroy, where it was taken back."""
    view = ConsentView.model_validate(consent.model_dump(exclude={"explained_by"}))
    if erasure is not None:
        view.erasure, view.erasure_signed_at = erasure.outcome, erasure.signed_at
    return view


async def erasures_of(tx: Transaction, case_id: UUID) -> dict[UUID, Erasure]:
    """By consent, what its recipient has signed about what it had received."""
    rows = (await tx.session.execute(select(Erasure).where(col(Erasure.case_id) == case_id))).scalars()
    return {row.consent_id: row for row in rows}


async def last_answers(tx: Transaction, case_id: UUID) -> dict[str, Consent | Refusal]:
    """By recipient, what was kept last: her yes, her no, or what the law or her life asked for instead of an answer."""
    return {answer.recipient: answer for answer in await _kept(tx, case_id)}


async def noes_of(tx: Transaction, case_ids: Collection[UUID], recipients: Collection[str]) -> dict[UUID, set[str]]:
    """Of several cases, the recipients of whom what was kept last is a no."""
    rows: list[tuple[UUID, UUID, str, bool]] = []
    for table, says_no in ((Consent, col(Consent.taken_back_at).is_not(None)), (Refusal, true())):
        query = select(col(table.id), col(table.case_id), col(table.recipient), says_no)
        query = query.where(among(tx, col(table.case_id), case_ids), col(table.recipient).in_(recipients))
        rows += (await tx.session.execute(query)).tuples()
    last = {(case_id, recipient): bool(is_one) for _id, case_id, recipient, is_one in sorted(rows)}  # UUIDv7: as they were recorded
    found: dict[UUID, set[str]] = {case_id: set() for case_id in case_ids}
    for (case_id, recipient), is_one in last.items():
        if is_one:
            found[case_id].add(recipient)
    return found


async def has_said_no(tx: Transaction, case_id: UUID, recipient: str) -> bool:
    """Whether her own last word about a recipient is a no."""
    return is_no((await her_last_answers(tx, case_id)).get(recipient))


async def her_last_answers(tx: Transaction, case_id: UUID) -> dict[str, Consent | Refusal]:
    """By recipient, her own last word. What the law or her life has asked for since is no word of hers."""
    return {
        answer.recipient: answer
        for answer in await _kept(tx, case_id)
        if is_no(answer) or (isinstance(answer, Consent) and answer.basis == Basis.CONSENT)
    }


async def _kept(tx: Transaction, case_id: UUID) -> list[Consent | Refusal]:
    consents = select(Consent).where(col(Consent.case_id) == case_id)
    refusals = select(Refusal).where(col(Refusal.case_id) == case_id)
    kept: list[Consent | Refusal] = [*(await tx.session.execute(consents)).scalars()]
    kept += (await tx.session.execute(refusals)).scalars()
    return sorted(kept, key=lambda answer: answer.id)  # UUIDv7: as they were recorded


def is_no(answer: Consent | Refusal | None) -> bool:
    """Whether an answer is a no: said at once, or a yes that was taken back."""
    return isinstance(answer, Refusal) or (answer is not None and answer.taken_back_at is not None)


async def refusals_of(tx: Transaction, case_id: UUID) -> list[Refusal]:
    """The noes that stand: what was kept last about these recipients."""
    last = (await last_answers(tx, case_id)).values()
    return [answer for answer in last if isinstance(answer, Refusal)]


async def unasked(tx: Transaction, case_id: UUID) -> list[Consent]:
    """What still stands on vital interest alone: she could not answer, and nobody has asked her about these recipients since."""
    last = (await last_answers(tx, case_id)).values()
    return [c for c in last if isinstance(c, Consent) and c.basis == Basis.VITAL_INTEREST and c.taken_back_at is None]


async def consents_of(tx: Transaction, case_id: UUID, cursor: str | None, limit: int) -> tuple[list[ConsentView], str | None]:
    """The case's consents, newest first, those taken back included."""
    rows, following = await page_by_opening(tx, Consent, "consent.recorded", cursor, limit, col(Consent.case_id) == case_id)
    erasures = await erasures_of(tx, case_id)
    return [consent_view(row, erasures.get(row.id)) for row in rows], following
