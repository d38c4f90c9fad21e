"""A key of one case that is lost, or destroyed, holds up what is about that case and nothing else."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from exchange_node import Node, new_subject
from exchange_pair import Pair
from keystores import lose

from shared.contracts.wire.statements import Recall
from shared.exchange import streams
from shared.exchange.custody import check_bundle, make_bundle
from shared.exchange.inbox import SHUT
from shared.exchange.recovery import held_of
from shared.exchange.relay import SHUT_AGAIN, Outbound, Relay
from shared.exchange.tables import InboxRow
from shared.exchange.watchdog import oldest_waiting
from shared.kit.keystore import KeyDestroyed, Keystore, KeystoreAway

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def keys_of(node: Node) -> Keystore:
    keys = node.database.keys
    assert keys is not None
    return keys


class Sent:
    """A relay of the desk's, and what the clinic is sent."""

    def __init__(self, desk: Node) -> None:
        self.envelopes: list[bytes] = []
        self.relay = Relay(desk.database, desk.agency, desk.seal, self._send, desk)

    async def _send(self, outbound: Sequence[Outbound]) -> None:
        self.envelopes += [one.envelope for one in outbound]


async def test_what_cannot_be_opened_is_passed_over_told_and_sent_once_its_key_is_back(pair: Pair, tmp_path: Path) -> None:
    lost, other = new_subject(), new_subject()
    for subject in (lost, other):
        await pair.police.say("health", subject, 0)
    lose(keys_of(pair.police), lost, tmp_path / "copy")
    sent = Sent(pair.police)
    for _ in range(3):
        await sent.relay.cycle()
    await pair.health.hear("police", sent.envelopes)
    assert pair.health.applied == [(other, 0)]
    assert pair.police.troubles == ["key_lost"]  # once
    keys_of(pair.police).take(tmp_path / "copy")
    pair.clock.advance(SHUT_AGAIN)
    await sent.relay.cycle()
    await pair.health.hear("police", sent.envelopes)
    assert pair.health.applied == [(other, 0), (lost, 0)]


async def test_what_cannot_be_opened_is_no_hang_and_what_stands_still_beside_it_is(pair: Pair, tmp_path: Path) -> None:
    lost = new_subject()
    await pair.police.say("health", lost, 0)
    lose(keys_of(pair.police), lost, tmp_path / "copy")
    assert await oldest_waiting(pair.police.database) == {}
    sent = Sent(pair.police)
    await sent.relay.cycle()
    await pair.police.say("health", new_subject(), 0)
    (standing,) = (await oldest_waiting(pair.police.database)).values()
    await pair.police.say("health", new_subject(), 0)
    assert list((await oldest_waiting(pair.police.database)).values()) == [standing]  # nothing has moved: what hangs, hangs
    await sent.relay.cycle()
    assert await oldest_waiting(pair.police.database) == {}


async def test_what_was_numbered_and_cannot_be_opened_keeps_no_other_from_being_sent_again(pair: Pair, tmp_path: Path) -> None:
    lost, other = new_subject(), new_subject()
    for subject in (lost, other):
        await pair.police.say("health", subject, 0)
    await pair.police.number("health")
    lose(keys_of(pair.police), lost, tmp_path / "copy")
    sent = Sent(pair.police)
    await sent.relay.cycle()
    await pair.health.hear("police", sent.envelopes)
    assert pair.health.applied == [(other, 0)]


@pytest.mark.parametrize("is_numbered", [False, True], ids=["new", "numbered"])
async def test_more_that_cannot_be_opened_than_is_remembered_keeps_no_other_from_being_sent(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_numbered: bool
) -> None:
    monkeypatch.setattr(streams, "SHUT_MAX", 2)
    monkeypatch.setattr(streams, "NUMBER_BATCH", 3)
    lost, others = new_subject(), [new_subject() for _ in range(5)]
    for step in range(8):  # more than a batch, and what is remembered
        await pair.police.say("health", lost, step)
    for subject in others[:4]:  # more than a batch too
        await pair.police.say("health", subject, 0)
    if is_numbered:
        while await pair.police.number("health"):
            pass
    lose(keys_of(pair.police), lost, tmp_path / "copy")
    sent = Sent(pair.police)
    for _ in range(3):
        await sent.relay.cycle()
    await pair.police.say("health", others[4], 0)
    await sent.relay.cycle()
    await pair.health.hear("police", sent.envelopes)
    assert sorted(pair.health.applied) == sorted((subject, 0) for subject in others)
    assert pair.police.troubles == ["key_lost"] * 2  # as many as are remembered
    keys_of(pair.police).take(tmp_path / "copy")
    pair.clock.advance(SHUT_AGAIN)
    for _ in range(3):
        await sent.relay.cycle()
    await pair.health.hear("police", sent.envelopes)
    assert sorted(step for subject, step in pair.health.applied if subject == lost) == list(range(8))


async def test_what_was_erased_before_it_left_travels_as_withheld(pair: Pair) -> None:
    erased, other = new_subject(), new_subject()
    first = await pair.police.say("health", erased, 0)
    await pair.police.say("health", other, 0)
    keys_of(pair.police).destroy([erased], NOW)
    sent = Sent(pair.police)
    await sent.relay.cycle()
    await pair.health.hear("police", sent.envelopes)
    assert pair.health.applied == [(other, 0)]
    assert (await pair.health.inbox_states())[first] == "withheld"
    assert pair.police.troubles == []


