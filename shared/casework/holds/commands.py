"""Placing and lifting a hold. While one is in force nothing of the case is destroyed; what would have been waits for its end."""

import base64
import contextlib
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import Field
from pydantic_core import from_json
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import defer
from sqlmodel import col

from shared.casework.cases.commands import NOTE_CHARACTERS_MAX, Form, key_names, load_case
from shared.casework.cases.tables import Case
from shared.casework.circles.tables import Progress
from shared.casework.conferences.tables import Conference
from shared.casework.consents.tables import Consent, Erasure
from shared.casework.here import SYSTEM, Actor, Here
from shared.casework.holds.tables import HeldCopy, Hold
from shared.casework.referrals.tables import Referral, ReferralFact
from shared.casework.scope import OutOfSight, not_as_guest
from shared.contracts.casework import events
from shared.contracts.wire.envelope import unframe
from shared.exchange import feed, outbox
from shared.exchange.erasing import erase_said, received_key
from shared.exchange.tables import InboxRow, InboxState, OutboxRow
from shared.kit.db import Transaction
from shared.kit.ids import new_id
from shared.kit.keystore import CANNOT_OPEN, KeystoreAway
from shared.kit.sealed import Under, as_it_lies, named, sealed_columns

log = logging.getLogger(__name__)

# In place of an order's words that no record here has any more.
ON_PAPER = "After a restore only the keys of this hold were left here; what the order says stands on its paper."


PLACING = "holds"  # placing one and clearing words take turns: clearing a batch takes milliseconds


class PlaceHold(Form):
    """What the order says, for whoever asks later why this was not destroyed. It stays here."""

    order: str = Field(min_length=1, max_length=NOTE_CHARACTERS_MAX)


async def holds_of(tx: Transaction, case_id: UUID) -> list[Hold]:
    """The holds on a case that are in force, oldest first."""
    query = select(Hold).where(col(Hold.case_id) == case_id, col(Hold.lifted_at).is_(None)).order_by(col(Hold.id))
    return list((await tx.session.execute(query)).scalars())


async def in_force(tx: Transaction) -> list[Hold]:
    """Every hold that is in force, oldest first."""
    return list((await tx.session.execute(select(Hold).where(col(Hold.lifted_at).is_(None)).order_by(col(Hold.id)))).scalars())


async def is_held(tx: Transaction, case_id: UUID) -> bool:
    """Whether a court has forbidden to destroy anything of this case, by the records or by the keystore: it remembers a hold that
    they do not know, because an older copy of them was put back. Raises KeystoreAway."""
    return bool(await _holds_on(tx, case_id))


async def _holds_on(tx: Transaction, case_id: UUID) -> set[UUID]:
    """The holds on a case by the records, and by the keystore where they have not lifted them."""
    remembered = {hold_id for hold_id, names in tx.keys.holds().items() if case_id in names}
    lifted = select(col(Hold.id)).where(col(Hold.id).in_(remembered), col(Hold.lifted_at).is_not(None))
    over = set((await tx.session.execute(lifted)).scalars()) if remembered else set()
    return {hold.id for hold in await holds_of(tx, case_id)} | (remembered - over)


async def set_aside(tx: Transaction, referrals: Iterable[Referral]) -> set[UUID]:
    """Those of some referrals of ours with which was told what is kept for a court since consent for it was taken back: what was
    told with the others is gone."""
    told = {referral.id: (referral.issuer, referral.consent_id) for referral in referrals if referral.consent_id is not None}
    if not told:
        return set()
    senders, consents = zip(*told.values(), strict=True)
    query = select(col(HeldCopy.sender), col(HeldCopy.consent_id)).where(
        col(HeldCopy.sender).in_(senders), col(HeldCopy.consent_id).in_(consents)
    )
    kept = {(sender, consent_id) for sender, consent_id in (await tx.session.execute(query)).tuples()}
    return {id_ for id_, one in told.items() if one in kept}


