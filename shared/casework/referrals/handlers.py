"""Hearing of a referral: a new one at the recipient, the issuer's facts there, and the recipient's facts at the issuer.

A signature is not enough: only a party to the referral, of the right kind, may say each thing; everything else is parked.
"""

from uuid import UUID

from shared.casework.cases.commands import case_for_circle
from shared.casework.cases.tables import Case
from shared.casework.here import Here
from shared.casework.referrals import story
from shared.casework.referrals.story import Told
from shared.casework.referrals.tables import Referral
from shared.contracts.casework import codes, events, lifecycle, minimal_data
from shared.exchange import outbox
from shared.exchange.registry import Received, Unauthorised
from shared.kit.db import Transaction


async def on_referral_issued(received: Received, tx: Transaction, here: Here) -> None:
    """A new referral opens, or joins, this agency's own case."""
    said: events.ReferralIssued = received.data
    _check_projection(received, here, said)
    if await tx.session.get(Referral, received.subject) is not None:
        raise Unauthorised("A referral with this id is known already; an issuer may not issue it twice.")
    case = await case_for_circle(tx, here, said.circle, said.to_facility)
    referral = story.new_referral(
        received.subject, case, "in", received.sender, here.agency, said, received.id, received.consent_id, received.occurred_at
    )
    tx.session.add(referral)
    _fill_case(case, said)
    await tx.session.flush()
    told = Told(received.sender, False, received.occurred_at, event_id=received.id)
    await story.keep(tx, here, referral, story.said_to_story(said), told)


def _check_projection(received: Received, here: Here, said: events.ReferralIssued) -> None:
    if said.to_facility not in here.entry.facilities:
        raise Unauthorised(f"This agency has no facility '{said.to_facility}'.")
    rows = minimal_data.CROSSES.get((here.kind_of(received.sender), here.kind), {})
    unlisted = sorted(said.model_fields_set & (minimal_data.FIELD_CLASS.keys() - rows.keys()))
    if unlisted:
        raise Unauthorised(f"A {here.kind_of(received.sender)} agency may not tell this agency: {', '.join(unlisted)}.")
    foreign = set(said.services) - codes.PROVIDED_BY[here.kind]
    if foreign:
        raise Unauthorised(f"This agency does not provide {', '.join(sorted(foreign))}.")


def _fill_case(case: Case, said: events.ReferralIssued) -> None:
    """A case that was opened by another agency's words takes what it needs from them; a desk's own words are never overwritten."""
    if not case.is_received:
        return
    case.facility = said.to_facility
    for name in ("needs", "child", "safety", "relay", "dependants"):
        part = getattr(said, name)
        if part is not None:
            setattr(case, name, part.model_dump(mode="json", exclude_none=True))


async def on_issuers_fact(received: Received, tx: Transaction, here: Here) -> None:
    """The issuer asks to cancel, or tells that she set out or that it phoned."""
    referral = await _known(received, tx, "issuer")
    told = Told(received.sender, False, received.occurred_at, event_id=received.id)
    await hear_issuer(tx, here, referral, received.data, told)


async def hear_issuer(tx: Transaction, here: Here, referral: Referral, fact: events.Event, told: Told) -> None:
    """Takes an issuer's fact in and gives the machine's own answer where one is due."""
    end = await story.recipient_end(tx, referral)
    end, answers = lifecycle.hear(end, fact)
    await story.keep(tx, here, referral, fact, told)
    for answer in answers:
        now = tx.clock.now()
        event_id = await story.say(tx, here, referral, answer, now)
        await story.keep(tx, here, referral, answer, Told(here.agency, True, now, event_id=event_id))
    await story.settle(tx, here, referral, end.standing, end.told, told.occurred_at)


async def on_recipients_fact(received: Received, tx: Transaction, here: Here) -> None:
    """The issuer adopts what the recipient says."""
    referral = await _known(received, tx, "recipient")
    standing = lifecycle.evolve(story.standing_of(referral), received.data)
    if referral.delivered_at is None:
        referral.delivered_at = tx.clock.now()  # any answer implies it
    referral.sent_at = referral.sent_at or referral.delivered_at
    told = Told(received.sender, False, received.occurred_at, event_id=received.id)
    await story.keep(tx, here, referral, received.data, told)
    await story.settle(tx, here, referral, standing, standing, received.occurred_at)


async def _known(received: Received, tx: Transaction, party: str) -> Referral:
    referral = await tx.session.get(Referral, received.subject, populate_existing=True)
    if referral is None:
        raise Unauthorised("No referral with this id is known here.")
    if getattr(referral, party) != received.sender:
        raise Unauthorised(f"'{received.sender}' is not the {party} of this referral.")
    return referral


async def on_withheld(sender: str, event_id: UUID, subject: UUID, tx: Transaction, here: Here) -> None:
    """A sender withholds what was applied here before: it acts as a request to cancel."""
    await outbox.lock_subjects(tx, [subject])
    referral = await tx.session.get(Referral, subject, populate_existing=True)
    if referral is None or referral.issuer != sender or referral.issued_event_id != event_id:
        return
    request = events.CancelRequested(reason_code=codes.CancelReason.ENTERED_IN_ERROR)
    await hear_issuer(tx, here, referral, request, Told(sender, False, tx.clock.now(), event_id=event_id))
