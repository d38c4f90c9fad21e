"""What a circle's members are told: who shares with whom, how referrals to other members stand, and coded progress."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from pydantic import model_validator
from sqlalchemy import or_, select, update
from sqlmodel import col

from shared.casework import sharing
from shared.casework.acts import ask_first
from shared.casework.cases.commands import Form, NoteText, add_note, happened, load_case
from shared.casework.cases.tables import Case
from shared.casework.circles.tables import CircleMember, Progress
from shared.casework.here import Actor, Here
from shared.casework.referrals.tables import Referral
from shared.casework.situations import situation_of
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import ConsentItem, ReferralState
from shared.exchange import feed, outbox
from shared.exchange.tables import OutboxRow
from shared.kit.bulk import among
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id
from shared.kit.sealed import SHUT, Under, shut_shown
from shared.programmes.terms import Act

TOLD_ONCE = (events.CaseProgress.type, events.CircleReferralProgress.type)


HEARING_AHEAD_MAX = timedelta(days=3 * 366)  # a later day is a mistyped year; courts set dates that lie years away
HEARING_BACK_MAX = timedelta(days=366)  # one that has been is entered afterwards
WRONG_DAY = _("Choose a day within the next three years; an earlier day only where the hearing is entered afterwards.")


class RecordProgress(Form):
    """A coded fact on a case."""

    code: codes.ProgressCode
    on_date: date | None = None
    occurred_at: events.Moment | None = None
    note: NoteText | None = None

    @model_validator(mode="after")
    def _date_where_it_belongs(self) -> "RecordProgress":
        if (self.code in codes.DATED) != (self.on_date is not None):
            raise ValueError("'on_date' goes with a hearing or a clinic visit, and with nothing else")
        return self


def is_hearing_day(on_date: date, today: date) -> bool:
    """Whether a day may be that of a hearing, seen from another."""
    return today - HEARING_BACK_MAX <= on_date <= today + HEARING_AHEAD_MAX


async def record_progress(
    case_id: UUID, command: RecordProgress, tx: Transaction, here: Here, by: Actor
) -> tuple[Progress, list[str]]:
    """Keeps the fact and tells it to every member whom consent allows; returns who was told."""
    by.may_work()
    circle = (await load_case(tx, case_id, by)).circle
    await outbox.lock_subjects(tx, [circle])
    case = await load_case(tx, case_id, by, lock=True)
    if command.code not in codes.PROGRESS_OF[here.kind]:
        raise Conflict("“%(step)s” is not for this agency to record.", step=command.code)
    hearing_on = command.on_date if command.code is codes.ProgressCode.HEARING_DATE else None
    if hearing_on is not None and not is_hearing_day(hearing_on, here.day_of(tx.clock.now())):
        raise Conflict(WRONG_DAY)
    if command.code is codes.ProgressCode.STATEMENT_TAKEN:
        taken = situation_of(here, Act.TAKE_STATEMENT, tx.clock.now(), case.facility, case)
        await ask_first(tx, here, by.account_id, taken, case.facility, case.id, case.id)
    fact = events.CaseProgress(code=command.code, on_date=command.on_date)
    occurred_at = happened("occurred_at", command.occurred_at, tx.clock.now())
    row = Progress(
        case_id=case.id, agency=here.agency, code=command.code, on_date=command.on_date, is_ahead=command.on_date is not None,
        occurred_at=occurred_at, recorded_at=tx.clock.now(), recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    releases = await sharing.releases(tx, here, case.id, here.serving)
    told = [peer for peer, release in releases.items() if sharing.may_pass_progress(here, peer, release, command.code)]
    words = [word_to(case, peer, releases[peer].consent_id, fact, occurred_at) for peer in told]
    event_id = words[-1].event_id if words else None
    await tell_members(tx, here, case.id, words)
    await feed.record(
        tx, feed.Line(kind=fact.type, subject=circle, agency=here.agency, is_own=True, occurred_at=occurred_at, case_id=case.id,
                      facility=case.facility, event_id=event_id, detail={**events.data_of(fact), "told": told}),
    )  # fmt: skip
    await add_note(tx, case.id, case.id, command.note, by)
    return row, told


async def take_off(case: Case, on_date: date, occurred_at: datetime, tx: Transaction, here: Here) -> None:
    """A hearing of this agency's will not be on that day: no list says it any more, and whoever may hear of hearings is told. The
    circle's subject is locked. Raises Conflict where the same was said of the same moment: members would take it for that word."""
    if not await note_off(tx, case.id, here.agency, on_date, occurred_at):
        raise Conflict("This day was taken back at that very moment before; give the time at which it was taken back again.")
    fact = events.HearingOff(on_date=on_date)
    releases = await sharing.releases(tx, here, case.id, here.serving)
    told = [peer for peer, one in releases.items() if sharing.may_pass_progress(here, peer, one, codes.ProgressCode.HEARING_DATE)]
    words = [word_to(case, peer, releases[peer].consent_id, fact, occurred_at) for peer in told]
    event_id = words[-1].event_id if words else None
    await tell_members(tx, here, case.id, words)
    await feed.record(
        tx, feed.Line(kind=fact.type, subject=case.circle, agency=here.agency, is_own=True, occurred_at=occurred_at,
                      case_id=case.id, facility=case.facility, event_id=event_id, detail={**events.data_of(fact), "told": told}),
    )  # fmt: skip


