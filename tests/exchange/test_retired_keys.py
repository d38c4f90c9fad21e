"""A private key to seal to is destroyed once nothing that is still to come can lie under it, and not before: files, as they lie."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest
from exchange_node import Node, new_subject
from exchange_pair import Pair
from sqlalchemy import select, text, update
from sqlmodel import col

from services.keys import KeyFolder, Keys, make_missing
from services.retired_keys import destroy_retired, held, keep_destroying
from shared.contracts.wire.directory import Use
from shared.contracts.wire.envelope import Kind, Unopenable, unwrap
from shared.exchange.herald import HEARTBEAT_S
from shared.exchange.incarnations import open_incarnation
from shared.exchange.keyring import HYBRID, X25519
from shared.exchange.letters import Letters
from shared.exchange.retired import KEPT, SETTLED
from shared.exchange.seal import KeyedSeal
from shared.exchange.tables import Peer, Recovery, UnopenableRecord

PINS: dict[str, str | None] = {"police": None, "health": None}
LONG_ENOUGH = SETTLED + timedelta(minutes=1)


class End(NamedTuple):
    """An agency whose keys are files."""

    node: Node
    folder: KeyFolder
    seal: KeyedSeal
    letters: Letters


class Ends(NamedTuple):
    """The desk; and the clinic, whose key to seal to is replaced."""

    police: End
    health: End
    now: Callable[[], datetime]

    def replace_key(self, suite: int = X25519, whose: End | None = None) -> bytes:
        """The clinic's keeper, or another's, makes new keys; its processes have taken them up. Returns the old one's id."""
        end = whose or self.health
        (old,) = [file.stem.removeprefix("seal-") for file in end.folder.private.glob("seal-*.json")]
        end.folder.make_keys(end.folder.root(None, None), self.now(), suite, end.folder.own())
        end.seal.refresh()
        return bytes.fromhex(old)

    async def letter(self, one: End, to: End) -> None:
        """A herald's round from one to the other."""
        await self.carry(one, to, await self.letters_from(one, to))

    async def letters_from(self, one: End, to: End) -> list[bytes]:
        """What a herald lays on the broker."""
        return [*await one.letters.write_lines(to.node.agency), *await one.letters.write(to.node.agency)]

    def process_of_now(self) -> End:
        """Another process of the desk's, that will hear of no key which is made from now on."""
        node, folder = self.police.node, self.police.folder
        seal = KeyedSeal(Keys(folder.home, node.agency, PINS).load())
        return End(node, folder, seal, Letters(node.database, node.agency, ["health"], seal, node.inbox, node))

    async def carry(self, one: End, to: End, lying: Sequence[bytes]) -> None:
        """Brings what lies on the broker from one to the other, in its order; raises Unopenable."""
        for envelope in lying:
            inner = to.seal.open(envelope, one.node.agency)
            if inner.header.kind is Kind.EVENT:
                await to.node.hear(one.node.agency, [envelope])
            elif inner.header.kind is Kind.DIRECTORY:
                await to.letters.take_any(one.node.agency, inner)
            else:
                await to.letters.take(inner)

    async def waits_for(self) -> str:
        (one,) = await held(self.health.node.database, self.health.folder, ["police"], self.now())
        return "due" if one.is_due else one.words

    async def destroy(self) -> list[bool]:
        found = await destroy_retired(self.health.node.database, self.health.folder, ["police"], self.now())
        return [one.is_due for one in found]


@pytest.fixture
def ends(pair: Pair, tmp_path: Path) -> Ends:
    make_missing(tmp_path / "given", PINS, pair.clock.now())
    made = []
    for node, other in ((pair.police, "health"), (pair.health, "police")):
        home = tmp_path / node.agency  # each on a machine of its own, with the other's directory as it was handed over
        shutil.copytree(tmp_path / "given", home)
        keys = Keys(home, node.agency, PINS)
        node.seal = KeyedSeal(keys.load(), keys.renewed)
        made.append(End(node, KeyFolder(home, node.agency), node.seal, node.letters(other)))
    return Ends(made[0], made[1], pair.clock.now)


