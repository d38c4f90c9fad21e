"""Somebody has come. Care first: an arrival is kept whatever is known of her, and a request is never shown to whoever guesses."""

from datetime import timedelta
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import func, select
from sqlmodel import col

from shared.casework.accounts.tables import Account
from shared.casework.cases.commands import Form, NoteText, OpenCase, add_note, not_future, open_case
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
CODE_CHARACTERS_MAX = 16
SENT_FROM = r"^[a-z][a-z0-9_]{0,39}/[a-z][a-z0-9_-]{0,39}$"  # agency/facility


class RecordArrival(Form):
    """Somebody has come, with or without a code."""

    code: str | None = Field(default=None, max_length=CODE_CHARACTERS_MAX)
    facility: events.FacilityId | None = None
    entered_for: events.FacilityId | None = None  # the place on whose paper it stands, or that said it by phone
    occurred_at: events.Moment | None = None
    feedback: bool | None = None
    note: NoteText | None = None


class MatchArrival(Form):
    """Which referral somebody came on: one of the account's own desks by its id, any other by two exact things that she says."""

    referral_id: UUID | None = None
    code: str | None = Field(default=None, min_length=1, max_length=CODE_CHARACTERS_MAX)
    sent_from: str | None = Field(default=None, pattern=SENT_FROM, description="agency/facility that sent her")
    feedback: bool | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "MatchArrival":
        is_said = self.code is not None and self.sent_from is not None
        if (self.referral_id is None) != is_said or (self.code is None) != (self.sent_from is None):
            raise ValueError("name 'referral_id', or both 'code' and 'sent_from'")
        return self


class EndArrival(Form):
    """How it ended for somebody who came without a referral; nothing is told to anybody."""

    outcome_code: codes.OutcomeCode | None = None
    occurred_at: events.Moment | None = None


async def record_arrival(command: RecordArrival, tx: Transaction, here: Here, by: Actor) -> tuple[WalkIn | None, Referral | None]:
    """Somebody is at the door: matched by her code, or kept as a walk-in; nobody is asked for a police number."""
    by.may_work()
    facility = command.entered_for or command.facility or by.facility
    if facility is None:
        raise MissingDetail("facility", "The facility is needed: at which door is she?")
    here.facility(facility)
    if not by.sees(facility):
        raise NotFound("This account does not work at %(place)s.", place=Coded(facility, "place"))
    came_at = not_future("occurred_at", command.occurred_at, tx.clock.now())
    found = await _by_code(tx, command.code, by) if command.code is not None else None
    if found is not None:
        await add_note(tx, found.case_id, found.id, command.note, by)
        told = Told(here.agency, True, came_at, by.account_id, command.entered_for or here.on_paper(facility))
        return None, await arrive(tx, here, found, facility, command.feedback, told)
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


async def _may_try(tx: Transaction, by: Actor) -> bool:
    """Whether this account may have another code looked up. Its row is locked: guesses at once are counted one by one."""
    await tx.session.execute(select(col(Account.id)).where(col(Account.id) == by.account_id).with_for_update())
    since = tx.clock.now() - domain.CODE_ATTEMPTS_WINDOW
    query = select(func.count()).where(col(CodeAttempt.account_id) == by.account_id, col(CodeAttempt.tried_at) > since)
    return int((await tx.session.execute(query)).scalar_one()) < domain.CODE_ATTEMPTS_MAX


async def _by_code(tx: Transaction, code: str, by: Actor, sent_from: str | None = None) -> Referral | None:
    """The referral of a spoken code, at whichever desk of this agency, and of the place that sent her where she says it too."""
    if not await _may_try(tx, by):
        return None
    # Ended ones too: an arrival is never refused, and is told as what it is.
    since = tx.clock.now() - CODE_LIFE
    # Columns, not objects: a clinic's half year is thousands of codes, and somebody stands at the door.
    query = select(col(Referral.id), col(Referral.arrival_code_hash), col(Referral.is_open)).where(
        col(Referral.direction) == "in", col(Referral.arrival_code_hash).is_not(None), col(Referral.issued_at) > since
    )
    if sent_from is not None:
        agency, _slash, facility = sent_from.partition("/")
        query = query.where(col(Referral.issuer) == agency, col(Referral.from_facility) == facility)
    spoken = typed(code)
    known = (await tx.session.execute(query)).tuples()
    fitting = [(id_, is_open) for id_, digest, is_open in known if domain.hash_of_code(id_, spoken) == digest]
    matches = [id_ for id_, is_open in fitting if is_open] or [id_ for id_, _ in fitting]
    if len(matches) == 1:
        return await tx.session.get(Referral, matches[0])
    tx.session.add(CodeAttempt(id=new_id(), account_id=by.account_id, tried_at=tx.clock.now()))
    await tx.session.flush()
    return None


async def load_walk_in(tx: Transaction, walk_in_id: UUID, by: Actor, *, lock: bool = False) -> WalkIn:
    """An arrival at one of the account's own doors; raises NotFound."""
    by.may_work()
    query = select(WalkIn).where(col(WalkIn.id) == walk_in_id)
    walk_in = (await tx.session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()
    if walk_in is None or not by.sees(walk_in.facility):
        raise NotFound("There is no such arrival.")
    return walk_in


async def match_arrival(
    walk_in_id: UUID, command: MatchArrival, tx: Transaction, here: Here, by: Actor
) -> tuple[WalkIn, Referral | None]:
    """Later it is known which referral she came on: the arrival counts from when she came.

    A referral of another desk is never picked from a list, only found by her code and by who sent her; a wrong guess is counted,
    and answered with None.
    """
    walk_in = await load_walk_in(tx, walk_in_id, by, lock=True)
    if walk_in.referral_id is not None:
        raise Conflict("This arrival has been matched to a referral already.")
    if command.referral_id is not None:
        referral: Referral | None = await load_referral(tx, command.referral_id, by)
    else:
        assert command.code is not None
        referral = await _by_code(tx, command.code, by, command.sent_from)
    if referral is None:
        return walk_in, None
    if referral.direction != "in":
        raise Conflict("An arrival is matched to a referral that this agency received.")
    entered_for = walk_in.facility if await is_from_sheet(tx, walk_in.case_id) else here.on_paper(walk_in.facility)
    told = Told(here.agency, True, walk_in.came_at, by.account_id, entered_for)
    referral = await arrive(tx, here, referral, walk_in.facility, command.feedback, told)
    await note_read(tx, referral.case_id, by, "referral")
    walk_in.referral_id, walk_in.matched_at = referral.id, tx.clock.now()
    await tx.session.flush()
    return walk_in, referral


async def end_arrival(walk_in_id: UUID, command: EndArrival, tx: Transaction, here: Here, by: Actor) -> WalkIn:
    """Care is finished for somebody who came without a referral. Nothing leaves; a second end changes nothing."""
    walk_in = await load_walk_in(tx, walk_in_id, by, lock=True)
    if walk_in.referral_id is not None:
        raise Conflict("This arrival has been matched to a referral; close that one.")
    if walk_in.ended_at is None:
        walk_in.ended_at = not_future("occurred_at", command.occurred_at, tx.clock.now())
        walk_in.outcome = command.outcome_code
        await tx.session.flush()
        await feed.record(
            tx, feed.Line(kind="arrival.ended", subject=walk_in.id, agency=here.agency, is_own=True, occurred_at=walk_in.ended_at,
                          case_id=walk_in.case_id, facility=walk_in.facility),
        )  # fmt: skip
    return walk_in
