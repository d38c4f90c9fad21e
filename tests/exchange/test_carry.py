"""Two agencies without any line: what one says reaches the other on a stick, and is signed for by the stick that comes back."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from exchange_node import Node, new_subject
from exchange_pair import Pair
from keystores import with_keys
from schema import postgres_at_head, sqlite_at_head

from shared.contracts.wire.envelope import KEY_ID_BYTES
from shared.exchange import carry
from shared.exchange.carry import FILE_BYTES_MIN, FORMAT, MAGIC, Carrier, Taken, Written
from shared.exchange.receipts import ASK_AGAIN, STILL
from shared.kit.clock import ManualClock
from shared.kit.errors import RefnetError

SEED = 20260105
of_files = pytest.mark.parametrize("pair", ["sqlite"], indirect=True)  # about what lies in files: no database differs in it


@pytest.fixture(params=["sqlite", "postgresql"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    """As everywhere in this folder, on databases that are copies: none is migrated for each test."""
    clock, nodes, urls = ManualClock(), [], []
    for agency in ("police", "health"):
        if request.param == "sqlite":
            urls.append(await asyncio.to_thread(sqlite_at_head, tmp_path / f"{agency}.db", agency))
        else:
            urls.append(await asyncio.to_thread(postgres_at_head, request.getfixturevalue("postgres"), agency))
        nodes.append(Node(agency, with_keys(urls[-1], clock)))
    yield Pair(nodes[0], nodes[1], clock)
    for node, url in zip(nodes, urls, strict=True):
        await node.database.close()
        if request.param == "postgresql":
            request.getfixturevalue("postgres").drop_database(url.rpartition("/")[2])


class Ends:
    """Both ends of the stick, each export and each import as in a process of its own: nothing is kept in memory between them."""

    def __init__(self, pair: Pair, folder: Path) -> None:
        self.pair, self.folder, self.count = pair, folder, 0

    def at(self, node: Node, *peers: str) -> Carrier:
        letters = node.letters(*peers)
        return Carrier(node.database, node.agency, peers, node.seal, node.inbox, letters, None, self.folder / f"kept-{node.agency}")

    async def write(self, node: Node, **options: Any) -> tuple[Path, Written]:
        peer = {"police": "health", "health": "police"}[node.agency]
        self.count += 1
        file = self.folder / f"stick-{self.count}"
        return file, await self.at(node, peer).export(file, [peer], **options)

    async def read(self, node: Node, file: Path) -> Taken:
        return await self.at(node, {"police": "health", "health": "police"}[node.agency]).take(file)

    async def round(self) -> None:
        """The stick goes to the clinic and comes back."""
        await self.read(self.pair.health, (await self.write(self.pair.police))[0])
        await self.read(self.pair.police, (await self.write(self.pair.health))[0])


@pytest.fixture
def ends(pair: Pair, tmp_path: Path) -> Ends:
    return Ends(pair, tmp_path)


async def tell(pair: Pair, count: int) -> list[object]:
    subject = new_subject()
    return [await pair.police.say("health", subject, step) for step in range(count)]


async def test_a_round_trip_of_the_stick_ends_with_a_signature_and_no_line(pair: Pair, ends: Ends) -> None:
    said = await tell(pair, 3)
    file, written = await ends.write(pair.police)
    assert (written.events["health"], written.left, written.size) == (3, 0, file.stat().st_size)
    assert pair.police.delivered_ids == []
    assert [row.sent_at for row in await pair.police.outbox_rows()] == [None] * 3  # a stick in a drawer has told nobody
    taken = await ends.read(pair.health, file)
    assert taken.of is not None
    assert (taken.fault, taken.unopened, taken.of.fresh, taken.of.applied, taken.of.waiting) == (None, 0, 3, 3, 0)
    back, _ = await ends.write(pair.health)
    await ends.read(pair.police, back)
    assert pair.police.delivered_ids == said
    assert (await ends.write(pair.police))[1].events.total() == 0  # nothing is carried that is signed for


async def test_taken_twice_it_changes_nothing(pair: Pair, ends: Ends) -> None:
    await tell(pair, 3)
    file, _ = await ends.write(pair.police)
    await ends.read(pair.health, file)
    again = await ends.read(pair.health, file)
    assert again.of is not None
    assert (again.of.events, again.of.fresh, again.of.applied) == (3, 0, 3)
    assert len(pair.health.applied) == 3


async def test_stick_and_line_carry_the_same_and_each_is_applied_once(pair: Pair, ends: Ends) -> None:
    said = await tell(pair, 4)
    file, _ = await ends.write(pair.police)
    await pair.health.hear("police", (await pair.police.due("health"))[:2])  # the line came back meanwhile, and brought half
    await ends.read(pair.health, file)
    await pair.health.hear("police", await pair.police.due("health"))
    assert [step for _, step in pair.health.applied] == [0, 1, 2, 3]
    await pair.police.take("health", await pair.health.state("police"))
    await ends.round()
    assert sorted(map(str, pair.police.delivered_ids)) == sorted(map(str, said))


async def test_a_stick_that_is_lost_on_the_way_costs_nothing(pair: Pair, ends: Ends) -> None:
    said = await tell(pair, 2)
    (await ends.write(pair.police))[0].unlink()  # it never came
    said += await tell(pair, 2)
    await ends.read(pair.health, (await ends.write(pair.police))[0])
    (await ends.write(pair.health))[0].unlink()  # and the answer was lost
    assert pair.police.delivered_ids == []
    await ends.round()
    assert pair.police.delivered_ids == said
    assert len(pair.health.applied) == 4


async def test_what_was_cut_short_is_taken_as_far_as_it_goes_and_the_rest_with_the_next(pair: Pair, ends: Ends) -> None:
    said = await tell(pair, 5)
    file, _ = await ends.write(pair.police)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 2 // 3])
    taken = await ends.read(pair.health, file)
    assert taken.fault == "short"
    assert taken.of is not None
    assert 0 < taken.of.applied < 5
    await ends.round()
    assert pair.police.delivered_ids == said
    assert len(pair.health.applied) == 5


async def test_wherever_it_was_cut_it_is_said_and_nothing_is_lost(pair: Pair, ends: Ends) -> None:
    said = await tell(pair, 1)
    file, _ = await ends.write(pair.police)
    whole = file.read_bytes()
    for size in (5, len(MAGIC), len(MAGIC) + 1, -1, -20, -40):
        file.write_bytes(whole[:size])
        assert (await ends.read(pair.health, file)).fault == "short", size
    file.write_bytes(b"")
    with pytest.raises(RefnetError, match="is not a file"):
        await ends.read(pair.health, file)
    await ends.round()
    assert pair.police.delivered_ids == said


async def test_what_was_changed_on_the_way_is_left_and_comes_with_the_next(pair: Pair, ends: Ends) -> None:
    said = await tell(pair, 6)
    file, _ = await ends.write(pair.police)
    content = bytearray(file.read_bytes())
    content[random.Random(SEED).randrange(len(content) // 2, len(content) - 200)] ^= 1
    file.write_bytes(content)
    taken = await ends.read(pair.health, file)
    assert taken.fault == "altered"
    assert taken.of is not None
    assert (taken.unopened, taken.of.events) == (1, 5)
    assert "unopenable" in pair.health.troubles
    await ends.round()
    assert sorted(map(str, pair.police.delivered_ids)) == sorted(map(str, said))


async def test_any_changed_bit_is_seen_and_never_applied(pair: Pair, ends: Ends) -> None:
    await tell(pair, 2)
    file, _ = await ends.write(pair.police)
    whole, chance = file.read_bytes(), random.Random(SEED)
    for place in sorted(chance.sample(range(len(MAGIC) + 1, len(whole)), 25)):
        changed = bytearray(whole)
        changed[place] ^= 1 << chance.randrange(8)
        file.write_bytes(changed)
        assert (await ends.read(pair.health, file)).fault in {"altered", "short"}, f"seed {SEED}, byte {place}"
    assert len(pair.health.applied) <= 2
    file.write_bytes(whole)
    assert (await ends.read(pair.health, file)).fault is None
    assert sorted(step for _, step in pair.health.applied) == [0, 1]


async def test_at_the_wrong_agency_it_says_whose_it_is_and_takes_nothing(pair: Pair, ends: Ends) -> None:
    await tell(pair, 2)
    file, _ = await ends.write(pair.police)
    taken = await ends.read(pair.police, file)  # the one that wrote it
    assert taken.of is None
    assert taken.others["health"] == 4  # lines of its directory of keys, a statement, two events
    assert taken.unopened == 0


async def test_another_file_and_one_of_a_newer_version_are_refused_in_a_sentence(pair: Pair, ends: Ends) -> None:
    await tell(pair, 1)
    file, _ = await ends.write(pair.police)
    content = file.read_bytes()
    file.write_bytes(MAGIC + bytes([FORMAT + 1]) + content[len(MAGIC) + 1 :])
    with pytest.raises(RefnetError, match="newer version"):
        await ends.read(pair.health, file)
    file.write_bytes(b"PK" + content)
    with pytest.raises(RefnetError, match="is not a file of"):
        await ends.read(pair.health, file)
    with pytest.raises(RefnetError, match="cannot be read"):
        await ends.read(pair.health, ends.folder / "nowhere")
    assert pair.health.applied == []


async def test_older_software_keeps_what_it_does_not_know_and_says_so(pair: Pair, ends: Ends) -> None:
    await pair.police.say("health", new_subject(), 0, dataversion=7)
    taken = await ends.read(pair.health, (await ends.write(pair.police))[0])
    assert taken.of is not None
    assert (taken.of.fresh, taken.of.parked, taken.of.applied) == (1, 1, 0)


async def test_what_does_not_fit_goes_on_in_another_file(pair: Pair, ends: Ends) -> None:
    said = await tell(pair, 170)
    first, written = await ends.write(pair.police, bytes_max=FILE_BYTES_MIN)
    assert first.stat().st_size <= FILE_BYTES_MIN
    assert 0 < written.left < 170
    assert written.events["health"] + written.left == 170
    rest = written
    files = [first]
    while rest.left:
        assert rest.after is not None
        file, rest = await ends.write(pair.police, bytes_max=FILE_BYTES_MIN, after=rest.after)
        files.append(file)
    for file in reversed(files):  # in whatever order they come
        await ends.read(pair.health, file)
    assert [step for _, step in pair.health.applied] == list(range(170))
    await ends.round()
    assert set(pair.police.delivered_ids) == set(said)


async def test_a_file_shows_ciphertext_suites_and_key_ids_and_nothing_else(pair: Pair, ends: Ends) -> None:
    subject = uuid4()
    await pair.police.say("health", subject, 987_654_321)
    file, _ = await ends.write(pair.police)
    content = file.read_bytes()
    shown = (b"police", b"health", b"story", b"987654321", str(subject).encode(), subject.bytes, b"{", b"incarnation")
    for word in shown[:6]:
        assert word not in content
    left, ids = content[len(MAGIC) + 1 : -carry.END_BYTES], set()
    while left:
        length = int.from_bytes(left[:4])
        assert length > 1_024  # padded: a length tells nothing
        ids.add(left[4 : 5 + KEY_ID_BYTES])
        left = left[4 + length :]
    assert len(ids) == 1  # the clinic's key, of one suite
    inner = next(row.inner for row in await pair.police.outbox_rows())
    assert inner is not None
    assert b"987654321" in inner  # such a word is found where it is open


async def test_a_full_or_absent_stick_leaves_no_file(pair: Pair, ends: Ends) -> None:
    await tell(pair, 1)
    with pytest.raises(RefnetError, match="There is no folder"):
        await ends.at(pair.police, "health").export(ends.folder / "no-stick" / "file", ["health"])
    file, _ = await ends.write(pair.police)
    with pytest.raises(RefnetError, match="exists already"):
        await ends.at(pair.police, "health").export(file, ["health"])
    assert sorted(path.name for path in ends.folder.iterdir() if path.name.startswith("stick")) == [file.name]


async def test_an_answer_that_only_memory_held_is_carried_back(pair: Pair, ends: Ends) -> None:
    """The clinic waits for a word that the desk never said: the desk's answer is given in another process than the question."""
    subject = new_subject()
    first = await pair.police.say("health", subject, 0)
    async with pair.police.database.write() as tx:  # as after a restore that lost it: its follower still names it
        row = (await pair.police.outbox_rows())[0]
        await tx.session.delete(await tx.session.get_one(type(row), row.position))
    await pair.police.say("health", subject, 1)
    async with pair.police.database.write() as tx:
        row = (await pair.police.outbox_rows())[0]
        (await tx.session.get_one(type(row), row.position)).after = first
    taken = await ends.read(pair.health, (await ends.write(pair.police))[0])
    assert taken.of is not None
    assert taken.of.waiting == 1
    pair.clock.advance(ASK_AGAIN + STILL)
    await ends.round()  # asks
    pair.clock.advance(ASK_AGAIN + STILL)
    await ends.read(pair.police, (await ends.write(pair.health))[0])
    await ends.read(pair.health, (await ends.write(pair.police))[0])  # is told that there is none
    assert [step for _, step in pair.health.applied] == [1]


