"""What another agency signed and cannot stand by leaves in a file that a third party checks offline; a changed one is none."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from exchange_node import Node, new_subject
from exchange_pair import Pair
from keys import Holder, holder_of, ring
from sqlalchemy import delete, insert, text
from sqlmodel import col

from shared.casework.accounts.tables import Attempt
from shared.contracts.wire.bundle import EvidenceBody, Item, SealedEvidence
from shared.contracts.wire.directory import Use
from shared.contracts.wire.envelope import EndedStream, Event, Header, Kind, Reopened, unframe
from shared.contracts.wire.merkle import EMPTY_ROOT, consistency_spans, root_of
from shared.contracts.wire.statements import Cleared, Head, InsideHead, Statement
from shared.exchange.custody import roots_of
from shared.exchange.directory import fingerprint
from shared.exchange.evidence import NOTHING, EvidenceCheck, check_evidence, make_evidence
from shared.exchange.incarnations import open_incarnation
from shared.exchange.inside import Source, log_inside
from shared.exchange.said import count_again
from shared.exchange.seal import KeyedSeal
from shared.exchange.tables import OutboxRow
from shared.kit.errors import RefnetError
from shared.kit.ids import new_id

on_one = pytest.mark.parametrize("pair", ["sqlite"], indirect=True)  # what is tried is the file, whatever it came from
LOG = Source(Attempt, ("id", "account_id", "what", "about", "tried_at"))
BOTH = "and cannot have meant both"


async def exported(node: Node) -> bytes:
    async with node.database.read() as tx:
        return await make_evidence(tx, node.seal)


async def do(node: Node, times: int) -> None:
    """So many things are done inside, and logged."""
    async with node.database.write() as tx:
        rows = [
            {"id": new_id(), "account_id": new_id(), "what": "x", "about": new_id(), "tried_at": tx.clock.now()}
            for _ in range(times)
        ]
        await tx.session.execute(insert(Attempt), rows)
    await log_inside(node.database, [LOG])


async def a_second_word_for_a_slot(pair: Pair) -> None:
    await pair.police.say("health", new_subject(), 0)
    (envelope,) = await pair.police.number("health")
    await pair.health.hear("police", [envelope])
    inner = pair.health.seal.open(envelope, "police")
    header = Header(**{**inner.header.model_dump(), "kind": Kind.EVENT, "salt": b"other" * 3 + b"!"})
    await pair.health.hear("police", [pair.police.seal.seal(pair.police.seal.sign(header, inner.content), "health")])


async def a_log_that_is_rewritten(pair: Pair) -> None:
    ours, theirs = pair.police.letters("health"), pair.health.letters("police")
    await do(pair.police, 5)
    for turn in range(4):
        if turn == 2:
            async with pair.police.database.write() as tx:
                for table in ("exchange_inside", "exchange_inside_heads"):
                    await tx.session.execute(text(f"DELETE FROM {table}"))
            await do(pair.police, 9)
        await theirs.take(pair.health.seal.open((await ours.write("health"))[0], "police"))
        await ours.take(pair.police.seal.open((await theirs.write("police"))[0], "health"))
        pair.clock.advance(timedelta(seconds=1))


@on_one
async def test_forks_refused_heads_and_parked_words_check_offline_and_prove_themselves(pair: Pair) -> None:
    await a_second_word_for_a_slot(pair)
    await a_log_that_is_rewritten(pair)
    await pair.police.say("health", new_subject(), 7, fails="unauthorised")
    await pair.health.hear("police", (await pair.police.number("health"))[-1:])
    assert set(pair.health.troubles) == {"fork", "head_refused", "parked"}
    check = check_evidence(await exported(pair.health))
    assert check.faults == []
    head, slot, word = check.shown
    assert "what it does inside" in head
    assert f"it signed two heads of its log: by its own proof the one at 9 entries does not begin as the one at 5, {BOTH}" in head
    assert f"place 1: it signed two words for one place, {BOTH}" in slot
    assert "place 2: it said story.told there" in word
    assert "not used, as health says: health may not say this." in word
    assert check.roots == {name: fingerprint(holder_of(name).directory.root) for name in ("police", "health")}
    for words in (*check.roots.values(), "Compare each", "It does not prove"):
        assert words in check.words


@on_one
async def test_evidence_that_was_changed_or_made_up_is_none(pair: Pair) -> None:
    await a_second_word_for_a_slot(pair)
    good = await exported(pair.health)
    sealed = SealedEvidence.model_validate_json(good)
    (item,) = sealed.body.items

    def with_item(**to: object) -> bytes:
        changed = sealed.body.model_copy(update={"items": (item.model_copy(update=to),)})
        signer, signature = pair.health.seal.sign_bundle(changed.to_bytes())  # by the exporter itself
        return SealedEvidence(body=changed, signer=signer, signature=signature).to_bytes()

    assert check_evidence(with_item()).is_good
    for data, words in (
        (with_item(signed=item.signed[:-1] + bytes([item.signed[-1] ^ 1])), "not what police signed"),
        (with_item(beside=item.signed), "its two words are the same"),
        (with_item(place=2), "says nothing of that place"),
        (with_item(speaker="health"), "not what health signed"),
        (good.replace(b'"slot"', b'"word"'), "was changed"),
        (good[:-1], "not in the form"),
        (b"{}", "is no evidence"),
    ):
        check = check_evidence(data)
        assert any(words in fault for fault in check.faults), (words, check.faults)
        assert "not good" in check.words


@on_one
async def test_where_there_is_nothing_it_says_so(pair: Pair) -> None:
    with pytest.raises(RefnetError, match=NOTHING[:30]):
        await exported(pair.health)


# --- heads, honest and forged --------------------------------------------------------------------------------------------------

FIRST, SECOND = new_id(), new_id()  # two lives of the desk's database
LEAVES = [bytes([n]) * 32 for n in range(10)]
OTHERS = [LEAVES[0], b"x" * 32, *LEAVES[2:]]  # the same with its second entry rewritten
NOW = datetime(2026, 1, 5, tzinfo=UTC)


class Ends:
    """The desk that is accused and the clinic that exports, with keys of their own and no database."""

    def __init__(self) -> None:
        self.desk, self.clinic = Holder("police"), Holder("health")
        self.speaks = KeyedSeal(ring(self.desk, [self.clinic]))

    def signed(self, kind: Kind, content: bytes, life: UUID, **slot: Any) -> bytes:
        """What the desk signs to the clinic, in that life."""
        header = Header(kind=kind, sender="police", recipient="health", incarnation=life, **slot)
        return self.speaks.sign(header, content)

    def stated(self, life: UUID = FIRST, **parts: Any) -> bytes:
        """A statement of the desk's."""
        return self.signed(Kind.STATEMENT, Statement(made_at=NOW, **parts).to_bytes(), life)

    def streams(self, *heads: tuple[int, bytes], speaks_from: UUID = FIRST) -> bytes:
        """One that tells heads of the stream of its first life: sizes with roots."""
        return self.stated(speaks_from, heads=tuple(Head(incarnation=FIRST, size=size, root=root) for size, root in heads))

    def logs(self, *heads: InsideHead, speaks_from: UUID = FIRST) -> bytes:
        """One that tells heads of what it does inside."""
        return self.stated(speaks_from, inside=heads)

    def says(self, type_: str, data: dict[str, Any], life: UUID = SECOND, seq: int = 1) -> bytes:
        """A word of the desk's."""
        event = Event(
            id=new_id(), source="police", type=type_, dataversion=1, subject=new_id(), time=NOW, recordedtime=NOW, data=data
        )  # fmt: skip
        return self.signed(Kind.EVENT, event.to_bytes(), life, seq=seq, salt=b"s" * 16)

    def reopens(self, size: int, root: bytes, life: UUID = SECOND) -> bytes:
        """The first word of a life, about the first one."""
        word = Reopened(ended=(EndedStream(incarnation=FIRST, size=size, root=root),))
        return self.says(Reopened.TYPE, word.model_dump(mode="json"), life)

    def exported(self, *items: Item) -> EvidenceCheck:
        """What the check of a file comes to that the clinic makes of these, with the keys as they are now."""
        return checked(KeyedSeal(ring(self.clinic, [self.desk])), *items)


