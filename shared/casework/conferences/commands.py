"""Calling a case conference, answering an invitation, and writing down what was decided: each invited agency is told its own part.

Who is asked and what is heard is decided in `sharing`, by her consent to each recipient. Nobody is told who else was asked.
"""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import select
from sqlmodel import col

from shared.casework import scope, sharing
from shared.casework.cases.commands import Form, NoteText, add_note, load_case
from shared.casework.cases.tables import Case
from shared.casework.circles.commands import announce
from shared.casework.conferences.tables import Conference, Invitation
from shared.casework.here import Actor, Here
from shared.contracts.casework import codes, events, minimal_data
from shared.contracts.casework.codes import AgendaItem, ConferenceAnswer, ConferenceOutcome, ConsentItem
from shared.exchange import feed, outbox
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id
from shared.kit.sealed import blank

AHEAD_MAX = timedelta(days=182)  # a later day is a mistyped year
DUE_MAX = timedelta(days=366)  # of a decision
INVITED_MAX = 20  # agencies at one table
CALLED, HELD, CALLED_OFF, WITHDRAWN = "called", "held", "called_off", "withdrawn"
WITHDRAWN_LINE = "conference.withdrawn"  # of the diary; no word of its own travels
NO_CALLER = _("A case conference is called by the social worker; ask there to call one.")
WRONG_DAY = _("Choose a day from today on, within the next half year.")


