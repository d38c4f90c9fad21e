"""Somebody has come. Care first: an arrival is kept whatever is known of her, and a request is never shown to whoever guesses.

A number alone opens only what is open at this door: of any other it may be a stranger's, mistyped, and is asked about first.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator
from sqlalchemy import or_, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.accounts.tables import Account
from shared.casework.cases.commands import Form, NoteText, OpenCase, add_note, happened, open_case
from shared.casework.cases.views import note_read
from shared.casework.here import Actor, Here
from shared.casework.paper.commands import is_from_sheet
from shared.casework.referrals import domain
from shared.casework.referrals.commands import arrive, load_referral
from shared.casework.referrals.story import Told
from shared.casework.referrals.tables import CodeAttempt, Referral, WalkIn
from shared.contracts.casework import codes, events
from shared.contracts.casework.lifecycle import MissingDetail
from shared.exchange import feed
from shared.kit.db import Transaction
from shared.kit.digits import typed
from shared.kit.errors import Coded, Conflict, NotFound
from shared.kit.ids import new_id

CODE_LIFE = timedelta(days=180)  # a spoken code of an older referral is not looked for
CODE_LIFE_ENDED = timedelta(days=30)  # after the end: a course of PEP takes 28 days, and she may come back with the same card
SENT_ON_OFF = timedelta(days=1)  # how far off the day may be that she says: a night belongs to two
CODE_CHARACTERS_MAX = 16
MISTAKE: Literal["entered_in_error"] = "entered_in_error"  # nobody came: a number was mistyped, or she was entered twice
CareKept = Callable[[Transaction, UUID], Awaitable[bool]]  # by an arrival's id
SENT_FROM = r"^[a-z][a-z0-9_]{0,39}/[a-z][a-z0-9_-]{0,39}$"  # agency/facility


class Miss(StrEnum):
    """Why a number that was said opened nothing."""

    UNKNOWN = "unknown"  # it was looked for, and counted
    TRIED = "tried"  # too many were, so that it was not looked for


@dataclass(frozen=True, slots=True)
class DeclinedHere:
    """The number is of a request that this very door has declined: whoever works at it knows of it, and may be told."""

    referral_id: UUID


class RecordArrival(Form):
    """Somebody has come, with or without a code."""

    code: str | None = Field(default=None, max_length=CODE_CHARACTERS_MAX)
    facility: events.FacilityId | None = None
    entered_for: events.FacilityId | None = None  # the place on whose paper it stands, or that said it by phone
    occurred_at: events.Moment | None = None
    feedback: bool | None = None
    note: NoteText | None = None


class MatchArrival(Form):
    """Which referral somebody came on: one of the account's own desks by its id, any other by three things that she says."""

    referral_id: UUID | None = None
    code: str | None = Field(default=None, min_length=1, max_length=CODE_CHARACTERS_MAX)
    sent_from: str | None = Field(default=None, pattern=SENT_FROM, description="agency/facility that sent her")
    sent_on: date | None = Field(default=None, description="the day on which she was sent; a day more or less is near enough")
    feedback: bool | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "MatchArrival":
        said = [one is not None for one in (self.code, self.sent_from, self.sent_on)]
        if (self.referral_id is None) != all(said) or any(said) != all(said):
            raise ValueError("name 'referral_id', or 'code', 'sent_from' and 'sent_on' together")
        return self


class EndArrival(Form):
    """How it ended for somebody who came without a referral, or that nobody came; nothing is told to anybody."""

    outcome_code: codes.OutcomeCode | Literal["entered_in_error"] | None = None
    occurred_at: events.Moment | None = None


async def record_arrival(
    command: RecordArrival, tx: Transaction, here: Here, by: Actor, *, only_known: bool = False
) -> tuple[WalkIn | None, Referral | Miss | DeclinedHere | None]:
    """Somebody is at the door: matched by the code of a referral that is open there, or kept as a walk-in; nobody is asked for a
    police number. A code of another door, or of what has ended, is looked for again with who sent her, and when.

    `only_known`: where the code opens nothing, nothing but the attempt is kept; whoever typed it is asked first.
    """
    by.may_work()
    facility = command.entered_for or command.facility or by.facility
    if facility is None:
        raise MissingDetail("facility", "The facility is needed: at which door is she?")
    here.facility(facility)
    if not by.sees(facility):
        raise NotFound("This account does not work at %(place)s.", place=Coded(facility, "place"))
    came_at = happened("occurred_at", command.occurred_at, tx.clock.now())
    found = await _open_here(tx, command.code, facility, by) if command.code is not None else None
    if isinstance(found, Referral):
        await add_note(tx, found.case_id, found.id, command.note, by)
        told = Told(here.agency, True, came_at, by.account_id, command.entered_for or here.on_paper(facility))
        return None, await arrive(tx, here, found, facility, command.feedback, told)
    if only_known:
        return None, found
    # No code, or one that fits nothing: she is here all the same, and is matched later.
    case = await open_case(OpenCase(facility=facility, note=command.note), tx, here, by)
    walk_in = WalkIn(id=new_id(), case_id=case.id, facility=facility, came_at=came_at, recorded_at=tx.clock.now(),
                     recorded_by=by.account_id)  # fmt: skip
    tx.session.add(walk_in)
    await tx.session.flush()
    await feed.record(
        tx, feed.Line(kind="arrival.recorded", subject=walk_in.id, agency=here.agency, is_own=True, occurred_at=came_at,
                      case_id=case.id, facility=facility),
    )  # fmt: skip
    return walk_in, None