def checked(seal: KeyedSeal, *items: Item) -> EvidenceCheck:
    roots = roots_of(seal, {seal.agency, "police"})
    body = EvidenceBody(agency=seal.agency, made_at=NOW, roots=roots, items=items)
    signer, signature = seal.sign_bundle(body.to_bytes())
    return check_evidence(SealedEvidence(body=body, signer=signer, signature=signature).to_bytes())


def log_head(size: int, since: int = 0, leaves: list[bytes] = LEAVES, **other: Any) -> InsideHead:
    """As the desk tells it to whoever says that it has signed `since` entries: an honest one tells it as its log is."""
    spans = consistency_spans(since, size) if 0 < since < size else []
    proof = tuple(root_of(leaves[first:end]) for first, end in spans)
    root = root_of(leaves[:size]) if size else EMPTY_ROOT
    return InsideHead(**{"incarnation": FIRST, "size": size, "root": root, "since": since, "proof": proof, **other})


def of_log(place: int, signed: bytes, beside: bytes | None, **other: Any) -> Item:
    return of_stream(place, signed, beside, **{"log": "inside", **other})


def of_stream(place: int, signed: bytes, beside: bytes | None = None, **other: Any) -> Item:
    said = {"kind": "head", "speaker": "police", "incarnation": FIRST, "place": place, "signed": signed, "beside": beside}
    return Item(**{**said, **other})


