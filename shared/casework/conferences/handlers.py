"""Hearing of case conferences: an invitation, an answer to one of ours, what was decided; and our own words of one that come home
after a restore."""

from typing import Any

from shared.casework import homecoming
from shared.casework.cases.commands import case_for_circle
from shared.casework.conferences.commands import CALLED, CALLED_OFF, HELD, WITHDRAWN
from shared.casework.conferences.tables import Conference, Invitation
from shared.casework.here import Here
from shared.contracts.casework import events
from shared.contracts.casework.codes import ConferenceOutcome
from shared.exchange import feed
from shared.exchange.erasing import received_key
from shared.exchange.registry import Received, Returned, Unauthorised
from shared.kit.db import Transaction

STATE_OF = {ConferenceOutcome.HELD: HELD, ConferenceOutcome.CALLED_OFF: CALLED_OFF}


async def on_conference_called(received: Received, tx: Transaction, here: Here) -> None:
    """An invitation, with what this agency hears there."""
    word: events.ConferenceCalled = received.data
    if await tx.session.get(Conference, word.conference) is not None:
        raise Unauthorised("A conference with this id is known already.")
    assert received.consent_id is not None  # or it was nobody's to say
    case = await case_for_circle(tx, here, received.subject, here.opened_at())
    row = Conference(
        id=word.conference, case_id=case.id, key_name=received_key(received.sender, received.consent_id), caller=received.sender,
        desk=case.facility, facility=word.facility, on_date=word.on_date, part=word.part,
        agenda=[str(item) for item in word.agenda], state=CALLED, consent_id=received.consent_id, called_at=received.occurred_at,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    await _line(received, tx, row, {"on_date": word.on_date.isoformat()})


async def on_conference_answered(received: Received, tx: Transaction, here: Here) -> None:
    """Whether an agency comes that was asked to one of ours."""
    word: events.ConferenceAnswered = received.data
    row = await tx.session.get_one(Conference, word.conference)
    asked = await tx.session.get_one(Invitation, (word.conference, received.sender), populate_existing=True)
    if asked.withdrawn_at is None and (asked.answered_at is None or asked.answered_at <= received.occurred_at):
        asked.answer, asked.answered_at = word.answer, received.occurred_at
        await tx.session.flush()
        await _line(received, tx, row, {"answer": str(word.answer)})


async def on_conference_decided(received: Received, tx: Transaction, here: Here) -> None:
    """What became of it, as far as this agency hears."""
    word: events.ConferenceDecided = received.data
    row = await tx.session.get_one(Conference, word.conference, populate_existing=True)
    if row.state == WITHDRAWN:
        return  # said before she took it back: nothing of it is kept
    if {str(one.item) for one in word.decisions} - set(row.agenda or ()):
        raise Unauthorised("It was decided under an item that this agency was not asked to hear.")
    row.state, row.ended_at = STATE_OF[word.outcome], received.occurred_at
    row.decisions = [one.model_dump(mode="json") for one in word.decisions]
    await tx.session.flush()
    await _line(received, tx, row, {"outcome": str(word.outcome)})


async def _line(received: Received, tx: Transaction, row: Conference, detail: dict[str, Any]) -> None:
    is_ours = row.consent_id is None
    key = None if is_ours or received.consent_id is None else received_key(received.sender, received.consent_id)
    await feed.record(
        tx, feed.Line(
            kind=received.type, subject=received.subject, agency=received.sender, is_own=False, occurred_at=received.occurred_at,
            case_id=row.case_id, facility=row.desk, event_id=received.id, key=key,
            detail={**detail, "consent_id": str(received.consent_id) if received.consent_id else None},
        ),
    )  # fmt: skip


# --- our own words come home ---------------------------------------------------------------------------------------------


async def _called_came_home(recipient: str, fact: events.Event, word: Returned, tx: Transaction, here: Here) -> bool:
    """When, where and who was asked; of what is spoken only what this one was told."""
    assert isinstance(fact, events.ConferenceCalled)
    case = await case_for_circle(tx, here, word.subject, here.first_place())
    row = await tx.session.get(Conference, fact.conference, populate_existing=True)
    heard = [str(item) for item in fact.agenda]
    if row is None:
        row = Conference(
            id=fact.conference, case_id=case.id, key_name=case.id, caller=here.agency, desk=case.facility, facility=fact.facility,
            on_date=fact.on_date, part=fact.part, agenda=heard, state=CALLED, called_at=word.occurred_at,
        )  # fmt: skip
        tx.session.add(row)
    row.agenda = [*(row.agenda or ()), *(item for item in heard if item not in (row.agenda or ()))]
    await tx.session.flush()
    if word.consent_id is not None and await tx.session.get(Invitation, (row.id, recipient)) is None:
        asked = Invitation(conference_id=row.id, agency=recipient, case_id=case.id, consent_id=word.consent_id, agenda=heard)
        tx.session.add(asked)
        await tx.session.flush()
    return True


async def _answer_came_home(_recipient: str, fact: events.Event, word: Returned, tx: Transaction, _here: Here) -> bool:
    assert isinstance(fact, events.ConferenceAnswered)
    row = await tx.session.get(Conference, fact.conference, populate_existing=True)
    if row is None:
        return False
    row.answer, row.answered_at = fact.answer, word.occurred_at
    await tx.session.flush()
    return True


async def _decided_came_home(_recipient: str, fact: events.Event, word: Returned, tx: Transaction, _here: Here) -> bool:
    assert isinstance(fact, events.ConferenceDecided)
    row = await tx.session.get(Conference, fact.conference, populate_existing=True)
    if row is None:
        return False
    known = row.decisions or []
    told = [one.model_dump(mode="json") for one in fact.decisions]
    row.state, row.ended_at = STATE_OF[fact.outcome], row.ended_at or word.occurred_at
    row.decisions = [*known, *(one for one in told if one not in known)]
    await tx.session.flush()
    return True


homecoming.comes_home(events.ConferenceCalled, _called_came_home)
homecoming.comes_home(events.ConferenceAnswered, _answer_came_home)
homecoming.comes_home(events.ConferenceDecided, _decided_came_home)
