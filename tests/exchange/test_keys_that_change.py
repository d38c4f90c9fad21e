"""Keys that change while agencies speak: what is known of them travels by itself, and nothing becomes unreadable by it."""

from functools import partial
from itertools import count, islice
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from asyncpg import PostgresError
from exchange_node import Node, new_subject
from exchange_pair import Pair
from keys import Holder, ring
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from shared.contracts.wire.directory import TOLD_MAX, Lines, Told, Use
from shared.contracts.wire.envelope import Header, Kind, Unopenable, unsigned, unwrap
from shared.exchange.custody import check_bundle, make_bundle
from shared.exchange.direct import NotOpened, StreamName
from shared.exchange.directories import recall_lines, take_lines
from shared.exchange.directory import Directory, digest_of
from shared.exchange.given_up import AGAIN_AFTER, NAMED_MAX, GivenUp, hold_against, stretches
from shared.exchange.inbox import heard, unpark
from shared.exchange.keyring import HYBRID, X25519, Keyring
from shared.exchange.letters import Letters
from shared.exchange.receipts import ASK_AGAIN, STILL
from shared.exchange.reconcile import Reconciler
from shared.exchange.seal import KeyedSeal, KeyGivenUp
from shared.exchange.tables import DirectoryLine, Stream
from shared.exchange.verify import verify
from shared.kit.db import Transaction

STATEMENT = Header(kind=Kind.STATEMENT, sender="police", recipient="health", incarnation=UUID(int=1))


class End(NamedTuple):
    """An agency in this test: its node, whoever holds its keys, its seal and its letters."""

    node: Node
    holder: Holder
    seal: KeyedSeal
    letters: Letters

    async def hear_letters(self, sender: str, envelopes: list[bytes]) -> list[Kind]:
        """Takes letters in as a consumer does."""
        kinds = []
        for envelope in envelopes:
            inner = self.seal.open(envelope, sender)
            kinds.append(inner.header.kind)
            if inner.header.kind is Kind.DIRECTORY:
                await self.letters.take_any(sender, inner)
            else:
                await self.letters.take(inner)
        return kinds


def ring_of(own: Holder, peers: dict[str, Directory]) -> Keyring:
    """The keys as they lie on its machine now."""
    return Keyring(own.directory, peers, own.signing, own.opening)


def new_signer(end: End) -> bytes:
    """A new signing key, which the process has taken up."""
    made = end.holder.new_signer()
    end.seal.refresh()
    return made


@pytest.fixture
def ends(pair: Pair) -> tuple[End, End]:
    holders = Holder("police"), Holder("health")
    made = []
    for node, own, other in ((pair.police, holders[0], holders[1]), (pair.health, holders[1], holders[0])):
        known = {other.agency: other.as_read_by(own.agency)}
        node.seal = KeyedSeal(ring_of(own, known), partial(ring_of, own, known))
        made.append(End(node, own, node.seal, node.letters(other.agency)))
    return made[0], made[1]


async def by_broker(one: End, to: End) -> list[Kind]:
    """A herald's round from one to the other."""
    peer = to.node.agency
    return await to.hear_letters(one.node.agency, [*await one.letters.write_lines(peer), *await one.letters.write(peer)])


async def test_a_new_signing_key_is_told_before_it_is_used(ends: tuple[End, End]) -> None:
    police, health = ends
    await by_broker(health, police)
    old, new = police.holder.directory.newest(Use.SIGN), new_signer(police)
    subject = new_subject()
    await police.node.say("health", subject, 0)
    (event,) = await police.node.number("health")  # the clinic has said that it knows the old key, so this is signed with it
    assert health.seal.open(event, "police").header.signer == old
    await health.node.hear("police", [event])
    assert await by_broker(police, health) == [Kind.DIRECTORY, Kind.STATEMENT]
    await by_broker(health, police)  # it knows the new one now
    await police.node.say("health", subject, 1)
    (event,) = await police.node.number("health")
    assert health.seal.open(event, "police").header.signer == new
    await health.node.hear("police", [event])
    assert health.node.applied == [(subject, 0), (subject, 1)]
    assert await by_broker(police, health) == [Kind.STATEMENT]  # nothing more to tell