@of_files
async def test_joined_files_are_taken_as_what_they_were(pair: Pair, ends: Ends) -> None:
    """Two exports that somebody copied into one file, the second written before the first had come."""
    said = await tell(pair, 2)
    first, _ = await ends.write(pair.police)
    said += await tell(pair, 2)
    second, _ = await ends.write(pair.police)
    joined = ends.folder / "joined"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    taken = await ends.read(pair.health, joined)
    assert (taken.fault, taken.unopened, list(taken.streams)) == (None, 0, ["police"])
    assert taken.of is not None
    assert (taken.of.events, taken.of.fresh, taken.of.applied) == (6, 4, 4)  # two of them twice
    await ends.read(pair.police, (await ends.write(pair.health))[0])
    assert pair.police.delivered_ids == said


@of_files
async def test_joined_files_of_which_one_was_spoilt_are_never_called_whole(pair: Pair, ends: Ends) -> None:
    await tell(pair, 2)
    first, _ = await ends.write(pair.police)
    second, _ = await ends.write(pair.police)
    whole = first.read_bytes()
    for spoilt, fault in (
        (whole + second.read_bytes()[:-1], "short"),
        (whole + b"and more", "altered"),
        (whole[:-1] + b"?" + second.read_bytes(), "altered"),
    ):
        first.write_bytes(spoilt)
        assert (await ends.read(pair.health, first)).fault == fault