async def test_a_replaced_key_opens_until_all_that_may_lie_under_it_is_here_and_is_then_destroyed(ends: Ends, pair: Pair) -> None:
    police, health = ends.police, ends.health
    await police.node.say("health", new_subject(), 0)
    (under_old,) = await police.node.number("health")
    assert await ends.destroy() == []  # the key in use
    old = ends.replace_key()
    secret = (health.folder.private / f"seal-{old.hex()}.json").read_bytes()
    pair.clock.advance(KEPT)
    assert await ends.waits_for() == "police: it has not said that it knows the newer key"
    await ends.letter(police, health)  # a heartbeat
    await ends.letter(health, police)  # it learns of it
    await ends.letter(police, health)  # and says so
    assert "an hour after" in await ends.waits_for()
    pair.clock.advance(LONG_ENOUGH)
    assert "an hour after" in await ends.waits_for()  # it may have died since
    await ends.letter(police, health)
    assert await ends.waits_for() == "police: not everything that it has said is here"
    assert await ends.destroy() == [False]
    await health.node.hear("police", [under_old])
    assert await ends.waits_for() == "due"
    assert await ends.destroy() == [True]
    health.seal.refresh()
    with pytest.raises(Unopenable, match="not here"):
        health.seal.open(under_old, "police")
    left = b"".join(file.read_bytes() for file in health.folder.private.iterdir())
    assert all(part not in left for part in (secret, secret.split(b'"private": "')[1][:40]))
    assert health.folder.destroyed(old) == ends.now()
    # What is said from now on comes, and so does what is sent again: it is sealed anew.
    await police.node.say("health", new_subject(), 1)
    await health.node.hear("police", [*await police.node.number("health"), *await police.node.due("health")])
    assert [step for _, step in health.node.applied] == [0, 1]
    assert await ends.destroy() == []


class Apart:
    """The two with a partition between them: what each says lies on the broker until the line is back."""

    def __init__(self, ends: Ends, pair: Pair) -> None:
        self.ends, self.pair = ends, pair
        self.both = ((ends.police, ends.health), (ends.health, ends.police))
        self.lying: dict[str, list[bytes]] = {one.node.agency: [] for one, _ in self.both}
        self.told: dict[str, list[tuple[UUID, int]]] = {one.node.agency: [] for one, _ in self.both}

    async def both_say(self, steps: range) -> None:
        """Events, and after them a heartbeat."""
        for one, to in self.both:
            for step in steps:
                self.told[one.node.agency].append((new_subject(), step))
                await one.node.say(to.node.agency, *self.told[one.node.agency][-1])
            lying = self.lying[one.node.agency]
            lying += [*await one.node.number(to.node.agency), *await self.ends.letters_from(one, to)]
        self.pair.clock.advance(timedelta(seconds=HEARTBEAT_S))

    async def heal(self) -> None:
        """All that lies there is read; raises Unopenable."""
        for one, to in self.both:
            lying, self.lying[one.node.agency] = self.lying[one.node.agency], []
            await self.ends.carry(one, to, lying)

    async def destroy(self) -> dict[str, list[bool]]:
        """By agency, of each replaced key whether it was destroyed."""
        found = {}
        for one, to in self.both:
            destroyed = await destroy_retired(one.node.database, one.folder, [to.node.agency], self.ends.now())
            found[one.node.agency] = [key.is_due for key in destroyed]
            one.seal.refresh()
        return found

    def sealed_to(self) -> dict[str, set[bytes]]:
        """By who is to open it, the keys that what lies there is sealed to."""
        return {to.node.agency: {unwrap(lain)[1] for lain in self.lying[one.node.agency]} for one, to in self.both}

    async def is_whole(self, one: End, to: End) -> None:
        """All that one said is at the other, applied once, in its order, and signed for; nothing was unreadable or is parked."""
        assert to.node.applied == self.told[one.node.agency]
        assert set((await to.node.inbox_states()).values()) == {"applied"}
        assert (to.node.troubles, await one.node.due(to.node.agency)) == ([], [])
        (receipt,) = (await to.node.state(one.node.agency)).receipts
        assert (receipt.upto, receipt.missing, receipt.parked) == (len(to.node.applied), (), ())
        assert len(one.node.delivered_ids) == len(to.node.applied)
        async with to.node.database.read() as tx:
            assert (await tx.session.execute(select(UnopenableRecord))).first() is None