async def test_a_new_key_to_seal_to_is_used_once_it_is_known_and_the_old_one_opens_until_then(ends: tuple[End, End]) -> None:
    police, health = ends
    await by_broker(police, health)
    before = police.seal.seal(police.seal.sign(STATEMENT, b"{}"), "health")
    health.holder.new_seal(HYBRID)
    health.seal.refresh()  # as a worker does every few seconds
    assert health.seal.open(before, "police").content == b"{}"
    await by_broker(health, police)
    after = police.seal.seal(police.seal.sign(STATEMENT, b"{}"), "health")
    assert (before[0], after[0]) == (X25519, HYBRID)
    assert health.seal.open(after, "police").content == b"{}"


async def test_what_was_heard_of_a_peers_keys_outlives_the_process_and_reaches_its_siblings(ends: tuple[End, End]) -> None:
    police, health = ends
    sibling = KeyedSeal(ring(health.holder, [police.holder]))
    new = new_signer(police)
    told = police.holder.directory.told_to("health", health.seal.knows("police") + 1)
    await take_lines(health.node.database, health.seal, "police", told.to_bytes())
    assert sibling.knows("police") == 2
    await recall_lines(health.node.database, sibling)
    assert sibling.knows("police") == 3
    signed = police.seal.sign(STATEMENT, b"{}")
    assert sibling.open(police.seal.seal(signed, "health"), "police").header.signer == new


async def test_what_letters_told_stands_when_files_are_read_again(ends: tuple[End, End]) -> None:
    """Between that and the next look into the database, what is sealed would be sealed to a key that may be destroyed."""
    police, health = ends
    files = [ring(health.holder, [police.holder])]
    seal = KeyedSeal(ring(health.holder, [police.holder]), lambda: files[0])
    for _ in range(90):
        new_signer(police)  # more than one letter holds
    newest = police.holder.new_seal(HYBRID)
    while seal.knows("police") < police.holder.directory.size:
        seal.learn(police.holder.directory.told_to("health", seal.knows("police") + 1))
    seal.refresh()
    assert seal.knows("police") == police.holder.directory.size
    assert unwrap(seal.seal(seal.sign(STATEMENT, b"{}"), "police"))[1] == newest
    files = [ring(health.holder, [Holder("police")])]  # another root, compared in person: nothing of the former's stands
    seal.refresh()
    assert seal.knows("police") == 2


async def test_lines_that_could_not_be_kept_are_learnt_when_they_come_again(ends: tuple[End, End]) -> None:
    police, health = ends
    sibling = KeyedSeal(ring(health.holder, [police.holder]))
    new_signer(police)
    told = police.holder.directory.told_to("health", 3).to_bytes()
    async with health.node.database.write() as tx:
        await tx.session.execute(text("ALTER TABLE exchange_directory_lines RENAME TO elsewhere"))
    with pytest.raises((SQLAlchemyError, PostgresError)):
        await take_lines(health.node.database, health.seal, "police", told)
    async with health.node.database.write() as tx:
        await tx.session.execute(text("ALTER TABLE elsewhere RENAME TO exchange_directory_lines"))
    assert await take_lines(health.node.database, health.seal, "police", told) == 1
    await recall_lines(health.node.database, sibling)
    assert (health.seal.knows("police"), sibling.knows("police")) == (3, 3)


async def test_a_line_that_this_process_knows_is_kept_for_those_that_do_not(ends: tuple[End, End]) -> None:
    police, health = ends
    sibling = KeyedSeal(ring(health.holder, [police.holder]))
    new_signer(police)
    told = police.holder.directory.told_to("health", 3)
    health.seal.learn(told)  # from a file that was brought to its machine
    await take_lines(health.node.database, health.seal, "police", told.to_bytes())
    await recall_lines(health.node.database, sibling)
    assert sibling.knows("police") == 3


async def test_of_a_line_that_is_known_the_one_that_was_verified_is_kept(ends: tuple[End, End]) -> None:
    police, health = ends
    forged = Holder("police").directory.told_to("health", 1)
    assert await take_lines(health.node.database, health.seal, "police", forged.to_bytes()) == 0
    async with health.node.database.read() as tx:
        kept = (await tx.session.execute(select(DirectoryLine).order_by(col(DirectoryLine.number)))).scalars()
        assert [line.signed for line in kept] == [line.signed for line in police.holder.directory.lines]