@of_files
async def test_the_answers_to_two_files_both_go_back(pair: Pair, ends: Ends) -> None:
    """A stick that asks for nothing, read after one that asks, takes no answer away; what was lost on the way is made up for."""
    subject = new_subject()
    first = await pair.police.say("health", subject, 0)
    async with pair.police.database.write() as tx:
        row = (await pair.police.outbox_rows())[0]
        await tx.session.delete(await tx.session.get_one(type(row), row.position))
    early, _ = await ends.write(pair.health)  # before anything is lacking there: it asks for nothing
    await pair.police.say("health", subject, 1)
    async with pair.police.database.write() as tx:
        row = (await pair.police.outbox_rows())[0]
        (await tx.session.get_one(type(row), row.position)).after = first
    await ends.read(pair.health, (await ends.write(pair.police))[0])
    pair.clock.advance(ASK_AGAIN + STILL)
    await ends.read(pair.police, (await ends.write(pair.health))[0])  # asks
    await ends.read(pair.police, early)
    lost, _ = await ends.write(pair.police)
    lost.unlink()
    await ends.read(pair.health, (await ends.write(pair.police))[0])
    assert [step for _, step in pair.health.applied] == [1]


async def test_it_says_what_waits_for_whom_and_writes_nothing(pair: Pair, ends: Ends) -> None:
    carrier = ends.at(pair.police, "health")
    assert [(one.peer, one.events, one.since, one.answers) for one in await carrier.held(["health"])] == [("health", 0, None, 0)]
    since = pair.clock.now()
    await tell(pair, 2)
    pair.clock.advance(STILL)
    await tell(pair, 1)
    (held,) = await carrier.held(["health"])
    assert (held.events, held.since) == (3, since)
    assert [row.seq for row in await pair.police.outbox_rows()] == [None] * 3
    await ends.round()
    (held,) = await carrier.held(["health"])
    assert (held.events, held.answers) == (0, 1)