async def wait_for_two(pair: Pair) -> tuple[UUID, UUID, UUID]:
    """Two subjects of which the clinic holds the second step only, and the id of the first subject's."""
    subjects = [new_subject() for _ in range(2)]
    ids = []
    for subject in subjects:
        await pair.police.say("health", subject, 0)
        ids.append(await pair.police.say("health", subject, 1))
    envelopes = await pair.police.number("health")
    await pair.health.hear("police", envelopes[1::2])
    return subjects[0], subjects[1], ids[0]


@pytest.mark.parametrize("is_destroyed", [False, True], ids=["lost", "destroyed"])
async def test_what_waits_and_cannot_be_opened_keeps_no_other_waiting(pair: Pair, tmp_path: Path, is_destroyed: bool) -> None:
    lost, other, event_id = await wait_for_two(pair)
    gone = [row.event_id for row in await pair.police.outbox_rows() if row.seq in (1, 3)]
    keys = keys_of(pair.health)
    keys.destroy([lost], NOW) if is_destroyed else lose(keys, lost, tmp_path / "copy")
    await pair.health.inbox.gone("police", gone)
    await pair.health.inbox.sweep()
    assert pair.health.applied == [(other, 1)]
    assert (await pair.health.inbox_states())[event_id] == ("erased" if is_destroyed else "parked")
    assert pair.health.troubles == ([] if is_destroyed else ["parked"])
    assert await pair.health.inbox.retry("police", event_id) is False
    if not is_destroyed:
        keys.take(tmp_path / "copy")
        assert await pair.health.inbox.retry("police", event_id) is True
        assert pair.health.applied == [(other, 1), (lost, 1)]


async def test_a_batch_that_meets_what_waits_and_cannot_be_opened_is_applied(pair: Pair, tmp_path: Path) -> None:
    lost, other, event_id = await wait_for_two(pair)
    lose(keys_of(pair.health), lost, tmp_path / "copy")
    await pair.health.hear("police", await pair.police.due("health"))
    assert sorted(pair.health.applied) == sorted([(lost, 0), (other, 0), (other, 1)])
    assert (await pair.health.inbox_states())[event_id] == "parked"


async def test_what_a_handler_cannot_open_is_parked_with_what_to_do_and_the_others_are_applied(pair: Pair) -> None:
    shut, other = new_subject(), new_subject()
    event_id = await pair.police.say("health", shut, 0, fails="shut")
    await pair.police.say("health", other, 0)
    await pair.health.hear("police", await pair.police.number("health"))
    assert pair.health.applied == [(other, 0)]
    async with pair.health.database.read() as tx:
        row = await tx.session.get_one(InboxRow, ("police", event_id))
    assert (row.state, row.reason) == ("parked", str(SHUT))


async def test_a_keystore_that_is_away_is_known_as_such_whatever_was_being_written(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrapped as an error of the statement it would park what only has to wait, and a page would say that it is broken."""

    def away() -> dict[bytes, bytes]:
        raise KeystoreAway("The wrapping key of the keystore is not here; restore it from the keys' own backup.")

    erased = new_subject()
    keys_of(pair.police).destroy([erased], NOW)
    with pytest.raises(KeyDestroyed):
        await pair.police.say("health", erased, 0)
    monkeypatch.setattr(keys_of(pair.police), "_wrapping", away)
    with pytest.raises(KeystoreAway):
        await pair.police.say("health", new_subject(), 0)


async def test_a_bundle_has_the_place_of_what_was_erased(pair: Pair) -> None:
    subject = new_subject()
    await pair.police.say("health", subject, 0)
    await pair.health.hear("police", await pair.police.number("health"))
    for node, peer in ((pair.police, pair.health), (pair.health, pair.police)):  # each signs for what it has of the other
        (letter,) = await node.letters(peer.agency).write(peer.agency)
        await peer.letters(node.agency).take(peer.seal.open(letter, node.agency))
    for node in (pair.police, pair.health):
        keys_of(node).destroy([subject], NOW)
        async with node.database.read() as tx:
            check = check_bundle((await make_bundle(tx, node.seal, subject, [subject])).to_bytes())
        assert (check.faults, [(one.place, one.data) for one in check.shown]) == ([], [(1, None)])


async def test_words_that_cannot_be_opened_are_given_back_as_their_place_alone(pair: Pair, tmp_path: Path) -> None:
    lost, other = new_subject(), new_subject()
    for subject in (lost, other):
        await pair.police.say("health", subject, 0)
    await pair.health.hear("police", await pair.police.number("health"))
    lose(keys_of(pair.health), lost, tmp_path / "copy")
    (row, _) = await pair.police.outbox_rows()
    assert row.incarnation is not None
    async with pair.health.database.read() as tx:
        words, bare = await held_of(tx, "police", [Recall(incarnation=row.incarnation, first=1, last=2)])
    assert (len(words), [one.seq for one in bare]) == (1, [1])