async def may_try(tx: Transaction, by: Actor) -> bool:
    """Whether this account may have another code looked up now."""
    return len(await tried_lately(tx, by)) < domain.CODE_ATTEMPTS_MAX


async def tried_lately(tx: Transaction, by: Actor) -> list[datetime]:
    """When this account has tried in vain within the window. Its row is locked: guesses at once are counted one by one."""
    await tx.session.execute(select(col(Account.id)).where(col(Account.id) == by.account_id).with_for_update())
    since = tx.clock.now() - domain.CODE_ATTEMPTS_WINDOW
    query = select(col(CodeAttempt.tried_at)).where(col(CodeAttempt.account_id) == by.account_id, col(CodeAttempt.tried_at) > since)
    return list((await tx.session.execute(query)).scalars())


async def count_try(tx: Transaction, by: Actor) -> None:
    """What was typed opened nothing: after a few of these nothing more is looked for, for a while."""
    tx.session.add(CodeAttempt(id=new_id(), account_id=by.account_id, tried_at=tx.clock.now()))
    await tx.session.flush()


async def _fitting(tx: Transaction, code: str) -> list[Referral]:
    """What a spoken code fits, at whichever desk of this agency. Ended ones too: an arrival is never refused."""
    async with scope.whole_agency(tx):
        now = tx.clock.now()
        # Columns, not objects: a clinic's half year is thousands of codes, and somebody stands at the door.
        query = select(col(Referral.id), col(Referral.arrival_code_hash)).where(
            col(Referral.direction) == "in", col(Referral.arrival_code_hash).is_not(None),
            col(Referral.issued_at) > now - CODE_LIFE,
            or_(col(Referral.is_open), col(Referral.ended_at) > now - CODE_LIFE_ENDED),
        )  # fmt: skip
        spoken, known = typed(code), (await tx.session.execute(query)).tuples()
        ids = [id_ for id_, digest in known if domain.hash_of_code(id_, spoken) == digest]
        return list((await tx.session.execute(select(Referral).where(col(Referral.id).in_(ids)))).scalars()) if ids else []


async def _open_here(tx: Transaction, code: str, facility: str, by: Actor) -> Referral | Miss | DeclinedHere:
    """The open referral of a spoken code at this door, or at one that its hub works for; or that it was declined there."""
    if not await may_try(tx, by):
        return Miss.TRIED
    fitting = await _fitting(tx, code)
    desks = by.desks if by.facility is not None else [facility]
    ours = [one for one in fitting if one.desk in desks]
    found = await _only(tx, [one for one in ours if one.is_open], fitting, by)
    declined = [one for one in ours if one.state == codes.ReferralState.DECLINED and one.case_id not in by.never]
    return DeclinedHere(declined[0].id) if found is Miss.UNKNOWN and len(declined) == 1 else found


async def _as_said(tx: Transaction, command: MatchArrival, here: Here, by: Actor) -> Referral | Miss:
    """The referral that fits all three things that she says, at whichever desk of this agency, open or ended."""
    assert command.code is not None
    assert command.sent_on is not None
    if not await may_try(tx, by):
        return Miss.TRIED
    fitting, zone = await _fitting(tx, command.code), ZoneInfo(here.programme.time_zone)
    said = [
        one for one in fitting
        if command.sent_from == f"{one.issuer}/{one.from_facility}"
        and abs(one.issued_at.astimezone(zone).date() - command.sent_on) <= SENT_ON_OFF
    ]  # fmt: skip
    return await _only(tx, [one for one in said if one.is_open] or said, fitting, by)