async def is_set_aside(tx: Transaction, referral: Referral) -> bool:
    """Whether what was told with one is."""
    return bool(await set_aside(tx, [referral]))


async def held_subjects(tx: Transaction) -> set[UUID]:
    """What events of held cases are about: their words are not cleared either. No hold is placed until this transaction has ended,
    so that none is overlooked that was there when the words went."""
    await tx.in_turn(PLACING)
    held = select(col(Hold.case_id)).where(col(Hold.lifted_at).is_(None))
    remembered = set((await forgotten(tx)).values())
    circles = select(col(Case.circle)).where(or_(col(Case.id).in_(held), col(Case.id).in_(remembered)))
    referrals = select(col(Referral.id)).where(or_(col(Referral.case_id).in_(held), col(Referral.case_id).in_(remembered)))
    return {*(await tx.session.execute(circles)).scalars(), *(await tx.session.execute(referrals)).scalars()}


async def _locked(tx: Transaction, case_id: UUID, by: Actor) -> Case:
    """The case with all that is said about it: whatever is being destroyed of it goes before, or comes after."""
    seen = await load_case(tx, case_id, by)
    by.may_supervise()
    not_as_guest(by, seen.facility, seen.id)
    circle = seen.circle
    referrals = select(col(Referral.id)).where(col(Referral.case_id) == case_id)
    await outbox.lock_subjects(tx, [circle, *(await tx.session.execute(referrals)).scalars()])
    return await load_case(tx, case_id, by, lock=True)


async def place_hold(case_id: UUID, command: PlaceHold, tx: Transaction, here: Here, by: Actor) -> Hold:
    """From now on nothing of the case is destroyed here, whoever asks. Of what others hold this says nothing."""
    await tx.in_turn(PLACING)
    case = await _locked(tx, case_id, by)
    hold = Hold(id=new_id(), case_id=case.id, order=command.order, placed_at=tx.clock.now(), placed_by=by.account_id)
    tx.session.add(hold)
    await tx.session.flush()
    names = await key_names(tx, case.id)
    tx.on_commit(lambda: _lock_keys(tx, hold.id, names))  # a second lock, beside the row: whoever destroys keys meets it
    await _line(tx, here, case, "hold.placed")
    return hold


