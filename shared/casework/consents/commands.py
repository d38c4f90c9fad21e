"""Recording consent, one recipient at a time, and taking it back: at once, nobody's approval, told to all who hold something."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, exists, or_, select, update
from sqlalchemy.orm import aliased
from sqlmodel import col

from shared.casework import scope
from shared.casework.alarms.commands import clear
from shared.casework.cases.commands import Form, NoteText, add_note, load_case, not_future
from shared.casework.cases.tables import Case
from shared.casework.circles.commands import announce
from shared.casework.conferences.commands import withdraw_invitations
from shared.casework.consents.her_own import is_child
from shared.casework.consents.tables import Consent, ConsentEvent, Erasure
from shared.casework.consents.views import has_said_no
from shared.casework.here import Actor, Here
from shared.casework.holds.commands import is_held, keep_unsent
from shared.casework.referrals import story
from shared.casework.referrals.story import Told
from shared.casework.referrals.tables import Referral
from shared.contracts.casework import codes, events
from shared.exchange import feed, outbox
from shared.exchange.erasing import erase_said
from shared.exchange.inbox import lay_tombstone
from shared.exchange.registry import Received
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, RefnetError
from shared.kit.ids import new_id


class StaleConsent(RefnetError):
    """The caller saw an older version of the consent."""


# What may be shared where she was not asked: the law asks for the request, and saving a life needs what care needs.
WITHOUT_HER = {
    codes.Basis.LEGAL_BASIS: frozenset({codes.ConsentItem.REQ}),
    codes.Basis.VITAL_INTEREST: frozenset({codes.ConsentItem.REQ, codes.ConsentItem.NEEDS, codes.ConsentItem.GIVEN}),
}


class RecordConsent(Form):
    """Her answer about one recipient, item by item, and how she gave it."""

    recipient: events.AgencyId
    purpose: codes.Purpose
    items: tuple[codes.ConsentItem, ...] = Field(min_length=1, max_length=len(codes.ConsentItem))
    basis: codes.Basis = codes.Basis.CONSENT
    legal_duty: codes.LegalDuty | None = None
    how: codes.ConsentHow
    language: events.LanguageTag
    interpreter: bool = False
    given_at: events.Moment | None = None
    expires_at: events.Moment | None = None
    note: NoteText | None = None

    @model_validator(mode="after")
    def _whole(self) -> "RecordConsent":
        if codes.ConsentItem.REQ not in self.items:
            raise ValueError("'items' must hold 'req': without the request itself nothing can be shared")
        if self.basis is codes.Basis.LEGAL_BASIS and self.legal_duty is None:
            raise ValueError("a legal basis names its duty in 'legal_duty'")
        if (self.how is codes.ConsentHow.NONE_UNCONSCIOUS) != (self.basis is codes.Basis.VITAL_INTEREST):
            raise ValueError("'none_unconscious' goes with vital interest, and only with it")
        if self.how is codes.ConsentHow.BY_LAW and self.basis is not codes.Basis.LEGAL_BASIS:
            raise ValueError("'by_law' goes with a legal basis, and only with it")
        if self.how is codes.ConsentHow.NOT_KNOWN:
            raise ValueError("'how' must say how she gave it; 'not_known' is for what a restore brought back")
        allowed = WITHOUT_HER.get(self.basis)
        if allowed is not None and not set(self.items) <= allowed:
            raise ValueError(f"without her answer only {', '.join(sorted(allowed))} may be shared on this basis")
        return self


def answers_about(case_id: UUID) -> str:
    """The turn in which answers about a case are kept, before any lock of a row: each sees what was said before it."""
    return f"answers:{case_id}"


async def record_consent(case_id: UUID, command: RecordConsent, tx: Transaction, here: Here, by: Actor) -> Consent:
    """Records what she said; a newer consent for a recipient takes the older one's place from now on."""
    by.may_work()
    await tx.in_turn(answers_about(case_id))
    case = await load_case(tx, case_id, by, lock=True)
    here.kind_of(command.recipient)
    if command.recipient not in here.serving:
        raise Conflict("This network has no pathway from here to %(agency)s.", agency=Coded(command.recipient, "agency"))
    if command.basis is codes.Basis.VITAL_INTEREST and await has_said_no(tx, case.id, command.recipient):
        raise Conflict("She has said no about %(agency)s; what she said counts.", agency=Coded(command.recipient, "agency"))
    if command.basis is codes.Basis.CONSENT and is_child(case) and (case.child or {}).get("assent") == codes.Ternary.NO:
        raise Conflict("The child has said no, and nobody says yes in a child’s place; ask the child again, in private.")
    now = tx.clock.now()
    given_at = not_future("given_at", command.given_at, now)
    if command.expires_at is not None and command.expires_at <= now:
        raise Conflict("'expires_at' has passed already; a consent that is over shares nothing.")
    consent = Consent(
        id=new_id(), case_id=case.id, recipient=command.recipient, purpose=command.purpose,
        items=[str(item) for item in command.items], basis=command.basis, legal_duty=command.legal_duty, how=command.how,
        language=command.language, interpreter=command.interpreter, explained_by=by.account_id, given_at=given_at,
        expires_at=command.expires_at,
    )  # fmt: skip
    tx.session.add(consent)
    await tx.session.flush()
    await log_consent(tx, consent, "recorded", given_at, by.account_id)
    await note_line(tx, here, case, consent, "consent.recorded", given_at)
    await _no_longer_ending(tx, here, consent)
    await _prolong(tx, consent)
    await add_note(tx, case.id, consent.id, command.note, by)
    return consent


