"""Reading and writing a referral's story in the database: the pure lifecycle decides, this keeps what it decided.

Whoever calls this holds the referral's subject lock.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import delete, func, select, update
from sqlmodel import col

from shared.casework.accounts.commands import forget_answers
from shared.casework.alarms.commands import CAME_IN_ERROR, clear
from shared.casework.cases.commands import forget_parts
from shared.casework.cases.tables import TOLD_PARTS, Case
from shared.casework.circles.commands import tell_referral_progress, visit_is_set
from shared.casework.here import Here
from shared.casework.messages.tables import Message
from shared.casework.referrals.tables import Referral, ReferralFact, SaidAgain, WalkIn
from shared.contracts.casework import events, lifecycle
from shared.contracts.casework.codes import CancelReason, MessageAnswer, ReferralState, Urgency
from shared.contracts.casework.lifecycle import Recipient, Standing
from shared.exchange import feed, outbox
from shared.exchange.erasing import received_key
from shared.exchange.receipts import heard_order
from shared.exchange.said import said_order
from shared.exchange.tables import Activity
from shared.kit.bulk import among
from shared.kit.db import Transaction
from shared.kit.ids import new_id
from shared.kit.sealed import Under, blank

FIRST_STANDINGS = 1_000  # kept by urgency and facility: more than a network has

STAMPS: dict[type[events.Event], tuple[str, ...]] = {
    events.Acknowledged: ("acknowledged_at",),
    events.Accepted: ("acknowledged_at", "accepted_at"),
    events.Arrived: ("acknowledged_at", "accepted_at", "arrived_at"),
    events.InService: ("in_service_at",),
    events.SetOut: ("set_out_at",),
    events.ToldByPhone: ("told_by_phone_at",),
}


@dataclass(frozen=True, slots=True)
class Told:
    """Who says a fact, when it happened, and who typed it in for whom.

    `key` is the name of the key that a received copy lies under, and goes with.
    """

    agency: str
    is_own: bool
    occurred_at: datetime
    recorded_by: UUID | None = None
    entered_for: str | None = None
    event_id: UUID | None = None
    key: UUID | None = None


@cache
def _standings() -> TypeAdapter[Standing]:
    return TypeAdapter(Standing)


def dump(standing: Standing) -> dict[str, Any]:
    """A standing as the column holds it."""
    kept: dict[str, Any] = _standings().dump_python(standing, mode="json")
    return kept


def load(kept: dict[str, Any]) -> Standing:
    """A standing from what the column holds."""
    return _standings().validate_python(kept)


def standing_of(referral: Referral) -> Standing:
    """Where the referral stands at this end."""
    return load(referral.standing)


def new_row(
    referral_id: UUID, case_id: UUID, direction: str, issuer: str, recipient: str, said: events.ReferralIssued, event_id: UUID,
    consent_id: UUID | None, issued_at: datetime,
) -> dict[str, Any]:  # fmt: skip
    """A referral's row at either end, as it stands when it is issued."""
    first = _first(said.urgency, said.to_facility)
    return {
        "id": referral_id, "case_id": case_id, "incident_id": None, "direction": direction, "issuer": issuer,
        "recipient": recipient, "desk": said.from_facility if direction == "out" else said.to_facility,
        "from_facility": said.from_facility, "to_facility": said.to_facility, "services": [str(s) for s in said.services],
        "urgency": str(said.urgency), "consent_id": consent_id, "issued_event_id": event_id, "said": events.data_of(said),
        "state": str(ReferralState.ISSUED), "is_open": True, "standing": first, "told": first,
        "feedback_agreed": said.feedback_agreed, "flags": [], "arrival_code": None, "arrival_code_hash": said.arrival_code_hash,
        "in_place_of": None, "respond_by": said.respond_by, "issued_at": issued_at, "moved_at": issued_at, "version": 1,
    }  # fmt: skip


@lru_cache(maxsize=FIRST_STANDINGS)
def _first(urgency: Urgency, to_facility: str) -> dict[str, Any]:
    return dump(lifecycle.issue(urgency, to_facility))


def new_referral(
    referral_id: UUID, case: Case, direction: str, issuer: str, recipient: str, said: events.ReferralIssued, event_id: UUID,
    consent_id: UUID | None, issued_at: datetime,
) -> Referral:  # fmt: skip
    """A referral's record at either end, as it stands when it is issued."""
    return Referral(**new_row(referral_id, case.id, direction, issuer, recipient, said, event_id, consent_id, issued_at))


