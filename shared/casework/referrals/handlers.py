"""Hearing of a referral: a new one at the recipient, the issuer's facts there, and the recipient's facts at the issuer."""

from collections.abc import Container, Sequence, Set
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from shared.casework.alarms.commands import CAME_IN_ERROR, clear, raise_alarm
from shared.casework.cases.commands import next_numbers, opened_line
from shared.casework.cases.placing import lies_at
from shared.casework.cases.recovering import waits_for
from shared.casework.cases.tables import TOLD_PARTS, Case
from shared.casework.here import NOWHERE, Here
from shared.casework.referrals import story
from shared.casework.referrals.story import Told
from shared.casework.referrals.tables import Referral, ReferralFact
from shared.casework.reports import records as reports
from shared.casework.reports.tables import Report
from shared.contracts.casework import codes, events, lifecycle
from shared.contracts.casework.codes import Urgency
from shared.exchange import feed, outbox
from shared.exchange.erasing import received_key
from shared.exchange.registry import Received, Unauthorised
from shared.exchange.tables import Activity
from shared.kit.bulk import among, insert_together
from shared.kit.db import Transaction
from shared.kit.ids import new_id
from shared.kit.sealed import Under


async def on_referral_issued(received: Received, tx: Transaction, here: Here) -> None:
    """A new referral opens, or joins, this agency's own case."""
    await on_referrals_issued([received], tx, here)


async def on_referrals_issued(received: Sequence[Received], tx: Transaction, here: Here) -> None:
    """New referrals, each opening or joining this agency's own case, put into the database at once."""
    cases = await _known_here(tx, {one.data.circle for one in received})
    files = await _new_files(received, cases.keys(), tx, here)
    referrals, facts, lines, asked = [], [], [], []
    placed: dict[UUID, str] = {}  # cases that lay nowhere
    for one in received:
        said: events.ReferralIssued = one.data
        if said.circle in cases:
            case_id = cases[said.circle].id
            if cases[said.circle].facility == NOWHERE or case_id in placed:
                placed[case_id] = said.to_facility
            _fill_case(cases[said.circle], said, one.sender, _rests_on(one))
        else:
            file = files[said.circle]
            case_id = file["id"]
            if one.id == file["first"]:
                lines.append(feed.row_of(tx, opened_line(here, case_id, said.to_facility, file["opened_at"])))
            _fill_file(file, said, one.sender, _rests_on(one))
        row = story.new_row(one.subject, case_id, "in", one.sender, here.agency, said, one.id, one.consent_id, one.occurred_at)
        key = received_key(one.sender, _rests_on(one))
        fact, line = story.first_entries(tx, row, Told(one.sender, False, one.occurred_at, event_id=one.id, key=key))
        row["said"] = Under(key, row["said"])
        referrals.append(row)
        if said.report_form is not None:
            asked.append(reports.row_along(tx, row["id"], case_id, row["desk"], one.occurred_at))
        facts.append(fact)
        lines.append(line)
    at = {circle: case.id for circle, case in cases.items()} | {circle: file["id"] for circle, file in files.items()}
    # One key for all of a case that is this agency's own; and one for whatever a peer told under a consent, which goes with it.
    await tx.keys.given(
        [
            *([at[one.data.circle], one.data.circle, one.subject] for one in received),
            *([received_key(one.sender, _rests_on(one))] for one in received),
        ]
    )
    new_cases = [{name: value for name, value in file.items() if name != "first"} for file in files.values()]
    await insert_together(tx, [(Case, new_cases), (Referral, referrals), (ReferralFact, facts), (Report, asked), (Activity, lines)])
    for case_id, facility in placed.items():
        await lies_at(tx, here, case_id, facility)
    outbox.wake_on_commit(tx)


def _rests_on(one: Received) -> UUID:
    assert one.consent_id is not None, "nobody opens a referral that rests on nothing"
    return one.consent_id


async def _known_here(tx: Transaction, circles: Set[UUID]) -> dict[UUID, Case]:
    """The cases that the circles have here."""
    cases = (await tx.session.execute(select(Case).where(among(tx, col(Case.circle), circles)))).scalars()
    return {case.circle: case for case in cases}