async def log_consent(tx: Transaction, consent: Consent, kind: str, occurred_at: datetime, by: UUID) -> None:
    """One more version of a consent, for ever."""
    names = (
        "case_id",
        "version",
        "recipient",
        "purpose",
        "items",
        "basis",
        "legal_duty",
        "how",
        "interpreter",
        "explained_by",
        "expires_at",
    )
    said = {name: getattr(consent, name) for name in names}
    event = ConsentEvent(id=new_id(), consent_id=consent.id, kind=kind, occurred_at=occurred_at, recorded_by=by, **said)
    tx.session.add(event)
    await tx.session.flush()


async def _no_longer_ending(tx: Transaction, here: Here, consent: Consent) -> None:
    """She was asked again: nobody needs to be reminded of her older answers about the same recipient and purpose."""
    older = select(col(Consent.id)).where(
        col(Consent.case_id) == consent.case_id, col(Consent.recipient) == consent.recipient, col(Consent.id) != consent.id,
        col(Consent.expires_at).is_not(None), col(Consent.purpose) == consent.purpose,
    )  # fmt: skip
    if consent.basis != codes.Basis.CONSENT:
        older = older.where(col(Consent.basis) == consent.basis)  # what the law or her life asks for is no answer of hers
    for about in (await tx.session.execute(older)).scalars().all():
        await clear(tx, here, about, {"consent_ends_soon"})


async def _prolong(tx: Transaction, consent: Consent) -> None:
    """She said yes again: what was told under an older yes for the same recipient and purpose stays as long as this one stands,
    where it covers its items. Where her last yes covers less, the older ones end by themselves. What had ended before stays ended,
    and what the law or her life asked for is no answer of hers."""
    if consent.basis != codes.Basis.CONSENT:
        return
    now = tx.clock.now()
    older = select(Consent).where(
        col(Consent.case_id) == consent.case_id, col(Consent.recipient) == consent.recipient, col(Consent.id) != consent.id,
        or_(col(Consent.expires_at) > now, is_prolonged(now)), col(Consent.taken_back_at).is_(None),
        col(Consent.basis) == consent.basis, col(Consent.purpose) == consent.purpose,
    )  # fmt: skip
    for one in (await tx.session.execute(older.order_by(col(Consent.id)).with_for_update())).scalars():
        one.prolonged_by = consent.id if set(one.items) <= set(consent.items) else None
    await tx.session.flush()


def is_prolonged(now: datetime) -> ColumnElement[bool]:
    """In a query for consents: those that do not end yet, because a newer one prolongs them and stands."""
    newer = aliased(Consent)
    stands = or_(col(newer.expires_at).is_(None), col(newer.expires_at) > now)
    return exists().where(col(newer.id) == col(Consent.prolonged_by), col(newer.taken_back_at).is_(None), stands)