class CallConference(Form):
    """When and where people meet, what is spoken of, and who is asked."""

    facility: events.FacilityId | None = None
    on_date: date
    part: codes.DayPart
    agenda: tuple[AgendaItem, ...] = Field(min_length=1, max_length=len(AgendaItem))
    agencies: tuple[events.AgencyId, ...] = Field(min_length=1, max_length=INVITED_MAX)
    note: NoteText | None = None

    @model_validator(mode="after")
    def _once(self) -> "CallConference":
        for name in ("agenda", "agencies"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise ValueError(f"'{name}' says something twice")
        return self


class AnswerInvitation(Form):
    """Whether this agency comes."""

    answer: ConferenceAnswer
    note: NoteText | None = None


class ConcludeConference(Form):
    """What became of it, with what was decided."""

    outcome: ConferenceOutcome
    decisions: tuple[events.Decided, ...] = Field(default=(), max_length=events.DECISIONS_MAX)
    note: NoteText | None = None

    @model_validator(mode="after")
    def _as_the_event_has_it(self) -> "ConcludeConference":
        if self.outcome is not ConferenceOutcome.HELD and self.decisions:
            raise ValueError("a conference that was called off decided nothing")
        return self


async def call_conference(case_id: UUID, command: CallConference, tx: Transaction, here: Here, by: Actor) -> Conference:
    """Asks each agency, naming the items that her consent to that one covers; raises ConsentMissing where it covers none."""
    case = await _locked_case(tx, case_id, by)
    if not any(way[0] is here.kind for way in minimal_data.AGENDA_CROSSES):
        raise Conflict(NO_CALLER)
    place, today = command.facility or by.facility or case.facility, here.day_of(tx.clock.now())
    here.facility(place)
    if not today <= command.on_date <= today + AHEAD_MAX:
        raise Conflict(WRONG_DAY)
    now = tx.clock.now()
    row = Conference(
        id=new_id(), case_id=case.id, key_name=case.id, caller=here.agency, desk=by.facility or case.facility, facility=place,
        on_date=command.on_date, part=command.part, agenda=[str(item) for item in command.agenda], state=CALLED, called_at=now,
        recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    releases = {agency: await _release(tx, here, case.id, agency, command.agenda) for agency in command.agencies}
    await announce(tx, here, case, to=set(command.agencies))
    for agency, release in releases.items():
        heard = sharing.agenda_for(here, agency, release, command.agenda)
        word = events.ConferenceCalled(conference=row.id, facility=place, on_date=command.on_date, part=command.part, agenda=heard)
        await _say(tx, case, agency, release.consent_id, word)
        asked = Invitation(
            conference_id=row.id,
            agency=agency,
            case_id=case.id,
            consent_id=release.consent_id,
            agenda=[str(item) for item in heard],
        )
        tx.session.add(asked)
    await tx.session.flush()
    await line(tx, here, row, case.circle, events.ConferenceCalled.type, {"told": sorted(releases)})
    await add_note(tx, case.id, row.id, command.note, by)
    return row


async def _release(tx: Transaction, here: Here, case_id: UUID, agency: str, agenda: tuple[AgendaItem, ...]) -> sharing.Released:
    here.kind_of(agency)
    if agency not in here.serving:
        raise Conflict("This network has no pathway from here to %(agency)s.", agency=Coded(agency, "agency"))
    release = sharing.enough(await sharing.released(tx, here, case_id, agency), agency, ConsentItem.REQ)
    if not sharing.agenda_for(here, agency, release, agenda):
        allowed = minimal_data.AGENDA_CROSSES.get((here.kind, here.kind_of(agency)), frozenset())
        lacking = [item for item in agenda if item in allowed]
        if not lacking:
            raise Conflict("Nothing on this agenda may be spoken of with %(agency)s.", agency=Coded(agency, "agency"))
        raise sharing.ConsentMissing(agency, ConsentItem(lacking[0]))
    return release


async def answer_invitation(conference_id: UUID, command: AnswerInvitation, tx: Transaction, here: Here, by: Actor) -> Conference:
    """Tells whoever called it; a later answer takes an earlier one's place until it is over."""
    row, case = await _locked(tx, conference_id, by)
    if row.caller == here.agency or row.consent_id is None:
        raise Conflict("This agency called it itself; only whoever was asked answers.")
    if row.state != CALLED:
        raise Conflict("This conference is over, or the invitation was withdrawn.")
    now = tx.clock.now()
    row.answer, row.answered_at, row.recorded_by = command.answer, now, by.account_id
    await tx.session.flush()
    word = events.ConferenceAnswered(conference=row.id, answer=command.answer)
    event_id = await _say(tx, case, row.caller, row.consent_id, word)
    await line(tx, here, row, case.circle, word.type, {"answer": str(command.answer)}, event_id=event_id)
    await add_note(tx, case.id, row.id, command.note, by)
    return row


async def conclude_conference(
    conference_id: UUID, command: ConcludeConference, tx: Transaction, here: Here, by: Actor
) -> Conference:
    """Keeps what was decided, and tells each agency that is still asked what her consent to it covers by now."""
    row, case = await _locked(tx, conference_id, by)
    if row.caller != here.agency:
        raise Conflict("Only whoever called a conference says what became of it.")
    if row.state != CALLED:
        raise Conflict("What became of this conference stands here already.")
    if command.outcome is ConferenceOutcome.HELD and row.on_date is not None and row.on_date > here.day_of(tx.clock.now()):
        raise Conflict("This conference is to be on a later day; call it off and call another where it was held before.")
    asked = await invitations_of(tx, row.id)
    _check_decisions(here, row, asked, command, here.day_of(tx.clock.now()))
    now = tx.clock.now()
    row.state, row.ended_at = HELD if command.outcome is ConferenceOutcome.HELD else CALLED_OFF, now
    row.decisions = [one.model_dump(mode="json") for one in command.decisions]
    await tx.session.flush()
    for one in asked:
        release = await sharing.released(tx, here, case.id, one.agency) if one.withdrawn_at is None else None
        if release is not None:  # her last answer says what is told; it is said under the consent that the invitation rests on
            items = tuple(AgendaItem(item) for item in one.agenda or ())
            told = sharing.decisions_for(here, one.agency, release, items, command.decisions)
            word = events.ConferenceDecided(conference=row.id, outcome=command.outcome, decisions=told)
            await _say(tx, case, one.agency, one.consent_id, word)
    await line(tx, here, row, case.circle, events.ConferenceDecided.type, {"outcome": str(command.outcome)})
    await add_note(tx, case.id, row.id, command.note, by)
    return row


def _check_decisions(here: Here, row: Conference, asked: list[Invitation], command: ConcludeConference, today: date) -> None:
    there = {here.agency, *(one.agency for one in asked if one.withdrawn_at is None)}
    for one in command.decisions:
        if str(one.item) not in (row.agenda or ()):
            raise Conflict("“%(item)s” was not on the agenda.", item=one.item)
        if one.responsible not in there:
            raise Conflict("%(agency)s was not asked to this conference.", agency=Coded(one.responsible, "agency"))
        if not today <= one.due_on <= today + DUE_MAX:
            raise Conflict("Choose a day from today on, within the next year, until when each decision is seen to.")


async def withdraw_invitations(tx: Transaction, here: Here, case: Case, consent_id: UUID, *, to_come: bool = False) -> None:
    """What these invitations rest on is over, and they are over here at once: those `to_come` where it has ended by its day, and
    all where she took it back. The agency that had one is told by the word that says so, and destroys what it heard. The caller
    has locked circle, case and consent."""
    query = select(Invitation).where(col(Invitation.consent_id) == consent_id, col(Invitation.withdrawn_at).is_(None))
    if to_come:
        query = query.join(Conference, col(Conference.id) == col(Invitation.conference_id)).where(col(Conference.state) == CALLED)
    for one in (await tx.session.execute(query)).scalars():
        one.withdrawn_at = tx.clock.now()
        row = await tx.session.get_one(Conference, one.conference_id)
        await line(tx, here, row, case.circle, WITHDRAWN_LINE, {"recipient": one.agency})
    await tx.session.flush()


async def forget_conferences(tx: Transaction, sender: str, consent_id: UUID, *, to_come: bool = False) -> None:
    """What was heard of conferences under a consent that is over goes: when, where, of what, and what was decided; or of those
    `to_come` alone. What this agency answered is its own, and stays."""
    query = select(Conference).where(col(Conference.caller) == sender, col(Conference.consent_id) == consent_id)
    if to_come:
        query = query.where(col(Conference.state) == CALLED)
    for row in (await tx.session.execute(query.with_for_update())).scalars():
        row.facility = row.on_date = row.part = None
        blank(row, "agenda", "decisions")
        if row.state == WITHDRAWN:
            continue
        row.state, row.ended_at = WITHDRAWN, tx.clock.now()
        case = await tx.session.get_one(Case, row.case_id)
        await feed.record(
            tx, feed.Line(kind=WITHDRAWN_LINE, subject=case.circle, agency=sender, is_own=False, occurred_at=tx.clock.now(),
                          case_id=row.case_id, facility=row.desk),
        )  # fmt: skip
    await tx.session.flush()


async def invitations_of(tx: Transaction, conference_id: UUID) -> list[Invitation]:
    """Who was asked to a conference of ours."""
    query = select(Invitation).where(col(Invitation.conference_id) == conference_id).order_by(col(Invitation.agency))
    return list((await tx.session.execute(query)).scalars())


async def load_conference(tx: Transaction, conference_id: UUID, by: Actor) -> Conference:
    """A conference on a case that the account may see; raises OutOfSight."""
    by.may_work()
    query = select(Conference).where(col(Conference.id) == conference_id, scope.sees_case(by, col(Conference.case_id)))
    row = (await tx.session.execute(query)).scalar_one_or_none()
    if row is None:
        raise scope.OutOfSight("There is no such conference.", conference_id)
    return row


async def _locked(tx: Transaction, conference_id: UUID, by: Actor) -> tuple[Conference, Case]:
    found = await load_conference(tx, conference_id, by)
    case = await _locked_case(tx, found.case_id, by)
    return await tx.session.get_one(Conference, conference_id, with_for_update=True, populate_existing=True), case


async def _locked_case(tx: Transaction, case_id: UUID, by: Actor) -> Case:
    by.may_work()
    seen = await load_case(tx, case_id, by)
    scope.not_as_guest(by, seen.facility, seen.id)
    await outbox.lock_subjects(tx, [seen.circle])
    return await load_case(tx, case_id, by, lock=True)


async def _say(tx: Transaction, case: Case, agency: str, consent_id: UUID, fact: events.Event) -> UUID:
    word = outbox.Outgoing(
        recipient=agency, type=fact.type, dataversion=fact.version, subject=case.circle, lane_key=case.circle,
        data=events.data_of(fact), occurred_at=tx.clock.now(), consent_id=consent_id, circle_version=case.circle_version,
    )  # fmt: skip
    return await outbox.add(tx, replace(word, event_id=new_id()))


async def line(
    tx: Transaction,
    here: Here,
    row: Conference,
    circle: UUID,
    kind: str,
    detail: dict[str, object],
    *,
    event_id: UUID | None = None,
) -> None:
    """One line of our own in the diary."""
    await feed.record(
        tx, feed.Line(kind=kind, subject=circle, agency=here.agency, is_own=True, occurred_at=tx.clock.now(), case_id=row.case_id,
                      facility=row.desk, event_id=event_id, detail=detail),
    )  # fmt: skip