async def test_what_could_not_be_verified_is_asked_for_again_once_the_key_is_known(pair: Pair, ends: tuple[End, End]) -> None:
    police, health = ends
    for step in range(2):
        await police.node.say("health", new_subject(), step)
    await health.node.hear("police", (await police.node.number("health"))[1:])
    offsets = count()

    async def park() -> None:
        pair.clock.advance(STILL)
        for offset in islice(offsets, 3):
            await health.node.state("police")
            pair.clock.advance(ASK_AGAIN / 2)
            await health.letters.note_unopenable("police", bytes([offset]), ("refnet.police.to.health.v1", 0, offset), "no key")
            pair.clock.advance(ASK_AGAIN / 2)
        assert (await health.node.state("police")).receipts[0].parked == (1,)

    await park()
    new_signer(police)
    told = police.holder.directory.told_to("health", 3)
    await take_lines(health.node.database, health.seal, "police", told.to_bytes())
    assert (await pair.health.state("police")).receipts[0].parked == ()
    await park()
    await take_lines(health.node.database, health.seal, "police", told.to_bytes())  # again: it opens nothing more
    assert (await pair.health.state("police")).receipts[0].parked == (1,)


@pytest.mark.parametrize("wrong", ["another's", "not lines", "forged", "a hole"])
async def test_lines_that_are_not_the_senders_own_are_unopenable_and_change_nothing(ends: tuple[End, End], wrong: str) -> None:
    police, health = ends
    for _ in range(2):
        new_signer(police)
    stranger = Holder("police")
    stranger.new_signer()
    content = {
        "another's": health.holder.directory.told_to("police", 1).to_bytes(),
        "not lines": b"{}",
        "forged": stranger.directory.told_to("health", 3).to_bytes(),
        "a hole": police.holder.directory.told_to("health", 4).to_bytes(),
    }[wrong]
    with pytest.raises(Unopenable):
        await take_lines(health.node.database, health.seal, "police", content)
    assert health.seal.knows("police") == 2
    fresh = KeyedSeal(ring(health.holder, [stranger]))
    await recall_lines(health.node.database, fresh)  # nothing of it was kept
    assert fresh.knows("police") == stranger.directory.size


async def test_lines_of_a_root_that_was_given_up_keep_neither_the_new_ones_nor_another_peers_from_being_learnt(
    ends: tuple[End, End],
) -> None:
    police, health = ends
    for _ in range(3):
        new_signer(police)
    await take_lines(health.node.database, health.seal, "police", police.holder.directory.told_to("health", 3).to_bytes())
    anew, zone = Holder("police"), Holder("zone")  # the desk's keeper lost the root; the other peer comes after it by name
    seal = KeyedSeal(ring(health.holder, [anew, zone]))
    zone.new_signer()
    await take_lines(health.node.database, seal, "zone", zone.directory.told_to("health", 3).to_bytes())
    assert (seal.knows("police"), seal.knows("zone")) == (2, 3)
    anew.new_signer()
    told = anew.directory.told_to("health", 3).to_bytes()
    assert await take_lines(health.node.database, seal, "police", told) == 1
    restarted = KeyedSeal(ring_of(health.holder, {"police": Directory("police", anew.directory.root)}))
    await take_lines(health.node.database, restarted, "police", anew.directory.told_to("health", 1).to_bytes())
    again = KeyedSeal(ring_of(health.holder, {"police": Directory("police", anew.directory.root)}))
    await recall_lines(health.node.database, again)
    assert again.knows("police") == 3


async def test_a_digest_that_nobody_has_signed_is_not_kept(ends: tuple[End, End]) -> None:
    police, health = ends
    made_up = Lines(agency="police", first=3, lines=(Told(digest=b"d" * 32),))
    assert await take_lines(health.node.database, health.seal, "police", made_up.to_bytes()) == 0
    stolen = police.holder.directory.newest(Use.SIGN)
    assert stolen is not None
    peers = {"health": health.holder.as_read_by("police")}
    thief = KeyedSeal(Keyring(police.holder.as_read_by("police"), peers, police.holder.signing[:], police.holder.opening))
    new_signer(police)
    police.holder.revoke(stolen, {"health": {}})
    told = police.holder.directory.told_to("health", 3)
    assert await take_lines(health.node.database, health.seal, "police", told.to_bytes()) == 3
    with pytest.raises(Unopenable, match="revoked"):
        health.seal.open(thief.seal(thief.sign(STATEMENT, b"{}"), "health"), "police")