async def test_both_change_all_their_keys_during_a_partition_and_nothing_becomes_unreadable(ends: Ends, pair: Pair) -> None:
    """security.md, section 7, 24, its first half: backlogs both ways lie under the old keys, whose window passes meanwhile."""
    apart = Apart(ends, pair)
    for one, to in apart.both:
        await ends.letter(one, to)
    await apart.both_say(range(3))
    old = {one.node.agency: ends.replace_key(HYBRID, one) for one, _ in apart.both}
    for steps in (range(3, 5), range(5, 7)):  # neither has heard of the other's new keys
        await apart.both_say(steps)
    pair.clock.advance(2 * KEPT)
    await apart.both_say(range(7, 8))
    assert apart.sealed_to() == {agency: {id_} for agency, id_ in old.items()}
    assert await apart.destroy() == {"police": [False], "health": [False]}
    await apart.heal()
    await apart.both_say(range(0))  # each has heard of the other's new keys, and says so
    await apart.heal()
    await apart.both_say(range(8, 9))
    assert not {id_ for sealed_to in apart.sealed_to().values() for id_ in sealed_to} & {*old.values()}
    signers = {
        one.node.agency: to.seal.open(apart.lying[one.node.agency][0], one.node.agency).header.signer for one, to in apart.both
    }
    assert signers == {one.node.agency: one.folder.own().newest(Use.SIGN) for one, _ in apart.both}
    await apart.heal()
    pair.clock.advance(LONG_ENOUGH)
    for _ in range(2):
        await apart.both_say(range(0))
        await apart.heal()
    assert await apart.destroy() == {"police": [True], "health": [True]}
    for one, to in apart.both:
        await apart.is_whole(one, to)


async def test_it_is_kept_for_its_window_whatever_the_peers_say(ends: Ends, pair: Pair) -> None:
    ends.replace_key(HYBRID)
    await known_to_all(ends, pair)
    pair.clock.advance(KEPT - LONG_ENOUGH - timedelta(seconds=1))
    assert await ends.waits_for() == f"it is kept until {ends.now() + timedelta(seconds=1):%Y-%m-%d} at least"
    assert await ends.destroy() == [False]
    pair.clock.advance(timedelta(seconds=1))
    assert await ends.destroy() == [True]


async def known_to_all(ends: Ends, pair: Pair) -> None:
    for one, to in ((ends.police, ends.health), (ends.health, ends.police), (ends.police, ends.health)):
        await ends.letter(one, to)
    pair.clock.advance(LONG_ENOUGH)
    await ends.letter(ends.police, ends.health)


async def test_a_peer_or_an_agency_that_was_restored_is_waited_for_again(ends: Ends, pair: Pair) -> None:
    ends.replace_key()
    await known_to_all(ends, pair)
    pair.clock.advance(KEPT)
    assert await ends.waits_for() == "due"
    async with ends.police.node.database.write() as tx:  # another life: it may have lost what it knew
        await open_incarnation(tx, ["health"], "restored")
    await ends.letter(ends.police, ends.health)
    assert "an hour after" in await ends.waits_for()
    pair.clock.advance(LONG_ENOUGH)
    await ends.letter(ends.police, ends.health)
    await ends.health.node.hear("police", await ends.police.node.number("health"))
    assert await ends.waits_for() == "due"
    async with ends.health.node.database.write() as tx:
        await open_incarnation(tx, ["police"], "restored")
    assert "it has not yet given back" in await ends.waits_for()
    async with ends.health.node.database.write() as tx:
        await tx.session.execute(update(Recovery).values(answered_at=tx.clock.now()))
    assert await ends.waits_for() == "due"