async def note_off(tx: Transaction, case_id: UUID, agency: str, on_date: date, occurred_at: datetime) -> bool:
    """The steps by which an agency told of a hearing on that day lose it; the story keeps what was told, and when.

    Said once: the same word comes home from each member that it was told, and the day may have been set again since. False where
    it was said already.
    """
    hearings = await _dated(tx, case_id, agency, codes.ProgressCode.HEARING_DATE)
    if any(step.was_on == on_date and step.off_occurred_at == occurred_at for step in hearings):
        return False
    for step in hearings:
        if step.on_date == on_date:
            note_step_off(step, occurred_at, tx.clock.now())
    await tx.session.flush()
    return True


async def _dated(tx: Transaction, case_id: UUID, agency: str, code: codes.ProgressCode) -> Sequence[Progress]:
    """An agency's steps of one kind on a case: their days lie sealed, and are looked for here."""
    query = select(Progress).where(col(Progress.case_id) == case_id, col(Progress.agency) == agency, col(Progress.code) == code)
    return (await tx.session.execute(query)).scalars().all()


def note_step_off(step: Progress, occurred_at: datetime, now: datetime) -> None:
    """One step loses its day; it is known which that was."""
    step.was_on = Under(step.key, step.on_date)  # type: ignore[assignment]  # read again it is the day
    step.on_date, step.is_ahead = None, False
    step.off_occurred_at, step.off_recorded_at = occurred_at, now


async def visit_is_set(tx: Transaction, here: Here, case_id: UUID, agency: str) -> bool:
    """Whether an agency has set a visit of the case that lies after today."""
    today = here.day_of(tx.clock.now())
    visits = await _dated(tx, case_id, agency, codes.ProgressCode.NEXT_CLINIC_DATE)
    return any(visit.on_date is not None and visit.on_date > today for visit in visits)


async def let_days_pass(tx: Transaction, today: date) -> None:
    """Days that have been lie ahead no more: whoever asks what comes opens none of them. What does not open, because its key is not
    here, stays as it is."""
    ahead = select(col(Progress.position), col(Progress.on_date)).where(col(Progress.is_ahead))
    with shut_shown():
        days: Sequence[Any] = (await tx.session.execute(ahead)).all()
    over = {position for position, on in days if on is not SHUT and (on is None or on < today)}
    await tx.session.execute(
        update(Progress)
        .where(among(tx, col(Progress.position), over))
        .values(is_ahead=False)
        .execution_options(synchronize_session=False)
    )


class Circle(Protocol):
    """What is said about a circle needs this of the case."""

    @property
    def circle(self) -> UUID: ...

    @property
    def circle_version(self) -> int: ...


def word_to(case: Circle, peer: str, consent_id: UUID, fact: events.Event, occurred_at: events.Moment) -> outbox.Outgoing:
    """What one member is told of a circle."""
    return outbox.Outgoing(
        recipient=peer, type=fact.type, dataversion=fact.version, subject=case.circle, lane_key=case.circle,
        data=events.data_of(fact), occurred_at=occurred_at, consent_id=consent_id, circle_version=case.circle_version,
        event_id=new_id(),
    )  # fmt: skip


def referral_progress_words(
    here: Here, case: Circle, releases: sharing.Releases, referral_id: UUID, recipient: str, state: ReferralState, now: datetime
) -> list[outbox.Outgoing]:
    """How a referral to one member stands, for those of the circle's other members whom she allows to know.

    They are told the class of service, which is whatever agencies of that kind provide: the package that was asked for would say
    what happened to her.
    """
    kind = here.known_kind(recipient)
    if kind is None:  # it has left the network, and nobody can say any more what it provided
        return []
    services = tuple(sorted(codes.PROVIDED_BY[kind]))
    fact = events.CircleReferralProgress(referral=referral_id, to_agency=recipient, services=services, state=state)
    return [
        word_to(case, peer, release.consent_id, fact, now) for peer, release in releases.items()
        if peer != recipient and sharing.may_pass_referral_progress(here, peer, release)
    ]  # fmt: skip