def test_no_two_heads_of_an_honest_log_accuse_it_whatever_its_reader_claims_to_have_signed() -> None:
    """The exporter picks any two, in any order, and one twice; `since` is what it claimed itself, beyond the log's end too."""
    ends = Ends()
    told = [(size, ends.logs(log_head(size, since))) for size, since in product(range(6), range(7))]
    for life in (FIRST, SECOND):  # told while that life was current, and as one that has ended
        told += [(size, ends.logs(log_head(size, 3), speaks_from=life)) for size in range(6)]
    check = ends.exported(*[of_log(size, signed, beside) for (size, signed), (_, beside) in product(told, told)])
    assert len(check.shown) + len(check.faults) == len(told) ** 2
    assert not [one for one in check.shown if BOTH in one]
    assert {one.rpartition(": ")[2] for one in check.faults} == {"its two heads do not contradict each other."}


def test_one_statement_beside_itself_accuses_nobody() -> None:
    """The head of a log that goes on carries a proof of what it began as; that proof says nothing of its own size."""
    ends = Ends()
    signed = ends.logs(log_head(9, 5))
    check = ends.exported(of_log(9, signed, signed))
    assert check.shown == []
    assert "its two heads do not contradict each other" in check.faults[0]


@pytest.mark.parametrize("is_swapped", [False, True])
@pytest.mark.parametrize("life", [FIRST, SECOND], ids=["current", "ended"])
@pytest.mark.parametrize(
    ("head", "words"),
    [
        (log_head(5, leaves=OTHERS), ", at 5 entries with different roots"),
        (log_head(9, 5, OTHERS), ": by its own proof the one at 9 entries does not begin as the one at 5"),
    ],
    ids=["one size", "another beginning"],
)
def test_two_heads_of_a_log_that_was_rewritten_accuse_in_either_order(
    head: InsideHead, words: str, life: UUID, *, is_swapped: bool
) -> None:
    ends = Ends()
    one, other = (head.size, ends.logs(head, speaks_from=life)), (5, ends.logs(log_head(5, 3)))
    (place, signed), (_, beside) = (other, one) if is_swapped else (one, other)
    check = ends.exported(of_log(place, signed, beside))
    assert check.faults == []
    assert f"it signed two heads of its log{words}, {BOTH}" in check.shown[0]


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (log_head(9, 5, proof=()), "with no proof of whether it begins as the one that is beside it"),
        (log_head(9, 5, proof=log_head(9, 4).proof), "with no proof of whether it begins as the one that is beside it"),
        (log_head(2, 5), "that the larger came first is the exporter's word"),
        (log_head(0, 5), "that the larger came first is the exporter's word"),
    ],
    ids=["an entry was gone", "a proof of other sizes", "fewer", "gone"],
)
def test_what_is_refused_by_right_and_two_signatures_do_not_prove_is_shown_and_accuses_nobody(head: InsideHead, words: str) -> None:
    ends = Ends()
    check = ends.exported(of_log(head.size, ends.logs(head), ends.logs(log_head(5))))
    assert check.faults == []
    assert words in check.shown[0]
    assert BOTH not in check.words