async def _new_files(
    received: Sequence[Received], known: Container[UUID], tx: Transaction, here: Here
) -> dict[UUID, dict[str, Any]]:
    """A case's row for each circle that nothing was heard of before, in the order of its first referral, which is `first`."""
    first: dict[UUID, UUID] = {}
    for one in received:
        if one.data.circle not in known:
            first.setdefault(one.data.circle, one.id)
    if not first:
        return {}
    now = tx.clock.now()
    numbers = await next_numbers(tx, here, now.year, len(first))
    return {
        circle: {
            "id": new_id(), "number": number, "circle": circle, "circle_version": 1, "is_received": True,
            **dict.fromkeys(TOLD_PARTS), "told_under": {}, "not_counted": False, "opened_at": now, "first": event_id,
        }
        for (circle, event_id), number in zip(first.items(), numbers, strict=True)
    }  # fmt: skip


def _fill_case(case: Case, said: events.ReferralIssued, sender: str, consent_id: UUID) -> None:
    """A case that was opened by another agency's words takes what it needs from them; a desk's own words are never overwritten."""
    if not case.is_received:
        return
    file: dict[str, Any] = {"told_under": case.told_under}
    _fill_file(file, said, sender, consent_id)
    for name, value in file.items():
        setattr(case, name, value)


def _fill_file(file: dict[str, Any], said: events.ReferralIssued, sender: str, consent_id: UUID) -> None:
    file["facility"] = said.to_facility
    for name in TOLD_PARTS:
        part = getattr(said, name)
        if part is not None:
            file[name] = Under(received_key(sender, consent_id), part.model_dump(mode="json", exclude_none=True))
            file["told_under"] = {**file["told_under"], name: str(consent_id)}


async def on_issuers_fact(received: Received, tx: Transaction, here: Here) -> None:
    """The issuer asks to cancel, or tells that she set out or that it phoned."""
    referral = await tx.session.get(Referral, received.subject)
    if referral is None:
        return  # said before the restored issuer learned that it had cancelled its request: it is about nothing here
    told = Told(received.sender, False, received.occurred_at, event_id=received.id)
    await hear_issuer(tx, here, referral, received.data, told)


async def hear_issuer(tx: Transaction, here: Here, referral: Referral, fact: events.Event, told: Told) -> None:
    """Takes an issuer's fact in and gives the machine's own answer where one is due."""
    end = await story.recipient_end(tx, here, referral)
    # The machine does not decide before it knows again what this agency had said: the watcher answers then.
    is_open = not await waits_for(tx, referral.case_id, referral.issuer)
    end, answers = lifecycle.hear(end, fact, answers=is_open)
    await story.keep(tx, here, referral, fact, told)
    await _say_answers(tx, here, referral, answers)
    await story.settle(tx, here, referral, end.standing, end.told, told.occurred_at)


async def answer_late(tx: Transaction, here: Here, referral: Referral) -> None:
    """The machine's answer to a request that it left pending while this agency recovered."""
    end, answers = lifecycle.answer_late(await story.recipient_end(tx, here, referral))
    await _say_answers(tx, here, referral, answers)
    await story.settle(tx, here, referral, end.standing, end.told, tx.clock.now())


async def _say_answers(tx: Transaction, here: Here, referral: Referral, answers: tuple[events.Event, ...]) -> None:
    for answer in answers:
        now = tx.clock.now()
        event_id = await story.say(tx, here, referral, answer, now)
        await story.keep(tx, here, referral, answer, Told(here.agency, True, now, event_id=event_id))


