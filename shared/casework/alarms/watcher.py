"""The watcher: on the agency's clock it sets local flags, raises alarms to posts and lets them climb. It never changes a state.

It keeps nothing in memory but on which day it looked last for days that have passed: after a restart it goes on from what the
database says.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import exists, literal, or_, select, union
from sqlalchemy.orm import aliased
from sqlmodel import col

from shared.casework.alarms.commands import END_WAITS, alarms_about, clear, climb, raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.cases.recovering import waits_for
from shared.casework.cases.tables import Case
from shared.casework.circles.commands import let_days_pass
from shared.casework.consents.commands import end_consent, is_prolonged
from shared.casework.consents.handlers import forget_ended
from shared.casework.consents.tables import HAS_AN_END, Consent, EndedConsent, Erasure, Refusal
from shared.casework.eyes.commands import looks_at_decoys, tell_of_decoys
from shared.casework.here import Here
from shared.casework.referrals import domain, story
from shared.casework.referrals.handlers import answer_late
from shared.casework.referrals.pathways import seen_within
from shared.casework.referrals.story import Told
from shared.casework.referrals.tables import IS_FLAGGED, Referral, ReferralFact
from shared.contracts.casework import events, lifecycle
from shared.contracts.casework.codes import Basis, Flag, ReferralState, Urgency
from shared.exchange import feed
from shared.exchange.tables import InboxRow, InboxState, OutboxRow
from shared.kit.db import Database, Transaction, is_transient
from shared.kit.errors import DatabaseAway
from shared.kit.keystore import CANNOT_OPEN

# What falls due right after a look waits for the next one, and for its work: an alarm comes within 5 s of its deadline (security.md
# section 7, number 8). The shortest limit of any programme is minutes.
TICK_S = 4.0
MACHINE_ANSWERS = frozenset({ReferralState.ISSUED, ReferralState.ACKNOWLEDGED})  # after these a person answers
WATCH_BATCH = 200  # referrals looked at in one read
ERASED_WITHIN = timedelta(hours=1)  # of the word that asks for it: what the programmes are measured by (domain.md, section 5)
ENDS_WITHIN = timedelta(days=1)  # of the word that a consent has ended: what could not be taken up is taken or given up by then
REMIND_BEFORE = timedelta(days=7)  # a consent's end: her next visit is mostly within a week
CLIMB_BATCH = 200  # alarms found in one read: a line that breaks may alarm about everything under way at once

Watch = Callable[[Database, Here], Awaitable[None]]  # what one kind of agency alone looks at, once a tick

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Watched:
    """What of a referral every tick looks at; the columns of WATCHED."""

    id: UUID
    case_id: UUID
    direction: str
    issuer: str
    recipient: str
    desk: str
    from_facility: str
    to_facility: str
    services: list[str]
    urgency: str
    state: str
    is_open: bool
    standing: dict[str, Any]
    told: dict[str, Any]
    flags: list[str]
    said: dict[str, Any] | None
    issued_at: datetime
    moved_at: datetime
    delivered_at: datetime | None
    told_by_phone_at: datetime | None
    respond_by: datetime


# Columns, not objects: every open referral is read every few seconds, in the process that relays and receives.
WATCHED = (
    col(Referral.id), col(Referral.case_id), col(Referral.direction), col(Referral.issuer), col(Referral.recipient),
    col(Referral.desk), col(Referral.from_facility), col(Referral.to_facility), col(Referral.services), col(Referral.urgency),
    col(Referral.state), col(Referral.is_open), col(Referral.standing), col(Referral.told),
    col(Referral.flags), col(Referral.said), col(Referral.issued_at), col(Referral.moved_at),
    col(Referral.delivered_at), col(Referral.told_by_phone_at), col(Referral.respond_by),
)  # fmt: skip


def _watched(referral: Referral) -> _Watched:
    """The same of a record."""
    return _Watched(**{name: getattr(referral, name) for name in _Watched.__slots__})


def _page(columns: Sequence[Any], after: UUID | None) -> Any:
    # Each reason has an index of its own: what ended long ago costs nothing, however much there is of it.
    kept_back = select(col(ReferralFact.referral_id)).where(col(ReferralFact.is_kept_back))
    flagged = select(col(Referral.id)).where(IS_FLAGGED)
    watched = union(select(col(Referral.id)).where(col(Referral.is_open)), flagged, kept_back)
    query = select(*columns).where(col(Referral.id).in_(watched)).order_by(col(Referral.id)).limit(WATCH_BATCH)
    return query if after is None else query.where(col(Referral.id) > after)


class Watcher:
    """One watcher of one agency. Several may run: each change is decided again under the referral's lock."""

    def __init__(self, database: Database, here: Here, own: Sequence[Watch] = ()) -> None:
        self._database, self._here, self._own = database, here, own
        self._passed: date | None = None  # the day before which none lies ahead

    async def run(self, stop: asyncio.Event) -> None:
        """Ticks until `stop` is set."""
        while not stop.is_set():
            try:
                await self.tick()
            except DatabaseAway:
                pass  # the next tick sees the same
            except Exception as error:
                log.error("watcher_failed", extra={"because": type(error).__name__})  # and goes on: nothing else raises alarms
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TICK_S)

    async def tick(self) -> None:
        """Looks at everything once."""
        after: UUID | None = None
        while page := await self._watched(after):
            for referral_id, wanted in page:
                if wanted:
                    await self._alone(self._look, referral_id)
            after = page[-1][0]
        await self._consents()
        await self._tell_of_decoys()
        for watch in self._own:
            await self._apart(watch)
        await self._let_climb()
        await self._let_days_pass()

    async def _consents(self) -> None:
        for consent_id in await self._unsigned():
            await self._alone(self._not_erased, consent_id)
        for consent_id in await self._ending():
            await self._alone(self._remind, consent_id)
        for consent_id in await self._ended():
            await self._alone(self._end, consent_id)
        for sender, consent_id in await self._ended_here():
            await self._alone(partial(self._forget, sender), consent_id)
        for sender, consent_id in await self._ends_waiting():
            await self._alone(partial(self._end_waits, sender), consent_id)

    async def _let_climb(self) -> None:
        last: UUID | None = None
        while due := await self._climbing(last):
            for alarm_id in due:
                await self._alone(self._climb, alarm_id)
            last = due[-1]

    async def _tell_of_decoys(self) -> None:
        async with self._database.read() as tx:  # nearly always there is nothing, and a writer would keep others waiting
            are_fresh = bool(await looks_at_decoys(tx))
        if are_fresh:
            async with self._database.write() as tx:
                await tell_of_decoys(tx, self._here)

    async def _let_days_pass(self) -> None:
        today = self._here.day_of(self._database.clock.now())
        if today != self._passed:
            async with self._database.write() as tx:
                await let_days_pass(tx, today)
            self._passed = today

    async def _apart(self, watch: Watch) -> None:
        """What one kind of agency looks at keeps nobody from the alarms of all."""
        try:
            await watch(self._database, self._here)
        except Exception as error:
            if is_transient(error):
                raise
            log.error("own_watch_failed", extra={"because": type(error).__name__})

    async def _alone(self, look: Callable[[UUID], Awaitable[None]], about: UUID) -> None:
        """One row that cannot be handled never keeps the watcher from the others."""
        try:
            await look(about)
        except Exception as error:
            if is_transient(error):
                raise
            log.error("watched_row_failed", extra={"because": type(error).__name__, "about": str(about)})

    async def _watched(self, after: UUID | None) -> list[tuple[UUID, bool]]:
        """A page of open, flagged or kept-back referrals, each with whether anything about it must change.

        Where one of them does not open, each is looked at by itself.
        """
        try:
            return await self._due(after)
        except CANNOT_OPEN:
            async with self._database.read() as tx:
                return [(id_, True) for id_ in (await tx.session.execute(_page((col(Referral.id),), after))).scalars()]

    async def _due(self, after: UUID | None) -> list[tuple[UUID, bool]]:
        async with self._database.read() as tx:
            now = tx.clock.now()
            rows = [_Watched(*row) for row in (await tx.session.execute(_page(WATCHED, after))).tuples()]
            alarms = await alarms_about(tx, [r.id for r in rows if r.flags])
            entered = await self._entered(tx, rows)
            found = []
            for row in rows:
                is_due = self._flags(row, now, entered) != frozenset(row.flags) or bool(self._unalarmed(row, alarms, now))
                owes = await self._owes_word(tx, row, now) or await self._owes_answer(tx, row)
                found.append((row.id, is_due or owes))
            return found

    def _unalarmed(self, referral: _Watched, alarms: list[Alarm], now: datetime) -> set[Flag]:
        """Standing flags that nobody at the desk is alarmed of: it moved, or an alarm was resolved and nothing changed."""
        rest = self._here.programme.limits.ladder_step_h.of(referral.urgency)
        heard = {
            a.kind for a in alarms
            if a.about == referral.id and (a.resolved_at > now - rest if a.resolved_at else a.facility == referral.desk)
        }  # fmt: skip
        return {Flag(flag) for flag in referral.flags if flag not in heard}

    async def _entered(self, tx: Transaction, rows: Sequence[_Watched]) -> dict[UUID, datetime]:
        # Only for what nobody has seen yet does it matter.
        return await story.entered_at(tx, [row.id for row in rows if row.state == ReferralState.ISSUED])

    def _flags(self, referral: _Watched, now: datetime, entered: Mapping[UUID, datetime]) -> frozenset[Flag]:
        standing = story.load(referral.standing)
        windows = tuple(datetime.fromisoformat(window["until"]) for window in (referral.said or {}).get("windows") or ())
        clocks = domain.Clocks(
            referral.direction, standing.state, Urgency(referral.urgency), referral.is_open, standing.arrived,
            standing.no_feedback, referral.issued_at, referral.moved_at, referral.delivered_at, referral.told_by_phone_at,
            windows, referral.respond_by, seen_within(self._here, referral), entered.get(referral.id),
        )  # fmt: skip
        return domain.flags_of(clocks, self._here.programme.limits, now)

    async def _owes_word(self, tx: Transaction, referral: _Watched, now: datetime) -> bool:
        due = lifecycle.no_feedback_due(referral.issued_at, now)
        if referral.direction != "in" or due is None:
            return False
        end = await story.recipient_end(tx, self._here, await tx.session.get_one(Referral, referral.id))
        # What came to be kept back since the last moment of the grid waits for the next one.
        if end.feedback_agreed and referral.moved_at > due:
            return False
        return bool(lifecycle.no_feedback_word(end))

    async def _owes_answer(self, tx: Transaction, referral: _Watched) -> bool:
        """A request to cancel that the machine left pending while this agency recovered from a restore."""
        if referral.direction != "in":
            return False
        standing = story.load(referral.standing)
        # What had ended here before the request came pends only as far as its issuer was told.
        pends = story.load(referral.told) if standing.is_ended else standing
        if pends.cancel_pending is None or not (standing.is_ended or standing.state in MACHINE_ANSWERS):
            return False
        return not await waits_for(tx, referral.case_id, referral.issuer)

    async def _look(self, referral_id: UUID) -> None:
        async with self._database.write() as tx:
            referral = await story.lock(tx, referral_id)
            if referral is None:
                return
            now = tx.clock.now()
            seen = _watched(referral)
            await self._set_flags(tx, referral, self._flags(seen, now, await self._entered(tx, [seen])))
            if await self._owes_word(tx, seen, now):
                end = await story.recipient_end(tx, self._here, referral)
                told = Told(self._here.agency, True, lifecycle.no_feedback_due(referral.issued_at, now) or now)
                await story.tell_facts(tx, self._here, referral, end, lifecycle.no_feedback_word(end), told)
            if await self._owes_answer(tx, _watched(referral)):
                await answer_late(tx, self._here, referral)

    async def _set_flags(self, tx: Transaction, referral: Referral, flags: frozenset[Flag]) -> None:
        before = frozenset(map(Flag, referral.flags))
        alarms = await alarms_about(tx, [referral.id])
        unalarmed = self._unalarmed(_watched(referral), alarms, tx.clock.now()) & flags
        gone = {a.kind for a in alarms if a.resolved_at is None and a.facility != referral.desk and a.kind in flags}
        await clear(tx, self._here, referral.id, gone)  # the desk that held it can no longer see it
        urgency = Urgency(referral.urgency)
        for flag in sorted((flags - before) | unalarmed):
            # The desk sees on its list what nobody has seen; where care is a matter of hours its supervisor is told at once.
            at_once = flag is Flag.UNACKNOWLEDGED and urgency is Urgency.ACUTE
            await raise_alarm(tx, self._here, flag, referral.id, referral.desk, urgency, referral.case_id, to_supervisor=at_once)
        if flags == before:
            return
        referral.flags = sorted(flags)
        referral.version += 1
        await tx.session.flush()
        await clear(tx, self._here, referral.id, {str(flag) for flag in before - flags})
        await feed.record(
            tx, feed.Line(kind="referral.flagged", subject=referral.id, agency=self._here.agency, is_own=True,
                          occurred_at=tx.clock.now(), case_id=referral.case_id, facility=referral.desk,
                          detail={"flags": sorted(flags)}),
        )  # fmt: skip

    async def _ending(self) -> list[UUID]:
        """Her last answers about somebody and a purpose that end soon, or have ended, and of which nobody was reminded. What the
        law or her life has asked for since is no answer of hers, and prolongs none."""
        newer, no, told = aliased(Consent), aliased(Refusal), aliased(Alarm)
        same = (
            col(newer.case_id) == col(Consent.case_id), col(newer.recipient) == col(Consent.recipient),
            col(newer.purpose) == col(Consent.purpose), col(newer.basis).in_([col(Consent.basis), literal(Basis.CONSENT)]),
        )  # fmt: skip
        said_no = (
            col(no.case_id) == col(Consent.case_id),
            col(no.recipient) == col(Consent.recipient),
            col(no.id) > col(Consent.id),
        )
        async with self._database.read() as tx:
            query = select(col(Consent.id)).where(
                HAS_AN_END, col(Consent.expires_at) <= tx.clock.now() + REMIND_BEFORE,
                ~exists().where(*same, col(newer.id) > col(Consent.id)), ~exists().where(*said_no),
                ~exists().where(col(told.about) == col(Consent.id), col(told.kind) == "consent_ends_soon"),
            )  # fmt: skip
            return list((await tx.session.execute(query.limit(WATCH_BATCH))).scalars())

    async def _remind(self, consent_id: UUID) -> None:
        async with self._database.write() as tx:
            consent = await tx.session.get_one(Consent, consent_id)
            case = await tx.session.get_one(Case, consent.case_id)
            peer = {"peer": consent.recipient}
            await raise_alarm(tx, self._here, "consent_ends_soon", consent.id, case.facility, Urgency.ROUTINE, case.id, peer)

    async def _ended(self) -> list[UUID]:
        """Our consents whose day has passed and that no newer yes of hers prolongs, of which nobody is told: as soon as all that
        was said under them is there."""
        unheard = (
            col(OutboxRow.consent_id) == col(Consent.id), col(OutboxRow.delivered_at).is_(None), ~col(OutboxRow.is_withheld),
            col(OutboxRow.erased_at).is_(None), ~col(OutboxRow.is_forked),
        )  # fmt: skip
        async with self._database.read() as tx:
            query = select(col(Consent.id)).where(
                HAS_AN_END, col(Consent.expires_at) <= tx.clock.now(), ~exists().where(col(Erasure.consent_id) == col(Consent.id)),
                ~exists().where(*unheard), ~is_prolonged(tx.clock.now()),
            )  # fmt: skip
            return list((await tx.session.execute(query.limit(WATCH_BATCH))).scalars())

    async def _end(self, consent_id: UUID) -> None:
        async with self._database.write() as tx:
            await end_consent(tx, self._here, consent_id)

    async def _ended_here(self) -> list[tuple[str, UUID]]:
        """Peers' consents whose day has passed and under which nothing is open here any more."""
        is_open = (
            col(Referral.consent_id) == col(EndedConsent.consent_id), col(Referral.issuer) == col(EndedConsent.sender),
            col(Referral.direction) == "in", col(Referral.is_open),
        )  # fmt: skip
        query = select(col(EndedConsent.sender), col(EndedConsent.consent_id)).where(~exists().where(*is_open))
        async with self._database.read() as tx:
            return list((await tx.session.execute(query.limit(WATCH_BATCH))).tuples())

    async def _ends_waiting(self) -> list[tuple[str, UUID]]:
        """Peers' consents whose end is not heard yet, because a request under them waits or is parked: its words are kept
        meanwhile, for ever where nobody takes it up or gives it up."""
        async with self._database.read() as tx:
            late = select(col(InboxRow.sender), col(InboxRow.consent_id)).where(
                col(InboxRow.state) == InboxState.WAITING, col(InboxRow.type) == events.ConsentEnded.type,
                col(InboxRow.received_at) <= tx.clock.now() - ENDS_WITHIN, col(InboxRow.consent_id).is_not(None),
            )  # fmt: skip
            found = (await tx.session.execute(late.order_by(col(InboxRow.received_at)).limit(WATCH_BATCH))).tuples()
            return [(sender, consent_id) for sender, consent_id in found if consent_id is not None]

    async def _end_waits(self, sender: str, consent_id: UUID) -> None:
        async with self._database.write() as tx:
            now, rest = tx.clock.now(), self._here.programme.limits.ladder_step_h.of(Urgency.URGENT)
            told = [a for a in await alarms_about(tx, [consent_id]) if a.kind == END_WAITS]
            if not any(alarm.resolved_at is None or alarm.resolved_at > now - rest for alarm in told):
                facility = next(iter(self._here.entry.facilities))
                await raise_alarm(tx, self._here, END_WAITS, consent_id, facility, Urgency.URGENT, None, {"peer": sender})

    async def _forget(self, sender: str, consent_id: UUID) -> None:
        async with self._database.write() as tx:
            await forget_ended(tx, self._here, sender, consent_id)

    async def _unsigned(self) -> list[UUID]:
        """Consents that are over whose recipient has not signed in time that its copies are destroyed. Of one that has ended
        nothing is late while something under it is open, as far as is known here: without `fb` that is not known."""
        async with self._database.read() as tx:
            since = tx.clock.now() - ERASED_WITHIN
            goes_on = (
                col(Referral.consent_id) == col(Erasure.consent_id), col(Referral.direction) == "out",
                or_(col(Referral.is_open), col(Referral.moved_at) > since),
            )  # fmt: skip
            late = select(col(Erasure.consent_id)).join(Consent, col(Consent.id) == col(Erasure.consent_id)).where(
                col(Erasure.outcome).is_(None), col(Erasure.told_at) <= since,
                or_(col(Consent.taken_back_at).is_not(None), ~exists().where(*goes_on)),
            )  # fmt: skip
            return list((await tx.session.execute(late.order_by(col(Erasure.told_at)).limit(WATCH_BATCH))).scalars())

    async def _not_erased(self, consent_id: UUID) -> None:
        async with self._database.write() as tx:
            query = select(Erasure).where(col(Erasure.consent_id) == consent_id, col(Erasure.outcome).is_(None))
            now, rest = tx.clock.now(), self._here.programme.limits.ladder_step_h.of(Urgency.URGENT)
            told = [a for a in await alarms_about(tx, [consent_id]) if a.kind == "not_erased"]
            if any(alarm.resolved_at is None or alarm.resolved_at > now - rest for alarm in told):
                return
            for erasure in (await tx.session.execute(query)).scalars().all():
                case = await tx.session.get_one(Case, erasure.case_id)
                peer = {"peer": erasure.recipient}
                await raise_alarm(tx, self._here, "not_erased", consent_id, case.facility, Urgency.URGENT, case.id, peer)

    async def _climbing(self, after: UUID | None) -> list[UUID]:
        """A page of alarms that nobody took in time."""
        async with self._database.read() as tx:
            query = select(col(Alarm.id)).where(
                col(Alarm.resolved_at).is_(None), col(Alarm.taken_at).is_(None), col(Alarm.climbs_at) <= tx.clock.now()
            )
            if after is not None:
                query = query.where(col(Alarm.id) > after)
            return list((await tx.session.execute(query.order_by(col(Alarm.id)).limit(CLIMB_BATCH))).scalars())

    async def _climb(self, alarm_id: UUID) -> None:
        async with self._database.write() as tx:
            query = select(Alarm).where(col(Alarm.id) == alarm_id).with_for_update().execution_options(populate_existing=True)
            alarm = (await tx.session.execute(query)).scalar_one_or_none()
            if alarm is None or alarm.resolved_at or alarm.taken_at or not alarm.climbs_at or alarm.climbs_at > tx.clock.now():
                return
            referral = await tx.session.get(Referral, alarm.about)
            urgency = Urgency(referral.urgency) if referral is not None else Urgency.URGENT
            await climb(tx, self._here, alarm, urgency)