async def test_an_old_letter_that_comes_again_takes_nothing_from_what_is_known(ends: Ends, pair: Pair) -> None:
    old_letters = await ends.police.letters.write("health")
    ends.replace_key()
    await known_to_all(ends, pair)
    pair.clock.advance(KEPT)
    for envelope in old_letters:
        await ends.health.letters.take(ends.health.seal.open(envelope, "police"))
    assert await ends.waits_for() == "due"


async def test_a_silent_peer_is_waited_for(ends: Ends, pair: Pair) -> None:
    ends.replace_key()
    pair.clock.advance(10 * KEPT)
    assert await ends.destroy() == [False]
    async with ends.health.node.database.write() as tx:
        tx.session.add(Peer(peer="police"))
    assert "has not said" in await ends.waits_for()
    async with ends.health.node.database.write() as tx:
        await tx.session.execute(update(Peer).where(col(Peer.peer) == "police").values(knows_lines=99))
    assert "has not said" in await ends.waits_for()  # a number alone is no word of it


async def test_what_lies_above_a_hole_does_not_fill_it(ends: Ends, pair: Pair) -> None:
    police, health = ends.police.node, ends.health.node
    for step in range(2):
        await police.say("health", new_subject(), step)
    first, _ = await police.number("health")
    ends.replace_key()
    await known_to_all(ends, pair)  # it says that it has said two
    await police.say("health", new_subject(), 2)
    await health.hear("police", [first, *await police.number("health")])
    pair.clock.advance(KEPT)
    assert await ends.waits_for() == "police: not everything that it has said is here"


async def test_a_new_life_whose_first_word_is_a_short_one_may_know_less(ends: Ends, pair: Pair) -> None:
    restored = ends.process_of_now()
    ends.replace_key()
    await known_to_all(ends, pair)
    pair.clock.advance(KEPT)
    assert await ends.waits_for() == "due"
    async with ends.police.node.database.write() as tx:
        await open_incarnation(tx, ["health"], "restored")
    short, _ = await restored.letters.write_short("health")
    await ends.health.letters.take(ends.health.seal.open(short, "police"))
    for _ in range(2):
        await ends.letter(restored, ends.health)
        pair.clock.advance(LONG_ENOUGH)
    await ends.health.node.hear("police", await ends.police.node.number("health"))
    assert await ends.waits_for() == "police: it has not said that it knows the newer key"


async def test_a_process_of_a_peer_that_has_yet_to_hear_of_the_key_is_waited_for(ends: Ends, pair: Pair) -> None:
    laggard = ends.process_of_now()
    ends.replace_key()
    await known_to_all(ends, pair)
    pair.clock.advance(KEPT)
    assert await ends.waits_for() == "due"
    await ends.letter(laggard, ends.health)
    assert "has not said" in await ends.waits_for()
    await ends.letter(ends.police, ends.health)
    assert "an hour after" in await ends.waits_for()
    pair.clock.advance(LONG_ENOUGH)
    await ends.letter(ends.police, ends.health)
    assert await ends.waits_for() == "due"


async def test_what_a_peer_knew_of_a_former_root_says_nothing_of_the_new_ones_keys(ends: Ends, pair: Pair) -> None:
    ends.replace_key()
    await known_to_all(ends, pair)
    pair.clock.advance(KEPT)
    async with ends.health.node.database.write() as tx:
        await tx.session.execute(update(Peer).values(knows_lines=99))
    await ends.letter(ends.police, ends.health)
    assert "an hour after" in await ends.waits_for()
    pair.clock.advance(LONG_ENOUGH)
    await ends.letter(ends.police, ends.health)
    assert await ends.waits_for() == "due"


