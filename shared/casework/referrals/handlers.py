"""Hearing of a referral: a new one at the recipient, the issuer's facts there, and the recipient's facts at the issuer.

A signature is not enough: only a party to the referral, of the right kind, may say each thing; everything else is parked.
"""

from collections.abc import Container, Sequence, Set
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from shared.casework.alarms.commands import raise_alarm
from shared.casework.cases.commands import next_numbers, opened_line
from shared.casework.cases.recovering import waits_for
from shared.casework.cases.tables import Case
from shared.casework.here import Here
from shared.casework.referrals import story
from shared.casework.referrals.story import Told
from shared.casework.referrals.tables import Referral, ReferralFact
from shared.contracts.casework import codes, events, lifecycle, minimal_data
from shared.contracts.casework.codes import Urgency
from shared.exchange import feed, outbox
from shared.exchange.incarnations import is_awaited
from shared.exchange.registry import Received, Unauthorised, Unready
from shared.exchange.tables import Activity, InboxRow, InboxState
from shared.kit.bulk import among, insert_together
from shared.kit.db import Transaction
from shared.kit.errors import Coded
from shared.kit.ids import new_id

# One trip on PostgreSQL where all is new; the portable form stands beside its use.
KNOWN_HERE = """
    SELECT 'referral' AS what FROM casework_referrals WHERE id = ANY($1::uuid[])
    UNION SELECT 'case' FROM casework_cases WHERE circle = ANY($2::uuid[])
"""


async def on_referral_issued(received: Received, tx: Transaction, here: Here) -> None:
    """A new referral opens, or joins, this agency's own case."""
    await on_referrals_issued([received], tx, here)


async def on_referrals_issued(received: Sequence[Received], tx: Transaction, here: Here) -> None:
    """New referrals, each opening or joining this agency's own case, put into the database at once."""
    for one in received:
        _check_projection(one, here, one.data)
    ids = [one.subject for one in received]
    is_known, cases = await _known_here(tx, ids, {one.data.circle for one in received})
    if is_known or len(set(ids)) < len(ids):
        raise Unauthorised("A referral with this id is known already; an issuer may not issue it twice.")
    files = await _new_files(received, cases.keys(), tx, here)
    referrals, facts, lines = [], [], []
    for one in received:
        said: events.ReferralIssued = one.data
        if said.circle in cases:
            case_id = cases[said.circle].id
            _fill_case(cases[said.circle], said, one.consent_id)
        else:
            file = files[said.circle]
            case_id = file["id"]
            if one.id == file["first"]:
                lines.append(feed.row_of(tx, opened_line(here, case_id, said.to_facility, file["opened_at"])))
            _fill_file(file, said, one.consent_id)
        row = story.new_row(one.subject, case_id, "in", one.sender, here.agency, said, one.id, one.consent_id, one.occurred_at)
        fact, line = story.first_entries(tx, row, Told(one.sender, False, one.occurred_at, event_id=one.id))
        referrals.append(row)
        facts.append(fact)
        lines.append(line)
    new_cases = [{name: value for name, value in file.items() if name != "first"} for file in files.values()]
    await insert_together(tx, [(Case, new_cases), (Referral, referrals), (ReferralFact, facts), (Activity, lines)])
    outbox.wake_on_commit(tx)


async def _known_here(tx: Transaction, ids: Sequence[UUID], circles: Set[UUID]) -> tuple[bool, dict[UUID, Case]]:
    """Whether any of the referrals is known, and the cases that the circles have here; mostly neither is."""
    if tx.dialect == "postgresql":
        await tx.flush()
        found = {row["what"] for row in await (await tx.driver()).fetch(KNOWN_HERE, ids, list(circles))}
        if "case" not in found:
            return "referral" in found, {}
    known = await tx.session.execute(select(col(Referral.id)).where(among(tx, col(Referral.id), ids)).limit(1))
    cases = (await tx.session.execute(select(Case).where(among(tx, col(Case.circle), circles)))).scalars()
    return known.first() is not None, {case.circle: case for case in cases}


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
            **dict.fromkeys(PARTS), "told_under": {}, "opened_at": now, "first": event_id,
        }
        for (circle, event_id), number in zip(first.items(), numbers, strict=True)
    }  # fmt: skip


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
    file: dict[str, Any] = {"told_under": case.told_under}
    _fill_file(file, said, consent_id)
    for name, value in file.items():
        setattr(case, name, value)


def _fill_file(file: dict[str, Any], said: events.ReferralIssued, consent_id: UUID | None) -> None:
    file["facility"] = said.to_facility
    for name in PARTS:
        part = getattr(said, name)
        if part is not None:
            file[name] = part.model_dump(mode="json", exclude_none=True)
            file["told_under"] = {**file["told_under"], name: str(consent_id)}


def forget_parts(case: Case, consent_id: UUID) -> None:
    """What a case knows only by a consent that was taken back is blanked."""
    for name, under in case.told_under.items():
        if under == str(consent_id):
            setattr(case, name, None)
    case.told_under = {name: under for name, under in case.told_under.items() if under != str(consent_id)}


async def on_issuers_fact(received: Received, tx: Transaction, here: Here) -> None:
    """The issuer asks to cancel, or tells that she set out or that it phoned."""
    if await tx.session.get(Referral, received.subject) is None and await _was_never_told(received, tx):
        return  # said before the restored issuer learned that it had cancelled its request: it is about nothing here
    referral = await _known(received, tx, "issuer")
    if isinstance(received.data, events.SetOut):
        kinds = (here.kind_of(received.sender), here.kind)
        if "travel" not in minimal_data.CROSSES.get(kinds, {}):
            raise Unauthorised("An agency of its kind may not tell this one: %(what)s.", what=Coded("travel", "field"))
    told = Told(received.sender, False, received.occurred_at, event_id=received.id)
    await hear_issuer(tx, here, referral, received.data, told)


async def _was_never_told(received: Received, tx: Transaction) -> bool:
    query = select(col(InboxRow.event_id)).where(
        col(InboxRow.subject) == received.subject, col(InboxRow.sender) == received.sender,
        col(InboxRow.type) == events.ReferralIssued.type, col(InboxRow.state) == InboxState.WITHHELD,
    )  # fmt: skip
    return (await tx.session.execute(query.limit(1))).first() is not None


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