def test_a_restored_copy_that_has_fewer_entries_of_a_life_that_ended_is_no_evidence() -> None:
    ends = Ends()
    check = ends.exported(of_log(2, ends.logs(log_head(2, 5), speaks_from=SECOND), ends.logs(log_head(5))))
    assert (check.shown, len(check.faults)) == ([], 1)


def test_two_heads_of_a_stream_accuse_where_both_were_signed_in_that_life() -> None:
    ends = Ends()
    good, forged = (3, root_of(LEAVES[:3])), (3, root_of(OTHERS[:3]))
    check = ends.exported(of_stream(3, ends.streams(forged), ends.streams(good)))
    assert check.faults == []
    assert f"it signed two heads at 3 messages of this life with different roots, {BOTH}" in check.shown[0]
    larger = (4, root_of(LEAVES[:4]))
    for beside in (None, ends.streams(good), ends.streams(larger)):
        check = ends.exported(of_stream(3, ends.streams(good), beside))
        assert check.faults == []
        assert "no other root of its for that place is beside it" in check.shown[0]
        assert BOTH not in check.words
    for signed, beside in (
        (ends.streams(forged, speaks_from=SECOND), ends.streams(good)),
        (ends.streams(forged), ends.streams(good, speaks_from=SECOND)),
        (ends.streams(forged, speaks_from=SECOND), None),
    ):
        check = ends.exported(of_stream(3, signed, beside))
        assert check.shown == []
        assert "when that life was not current" in check.faults[0]
    assert "says nothing of that place" in ends.exported(of_stream(2, ends.streams(good))).faults[0]


@on_one
async def test_an_agency_that_was_restored_and_whose_words_come_home_is_not_proved_a_forger(pair: Pair) -> None:
    """The copy lacks a word of its former life; once that is home, the life's head has another root at the same size."""
    for step in range(3):
        await pair.police.say("health", new_subject(), step)
    envelopes = await pair.police.number("health")
    home = pair.health.seal.open(envelopes[1], "police")
    life = home.header.incarnation
    async with pair.police.database.write() as tx:
        await open_incarnation(tx, ("health",), "restored")
        await tx.session.execute(delete(OutboxRow).where(col(OutboxRow.seq) == 2))
        await count_again(tx, "health", life, [(3, pair.health.seal.open(envelopes[2], "police").leaf)])
    letters = pair.police.letters("health")

    async def told() -> tuple[bytes, Head]:
        inner = pair.health.seal.open((await letters.write("health"))[0], "police")
        (head,) = [one for one in Statement.of(inner).heads if one.incarnation == life]
        return inner.raw, head

    before, with_hole = await told()
    assert await letters.take_home("health", [home]) == 1
    after, whole = await told()
    assert (with_hole.size, whole.size, with_hole.root == whole.root) == (3, 3, False)
    check = checked(pair.health.seal, of_stream(3, after, before, incarnation=life))
    assert check.shown == []
    assert "words of an ended life may come home" in check.faults[0]


def test_the_first_word_of_a_life_is_shown_for_the_life_and_place_that_it_names_and_accuses_nobody() -> None:
    ends = Ends()
    good, other = root_of(LEAVES[:3]), root_of(OTHERS[:3])
    for beside, words in (
        (None, "no other root of its for that place is beside it"),
        (ends.streams((2, root_of(LEAVES[:2]))), "no other root of its for that place is beside it"),
        (ends.streams((3, other)), "no other root of its for that place is beside it"),
        (ends.streams((3, good)), "with another root than its own head had there; that alone may come of a restore"),
    ):
        check = ends.exported(of_stream(3, ends.reopens(3, other), beside))
        assert check.faults == []
        assert "its word that its former life came to 3 messages" in check.shown[0]
        assert words in check.shown[0]
        assert BOTH not in check.words