async def test_who_seals_to_a_destroyed_key_is_told_of_the_newer_and_is_heard_again(ends: Ends, pair: Pair) -> None:
    """As after a restore from before it heard of it: nothing that it sends can say that it does not know."""
    restored = ends.process_of_now()
    old = ends.replace_key()
    await known_to_all(ends, pair)
    pair.clock.advance(KEPT)
    assert await ends.destroy() == [True]
    ends.health.seal.refresh()
    (lost,) = await restored.letters.write("health")
    with pytest.raises(Unopenable) as why:
        ends.health.seal.open(lost, "police")
    with pytest.raises(Unopenable, match="signer is not known"):
        await ends.letter(ends.health, restored)
    ends.health.letters.due.clear()
    await ends.health.letters.note_unopenable("police", lost, ("refnet.police.to.health.v1.express", 0, 7), str(why.value))
    assert ends.health.letters.due == {"police"}
    await ends.letter(ends.health, restored)
    await ends.letter(restored, ends.health)
    assert restored.seal.knows("health") == 4
    assert (await restored.letters.write("health"))[0][1:9] != old[:8]
    assert await ends.health.letters.write_lines("police") == []  # once


async def test_whatever_else_cannot_be_opened_is_told_nothing(ends: Ends, pair: Pair) -> None:
    ends.replace_key()
    await known_to_all(ends, pair)
    (fine,) = await ends.police.letters.write("health")
    ends.health.letters.due.clear()
    for wrong in (b"", fine[:-1] + bytes([fine[-1] ^ 1]), b"\1" + b"unknown!" + fine[9:]):
        await ends.health.letters.note_unopenable("police", wrong, ("refnet.police.to.health.v1.express", 0, 8), "damaged")
    assert ends.health.letters.due == set()
    assert await ends.health.letters.write_lines("police") == []


async def test_nothing_is_destroyed_before_it_is_known_whether_this_database_was_restored(ends: Ends, pair: Pair) -> None:
    ends.replace_key()
    await known_to_all(ends, pair)
    pair.clock.advance(KEPT)
    database, folder = ends.health.node.database, ends.health.folder
    anchored, stop = asyncio.Event(), asyncio.Event()
    keeping = asyncio.create_task(keep_destroying(database, folder, ["police"], anchored, stop))
    for _ in range(20):
        await asyncio.sleep(0)
    assert await ends.waits_for() == "due"
    stop.set()
    anchored.set()
    await asyncio.wait_for(keeping, 10)
    assert await ends.waits_for() == "due"  # it was to stop
    stop.clear()
    keeping = asyncio.create_task(keep_destroying(database, folder, ["police"], anchored, stop))
    async with asyncio.timeout(10):
        while folder.opening()[1:]:
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(keeping, 10)


async def test_a_look_that_fails_for_any_reason_is_made_again_and_stops_nothing_else(
    ends: Ends, caplog: pytest.LogCaptureFixture
) -> None:
    anchored, stop = asyncio.Event(), asyncio.Event()
    anchored.set()
    async with ends.health.node.database.write() as tx:
        await tx.session.execute(text("ALTER TABLE exchange_peers RENAME TO elsewhere"))
    ends.replace_key()
    keeping = asyncio.create_task(keep_destroying(ends.health.node.database, ends.health.folder, ["police"], anchored, stop))
    async with asyncio.timeout(10):
        while "keys_not_destroyed" not in caplog.text:
            await asyncio.sleep(0.01)
    assert not keeping.done()
    stop.set()
    await asyncio.wait_for(keeping, 10)
    async with ends.health.node.database.write() as tx:
        await tx.session.execute(text("ALTER TABLE elsewhere RENAME TO exchange_peers"))