@pytest.mark.parametrize("signs", [False, True], ids=["under no key", "under the stolen key"])
@pytest.mark.parametrize("hidden", ["the newer key", "the revocation"])
async def test_whoever_has_seen_the_lines_and_an_old_key_hides_none_of_them(
    ends: tuple[End, End], hidden: str, *, signs: bool
) -> None:
    """A line may be told as its digest by the agency alone: else a peer takes the stolen key for good, or knows no newer one."""
    police, health = ends
    stolen = police.holder.directory.newest(Use.SIGN)
    assert stolen is not None
    thief = KeyedSeal(
        Keyring(police.holder.as_read_by("police"), {"health": health.holder.as_read_by("police")}, police.holder.signing[:], [])
    )
    if hidden == "the newer key":
        new_signer(police)
    police.holder.revoke(stolen, {"health": {}, "zone": {}})
    new = new_signer(police)
    lines = police.holder.directory.told_to("health", 3).lines
    covered = (*(Told(digest=digest_of(one.signed)) if one.signed else one for one in lines[:-1]), lines[-1])
    forged = Lines(agency="police", first=3, lines=covered).to_bytes()
    header = Header(kind=Kind.DIRECTORY, sender="police", recipient="health", incarnation=UUID(int=1))
    letter = thief.sign(header, forged) if signs else unsigned(header, forged, 0)
    assert await health.hear_letters("police", [thief.seal(letter, "health")]) == [Kind.DIRECTORY]
    assert health.seal.knows("police") == 2
    await by_broker(health, police)
    assert await by_broker(police, health) == [
        Kind.DIRECTORY,
        Kind.STATEMENT,
    ]  # and the agency's own choice stands, zone's line too
    assert health.seal.knows("police") == police.holder.directory.size
    with pytest.raises(Unopenable, match="revoked"):
        health.seal.open(thief.seal(thief.sign(STATEMENT, b"{}"), "health"), "police")
    signed = police.seal.sign(STATEMENT, b"{}")
    assert health.seal.open(police.seal.seal(signed, "health"), "police").header.signer == new


async def test_what_the_thief_of_the_newest_known_key_hides_comes_in_full_with_the_agencys_own_letter(
    ends: tuple[End, End],
) -> None:
    police, health = ends
    await by_broker(health, police)
    await by_broker(police, health)
    stolen = police.holder.directory.newest(Use.SIGN)
    assert stolen is not None
    thief = KeyedSeal(
        Keyring(police.holder.as_read_by("police"), {"health": health.holder.as_read_by("police")}, police.holder.signing[:], [])
    )
    new = new_signer(police)
    police.holder.revoke(stolen, {"health": {}})
    police.holder.new_seal(HYBRID)
    police.seal.refresh()
    lines = police.holder.directory.told_to("health", 3).lines
    covered = (*(Told(digest=digest_of(one.signed)) if one.signed else one for one in lines[:-1]), lines[-1])
    forged = Lines(agency="police", first=3, lines=covered).to_bytes()
    header = Header(kind=Kind.DIRECTORY, sender="police", recipient="health", incarnation=UUID(int=1))
    await health.hear_letters("police", [thief.seal(thief.sign(header, forged), "health")])
    await by_broker(health, police)  # which says that it knows them all
    (letter, *_rest) = await police.letters.write_lines("health")
    await health.hear_letters("police", [letter])
    with pytest.raises(Unopenable, match="revoked"):
        health.seal.open(thief.seal(thief.sign(STATEMENT, b"{}"), "health"), "police")
    signed = police.seal.sign(STATEMENT, b"{}")
    assert health.seal.open(police.seal.seal(signed, "health"), "police").header.signer == new