async def tell_referral_progress(
    tx: Transaction, here: Here, case: Case, referral_id: UUID, recipient: str, state: ReferralState
) -> None:
    """Tells the circle's other members how a referral to one of them stands; the circle's subject is locked here."""
    releases = await sharing.releases(tx, here, case.id, (peer for peer in here.serving if peer != recipient))
    words = referral_progress_words(here, case, releases, referral_id, recipient, state, tx.clock.now())
    if words:
        await outbox.lock_subjects(tx, [case.circle])
    await tell_members(tx, here, case.id, words)


async def tell_members(tx: Transaction, here: Here, case_id: UUID, words: Sequence[outbox.Outgoing]) -> None:
    """Tells members of the circle, whose subject is locked. Each is told before it that this agency is one, or would park it."""
    if not words:
        return
    case = await tx.session.get_one(Case, case_id, populate_existing=True)
    is_off = any(word.type == events.HearingOff.type for word in words)
    knew_steps = await _told_steps(tx, case.circle) if is_off else set()
    told = await announce(tx, here, case, to={word.recipient for word in words})
    for word in words:
        earlier = told.get(word.recipient, ())
        if word.type == events.HearingOff.type:  # whoever was told of no hearing before is told with the rest that there is none
            is_told = bool(earlier) and word.recipient not in knew_steps
        else:
            is_told = any((one.type, one.data) == (word.type, word.data) for one in earlier)
        if not is_told:
            await outbox.add(tx, replace(word, circle_version=case.circle_version))


async def _told_steps(tx: Transaction, circle: UUID) -> set[str]:
    """Whoever was told any step of this agency's."""
    query = select(col(OutboxRow.recipient)).where(
        col(OutboxRow.subject) == circle, col(OutboxRow.type) == events.CaseProgress.type,
        col(OutboxRow.is_withheld).is_(False), col(OutboxRow.erased_at).is_(None),
    )  # fmt: skip
    return set((await tx.session.execute(query.distinct())).scalars())


def shared_with(releases: sharing.Releases) -> list[str]:
    """Whom this agency shares with, as it announces it."""
    return sorted(peer for peer, release in releases.items() if ConsentItem.REQ in release.items)


def announcement(here: Here, case: Circle, releases: sharing.Releases, now: datetime) -> list[outbox.Outgoing]:
    """This agency's own membership, for each whom it shares with. Who the others are is told where it is told how requests to them
    stand: to the same kinds of agency, under the same item."""
    sharing_with = shared_with(releases)
    words = []
    for peer in sharing_with:
        known = tuple(sharing_with) if sharing.may_pass_referral_progress(here, peer, releases[peer]) else ()
        fact = events.CircleAnnounced(circle_version=case.circle_version, shares_with=known)
        words.append(word_to(case, peer, releases[peer].consent_id, fact, now))
    return words


async def _told_under(tx: Transaction, circle: UUID) -> set[tuple[str, UUID | None]]:
    """Who has been told that this agency is in a circle, and under which consents."""
    query = select(col(OutboxRow.recipient), col(OutboxRow.consent_id)).where(
        col(OutboxRow.subject) == circle, col(OutboxRow.type) == events.CircleAnnounced.type,
        col(OutboxRow.is_withheld).is_(False),
    )  # fmt: skip
    return set((await tx.session.execute(query)).tuples())


async def told_members(tx: Transaction, circle: UUID) -> list[str]:
    """The agencies that know from this one that it is in a circle."""
    return sorted({recipient for recipient, _consent in await _told_under(tx, circle)})


@dataclass(frozen=True, slots=True)
class ToldBefore:
    """What a member has been told of the circle, by when it was. Of words that are cleared only that is left."""

    steps: Collection[tuple[str, datetime]]
    states: Mapping[str, str]  # the last one of each referral
    cleared_steps: Collection[datetime]
    cleared_states: Collection[datetime]

    def has_step(self, code: str, occurred_at: datetime) -> bool:
        """Whether this step was among it."""
        return (code, occurred_at) in self.steps or occurred_at in self.cleared_steps

    def has_state(self, referral: Referral) -> bool:
        """Whether the state in which a referral is was. Whoever was told any state since the referral moved was told this one too,
        then or when that consent began."""
        since = any(at >= referral.moved_at for at in self.cleared_states)
        return self.states.get(str(referral.id)) == referral.state or since