async def _only(tx: Transaction, found: Sequence[Referral], fitting: Sequence[Referral], by: Actor) -> Referral | Miss:
    """The one that was found. Else the attempt is counted, and kept on every case whose number it was: nothing of it is shown. Nor
    is anything found of a case from which the account is kept, whatever it holds in its hands."""
    found = [one for one in found if one.case_id not in by.never]
    if len(found) == 1:
        await scope.for_the_agency(tx)  # she has shown it: whichever desk it lies at, she came
        return found[0]
    await count_try(tx, by)
    async with scope.whole_agency(tx):
        for case_id in sorted({one.case_id for one in fitting}):
            await note_read(tx, case_id, by, "number")
    return Miss.UNKNOWN


async def load_walk_in(tx: Transaction, walk_in_id: UUID, by: Actor, *, lock: bool = False) -> WalkIn:
    """An arrival at one of the account's own doors; raises OutOfSight."""
    by.may_work()
    query = select(WalkIn).where(col(WalkIn.id) == walk_in_id, scope.at_desk(by, col(WalkIn.facility), col(WalkIn.case_id)))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    walk_in = (await tx.session.execute(query)).scalar_one_or_none()
    if walk_in is None:
        raise scope.OutOfSight("There is no such arrival.", walk_in_id)
    return walk_in


async def match_arrival(
    walk_in_id: UUID, command: MatchArrival, tx: Transaction, here: Here, by: Actor
) -> tuple[WalkIn, Referral | Miss]:
    """Later it is known which referral she came on: the arrival counts from when she came.

    A referral of another desk is never picked from a list, only found by her code, by who sent her and by when; a wrong guess is
    counted, and answered with a Miss.
    """
    walk_in = await load_walk_in(tx, walk_in_id, by, lock=True)
    if walk_in.referral_id is not None:
        raise Conflict("This arrival has been matched to a referral already.")
    somebody_came(walk_in)
    if command.referral_id is not None:
        found: Referral | Miss = await load_referral(tx, command.referral_id, by)
    else:
        found = await _as_said(tx, command, here, by)
    if isinstance(found, Miss):
        return walk_in, found
    if found.direction != "in":
        raise Conflict("An arrival is matched to a referral that this agency received.")
    entered_for = walk_in.facility if await is_from_sheet(tx, walk_in.case_id) else here.on_paper(walk_in.facility)
    told = Told(here.agency, True, walk_in.came_at, by.account_id, entered_for)
    referral = await arrive(tx, here, found, walk_in.facility, command.feedback, told)
    walk_in.referral_id, walk_in.matched_at = referral.id, tx.clock.now()
    await tx.session.flush()
    return walk_in, referral


def somebody_came(walk_in: WalkIn) -> None:
    """Raises Conflict where it was ended because nobody had come: nothing is kept of nobody."""
    if walk_in.outcome == MISTAKE:
        raise Conflict("This arrival was entered by mistake: nobody had come. Whoever has come now is entered as a new arrival.")


async def end_arrival(
    walk_in_id: UUID, command: EndArrival, tx: Transaction, here: Here, by: Actor, care_kept: CareKept | None = None
) -> WalkIn:
    """Care is finished for somebody who came without a referral. Nothing leaves; a second end changes nothing.

    `care_kept` says whether anything was kept on it: then nobody's mistake takes it off the list. Whoever keeps care holds the
    arrival meanwhile, so that the two see each other.
    """
    walk_in = await load_walk_in(tx, walk_in_id, by, lock=True)
    scope.not_as_guest(by, walk_in.facility, walk_in.case_id)
    if walk_in.referral_id is not None:
        raise Conflict("This arrival has been matched to a referral; close that one.")
    is_mistake = command.outcome_code == MISTAKE
    if is_mistake and walk_in.after_referral is not None:
        raise Conflict("Somebody had come on a request, whose consent was taken back since. Finish it, or find another request.")
    if is_mistake and walk_in.ended_at is None and care_kept is not None and await care_kept(tx, walk_in.id):
        raise Conflict("Care was kept on this arrival, so somebody had come. Finish it with its care, or find its request instead.")
    if walk_in.ended_at is None:
        walk_in.ended_at = happened("occurred_at", command.occurred_at, tx.clock.now())
        walk_in.outcome = command.outcome_code
        await tx.session.flush()
        kind = "arrival.entered_in_error" if is_mistake else "arrival.ended"
        await feed.record(
            tx, feed.Line(kind=kind, subject=walk_in.id, agency=here.agency, is_own=True, occurred_at=walk_in.ended_at,
                          case_id=walk_in.case_id, facility=walk_in.facility),
        )  # fmt: skip
    return walk_in