class Direct:
    """The direct line from the clinic to the desk."""

    def __init__(self, desk: End, by: str) -> None:
        self.desk, self.by = Reconciler(desk.node.database, desk.node.agency, desk.seal, desk.node.inbox, desk.letters), by
        self.asked: list[int] = []

    async def state(self, peer: str, envelope: bytes) -> bytes:
        try:
            return await self.desk.take_statement(self.by, envelope)
        except Unopenable as error:
            raise NotOpened(f"It could not be opened: {error}.") from error

    async def events(self, peer: str, stream: StreamName, first: int, last: int) -> list[bytes]:
        return await self.desk.events(self.by, stream, first, last)

    async def directory(self, peer: str, known: int) -> bytes:
        self.asked.append(known)
        return self.desk.directory(self.by, known)


async def test_past_a_broker_that_is_gone_a_new_key_is_asked_for_on_the_direct_line(ends: tuple[End, End]) -> None:
    police, health = ends
    old = police.holder.directory.newest(Use.SIGN)
    assert old is not None
    new_signer(police)
    police.holder.revoke(old, {"health": {}})
    subject = new_subject()
    await police.node.say("health", subject, 0)
    await police.node.number("health")
    line = Direct(police, "health")
    reconciler = Reconciler(health.node.database, "health", health.seal, health.node.inbox, health.letters)
    report = await reconciler.reconcile("police", line)
    assert (report.in_step, report.received, report.away) == (True, 1, None)
    assert health.node.applied == [(subject, 0)]
    assert line.asked == [2, 5]  # until there is no more
    assert (await reconciler.reconcile("police", line)).in_step
    assert line.asked == [2, 5]  # once


async def test_past_a_broker_that_is_gone_a_destroyed_key_is_replaced_on_the_direct_line(ends: tuple[End, End]) -> None:
    """The clinic was restored from before it heard of the desk's newer key: the desk can open nothing that it sends."""
    police, health = ends
    police.holder.opening.clear()
    police.holder.new_seal(HYBRID)
    police.seal.refresh()
    subject = new_subject()
    await health.node.say("police", subject, 0)
    await health.node.number("police")
    line = Direct(police, "health")
    reconciler = Reconciler(health.node.database, "health", health.seal, health.node.inbox, health.letters)
    report = await reconciler.reconcile("police", line)
    assert (report.in_step, report.away, line.asked) == (False, None, [2, 3])  # the desk has yet to fetch what it lacks
    await police.letters.take_lines("health", health.holder.directory.told_to("police", 3).to_bytes())
    police.holder.opening.clear()  # and now nothing newer is told
    police.seal.refresh()
    report = await reconciler.reconcile("police", line)
    assert (report.in_step, line.asked) == (False, [2, 3, 3])
    assert report.away is not None
    assert report.away.startswith("It could not be opened")


async def test_the_directory_is_told_in_pieces_that_fit_a_letter(ends: tuple[End, End]) -> None:
    police, health = ends
    for _ in range(90):
        new_signer(police)
    await by_broker(health, police)
    rounds = 0
    while health.seal.knows("police") < police.holder.directory.size:
        rounds += 1
        await by_broker(police, health)
        await by_broker(health, police)
    assert rounds == 3
    assert police.seal.lines_for("health") is None
    assert isinstance(police.seal.lines_for("health", 0), Lines)


async def speak(police: End, health: End, steps: range) -> None:
    """Words that the clinic takes, signed with the key that the desk uses: anybody may have it."""
    for step in steps:
        await police.node.say("health", new_subject(), step)
    await health.node.hear("police", await police.node.number("health"))


async def reached(police: End) -> dict[str, dict[UUID, int]]:
    """How far the desk's stream to the clinic goes, as a revocation names it."""
    async with police.node.database.read() as tx:
        rows = (await tx.session.execute(select(Stream))).scalars()
        return {"health": {row.incarnation: row.size for row in rows}}


async def give_up(police: End, health: End, cuts: dict[str, dict[UUID, int]]) -> None:
    """The desk's first key is given up, and the clinic hears of it by letter."""
    stolen = police.holder.directory.newest(Use.SIGN)
    assert stolen is not None
    new_signer(police)
    police.holder.revoke(stolen, cuts)
    told = police.holder.directory.told_to("health", health.seal.knows("police") + 1)
    assert await health.letters.take_lines("police", told.to_bytes())