async def on_recipients_fact(received: Received, tx: Transaction, here: Here) -> None:
    """The issuer adopts what the recipient says."""
    referral = await tx.session.get(Referral, received.subject)
    if referral is None:
        return  # it went with its consent before this agency was restored: it is about nothing here
    fact = lifecycle.told_as(_known_places(here, received.sender, received.data))  # a peer that says more is not listened to
    before = story.standing_of(referral)
    standing = lifecycle.evolve(before, fact)
    is_late = referral.heard_life is not None and received.incarnation < referral.heard_life
    # A restored desk cancels alone what it believes has not left: whoever answers all the same has it, and decides.
    had_left = before.is_ended and await story.is_cancelled_alone(tx, referral)
    referral.heard_life = max(referral.heard_life or received.incarnation, received.incarnation)
    if referral.delivered_at is None:
        referral.delivered_at = tx.clock.now()  # any answer implies it
    referral.sent_at = referral.sent_at or referral.delivered_at
    told = Told(received.sender, False, received.occurred_at, event_id=received.id)
    await story.keep(tx, here, referral, fact, told)
    if is_late or had_left:  # said in an earlier life of its database than what was heard already, or about what we had ended
        await story.refold(tx, here, referral)
    else:
        await story.settle(tx, here, referral, standing, standing, received.occurred_at)
    await _alarm_of_arrivals(tx, here, referral, fact, before)


async def _alarm_of_arrivals(
    tx: Transaction, here: Here, referral: Referral, fact: events.Event, before: lifecycle.Standing
) -> None:
    """Whoever was at ease because somebody had come is told at once that it was somebody else, until she comes or wants no news."""
    if isinstance(fact, events.ArrivedInError):
        if not before.arrived or referral.arrived_at is not None or not referral.is_open:
            return
        urgency = Urgency(referral.urgency)
        await raise_alarm(tx, here, CAME_IN_ERROR, referral.id, referral.desk, urgency, referral.case_id)
    elif isinstance(fact, events.Arrived | events.NoFeedbackByChoice) or not referral.is_open:
        await clear(tx, here, referral.id, {CAME_IN_ERROR})


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
    doors = events.Arrived | events.ArrivedInError | events.CameWithoutReferral
    if isinstance(fact, doors) and here.network.facility(sender, fact.facility) is None:
        raise Unauthorised("It names a facility that the network file does not know.")
    return fact


async def on_withheld(sender: str, event_id: UUID, subject: UUID, tx: Transaction, here: Here) -> None:
    """A sender withholds what was applied here before: it acts as a request to cancel."""
    await outbox.lock_subjects(tx, [subject])
    referral = await tx.session.get(Referral, subject, populate_existing=True)
    if referral is None or referral.issuer != sender or referral.issued_event_id != event_id:
        return
    asked = select(col(ReferralFact.position)).where(
        col(ReferralFact.referral_id) == subject, col(ReferralFact.event_id) == event_id,
        col(ReferralFact.type) == events.CancelRequested.type,
    )  # fmt: skip
    if (await tx.session.execute(asked.limit(1))).first() is not None:
        return  # a sender that was restored again has said the same blank once more
    request = events.CancelRequested(reason_code=codes.CancelReason.ENTERED_IN_ERROR)
    await hear_issuer(tx, here, referral, request, Told(sender, False, tx.clock.now(), event_id=event_id))


async def on_never_told(event_ids: Sequence[UUID], tx: Transaction, here: Here) -> None:
    """Requests of ours that had been cancelled, or had lost their consent, before they left, in a life of this database that is
    lost: nobody there waits for her, so they are cancelled again, and somebody asks her whether that is still right."""
    mine = (among(tx, col(Referral.issued_event_id), set(event_ids)), col(Referral.direction) == "out", col(Referral.is_open))
    for referral_id in sorted((await tx.session.execute(select(col(Referral.id)).where(*mine))).scalars()):
        referral = await story.lock(tx, referral_id)
        if referral is None or not referral.is_open:
            continue
        urgency = Urgency(referral.urgency)
        await raise_alarm(tx, here, "never_left", referral.id, referral.desk, urgency, referral.case_id)
        if referral.heard_life is not None:
            continue  # its recipient has answered it: it decides
        fact = events.Cancelled(reason_code=codes.CancelReason.ENTERED_IN_ERROR)  # the reason is lost
        standing = lifecycle.evolve(story.standing_of(referral), fact)
        await outbox.withhold_subject(tx, referral.id)
        now = tx.clock.now()
        await story.keep(tx, here, referral, fact, Told(here.agency, True, now))
        await story.settle(tx, here, referral, standing, standing, now)