async def note_line(tx: Transaction, here: Here, case: Case, consent: Consent, kind: str, occurred_at: datetime) -> None:
    """What the diary says of a consent: by its first line a list finds it."""
    detail = {"recipient": consent.recipient, "items": consent.items, "basis": consent.basis, "consent_id": str(consent.id)}
    await feed.record(
        tx, feed.Line(kind=kind, subject=consent.id, agency=here.agency, is_own=True, occurred_at=occurred_at, case_id=case.id,
                      facility=case.facility, detail=detail),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A consent that was taken back, and the referrals that ended with it; `is_new` where it was just now."""

    consent: Consent
    ended: tuple[Referral, ...] = ()
    is_new: bool = False


async def take_back(case_id: UUID, consent_id: UUID, tx: Transaction, here: Here, by: Actor, seen_version: int) -> TakenBack:
    """She takes it back. Unsent words are blanked, what was said is not said again, referrals under it end, and the recipient
    that it names is told, sent or not, to destroy what it holds; that it has, it signs.

    What the law asks for all the same is the caller's to ask anew: see `refusing`.
    Locks in the order of all commands: subjects, case, consent. FOR UPDATE waits for whatever is being said under it.
    """
    by.may_work()
    await tx.in_turn(answers_about(case_id))
    seen = await load_case(tx, case_id, by)
    scope.not_as_guest(by, seen.facility, seen.id)
    circle = seen.circle
    resting = select(col(Referral.id)).where(col(Referral.consent_id) == consent_id, col(Referral.direction) == "out")
    await outbox.lock_subjects(tx, [consent_id, circle, *(await tx.session.execute(resting)).scalars()])
    fresh = {"populate_existing": True}
    query = select(Case).where(col(Case.id) == case_id).with_for_update().execution_options(**fresh)
    case = (await tx.session.execute(query)).scalar_one()
    query_consent = select(Consent).where(col(Consent.id) == consent_id, col(Consent.case_id) == case_id).with_for_update()
    consent = (await tx.session.execute(query_consent.execution_options(**fresh))).scalar_one_or_none()
    if consent is None:
        raise scope.OutOfSight("The case has no such consent.", consent_id)
    if consent.taken_back_at is not None:
        return TakenBack(consent)
    if consent.basis == codes.Basis.LEGAL_BASIS:
        raise Conflict(
            "What the law says is told all the same and cannot be taken back; ask to cancel the request where it was a mistake."
        )
    if consent.version != seen_version:
        raise StaleConsent("The consent has changed since you read it; read it again.")
    now = tx.clock.now()
    consent.taken_back_at, consent.version = now, consent.version + 1
    await tx.session.flush()
    is_kept = await is_held(tx, case.id)
    if is_kept:
        await keep_unsent(tx, here, case, consent.id)
    await outbox.withhold_consent(tx, consent.id)
    await erase_said(tx, consent.id, events.OVER, keeps_words=is_kept)
    await lay_tombstone(tx, consent.recipient, consent.id)  # what is on its way back, under the same yes, is not opened here
    # Referrals that were issued while this waited hold the consent FOR SHARE until they are committed: they are seen here.
    word = events.ConsentTakenBack(consent=consent.id, circle=case.circle)
    ended: list[Referral] = []
    for referral_id in sorted((await tx.session.execute(resting)).scalars()):
        referral = await story.lock(tx, referral_id)
        if referral is not None:
            ended += [referral] if referral.is_open else []
            await story.take_back(tx, here, referral, word, Told(here.agency, True, now, by.account_id))
    await withdraw_invitations(tx, here, case, consent.id)
    await _tell(tx, case, consent.id, consent.recipient, word)
    await await_receipt(tx, case.id, consent, now)
    await announce(tx, here, case)
    await log_consent(tx, consent, "taken_back", now, by.account_id)
    await note_line(tx, here, case, consent, "consent.taken_back", now)
    return TakenBack(consent, tuple(ended), is_new=True)


async def end_consent(tx: Transaction, here: Here, consent_id: UUID) -> None:
    """The day until which she had agreed has passed, and all that was said under it is there: its recipient is told. Invitations to
    a conference that has not been end with it and nothing else does: what is open there goes on, and what was received goes when
    that is over.

    Locks in the order of all commands: subjects, case, consent.
    """
    found = await tx.session.get_one(Consent, consent_id)
    case = await tx.session.get_one(Case, found.case_id)
    await outbox.lock_subjects(tx, [consent_id, case.circle])
    query = select(Consent).where(col(Consent.id) == consent_id).with_for_update().execution_options(populate_existing=True)
    consent = (await tx.session.execute(query)).scalar_one()
    now = tx.clock.now()
    if consent.taken_back_at is not None or consent.expires_at is None or consent.expires_at > now:
        return
    if (await tx.session.execute(select(col(Consent.id)).where(col(Consent.id) == consent_id, is_prolonged(now)))).first():
        return
    if await tx.session.get(Erasure, (consent.id, consent.recipient)) is not None:
        return
    await withdraw_invitations(tx, here, case, consent.id, to_come=True)
    await _tell(tx, case, consent.id, consent.recipient, events.ConsentEnded(consent=consent.id, circle=case.circle))
    await await_receipt(tx, case.id, consent, now)
    await note_line(tx, here, case, consent, "consent.ended", consent.expires_at)


async def await_receipt(tx: Transaction, case_id: UUID, consent: Consent, told_at: datetime) -> None:
    """From now on the consent's recipient owes its signature that what it had received is destroyed."""
    row = {"consent_id": consent.id, "recipient": consent.recipient, "case_id": case_id, "told_at": told_at}
    await tx.session.execute(outbox.insert_if_absent(tx, Erasure), [row])
    if consent.taken_back_at is not None:  # what had ended before may still be open there: it owes its signature from now
        owed = update(Erasure).where(col(Erasure.consent_id) == consent.id, col(Erasure.outcome).is_(None))
        await tx.session.execute(owed.values(told_at=told_at))


async def note_erased(tx: Transaction, case: Case, consent: Consent, received: Received, word: events.ConsentErased) -> None:
    """What the diary says of a receipt."""
    detail = {"recipient": consent.recipient, "erasure": word.outcome, "consent_id": str(consent.id)}
    line = feed.Line(
        kind=word.type, subject=consent.id, agency=received.sender, is_own=False, occurred_at=received.occurred_at, case_id=case.id,
        facility=case.facility, event_id=received.id, detail=detail,
    )  # fmt: skip
    await feed.record(tx, line)


async def _tell(
    tx: Transaction, case: Case, consent_id: UUID, recipient: str, word: events.ConsentTakenBack | events.ConsentEnded
) -> None:
    await outbox.add(
        tx,
        outbox.Outgoing(
            recipient=recipient, type=word.type, dataversion=word.version, subject=consent_id, lane_key=case.circle,
            data=events.data_of(word), occurred_at=tx.clock.now(), consent_id=consent_id, is_express=True, is_acute=True,
        ),
    )  # fmt: skip