async def test_what_was_applied_above_a_cut_before_the_revocation_came_is_told_once_by_its_slots(ends: tuple[End, End]) -> None:
    police, health = ends
    await speak(police, health, range(2))
    cuts = await reached(police)
    await speak(police, health, range(2, 5))
    told: list[tuple[str, dict[str, Any]]] = []

    async def trouble(kind: str, peer: str, detail: dict[str, Any], tx: Transaction) -> None:
        told.append((kind, detail))

    health.node.trouble = trouble  # type: ignore[method-assign]
    await give_up(police, health, cuts)
    ((kind, detail),) = told
    assert (kind, detail["slots"], detail["incarnation"]) == ("key_given_up", "3–5", str(next(iter(cuts["health"]))))
    assert set((await health.node.inbox_states()).values()) == {"applied"}  # people have acted on it
    await hold_against(health.node.database, health.seal, health.node, "police")
    assert len(told) == 1


async def test_nothing_is_told_of_what_stands_up_to_the_cut_or_under_the_newer_key(ends: tuple[End, End]) -> None:
    police, health = ends
    await by_broker(health, police)
    await speak(police, health, range(2))
    cuts = await reached(police)
    stolen = police.holder.directory.newest(Use.SIGN)
    assert stolen is not None
    new_signer(police)
    await by_broker(police, health)
    await by_broker(health, police)
    await speak(police, health, range(2, 4))  # under the newer key
    police.holder.revoke(stolen, cuts)
    assert await by_broker(police, health) == [Kind.DIRECTORY, Kind.STATEMENT]
    assert health.node.troubles == []


@pytest.mark.parametrize("state", ["waiting", "parked"])
async def test_what_waits_or_is_parked_above_a_cut_is_never_applied(ends: tuple[End, End], state: str) -> None:
    police, health = ends
    subject = new_subject()
    if state == "waiting":
        await police.node.say("health", subject, 0)
        await police.node.say("health", subject, 1)
        _, second = await police.node.number("health")
        await health.node.hear("police", [second])
    else:
        health.node.broken = True
        await police.node.say("health", subject, 1, fails="once")
        (second,) = await police.node.number("health")
        await health.node.hear("police", [second])
        health.node.broken = False
    ((event_id, before),) = (await health.node.inbox_states()).items()
    assert before == state
    await give_up(police, health, {"health": {}})
    assert health.node.troubles.count("parked") == 1
    assert await health.node.inbox.retry("police", event_id) is False
    async with health.node.database.write() as tx:
        await unpark(tx, "police", {subject})  # what it is about has changed
    await health.node.inbox.sweep()
    if state == "waiting":
        async with police.node.database.write() as tx:
            await tx.session.execute(text("UPDATE exchange_outbox SET is_due = true"))
        await health.node.hear("police", (await police.node.due("health"))[:1])  # its predecessor, signed anew
    assert (1 in {step for _, step in health.node.applied}, (await health.node.inbox_states())[event_id]) == (False, "parked")


async def test_what_was_given_up_is_not_applied_though_something_has_it_wait_again(ends: tuple[End, End]) -> None:
    police, health = ends
    subject = new_subject()
    for step in range(2):
        await police.node.say("health", subject, step)
    _, second = await police.node.number("health")
    await health.node.hear("police", [second])
    await give_up(police, health, {"health": {}})
    async with health.node.database.write() as tx:
        await tx.session.execute(text("UPDATE exchange_inbox SET state = 'waiting'"))
    async with police.node.database.write() as tx:
        await tx.session.execute(text("UPDATE exchange_outbox SET is_due = true"))
    await health.node.hear("police", (await police.node.due("health"))[:1])
    await health.node.inbox.sweep()
    assert health.node.applied == [(subject, 0)]


async def test_what_another_process_applied_a_moment_late_is_found_at_the_second_look(pair: Pair, ends: tuple[End, End]) -> None:
    police, health = ends
    await speak(police, health, range(1))
    look = GivenUp(health.node.database, health.seal, health.node, ["police"])
    cuts = await reached(police)
    await police.node.say("health", new_subject(), 1)
    opened = [heard(health.seal.open(one, "police")) for one in await police.node.number("health")]
    await give_up(police, health, cuts)
    await look.look()
    await health.node.inbox.receive(opened)
    await look.look()
    assert health.node.troubles == []
    pair.clock.advance(AGAIN_AFTER)
    await look.look()
    assert health.node.troubles == ["key_given_up"]
    pair.clock.advance(AGAIN_AFTER)
    await look.look()
    assert health.node.troubles == ["key_given_up"]