KEPT_IN_STORY = (
    "circle", "pairwise_code", "from_facility", "to_facility", "services", "urgency", "respond_by", "basis", "feedback_agreed",
)  # fmt: skip


def said_to_story(said: events.ReferralIssued) -> events.ReferralIssued:
    """What the story and the diary keep of the request: the administrative rows only; the rest is on the referral itself."""
    return events.ReferralIssued.model_validate({name: getattr(said, name) for name in KEPT_IN_STORY})


def first_entries(tx: Transaction, referral: Mapping[str, Any], told: Told) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows that a new referral's story and its diary begin with, beside the referral's own from `new_row`."""
    kept = {name: referral["said"][name] for name in KEPT_IN_STORY if name in referral["said"]}
    issued = events.ReferralIssued.type
    return (
        fact_row(tx, referral["id"], referral["case_id"], issued, kept, told),
        feed.row_of(tx, _line(referral["id"], referral["case_id"], referral["desk"], referral["consent_id"], issued, kept, told)),
    )


def fact_row(
    tx: Transaction, referral_id: UUID, case_id: UUID, kind: str, data: dict[str, Any], told: Told, *, kept_back: bool = False
) -> dict[str, Any]:
    """A fact's row."""
    return {
        "referral_id": referral_id, "type": kind, "data": Under(told.key or case_id, data), "agency": told.agency,
        "is_own": told.is_own, "is_kept_back": kept_back, "event_id": told.event_id, "entered_for": told.entered_for,
        "recorded_by": told.recorded_by, "occurred_at": told.occurred_at, "recorded_at": tx.clock.now(),
    }  # fmt: skip


def _line(
    referral_id: UUID, case_id: UUID, desk: str, consent_id: UUID | None, kind: str, data: dict[str, Any], told: Told
) -> feed.Line:
    return feed.Line(
        kind=kind, subject=referral_id, agency=told.agency, is_own=told.is_own, occurred_at=told.occurred_at, case_id=case_id,
        facility=desk, event_id=told.event_id, detail={**data, "consent_id": str(consent_id) if consent_id else None}, key=told.key,
    )  # fmt: skip


