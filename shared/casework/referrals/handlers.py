"""Hearing of a referral: a new one at the recipient, the issuer's facts there, and the recipient's facts at the issuer.

A signature is not enough: only a party to the referral, of the right kind, may say each thing; everything else is parked.
"""

from uuid import UUID

from shared.casework.cases.commands import case_for_circle
from shared.casework.cases.recovering import waits_for
from shared.casework.cases.tables import Case
from shared.casework.here import Here
from shared.casework.referrals import story
from shared.casework.referrals.story import Told
from shared.casework.referrals.tables import Referral
from shared.contracts.casework import codes, events, lifecycle, minimal_data
from shared.exchange import outbox
from shared.exchange.incarnations import is_awaited
from shared.exchange.registry import Received, Unauthorised, Unready
from shared.kit.db import Transaction
from shared.kit.errors import Coded


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
    _fill_case(case, said, received.consent_id)
    await tx.session.flush()
    told = Told(received.sender, False, received.occurred_at, event_id=received.id)
    await story.keep(tx, here, referral, story.said_to_story(said), told)


def _check_projection(received: Received, here: Here, said: events.ReferralIssued) -> None:
    if received.consent_id is None:
        raise Unauthorised("It names no consent, legal duty or vital interest that it rests on.")
    if said.to_facility not in here.entry.facilities:
        raise Unauthorised("This agency has no facility “%(place)s”.", place=said.to_facility)
    rows = minimal_data.CROSSES.get((here.kind_of(received.sender), here.kind), {})
    unlisted = sorted(said.model_fields_set & (minimal_data.FIELD_CLASS.keys() - rows.keys()))
    if unlisted:
        what = tuple(Coded(name, "field") for name in unlisted)
        raise Unauthorised("An agency of its kind may not tell this one: %(what)s.", what=what)
    foreign = set(said.services) - codes.PROVIDED_BY[here.kind]
    if foreign:
        raise Unauthorised(
            "This agency does not provide: %(services)s.", services=tuple(Coded(s, "service") for s in sorted(foreign))
        )


PARTS = ("needs", "child", "safety", "relay", "dependants")  # of a case, as another agency may tell them


def _fill_case(case: Case, said: events.ReferralIssued, consent_id: UUID | None) -> None:
    """A case that was opened by another agency's words takes what it needs from them; a desk's own words are never overwritten."""
    if not case.is_received:
        return
    case.facility = said.to_facility
    for name in PARTS:
        part = getattr(said, name)
        if part is not None:
            setattr(case, name, part.model_dump(mode="json", exclude_none=True))
            case.told_under = {**case.told_under, name: str(consent_id)}


def forget_parts(case: Case, consent_id: UUID) -> None:
    """What a case knows only by a consent that was taken back is blanked."""
    for name, under in case.told_under.items():
        if under == str(consent_id):
            setattr(case, name, None)
    case.told_under = {name: under for name, under in case.told_under.items() if under != str(consent_id)}


async def on_issuers_fact(received: Received, tx: Transaction, here: Here) -> None:
    """The issuer asks to cancel, or tells that she set out or that it phoned."""
    referral = await _known(received, tx, "issuer")
    if isinstance(received.data, events.SetOut):
        kinds = (here.kind_of(received.sender), here.kind)
        if "travel" not in minimal_data.CROSSES.get(kinds, {}):
            raise Unauthorised("An agency of its kind may not tell this one: %(what)s.", what=Coded("travel", "field"))
    told = Told(received.sender, False, received.occurred_at, event_id=received.id)
    await hear_issuer(tx, here, referral, received.data, told)


async def hear_issuer(tx: Transaction, here: Here, referral: Referral, fact: events.Event, told: Told) -> None:
    """Takes an issuer's fact in and gives the machine's own answer where one is due."""
    end = await story.recipient_end(tx, referral)
    # The machine does not decide before it knows again what this agency had said: the watcher answers then.
    is_open = not await waits_for(tx, referral.case_id, referral.issuer)
    end, answers = lifecycle.hear(end, fact, answers=is_open)
    await story.keep(tx, here, referral, fact, told)
    await _say_answers(tx, here, referral, answers)
    await story.settle(tx, here, referral, end.standing, end.told, told.occurred_at)