def test_slots_are_named_in_stretches_and_no_more_than_a_person_reads() -> None:
    assert stretches([5, 6, 7, 9]) == "5–7, 9"
    assert stretches(list(range(1, 100, 2))).count(",") == NAMED_MAX


async def test_what_stands_above_a_cut_is_its_senders_to_explain_and_spoils_no_bundle(ends: tuple[End, End]) -> None:
    police, health = ends
    subject = new_subject()
    await police.node.say("health", subject, 0)
    await health.node.hear("police", await police.node.number("health"))
    cuts = await reached(police)
    await police.node.say("health", subject, 1)
    await health.node.hear("police", await police.node.number("health"))
    await give_up(police, health, cuts)
    verdict = await verify(health.node.database, "health", health.seal, [])
    assert (verdict.findings, len(verdict.refused)) == ([], 1)
    assert "police has given up the key under which place 2 of" in verdict.refused[0]
    async with health.node.database.read() as tx:
        bundle = (await make_bundle(tx, health.seal, subject, [subject])).to_bytes()
    check = check_bundle(bundle)
    assert check.faults == []
    assert [one.data and one.data["step"] for one in check.shown] == [0]  # and nobody else has signed for place 2


# --- before more peers than a letter holds ----------------------------------------------------------------------------

MANY = [1, TOLD_MAX - 1, TOLD_MAX, TOLD_MAX + 1, 2 * TOLD_MAX + 5]


@pytest.mark.parametrize("count", MANY)
async def test_past_a_broker_that_is_gone_its_own_place_is_read_before_any_number_of_peers(
    ends: tuple[End, End], count: int
) -> None:
    police, health = ends
    old = police.holder.directory.newest(Use.SIGN)
    assert old is not None
    new_signer(police)
    peers = (*(f"clinic_{number:02}" for number in range(count - 1)), "health")
    police.holder.revoke(old, {peer: dict[UUID, int]() for peer in peers})
    new_signer(police)
    await police.node.say("health", new_subject(), 0)
    await police.node.number("health")
    reconciler = Reconciler(health.node.database, "health", health.seal, health.node.inbox, health.letters)
    report = await reconciler.reconcile("police", Direct(police, "health"))
    assert (report.in_step, report.received) == (True, 1)
    assert health.seal.given_up("police") == {old: {}}


async def replace_and_give_up(police: End, health: End, count: int, cuts: dict[str, dict[UUID, int]] | None = None) -> bytes:
    """The desk's first key is replaced, which the clinic hears, and given up before so many peers, of which the clinic is last."""
    old = police.holder.directory.newest(Use.SIGN)
    assert old is not None
    new_signer(police)
    await by_broker(health, police)
    await by_broker(police, health)
    await by_broker(health, police)
    police.holder.revoke(old, {f"clinic_{number:02}": {} for number in range(count - 1)} | (cuts or await reached(police)))
    new_signer(police)
    return old


async def is_told_all(police: End, health: End) -> bool:
    """One more letter, and what comes with it; whether the clinic knows the desk's directory then."""
    await by_broker(police, health)
    await by_broker(health, police)
    return health.seal.knows("police") == police.holder.directory.size


async def held_words(police: End, health: End) -> dict[UUID, str]:
    """The states of words under the desk's first key at the clinic: one that was applied, one that waits, one that is parked."""
    await speak(police, health, range(1))
    subject = new_subject()
    for step in range(2):
        await police.node.say("health", subject, step)
    _, second = await police.node.number("health")
    await health.node.hear("police", [second])
    health.node.broken = True
    await police.node.say("health", new_subject(), 0, fails="once")
    await health.node.hear("police", await police.node.number("health"))
    health.node.broken, health.node.troubles = False, []
    states = await health.node.inbox_states()
    assert sorted(states.values()) == ["applied", "parked", "waiting"]
    return states