async def _told_before(tx: Transaction, circle: UUID, peer: str) -> ToldBefore:
    told = select(col(OutboxRow.type), col(OutboxRow.occurred_at), col(OutboxRow.data)).where(
        col(OutboxRow.subject) == circle, col(OutboxRow.recipient) == peer, col(OutboxRow.type).in_(TOLD_ONCE),
        col(OutboxRow.is_withheld).is_(False), col(OutboxRow.erased_at).is_(None),
    )  # fmt: skip
    with shut_shown():
        rows: Sequence[Any] = (await tx.session.execute(told.order_by(col(OutboxRow.position)))).all()
    read = [(type_, at, data) for type_, at, data in rows if data]
    cleared = [(type_, at) for type_, at, data in rows if not data]  # or what cannot be opened for want of its key
    progress, of_referrals = events.CaseProgress.type, events.CircleReferralProgress.type
    return ToldBefore(
        steps={(data["code"], at) for type_, at, data in read if type_ == progress},
        states={data["referral"]: data["state"] for type_, _at, data in read if type_ == of_referrals},
        cleared_steps={at for type_, at in cleared if type_ == progress},
        cleared_states={at for type_, at in cleared if type_ == of_referrals},
    )


async def history(
    tx: Transaction, here: Here, case: Circle, case_id: UUID, peer: str, release: sharing.Released
) -> list[outbox.Outgoing]:
    """What a member of the circle is told, under a consent that is new, of what was before: this agency's own steps, and how its
    requests to other members stand, as far as she allows. Of others it hears from them.

    What it has been told already is left out, unless that went with a consent.
    """
    told = await _told_before(tx, case.circle, peer)
    steps = select(Progress).where(
        col(Progress.case_id) == case_id, col(Progress.agency) == here.agency,
        or_(col(Progress.code).not_in(codes.DATED), col(Progress.on_date).is_not(None)),
    )  # fmt: skip
    words = []
    for step in (await tx.session.execute(steps)).scalars():
        code = codes.ProgressCode(step.code)
        if sharing.may_pass_progress(here, peer, release, code) and not told.has_step(code, step.occurred_at):
            fact = events.CaseProgress(code=code, on_date=step.on_date)
            words.append(word_to(case, peer, release.consent_id, fact, step.occurred_at))
    asked = select(Referral).where(
        col(Referral.case_id) == case_id, col(Referral.direction) == "out", col(Referral.recipient) != peer
    )
    for referral in (await tx.session.execute(asked)).scalars():
        # Where she took it back she did not want them to know of her: nobody is told that they did.
        if not referral.standing.get("consent_taken_back") and not told.has_state(referral):
            state = ReferralState(referral.state)
            words += referral_progress_words(here, case, {peer: release}, referral.id, referral.recipient, state, referral.moved_at)
    return sorted(words, key=lambda word: word.occurred_at)


async def announce(tx: Transaction, here: Here, case: Case, to: Collection[str] | None = None) -> dict[str, list[outbox.Outgoing]]:
    """Announces this agency's own membership when whom it shares with has changed, and to whom it has not been told under the
    consent that stands: what was told under one that was taken back may never have been opened there.

    Returns what members were told with it of what has been until now, as a new one is. `to`: only to these and to whom it
    was announced before; others are not told of a request that is only being thought about.
    """
    releases = await sharing.releases(tx, here, case.id, here.serving)
    query = select(CircleMember).where(col(CircleMember.circle) == case.circle, col(CircleMember.agency) == here.agency)
    own = (await tx.session.execute(query)).scalar_one_or_none()
    if to is not None:
        known = {*to, *(own.shares_with if own is not None else ())}
        releases = {peer: release for peer, release in releases.items() if peer in known}
    shares_with = shared_with(releases)
    await outbox.lock_subjects(tx, [case.circle])
    now = tx.clock.now()
    told = await _told_under(tx, case.circle)
    if own is not None and own.shares_with == shares_with:
        new = [word for word in announcement(here, case, releases, now) if (word.recipient, word.consent_id) not in told]
        welcomed = {word.recipient: await _welcome(tx, here, case, word, releases[word.recipient]) for word in new}
        return {peer: earlier for peer, earlier in welcomed.items() if earlier}
    if own is None:
        own = CircleMember(
            circle=case.circle, agency=here.agency, circle_version=case.circle_version, shares_with=shares_with, announced_at=now
        )
        tx.session.add(own)
    else:
        case.circle_version += 1
        own.circle_version, own.shares_with, own.announced_at = case.circle_version, shares_with, now
    await tx.session.flush()
    welcomed = {}
    for word in announcement(here, case, releases, now):
        if (word.recipient, word.consent_id) in told:
            await outbox.add(tx, word)
        elif earlier := await _welcome(tx, here, case, word, releases[word.recipient]):
            welcomed[word.recipient] = earlier
    return welcomed


async def _welcome(
    tx: Transaction, here: Here, case: Case, word: outbox.Outgoing, release: sharing.Released
) -> list[outbox.Outgoing]:
    """A member that is told under a consent for the first time hears what that consent allows of what was before, if anything."""
    await outbox.add(tx, word)
    earlier = await history(tx, here, case, case.id, word.recipient, release)
    for one in earlier:
        await outbox.add(tx, one)
    return earlier