async def answer_late(tx: Transaction, here: Here, referral: Referral) -> None:
    """The machine's answer to a request that it left pending while this agency recovered."""
    end, answers = lifecycle.answer_late(await story.recipient_end(tx, referral))
    await _say_answers(tx, here, referral, answers)
    await story.settle(tx, here, referral, end.standing, end.told, tx.clock.now())


async def _say_answers(tx: Transaction, here: Here, referral: Referral, answers: tuple[events.Event, ...]) -> None:
    for answer in answers:
        now = tx.clock.now()
        event_id = await story.say(tx, here, referral, answer, now)
        await story.keep(tx, here, referral, answer, Told(here.agency, True, now, event_id=event_id))


async def on_recipients_fact(received: Received, tx: Transaction, here: Here) -> None:
    """The issuer adopts what the recipient says."""
    referral = await _known(received, tx, "recipient")
    fact = lifecycle.told_as(_known_places(here, received.sender, received.data))  # a peer that says more is not listened to
    standing = lifecycle.evolve(story.standing_of(referral), fact)
    is_late = referral.heard_life is not None and received.incarnation < referral.heard_life
    referral.heard_life = max(referral.heard_life or received.incarnation, received.incarnation)
    if referral.delivered_at is None:
        referral.delivered_at = tx.clock.now()  # any answer implies it
    referral.sent_at = referral.sent_at or referral.delivered_at
    told = Told(received.sender, False, received.occurred_at, event_id=received.id)
    await story.keep(tx, here, referral, fact, told)
    if is_late:  # said in an earlier life of its database than what was heard already
        await story.refold(tx, here, referral)
    else:
        await story.settle(tx, here, referral, standing, standing, received.occurred_at)


def _known_places(here: Here, sender: str, fact: events.Event) -> events.Event:
    """A place that the network file does not know is left out of a fact: a slug must not carry anything else across."""
    if isinstance(fact, events.Declined):
        place = fact.next_facility and here.network.facility(fact.next_agency or sender, fact.next_facility)
        return fact if place else fact.model_copy(update={"next_agency": None, "next_facility": None})
    if isinstance(fact, events.Suggested):
        if fact.to_agency not in here.network.agencies:
            raise Unauthorised("It suggests an agency that the network file does not know.")
        if fact.to_facility is not None and here.network.facility(fact.to_agency, fact.to_facility) is None:
            return fact.model_copy(update={"to_facility": None})
    if isinstance(fact, events.Redirected) and here.network.facility(sender, fact.to_facility) is None:
        raise Unauthorised("It names a facility that the network file does not know.")
    if isinstance(fact, events.Arrived | events.CameWithoutReferral) and here.network.facility(sender, fact.facility) is None:
        raise Unauthorised("It names a facility that the network file does not know.")
    return fact


async def _known(received: Received, tx: Transaction, party: str) -> Referral:
    referral = await tx.session.get(Referral, received.subject, populate_existing=True)
    if referral is None:
        if await is_awaited(tx, received.sender):
            raise Unready("The referral is not here yet: this agency was restored, and its records are still coming home.")
        raise Unauthorised("No referral with this id is known here.")
    if getattr(referral, party) != received.sender:
        raise Unauthorised("The sender is no party to this referral.")
    return referral


async def on_withheld(sender: str, event_id: UUID, subject: UUID, tx: Transaction, here: Here) -> None:
    """A sender withholds what was applied here before: it acts as a request to cancel."""
    await outbox.lock_subjects(tx, [subject])
    referral = await tx.session.get(Referral, subject, populate_existing=True)
    if referral is None or referral.issuer != sender or referral.issued_event_id != event_id:
        return
    request = events.CancelRequested(reason_code=codes.CancelReason.ENTERED_IN_ERROR)
    await hear_issuer(tx, here, referral, request, Told(sender, False, tx.clock.now(), event_id=event_id))