@pytest.mark.parametrize("count", MANY)
async def test_before_any_number_of_peers_nothing_honest_is_held_against_by_letters(
    pair: Pair, ends: tuple[End, End], count: int
) -> None:
    police, health = ends
    states = await held_words(police, health)
    look = GivenUp(health.node.database, health.seal, health.node, ["police"])
    await replace_and_give_up(police, health, count)
    letters = 1
    while not await is_told_all(police, health):
        await look.look()
        letters += 1
    assert letters <= 2 + count // (TOLD_MAX - 1)
    pair.clock.advance(AGAIN_AFTER)
    await look.look()
    assert (health.node.troubles, await health.node.inbox_states()) == ([], states)
    (parked,) = [event_id for event_id, state in states.items() if state == "parked"]
    assert await health.node.inbox.retry("police", parked)
    await health.node.hear("police", await police.node.due("health"))
    await health.node.inbox.sweep()
    assert set((await health.node.inbox_states()).values()) == {"applied"}


@pytest.mark.parametrize("count", MANY)
async def test_before_any_number_of_peers_what_a_thief_said_above_the_place_is_told_once_its_place_is_read(
    ends: tuple[End, End], count: int
) -> None:
    police, health = ends
    await speak(police, health, range(2))
    honest = await reached(police)
    await speak(police, health, range(2, 4))
    thief = KeyedSeal(
        Keyring(police.holder.as_read_by("police"), {"health": health.holder.as_read_by("police")}, police.holder.signing[:], [])
    )
    old = await replace_and_give_up(police, health, count, honest)
    while old not in health.seal.given_up("police"):
        assert health.node.troubles == []
        await is_told_all(police, health)
        if not health.seal.directory_of("police").is_revoked(old):
            continue
        for header in (STATEMENT, STATEMENT.model_copy(update={"kind": Kind.EVENT, "seq": 5, "salt": b"s" * 16})):
            with pytest.raises(KeyGivenUp):  # also while the clinic's own place is still to come
                health.seal.open(thief.seal(thief.sign(header, b"{}"), "health"), "police")
    assert health.node.troubles == ["key_given_up"]


async def test_a_word_that_comes_before_its_readers_place_is_asked_for_again_and_applied(pair: Pair, ends: tuple[End, End]) -> None:
    police, health = ends
    await by_broker(health, police)
    subject = new_subject()
    await police.node.say("health", subject, 0)
    (event,) = await police.node.number("health")  # it lies on the broker while the key is given up
    old = await replace_and_give_up(police, health, TOLD_MAX + 1)
    while not health.seal.directory_of("police").is_revoked(old):
        assert not await is_told_all(police, health)
    assert health.seal.given_up("police") == {}
    with pytest.raises(KeyGivenUp):
        health.seal.open(event, "police")
    await health.letters.note_unopenable("police", event, ("refnet.police.to.health.v1", 0, 0), "its signer's key is revoked")
    assert await is_told_all(police, health)
    pair.clock.advance(ASK_AGAIN + STILL)
    await by_broker(health, police)
    await health.node.hear("police", await police.node.due("health"))
    assert health.node.applied == [(subject, 0)]
    assert health.node.troubles == ["unopenable"]


@pytest.mark.parametrize("count", MANY)
async def test_a_directory_that_is_brought_by_hand_is_held_against_nothing_honest_whole_or_cut_short(
    pair: Pair, ends: tuple[End, End], count: int
) -> None:
    police, health = ends
    states = await held_words(police, health)
    old = police.holder.directory.newest(Use.SIGN)
    assert old is not None
    cuts: dict[str, dict[UUID, int]] = {f"clinic_{number:02}": {} for number in range(count - 1)}
    cuts |= await reached(police)
    new_signer(police)
    police.holder.revoke(old, cuts)
    lines = police.holder.directory.lines
    for upto in (TOLD_MAX + 2, TOLD_MAX + 3, len(lines)):
        brought = Directory("police", police.holder.directory.root)
        brought.take_whole(lines[:upto])
        seal = KeyedSeal(ring_of(health.holder, {"police": brought}))
        look = GivenUp(health.node.database, seal, health.node, ["police"])
        await look.look()
        pair.clock.advance(AGAIN_AFTER)
        await look.look()
        assert (health.node.troubles, await health.node.inbox_states()) == ([], states)
    assert seal.given_up("police") == {old: cuts["health"]}