async def lift_hold(case_id: UUID, hold_id: UUID, tx: Transaction, here: Here, by: Actor) -> Hold:
    """The court allows it again. No key is destroyed before this is committed: what no other hold keeps back then is destroyed by
    `releasing.destroy_released`, whoever comes first. Raises OutOfSight or Forbidden."""
    case = await _locked(tx, case_id, by)
    hold = await tx.session.get(Hold, hold_id, populate_existing=True)
    if hold is None or hold.case_id != case.id or hold.lifted_at is not None:
        raise OutOfSight("The case has no such hold.", hold_id)
    hold.lifted_at, hold.lifted_by = tx.clock.now(), by.account_id
    await tx.session.flush()
    tx.on_commit(lambda: _let_go(tx, hold_id))  # rolled back, the keystore holds it still
    await _line(tx, here, case, "hold.lifted")
    if await is_held(tx, case.id):
        return hold
    for consent_id in (await tx.session.execute(_over(case.id))).scalars().all():
        await erase_said(tx, consent_id, events.OVER)
    return hold


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the last hold of a case keeps from being destroyed: copies of what others had told, and to whom our own words are."""

    heard: list[HeldCopy]
    said: list[str]


async def waiting_for_lifting(tx: Transaction, case_id: UUID) -> Waiting:
    """What is destroyed when the last hold of a case is lifted."""
    shut = defer(HeldCopy.kept)  # type: ignore[arg-type]  # what it kept is not opened to say that it is there
    copies = select(HeldCopy).options(shut).where(col(HeldCopy.case_id) == case_id).order_by(col(HeldCopy.taken_back_at))
    said = select(col(Consent.recipient)).where(col(Consent.id).in_(_over(case_id))).distinct().order_by(col(Consent.recipient))
    return Waiting(list((await tx.session.execute(copies)).scalars()), list((await tx.session.execute(said)).scalars()))


def _over(case_id: UUID) -> Select[tuple[UUID]]:
    """The consents of a case under which nothing is to be kept any more."""
    signed = select(col(Erasure.consent_id)).where(col(Erasure.case_id) == case_id, col(Erasure.outcome).is_not(None))
    is_over = or_(col(Consent.taken_back_at).is_not(None), col(Consent.id).in_(signed))
    return select(col(Consent.id)).where(col(Consent.case_id) == case_id, is_over)


def _lock_keys(tx: Transaction, hold_id: UUID, names: Collection[UUID]) -> None:
    """It is placed, whatever becomes of this: a keystore that is away destroys nothing, and the worker adds it within a minute."""
    try:
        tx.keys.hold(hold_id, names)
    except KeystoreAway as error:
        log.warning("keys_not_held", extra={"hold": str(hold_id), "because": type(error).__name__})


def _let_go(tx: Transaction, hold_id: UUID) -> None:
    """It is lifted, whatever becomes of this: what the keystore holds still the worker lets go within a minute."""
    try:
        tx.keys.let_go(hold_id)
    except KeystoreAway as error:
        log.warning("hold_not_let_go", extra={"hold": str(hold_id), "because": type(error).__name__})


async def _line(tx: Transaction, here: Here, case: Case, kind: str) -> None:
    line = feed.Line(
        kind=kind, subject=case.id, agency=here.agency, is_own=True, occurred_at=tx.clock.now(), case_id=case.id,
        facility=case.facility,
    )  # fmt: skip
    await feed.record(tx, line)


async def keep_for_the_court(tx: Transaction, sender: str, case: Case, consent_id: UUID) -> None:
    """Sets aside what was told under a consent, before the records are blanked, with what waits or is parked: under its own key,
    which is held. The tombstone, which takes the words of what waits, is laid after it."""
    referrals = select(Referral).where(
        col(Referral.case_id) == case.id, col(Referral.consent_id) == consent_id, col(Referral.issuer) == sender,
        col(Referral.direction) == "in",
    )  # fmt: skip
    copy: dict[str, Any] = {"referrals": {}, "parts": {}, "steps": []}
    for referral in (await tx.session.execute(referrals)).scalars().all():
        facts = select(ReferralFact).where(col(ReferralFact.referral_id) == referral.id, ~col(ReferralFact.is_own))
        told = [{"type": f.type, "at": f.occurred_at, "data": f.data} for f in (await tx.session.execute(facts)).scalars()]
        copy["referrals"][str(referral.id)] = {"said": referral.said, "services": referral.services, "facts": told}
    copy["parts"] = {name: getattr(case, name) for name, under in case.told_under.items() if under == str(consent_id)}
    steps = select(Progress).where(col(Progress.case_id) == case.id, col(Progress.consent_id) == consent_id)
    copy["steps"] = [
        {"code": s.code, "on_date": s.on_date, "at": s.occurred_at, "was_on": s.was_on, "off_at": s.off_occurred_at}
        for s in (await tx.session.execute(steps)).scalars()
    ]
    heard = select(Conference).where(col(Conference.caller) == sender, col(Conference.consent_id) == consent_id)
    copy["conferences"] = [
        {"at": c.called_at, "on_date": c.on_date, "facility": c.facility, "agenda": c.agenda, "decisions": c.decisions}
        for c in (await tx.session.execute(heard)).scalars()
    ]
    copy["waiting"] = await _waiting(tx, sender, consent_id)
    await _set_aside(tx, sender, case, consent_id, copy)


async def keep_unsent(tx: Transaction, here: Here, case: Case, consent_id: UUID) -> None:
    """At the desk of a held case: sets aside what was written under a consent of ours and has not left, before it is blanked."""
    query = select(OutboxRow).where(
        col(OutboxRow.consent_id) == consent_id, col(OutboxRow.seq).is_(None), ~col(OutboxRow.is_withheld),
        col(OutboxRow.type).not_in(events.OVER),
    )  # fmt: skip
    rows = (await tx.session.execute(query.order_by(col(OutboxRow.position)))).scalars().all()
    unsent = [{"to": row.recipient, "type": row.type, "at": row.occurred_at, "data": row.data} for row in rows]
    if unsent and not tx.keys.gone(
        {received_key(here.agency, consent_id)}
    ):  # else a restore has brought back a hold that was lifted
        await _set_aside(tx, here.agency, case, consent_id, {"unsent": unsent})


async def _waiting(tx: Transaction, sender: str, consent_id: UUID) -> list[dict[str, Any]]:
    """What came under a consent and is in no record here: what each says, and the form that its sender signed, in base64."""
    query = select(col(InboxRow.event_id), col(InboxRow.type), as_it_lies(InboxRow.inner)).where(
        col(InboxRow.sender) == sender, col(InboxRow.consent_id) == consent_id, col(InboxRow.inner).is_not(None),
        col(InboxRow.state).in_([InboxState.WAITING, InboxState.PARKED]), col(InboxRow.type).not_in(events.OVER),
    )  # fmt: skip
    opens, found = sealed_columns(InboxRow)["inner"], []
    for event_id, type_, held in (await tx.session.execute(query.order_by(col(InboxRow.event_id)))).all():
        with contextlib.suppress(*CANNOT_OPEN):  # nobody reads that one any more
            raw: bytes = opens.open(held, tx.keys)
            signed = base64.b64encode(raw).decode()
            found.append({"id": event_id, "type": type_, "said": from_json(unframe(raw).content), "signed": signed})
    return found


async def _set_aside(tx: Transaction, sender: str, case: Case, consent_id: UUID, copy: dict[str, Any]) -> None:
    key = received_key(sender, consent_id)
    row = {
        "sender": sender, "consent_id": consent_id, "case_id": case.id, "circle": case.circle, "taken_back_at": tx.clock.now(),
        "kept": Under(key, copy),
    }  # fmt: skip
    await tx.session.execute(outbox.insert_if_absent(tx, HeldCopy), [dict(named(HeldCopy, row))])
    for hold_id in await _holds_on(tx, case.id):
        tx.keys.hold(hold_id, [key])


async def add_to_holds(tx: Transaction) -> None:
    """Keys that were made for a held case since are held too, and those of a hold that was lifted meanwhile are not."""
    held = tx.keys.holds()
    for hold in await in_force(tx):
        if fresh := await key_names(tx, hold.case_id) - held.get(hold.id, set()):
            tx.keys.hold(hold.id, fresh)
    over = select(col(Hold.id)).where(col(Hold.id).in_(held), col(Hold.lifted_at).is_not(None))
    for hold_id in (await tx.session.execute(over)).scalars().all():
        tx.keys.let_go(hold_id)


async def forgotten(tx: Transaction) -> dict[UUID, UUID]:
    """Holds that the keystore knows and the records do not, because an older copy of them was put back; each with its case."""
    holds = tx.keys.holds()
    known = set((await tx.session.execute(select(col(Hold.id)).where(col(Hold.id).in_(holds)))).scalars())
    found = {}
    for hold_id in holds.keys() - known:
        of = (await tx.session.execute(select(col(Case.id)).where(col(Case.id).in_(holds[hold_id])))).scalars().first()
        if of is not None:
            found[hold_id] = of
    return found


async def put_back(tx: Transaction) -> None:
    """Such holds are in force again, until somebody lifts them: what the order said is on its paper."""
    for hold_id, case_id in (await forgotten(tx)).items():
        tx.session.add(Hold(id=hold_id, case_id=case_id, order=ON_PAPER, placed_at=tx.clock.now(), placed_by=SYSTEM.account_id))
    await tx.session.flush()