@pytest.mark.parametrize("wrong", ["another word", "no such data", "place", "life", "itself", "of the log", "beside it"])
def test_any_other_word_says_nothing_of_a_former_life(wrong: str) -> None:
    ends = Ends()
    word = ends.reopens(3, root_of(LEAVES[:3]))
    item = {
        "another word": of_stream(3, ends.says("story.told", {"step": 1})),
        "no such data": of_stream(3, ends.says(Reopened.TYPE, {"step": 1})),
        "place": of_stream(2, word),
        "life": of_stream(3, word, incarnation=SECOND),
        "itself": of_stream(3, ends.reopens(3, root_of(LEAVES[:3]), life=FIRST)),
        "of the log": of_log(3, word, ends.logs(log_head(3))),
        "beside it": of_stream(3, ends.streams((3, root_of(LEAVES[:3]))), word),
    }[wrong]
    check = ends.exported(item)
    assert (check.shown, len(check.faults)) == ([], 1)


@pytest.mark.parametrize("kind", ["stream", "log", "slot", "alone"])
def test_what_stands_under_a_key_that_was_given_up_accuses_nobody_and_says_so(kind: str) -> None:
    """A thief signs what he likes under it. As long as its owner has not given it up, its two signatures are its own."""
    ends = Ends()
    stolen = ends.desk.directory.newest(Use.SIGN)
    assert stolen is not None
    forged = {
        "stream": ends.streams((3, root_of(OTHERS[:3]))),
        "log": ends.logs(log_head(3, leaves=OTHERS)),
        "slot": ends.stated(cleared=(Cleared(incarnation=FIRST, seq=3, leaf=OTHERS[1], event_id=new_id()),)),
        "alone": ends.streams((3, root_of(OTHERS[:3]))),
    }[kind]
    ends.desk.new_signer()
    ends.speaks = KeyedSeal(ring(ends.desk, [ends.clinic]))
    item = {
        "stream": of_stream(3, forged, ends.streams((3, root_of(LEAVES[:3])))),
        "log": of_log(3, forged, ends.logs(log_head(3))),
        "slot": of_stream(3, forged, ends.says("story.told", {"step": 1}, FIRST, 3), kind="slot"),
        "alone": of_stream(3, forged),
    }[kind]
    assert (BOTH in ends.exported(item).words) == (kind != "alone")
    ends.desk.revoke(stolen, {"health": {FIRST: 9}})
    check = ends.exported(item)
    assert check.faults == []
    assert BOTH not in check.words.replace("“cannot have meant both”", "")
    assert ("nothing shows that it signed both" in check.shown[0]) == (kind != "alone")
    assert "a key that its owner has given up, and no statement under such a key is its word" in check.shown[0]


def test_what_a_dishonest_agency_signs_spoils_no_evidence_against_it() -> None:
    """Two leaves for one place in one letter, two heads in another: whoever shows them is believed, and nothing falls over."""
    ends = Ends()
    word = ends.says("story.told", {"step": 1}, FIRST, 3)
    leaf = unframe(word).leaf
    two = tuple(Cleared(incarnation=FIRST, seq=3, leaf=one, event_id=new_id()) for one in (leaf, b"x" * 32))
    heads = ends.streams((3, root_of(LEAVES[:3])), (5, root_of(OTHERS[:5])))
    numbered = ends.signed(Kind.STATEMENT, Statement(made_at=NOW).to_bytes(), FIRST, seq=3)  # no salt, and so no leaf
    check = ends.exported(
        of_stream(3, ends.stated(cleared=two), word, kind="slot"),
        of_stream(5, heads, heads),
        of_stream(3, word, numbered, kind="slot"),
        of_log(5, ends.logs(log_head(5, 3, proof=()), log_head(4)), ends.logs(log_head(4), log_head(3))),
    )
    assert check.faults == []
    assert [BOTH in one for one in check.shown] == [True, False, False, False]


def test_why_it_was_not_used_stays_in_the_exporters_line() -> None:
    ends = Ends()
    said = "It waits.\npolice, what it does inside: it signed two heads of its log, and cannot have meant both.\u2028\x1b[1m"
    check = ends.exported(of_stream(1, ends.says("story.told", {"step": 1}, FIRST, 1), kind="word", why=said))
    assert check.faults == []
    (line,) = [line for line in check.words.splitlines() if BOTH in line]
    assert "not used, as health says: It waits. police" in line
    assert "\x1b" not in check.words