async def entered_at(tx: Transaction, referral_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """When each referral came into this agency's records: typed here, or heard from its issuer. One that was written on paper was
    written before."""
    if not referral_ids:
        return {}
    query = select(col(ReferralFact.referral_id), col(ReferralFact.recorded_at)).where(
        among(tx, col(ReferralFact.referral_id), set(referral_ids)), col(ReferralFact.type) == events.ReferralIssued.type
    )
    return dict((await tx.session.execute(query)).tuples().all())


async def lock(tx: Transaction, referral_id: UUID, *more: UUID) -> Referral | None:
    """Locks the referral's subject (and others, in sorted order) and reads it afresh."""
    await outbox.lock_subjects(tx, [referral_id, *more])
    return await tx.session.get(Referral, referral_id, populate_existing=True)


async def recipient_end(tx: Transaction, here: Here, referral: Referral) -> Recipient:
    """The recipient's end, with what it keeps back in its order."""
    told = _standings().validate_python(referral.told)
    kept = tuple(events.read(row.type, row.data) for row in await _kept_back(tx, referral.id))
    next_visit = await visit_is_set(tx, here, referral.case_id, referral.recipient)
    return Recipient(standing_of(referral), told, referral.feedback_agreed, bool(referral.feedback), kept, next_visit)


async def _kept_back(tx: Transaction, referral_id: UUID) -> list[ReferralFact]:
    query = select(ReferralFact).where(col(ReferralFact.referral_id) == referral_id, col(ReferralFact.is_kept_back))
    return list((await tx.session.execute(query.order_by(col(ReferralFact.position)))).scalars())


async def keep(
    tx: Transaction,
    here: Here,
    referral: Referral,
    fact: events.Event,
    told: Told,
    *,
    kept_back: bool = False,
    is_home: bool = False,
) -> None:
    """Adds a fact to the story, to the diary that screens follow, and to the referral's own times. `is_home`: a word of our own
    that came home after a restore; what was written down since is newer."""
    data, key = events.data_of(fact), _key(referral, fact, told)
    if key is not None and standing_of(referral).consent_taken_back:
        data, key = {}, None  # said late: that it was, and nothing of what
    told = replace(told, key=key)
    tx.session.add(ReferralFact(**fact_row(tx, referral.id, referral.case_id, fact.type, data, told, kept_back=kept_back)))
    for stamp in STAMPS.get(type(fact), ()):
        if getattr(referral, stamp) is None:
            setattr(referral, stamp, told.occurred_at)
    if isinstance(fact, events.ArrivedInError):
        await _nobody_came(tx, referral, told.occurred_at if is_home else None)
    if isinstance(fact, events.SetOut) and data:
        referral.expected_at = Under(key or referral.case_id, fact.expected_at)  # type: ignore[assignment]  # read again it is what it was
    await feed.record(tx, _line(referral.id, referral.case_id, referral.desk, referral.consent_id, fact.type, data, told))


async def _nobody_came(tx: Transaction, referral: Referral, until: datetime | None) -> None:
    """Who had come was somebody else, and so was whoever answered: when she came is not known, nor what she says; what was kept
    back is never told, and an arrival that was matched is one of its own again, with what was kept on it. `until`: what was written
    down after it is not meant."""
    of, answers = col(ReferralFact.referral_id) == referral.id, col(SaidAgain.referral_id) == referral.id

    def meant(at: Any) -> tuple[Any, ...]:
        return () if until is None else (at <= until,)

    came = select(col(ReferralFact.position)).where(of, col(ReferralFact.type) == events.Arrived.type, col(ReferralFact.is_own))
    since = None if until is None else await tx.session.execute(came.where(col(ReferralFact.recorded_at) > until).limit(1))
    if since is None or since.first() is None:
        referral.arrived_at = referral.feedback = None
    if referral.direction == "out":
        return
    kept_back = (of, col(ReferralFact.is_kept_back), *meant(col(ReferralFact.recorded_at)))
    await tx.session.execute(update(ReferralFact).where(*kept_back).values(is_kept_back=False))
    matched = (col(WalkIn.referral_id) == referral.id, *meant(col(WalkIn.matched_at)))
    await tx.session.execute(update(WalkIn).where(*matched).values(referral_id=None, matched_at=None))
    answered = delete(SaidAgain).where(answers, *meant(col(SaidAgain.said_at))).returning(col(SaidAgain.id))
    if (await tx.session.execute(answered)).first() is not None:
        await _as_it_was_told(tx, referral)


async def _as_it_was_told(tx: Transaction, referral: Referral) -> None:
    """What somebody else had said no to stands on her case again, as it came with the request."""
    case = await tx.session.get_one(Case, referral.case_id)
    for name in TOLD_PARTS:
        part = (referral.said or {}).get(name)
        is_its = case.told_under.get(name) == str(referral.consent_id)
        if part is not None and is_its and getattr(case, name) is None and referral.consent_id is not None:
            setattr(case, name, Under(received_key(referral.issuer, referral.consent_id), part))


def _key(referral: Referral, fact: events.Event, told: Told) -> UUID | None:
    """What the issuer told under her consent goes with it; that she took it back stays, and so does what it heard in answer."""
    is_copy = not told.is_own and referral.direction == "in" and not isinstance(fact, events.ConsentTakenBack)
    return received_key(referral.issuer, referral.consent_id) if is_copy and referral.consent_id is not None else None


async def settle(
    tx: Transaction, here: Here, referral: Referral, standing: Standing, told: Standing, occurred_at: datetime
) -> None:
    """Writes where the referral stands now, and tells the circle when its state has changed."""
    before = referral.state
    referral.standing, referral.told = dump(standing), dump(told)
    referral.state, referral.is_open = str(standing.state), not standing.is_ended
    referral.moved_at = tx.clock.now()
    referral.version += 1
    if referral.direction == "in":
        referral.desk = standing.facility if standing.facility in here.entry.facilities else referral.desk
    if not standing.is_ended:
        referral.ended_at = None  # it may go on: a desk that cancelled alone learns that it had left
    elif referral.ended_at is None:
        referral.ended_at = occurred_at
    if referral.direction == "in" and standing.state is ReferralState.DECLINED and referral.said is not None:
        await _wipe_preview(tx, here, referral)
    await tx.session.flush()
    if referral.direction == "out" and referral.state != before:
        case = await tx.session.get(Case, referral.case_id)
        if case is not None:
            await tell_referral_progress(tx, here, case, referral.id, referral.recipient, standing.state)


async def say(tx: Transaction, here: Here, referral: Referral, fact: events.Event, occurred_at: datetime) -> UUID:
    """Tells the other end a fact."""
    case = await tx.session.get(Case, referral.case_id)
    if case is None:
        raise LookupError("a referral has no case")
    return await outbox.add(
        tx,
        outbox.Outgoing(
            recipient=referral.recipient if referral.direction == "out" else referral.issuer, type=fact.type,
            dataversion=fact.version, subject=referral.id, lane_key=case.circle, data=events.data_of(fact),
            occurred_at=occurred_at, consent_id=referral.consent_id, circle_version=case.circle_version,
            is_acute=referral.urgency == "acute",
        ),
    )  # fmt: skip


async def tell_facts(
    tx: Transaction, here: Here, referral: Referral, end: Recipient, facts: tuple[events.Event, ...], told: Told
) -> Recipient:
    """The recipient's own facts: kept here, and told to the issuer as far as `fb` allows."""
    for fact in facts:
        end, said = lifecycle.tell(end, fact)
        word = next((one for one in said if type(one) is type(fact)), None)
        event_id = None if word is None else await say(tx, here, referral, word, told.occurred_at)
        who = Told(told.agency, told.is_own, told.occurred_at, told.recorded_by, told.entered_for, event_id)
        await keep(tx, here, referral, fact, who, kept_back=bool(end.untold) and end.untold[-1] is fact)
        for other in said:
            if other is not word:
                now = tx.clock.now()
                await keep(
                    tx, here, referral, other, Told(here.agency, True, now, event_id=await say(tx, here, referral, other, now))
                )
    await settle(tx, here, referral, end.standing, end.told, told.occurred_at)
    return end


async def tell_kept_back(tx: Transaction, here: Here, referral: Referral, end: Recipient) -> Recipient:
    """She says yes, late: what was kept back is told in its order, with its original times."""
    rows = await _kept_back(tx, referral.id)
    end, words = lifecycle.answer_feedback(end, yes=True)
    for row, word in zip(rows, words, strict=True):
        row.event_id = await say(tx, here, referral, word, row.occurred_at)
        row.is_kept_back = False
        await _line_is_told(tx, row)
    await settle(tx, here, referral, end.standing, end.told, tx.clock.now())
    return end


async def _line_is_told(tx: Transaction, fact: ReferralFact) -> None:
    """The diary's line of a fact that was kept back until now names its word, as every line does that is told at once."""
    # What was kept back before an arrival was taken back is told by none.
    in_error = (col(Activity.subject) == fact.referral_id, col(Activity.kind) == events.ArrivedInError.type, col(Activity.is_own))
    undone = select(func.max(col(Activity.position))).where(*in_error)
    query = select(col(Activity.position)).where(
        col(Activity.subject) == fact.referral_id, col(Activity.kind) == fact.type, col(Activity.is_own),
        col(Activity.event_id).is_(None), col(Activity.position) > func.coalesce(undone.scalar_subquery(), 0),
    )  # fmt: skip
    first = query.order_by(col(Activity.position)).limit(1).scalar_subquery()
    await tx.session.execute(update(Activity).where(col(Activity.position) == first).values(event_id=fact.event_id))


async def _wipe_preview(tx: Transaction, here: Here, referral: Referral) -> None:
    """Who cannot take her knows nothing of her any more. What was asked for and the arrival's code stay: she may come all the same.

    The signed form lies sealed in the inbox until it is cleared, shown by no page, for an issuer that loses its records.
    """
    blank(referral, "said", "expected_at")
    await _blank_lines(tx, referral)
    await _blank_facts(tx, referral)
    await forget_answers(tx, here, referral.case_id)
    others = select(col(Referral.id)).where(
        col(Referral.case_id) == referral.case_id, col(Referral.consent_id) == referral.consent_id, col(Referral.id) != referral.id,
        col(Referral.direction) == "in", col(Referral.state) != ReferralState.DECLINED,
    )  # fmt: skip
    case = await tx.session.get(Case, referral.case_id)
    if case is not None and referral.consent_id is not None and (await tx.session.execute(others.limit(1))).first() is None:
        forget_parts(case, referral.consent_id)


async def _blank_lines(tx: Transaction, referral: Referral) -> None:
    # What the sender said stands in the diary too: which care was asked for, how she travels and with whom.
    theirs = select(Activity).where(col(Activity.subject) == referral.id, ~col(Activity.is_own))
    for line in (await tx.session.execute(theirs)).scalars():
        line.detail = {"consent_id": str(referral.consent_id) if referral.consent_id else None}
    await tx.session.flush()


async def _blank_facts(tx: Transaction, referral: Referral) -> None:
    # And in the story: that it was said stays, for the order of things, and nothing of what.
    theirs = select(ReferralFact).where(
        col(ReferralFact.referral_id) == referral.id, ~col(ReferralFact.is_own),
        col(ReferralFact.type) != events.ConsentTakenBack.type,
    )  # fmt: skip
    for fact in (await tx.session.execute(theirs)).scalars():
        fact.data = Under(referral.case_id, {})  # type: ignore[assignment]  # read again it is what it was
    # And beside the messages that were asked for here: what became of each.
    asked = (col(Message.referral_id) == referral.id, col(Message.direction) == "out")
    await tx.session.execute(update(Message).where(*asked).values(answer=None, answered_at=None))
    await tx.session.flush()


async def take_back(tx: Transaction, here: Here, referral: Referral, fact: events.ConsentTakenBack, told: Told) -> None:
    """Consent for this referral is gone: it ends at once, and nothing is left of what was received under it but that it was."""
    before = standing_of(referral)
    standing = lifecycle.evolve(before, fact)
    mine = col(ReferralFact.referral_id) == referral.id
    await tx.session.execute(update(ReferralFact).where(mine).values(is_kept_back=False))
    referral.arrival_code = referral.arrival_code_hash = None
    if referral.direction == "in":
        blank(referral, "said", "expected_at")
        referral.services = []
        await _blank_lines(tx, referral)
        await _blank_facts(tx, referral)
    else:  # what was to be passed on to her is not: nobody is asked to call her any more
        waits = (col(Message.referral_id) == referral.id, col(Message.direction) == "in", col(Message.answer).is_(None))
        await tx.session.execute(update(Message).where(*waits).values(answer=MessageAnswer.NOT_SAFE, answered_at=tx.clock.now()))
        await clear(tx, here, referral.id, {CAME_IN_ERROR})
    referral.ended_at = None
    await keep(tx, here, referral, fact, told)
    await settle(tx, here, referral, standing, standing, told.occurred_at)
    if not before.is_ended:
        await _care_goes_on(tx, referral)


async def _care_goes_on(tx: Transaction, referral: Referral) -> None:
    """Who had come on it is still here: an arrival of our own takes the place of a request that went with her consent. It says
    when she came, and nothing that was told."""
    if referral.direction != "in" or referral.arrived_at is None:
        return
    if (await tx.session.execute(select(col(WalkIn.id)).where(col(WalkIn.after_referral) == referral.id))).first() is not None:
        return
    query = select(col(ReferralFact.recorded_by)).where(
        col(ReferralFact.referral_id) == referral.id, col(ReferralFact.type) == events.Arrived.type, col(ReferralFact.is_own)
    )
    recorded_by = (await tx.session.execute(query.order_by(col(ReferralFact.position)).limit(1))).scalar_one_or_none()
    tx.session.add(
        WalkIn(id=new_id(), case_id=referral.case_id, facility=referral.desk, after_referral=referral.id,
               came_at=referral.arrived_at, recorded_at=tx.clock.now(), recorded_by=recorded_by)
    )  # fmt: skip
    await tx.session.flush()


async def forget_heard(tx: Transaction, referral: Referral) -> None:
    """The day until which she had agreed has passed, and this is over: it stays as it ended, without what its issuer had told. The
    arrival's code stays too: she may come all the same."""
    blank(referral, "said", "expected_at")
    referral.services = []
    referral.version += 1
    await _blank_lines(tx, referral)
    await _blank_facts(tx, referral)


async def end_resting(tx: Transaction, here: Here, word: events.ConsentTakenBack, told: Told) -> None:
    """Ends every referral of ours that rests on a consent which was taken back in a life of this database that is lost."""
    query = select(col(Referral.id)).where(col(Referral.consent_id) == word.consent, col(Referral.direction) == "out")
    for referral_id in sorted((await tx.session.execute(query)).scalars()):
        referral = await lock(tx, referral_id)
        if referral is not None and not standing_of(referral).consent_taken_back:
            await take_back(tx, here, referral, word, told)


# --- after a restore -----------------------------------------------------------------------------------------------------

ENDINGS = (events.Declined, events.Cancelled, events.Closed)
ANSWERS = (events.Cancelled, events.CancelRefused, events.EndedUndisclosed, events.TransitionRefused)


async def refold(tx: Transaction, here: Here, referral: Referral) -> None:
    """Where a referral stands, from all its facts in the order in which the recipient said them.

    After a restore at either end facts are learned out of that order. Both ends fold the recipient's facts in the order of its
    streams, an earlier life of its database before a later one, so that both come to the same; a request to cancel is pending
    where more were made than answered.
    """
    query = select(ReferralFact).where(col(ReferralFact.referral_id) == referral.id).order_by(col(ReferralFact.position))
    rows = list((await tx.session.execute(query)).scalars())
    is_out = referral.direction == "out"
    ids = [row.event_id for row in rows if row.event_id is not None and row.is_own is not is_out]
    placed = await (heard_order(tx, referral.recipient, ids) if is_out else said_order(tx, referral.issuer, ids))
    undone = max((row.occurred_at for row in rows if row.type == events.ArrivedInError.type), default=None)
    theirs = [row for row in rows if row.agency == referral.recipient and not _is_void(row, undone)]
    unsaid = (UUID(int=2**128 - 1), 0)  # what is kept back, or has no number yet, was said last
    theirs.sort(key=lambda row: (placed.get(row.event_id, unsaid) if row.event_id else unsaid, row.position or 0))
    facts = [events.read(row.type, row.data) for row in theirs]
    said = [lifecycle.told_as(fact) for fact, row in zip(facts, theirs, strict=True) if row.event_id is not None]
    standing = _refolded(referral, rows, facts)
    came = [row.occurred_at for fact, row in zip(facts, theirs, strict=True) if isinstance(fact, events.Arrived)]
    referral.arrived_at = (referral.arrived_at or came[-1]) if standing.arrived else None
    told = standing if is_out else _refolded(referral, rows, said)
    await settle(tx, here, referral, standing, told, tx.clock.now())
    if standing.consent_taken_back and not any(isinstance(fact, ENDINGS) for fact in facts):
        await _care_goes_on(tx, referral)


def _is_void(row: ReferralFact, undone: datetime | None) -> bool:
    """Whether a fact was about somebody else and was never told: kept back when her arrival was taken back, or that it was."""
    if undone is None or row.event_id is not None or row.is_kept_back:
        return False
    return row.type == events.ArrivedInError.type or row.recorded_at <= undone


def _cancelled_alone(referral: Referral, rows: list[ReferralFact]) -> events.Event | None:
    """What its issuer decided without its recipient, because it had not left."""
    own = (row for row in rows if row.type == events.Cancelled.type and row.agency == referral.issuer and row.data)
    return next((events.read(row.type, row.data) for row in own), None)


async def is_cancelled_alone(tx: Transaction, referral: Referral) -> bool:
    """Whether its issuer ended it without asking anybody."""
    query = select(col(ReferralFact.position)).where(
        col(ReferralFact.referral_id) == referral.id, col(ReferralFact.type) == events.Cancelled.type,
        col(ReferralFact.agency) == referral.issuer,
    )  # fmt: skip
    return (await tx.session.execute(query.limit(1))).first() is not None


def _refolded(referral: Referral, rows: list[ReferralFact], facts: list[events.Event]) -> Standing:
    before = standing_of(referral)
    standing = lifecycle.fold(lifecycle.issue(before.urgency, referral.to_facility), facts)
    asked = [events.read(row.type, row.data) for row in rows if row.type == events.CancelRequested.type and row.data]
    answered = sum(isinstance(fact, ANSWERS) for fact in facts)
    alone = _cancelled_alone(referral, rows)
    if alone is not None and not facts:
        standing = lifecycle.evolve(standing, alone)
    elif alone is not None:  # it had left all the same: whoever speaks of it has it, and was asked to cancel
        asked.insert(0, events.CancelRequested(reason_code=CancelReason.ENTERED_IN_ERROR))  # as its recipient takes a blank
    if len(asked) > answered and not standing.is_ended:
        standing = lifecycle.evolve(standing, asked[-1])
    for row in rows:
        if row.type == events.ConsentTakenBack.type:
            standing = lifecycle.evolve(standing, events.read(row.type, row.data))
    return standing
