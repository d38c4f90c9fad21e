"""Two agencies on the direct line alone, the broker silent: all that a broker would have brought comes, and is signed for."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from exchange_node import Node, new_subject
from exchange_pair import Pair
from sqlalchemy import delete, select, update
from sqlmodel import col

from shared.contracts.wire.envelope import Inner, Unopenable
from shared.exchange.anchor import Anchor, AnchorAway, check_anchor
from shared.exchange.direct import StreamName
from shared.exchange.erasing import erase_said
from shared.exchange.inbox import heard
from shared.exchange.incarnations import open_incarnation
from shared.exchange.receipts import ASK_AGAIN, OVERDUE, STILL, summary
from shared.exchange.reconcile import BYPASSED_AFTER, Reconciler, Report
from shared.exchange.recovery import apply_home, take_home
from shared.exchange.tables import OutboxRow, ReceivedHead, Recovery, Stream
from shared.kit.errors import DatabaseAway
from shared.kit.ids import new_id


class Ends:
    """The reconcilers of both, and the line between them: no socket, no certificate. `broker_answers` at either end."""

    def __init__(self, pair: Pair) -> None:
        self.broker_answers = True
        self.at = {
            node.agency: self._reconciler(node, peer.agency)
            for node, peer in ((pair.police, pair.health), (pair.health, pair.police))
        }

    def _reconciler(self, node: Node, peer: str) -> Reconciler:
        letters = node.letters(peer)
        return Reconciler(node.database, node.agency, node.seal, node.inbox, letters, is_brought=lambda: self.broker_answers)

    async def compare(self, agency: str, peer: str, *, is_patient: bool = False) -> Report:
        return await self.at[agency].reconcile(peer, _Line(agency, self), is_patient=is_patient)


class _Line:
    def __init__(self, agency: str, ends: Ends) -> None:
        self._agency, self._ends = agency, ends

    async def state(self, peer: str, envelope: bytes) -> bytes:
        return await self._ends.at[peer].take_statement(self._agency, envelope)

    async def events(self, peer: str, stream: StreamName, first: int, last: int) -> list[bytes]:
        return await self._ends.at[peer].events(self._agency, stream, first, last)

    async def directory(self, peer: str, known: int) -> bytes:
        return self._ends.at[peer].directory(self._agency, known)


@pytest.fixture
def ends(pair: Pair) -> Ends:
    return Ends(pair)


async def test_what_is_fetched_is_signed_for_at_once(pair: Pair, ends: Ends) -> None:
    said = await pair.police.say("health", new_subject(), 0)
    await pair.police.number("health")
    assert (await ends.compare("health", "police")).received == 1
    assert pair.police.delivered_ids == [said]


async def test_a_signature_that_was_lost_on_the_way_is_asked_for(pair: Pair, ends: Ends) -> None:
    said = await pair.police.say("health", new_subject(), 0)
    await pair.health.hear("police", await pair.police.number("health"))
    assert (await ends.compare("police", "health")).in_step
    assert pair.police.delivered_ids == [said]


async def test_a_restore_is_answered(pair: Pair, ends: Ends) -> None:
    await pair.police.say("health", new_subject(), 0)
    await pair.health.hear("police", await pair.police.number("health"))
    async with pair.police.database.write() as tx:
        await open_incarnation(tx, ["health"], "restored")
    await pair.police.number("health")
    for _ in range(3):
        await ends.compare("health", "police")
        await ends.compare("police", "health")
        pair.clock.advance(ASK_AGAIN)
    async with pair.police.database.read() as tx:
        (answered,) = (await tx.session.execute(select(col(Recovery.answered_at)))).scalars()
    assert answered is not None


async def test_nothing_leaves_by_the_direct_line_before_the_anchor_covers_it(pair: Pair, tmp_path: Path) -> None:
    """As by the broker: an older copy of the database would give the number a second time, and nobody would notice."""
    place = tmp_path / "police.anchor"
    await check_anchor(pair.police.database, Anchor(place), ("health",))
    at_desk = Reconciler(
        pair.police.database, "police", pair.police.seal, pair.police.inbox, pair.police.letters("health"), Anchor(place)
    )
    for step in range(2):
        await pair.police.say("health", new_subject(), step)
    await pair.police.number("health")
    async with pair.police.database.read() as tx:
        life = (await tx.session.execute(select(col(Stream.incarnation)))).scalar_one()
    stream = StreamName("police", "health", life)
    (first,) = await at_desk.events("health", stream, 1, 1)
    marks = Anchor(place).read()
    assert first
    assert marks is not None
    assert marks.sizes == {"health": 1}
    place.write_text("no anchor")
    with pytest.raises(AnchorAway):
        await at_desk.events("health", stream, 2, 2)


async def test_a_copy_that_was_replaced_gives_no_words_away(pair: Pair) -> None:
    letters = pair.police.letters("health")
    at_desk = Reconciler(pair.police.database, "police", pair.police.seal, pair.police.inbox, letters)
    await pair.police.say("health", new_subject(), 0)
    await pair.police.number("health")
    async with pair.police.database.read() as tx:
        life = (await tx.session.execute(select(col(Stream.incarnation)))).scalar_one()
    assert len(await at_desk.events("health", StreamName("police", "health", life), 1, 1)) == 1
    letters.is_still = True
    with pytest.raises(DatabaseAway):
        await at_desk.events("health", StreamName("police", "health", life), 1, 1)


async def _answered_before_it_is_home(pair: Pair, subject: UUID, kind: str = "story.told") -> Inner:
    """A word that was under way when we were restored: its recipient had given everything back, got it, and answered."""
    said = await pair.police.say("health", subject, 0)
    (under_way,) = await pair.police.number("health")
    async with pair.police.database.write() as tx:  # an older copy
        await tx.session.execute(delete(OutboxRow).where(col(OutboxRow.event_id) == said))
        await tx.session.execute(update(Stream).values(size=0, held=0, frontier=b""))
        await open_incarnation(tx, ["health"], "restored")
        await tx.session.execute(update(Recovery).values(answered_at=tx.clock.now()))
    await pair.health.hear("police", [under_way])
    pair.police.broken = True  # what it answers is not known here yet
    if kind == "story.begun":  # which never waits: what went before it may still be under way
        await pair.health.say("police", subject, 2)
    await pair.health.say("police", subject, 1, type=kind, fails="once")
    await pair.police.hear("health", (await pair.health.number("police"))[-1:])
    assert set((await pair.police.inbox_states()).values()) == {"parked"}
    pair.police.broken = False
    return pair.health.seal.open(under_way, "police")


async def test_an_answer_that_came_before_our_own_word_came_home_is_used_once_it_has(pair: Pair, ends: Ends) -> None:
    subject = new_subject()
    word = await _answered_before_it_is_home(pair, subject)
    for _ in range(3):
        await ends.compare("police", "health")
        await ends.compare("health", "police")
        pair.clock.advance(ASK_AGAIN)
    assert pair.police.home_ids == [heard(word).event.id]
    assert pair.police.applied == [(subject, 1)]


@pytest.mark.parametrize("kind", ["story.told", "story.begun"])
async def test_it_is_used_too_where_the_process_ends_once_the_word_is_home(pair: Pair, kind: str) -> None:
    subject = new_subject()
    word = await _answered_before_it_is_home(pair, subject, kind)
    async with pair.police.database.write() as tx:
        await take_home(tx, "health", [word])
    await apply_home(pair.police.database, pair.police, "health")
    await pair.police.inbox.sweep()  # another process: of the one before it knows what is in the database
    assert pair.police.applied == [(subject, 1)]


async def test_what_waits_for_a_word_that_nobody_has_asks_for_it(pair: Pair, ends: Ends) -> None:
    subject = new_subject()
    lost = await pair.police.say("health", subject, 0)
    await pair.police.say("health", subject, 1)
    async with pair.police.database.write() as tx:
        await tx.session.execute(delete(OutboxRow).where(col(OutboxRow.event_id) == lost))
    await pair.police.number("health")
    await ends.compare("health", "police")
    assert pair.health.applied == []
    pair.clock.advance(STILL)
    assert (await ends.compare("health", "police")).in_step
    assert pair.health.applied == [(subject, 1)]


async def test_one_that_cannot_be_opened_keeps_no_other_from_coming(
    pair: Pair, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    subjects = [new_subject() for _ in range(3)]
    for subject in subjects:
        await pair.police.say("health", subject, 0)
    opens = pair.health.seal.open
    cursed = opens((await pair.police.number("health"))[0], "police")

    def opens_others(envelope: bytes, sender: str) -> Inner:
        inner = opens(envelope, sender)
        if inner.header.seq == cursed.header.seq:
            raise Unopenable("its key is gone")
        return inner

    monkeypatch.setattr(pair.health.seal, "open", opens_others)
    report = await ends.compare("health", "police")
    assert (report.received, report.away, report.in_step) == (2, None, False)
    assert [subject for subject, _ in pair.health.applied] == subjects[1:]
    assert set(pair.health.troubles) == {"unopenable"}  # every copy of it is sealed anew


async def test_one_that_cannot_be_stored_is_fetched_once_a_comparison(
    pair: Pair, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pair.police.say("health", new_subject(), 0)
    await pair.police.number("health")

    async def fails(*_: Any, **__: Any) -> None:
        raise ValueError

    monkeypatch.setattr(pair.health.inbox, "_receive_together", fails)
    report = await ends.compare("health", "police")
    assert (report.received, report.in_step) == (0, False)
    assert set(pair.health.troubles) == {"unopenable"}  # every copy of it is sealed anew


async def _summaries(pair: Pair) -> list[bytes]:
    found = []
    for node, peer in ((pair.police, pair.health), (pair.health, pair.police)):
        async with node.database.read() as tx:
            found.append(await summary(tx, node.agency, peer.agency))
    return found


@pytest.mark.parametrize("kept", [0, 1])
async def test_a_life_that_is_lost_and_held_but_for_a_slot_is_not_in_step(pair: Pair, ends: Ends, kept: int) -> None:
    subject, numbered, copy = new_subject(), [], {"size": 0, "held": 0, "frontier": b""}
    ids = []
    for step in range(kept + 3):
        if step == kept:  # what the older copy has of its stream
            async with pair.police.database.read() as tx:
                stream = (await tx.session.execute(select(Stream))).scalars().first()
                copy = {name: getattr(stream, name) for name in copy} if kept and stream is not None else copy
        ids.append(await pair.police.say("health", subject, step))
        numbered += await pair.police.number("health")
    await pair.health.hear("police", [*numbered[:kept], *numbered[kept + 1 :]])  # all but the first that the copy has not
    async with pair.police.database.write() as tx:
        await tx.session.execute(delete(OutboxRow).where(col(OutboxRow.event_id).in_(ids[kept:])))
        await tx.session.execute(update(Stream).values(**copy))
        await open_incarnation(tx, ["health"], "restored")
    ours, theirs = await _summaries(pair)
    assert ours != theirs  # else nobody asks for what has to come home
    assert not (await ends.compare("health", "police")).in_step
    for _ in range(3):
        await ends.compare("police", "health")
        pair.clock.advance(ASK_AGAIN)
    await apply_home(pair.police.database, pair.police, "health")
    assert set(pair.police.home_ids) >= set(ids[kept + 1 :])


async def test_what_was_erased_before_its_slot_was_found_taken_is_said_again_without_its_words(pair: Pair, ends: Ends) -> None:
    subject, consent_id = new_subject(), new_id()
    lost = await pair.police.say("health", new_subject(), 0)
    (heard_before,) = await pair.police.number("health")
    await pair.health.hear("police", [heard_before])
    async with pair.police.database.write() as tx:  # an older copy, which goes on in the same life
        await tx.session.execute(delete(OutboxRow).where(col(OutboxRow.event_id) == lost))
        await tx.session.execute(update(Stream).values(size=0, held=0, frontier=b""))
    erased = await pair.police.say("health", subject, 0, consent_id=consent_id)
    await pair.police.number("health")  # into a slot that another word of ours has already
    async with pair.police.database.write() as tx:
        await erase_said(tx, consent_id, ())
        await open_incarnation(tx, ["health"], "restored")
    after = await pair.police.say("health", subject, 1)
    for _ in range(4):
        await ends.compare("health", "police")
        await ends.compare("police", "health")
        await apply_home(pair.police.database, pair.police, "health")
        await pair.police.number("health")
        pair.clock.advance(ASK_AGAIN)
    async with pair.police.database.read() as tx:
        rows = (await tx.session.execute(select(OutboxRow).where(col(OutboxRow.event_id) == erased))).scalars().all()
    assert {(row.is_forked, row.is_withheld, row.data is None) for row in rows} == {(True, False, True), (False, True, True)}
    assert (await pair.health.inbox_states())[erased] == "withheld"
    assert [applied for applied in pair.health.applied if applied[0] == subject] == [(subject, 1)]  # and nothing waits for it
    assert after in pair.police.delivered_ids


async def _silent(pair: Pair, ends: Ends, count: int = 3) -> list[bytes]:
    """The clinic fetches what the broker should have brought; its envelopes."""
    for _ in range(count):
        await pair.police.say("health", new_subject(), 0)
    envelopes = await pair.police.number("health")
    assert (await ends.compare("health", "police")).received == count
    return envelopes


async def test_a_broker_that_brings_nothing_is_named_once(pair: Pair, ends: Ends) -> None:
    await _silent(pair, ends)
    pair.clock.advance(BYPASSED_AFTER - timedelta(seconds=1))
    assert (await ends.compare("health", "police")).bypassed == 0
    pair.clock.advance(timedelta(seconds=1))
    report = await ends.compare("health", "police")
    assert (report.bypassed, pair.health.troubles) == (3, ["broker_silent"])
    assert "3 came past a broker that has not brought them since" in report.words
    assert ((await ends.compare("health", "police")).bypassed, pair.health.troubles) == (0, ["broker_silent"])


async def test_what_the_broker_brings_later_accuses_nobody(pair: Pair, ends: Ends) -> None:
    envelopes = await _silent(pair, ends)
    assert (await pair.health.hear("police", envelopes)).duplicates == 3
    pair.clock.advance(BYPASSED_AFTER * 2)
    assert ((await ends.compare("health", "police")).bypassed, pair.health.troubles) == (0, [])


async def test_a_broker_that_lets_one_fall_and_goes_on_is_named_too(pair: Pair, ends: Ends) -> None:
    envelopes = await _silent(pair, ends)
    await pair.health.hear("police", [envelopes[0], envelopes[2]])
    await pair.police.say("health", new_subject(), 0)
    await pair.health.hear("police", await pair.police.number("health"))  # what stood behind it
    for _ in range(2):
        pair.clock.advance(BYPASSED_AFTER / 2)
        await pair.police.say("health", new_subject(), 0)
        await pair.health.hear("police", await pair.police.number("health"))  # the stream never rests
    assert ((await ends.compare("health", "police")).bypassed, pair.health.troubles) == (1, ["broker_silent"])


async def test_while_a_stream_is_still_read_nobody_is_accused(pair: Pair, ends: Ends) -> None:
    """A long backlog: what was fetched lies behind what comes now."""
    subjects = [new_subject() for _ in range(3)]
    for subject in subjects:
        await pair.police.say("health", subject, 0)
    envelopes = await pair.police.number("health")
    assert (await ends.compare("health", "police")).received == 3
    pair.clock.advance(BYPASSED_AFTER)
    await pair.health.hear("police", envelopes[:1])
    async with pair.health.database.write() as tx:
        await tx.session.execute(update(ReceivedHead).values(heard_at=pair.clock.now()))  # one of the first came a moment ago
    assert ((await ends.compare("health", "police")).bypassed, pair.health.troubles) == (0, [])


async def test_a_broker_that_is_away_is_not_said_to_be_silent(pair: Pair, ends: Ends) -> None:
    ends.broker_answers = False
    await _silent(pair, ends)
    ends.broker_answers = True  # and what was signed for meanwhile is never given to it
    pair.clock.advance(BYPASSED_AFTER * 2)
    assert ((await ends.compare("health", "police")).bypassed, pair.health.troubles) == (0, [])


async def test_a_process_that_has_just_begun_lets_the_broker_bring_what_it_has(pair: Pair, ends: Ends) -> None:
    for _ in range(3):
        await pair.police.say("health", new_subject(), 0)
    envelopes = await pair.police.number("health")
    assert (await ends.compare("health", "police", is_patient=True)).received == 0
    await pair.health.hear("police", envelopes[:1])
    pair.clock.advance(STILL - timedelta(seconds=1))
    assert (await ends.compare("health", "police", is_patient=True)).received == 0, "it is being read"
    pair.clock.advance(timedelta(seconds=1))
    report = await ends.compare("health", "police", is_patient=True)
    assert (report.received, report.in_step) == (2, True)


async def test_of_a_stream_that_goes_on_only_what_was_passed_long_ago_is_fetched(pair: Pair, ends: Ends) -> None:
    for _ in range(4):
        await pair.police.say("health", new_subject(), 0)
    envelopes = await pair.police.number("health")
    await pair.health.hear("police", envelopes[1:2])
    pair.clock.advance(OVERDUE)
    await pair.health.hear("police", envelopes[3:])
    report = await ends.compare("health", "police", is_patient=True)
    assert (report.received, report.in_step) == (1, False), "the third may lie unread still"
    assert (await ends.compare("health", "police")).received == 1, "by hand it is fetched at once"
