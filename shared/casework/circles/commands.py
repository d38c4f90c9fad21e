"""What a circle's members are told: who shares with whom, how referrals to other members stand, and coded progress."""

from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from pydantic import model_validator
from sqlalchemy import select
from sqlmodel import col

from shared.casework import sharing
from shared.casework.cases.commands import Form, NoteText, add_note, happened, load_case
from shared.casework.cases.tables import Case
from shared.casework.circles.tables import CircleMember, Progress
from shared.casework.here import Actor, Here
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import ConsentItem, ReferralState
from shared.exchange import feed, outbox
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.ids import new_id


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
    fact = events.CaseProgress(code=command.code, on_date=command.on_date)
    occurred_at = happened("occurred_at", command.occurred_at, tx.clock.now())
    row = Progress(
        case_id=case.id, agency=here.agency, code=command.code, on_date=command.on_date, occurred_at=occurred_at,
        recorded_at=tx.clock.now(), recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    told = []
    event_id = None
    for peer in here.peers:
        release = await sharing.released(tx, case.id, peer)
        if release is not None and sharing.may_pass_progress(here, peer, release, command.code):
            event_id = await outbox.add(tx, _word(case, peer, release.consent_id, fact, occurred_at))
            told.append(peer)
    await feed.record(
        tx, feed.Line(kind=fact.type, subject=circle, agency=here.agency, is_own=True, occurred_at=occurred_at, case_id=case.id,
                      facility=case.facility, event_id=event_id, detail={**events.data_of(fact), "told": told}),
    )  # fmt: skip
    await add_note(tx, case.id, case.id, command.note, by)
    return row, told


async def visit_is_set(tx: Transaction, case_id: UUID, agency: str) -> bool:
    """Whether an agency has set a visit of the case that lies after today."""
    query = select(col(Progress.position)).where(
        col(Progress.case_id) == case_id, col(Progress.agency) == agency, col(Progress.code) == codes.ProgressCode.NEXT_CLINIC_DATE,
        col(Progress.on_date) > tx.clock.now().date(),
    )  # fmt: skip
    return (await tx.session.execute(query.limit(1))).first() is not None


class Circle(Protocol):
    """What is said about a circle needs this of the case."""

    @property
    def circle(self) -> UUID: ...

    @property
    def circle_version(self) -> int: ...


def _word(case: Circle, peer: str, consent_id: UUID, fact: events.Event, occurred_at: events.Moment) -> outbox.Outgoing:
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
        _word(case, peer, release.consent_id, fact, now) for peer, release in releases.items()
        if peer != recipient and sharing.may_pass_referral_progress(here, peer, release)
    ]  # fmt: skip


async def tell_referral_progress(
    tx: Transaction, here: Here, case: Case, referral_id: UUID, recipient: str, state: ReferralState
) -> None:
    """Tells the circle's other members how a referral to one of them stands; the circle's subject is locked here."""
    releases = await sharing.releases(tx, case.id, (peer for peer in here.peers if peer != recipient))
    words = referral_progress_words(here, case, releases, referral_id, recipient, state, tx.clock.now())
    if words:
        await outbox.lock_subjects(tx, [case.circle])
    for word in words:
        await outbox.add(tx, word)


def shared_with(releases: sharing.Releases) -> list[str]:
    """Whom this agency shares with, as it announces it."""
    return sorted(peer for peer, release in releases.items() if ConsentItem.REQ in release.items)


def announcement(case: Circle, releases: sharing.Releases, now: datetime) -> list[outbox.Outgoing]:
    """This agency's own membership, for each whom it shares with. A member hears of others only under `prog`."""
    sharing_with = shared_with(releases)
    words = []
    for peer in sharing_with:
        known = tuple(sharing_with) if ConsentItem.PROG in releases[peer].items else (peer,)
        fact = events.CircleAnnounced(circle_version=case.circle_version, shares_with=known)
        words.append(_word(case, peer, releases[peer].consent_id, fact, now))
    return words


async def announce(tx: Transaction, here: Here, case: Case) -> None:
    """Announces this agency's own membership when whom it shares with has changed."""
    releases = await sharing.releases(tx, case.id, here.peers)
    query = select(CircleMember).where(col(CircleMember.circle) == case.circle, col(CircleMember.agency) == here.agency)
    own = (await tx.session.execute(query)).scalar_one_or_none()
    shares_with = shared_with(releases)
    if own is not None and own.shares_with == shares_with:
        return
    await outbox.lock_subjects(tx, [case.circle])
    now = tx.clock.now()
    if own is None:
        own = CircleMember(
            circle=case.circle, agency=here.agency, circle_version=case.circle_version, shares_with=shares_with, announced_at=now
        )
        tx.session.add(own)
    else:
        case.circle_version += 1
        own.circle_version, own.shares_with, own.announced_at = case.circle_version, shares_with, now
    await tx.session.flush()
    for word in announcement(case, releases, now):
        await outbox.add(tx, word)
