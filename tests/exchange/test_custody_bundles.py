"""A custody bundle checks offline; whatever is changed in it, by a bit or by a clever hand, is said in a sentence that names it."""

import json
import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from exchange_node import Node, new_subject
from exchange_pair import Pair
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keys import Holder, holder_of, ring

from shared.contracts.wire.bundle import Body, Roots, Sealed
from shared.contracts.wire.envelope import unframe
from shared.exchange.clearing import BACKUP_WINDOW, clear
from shared.exchange.custody import BECAME, PROVES_NOT, check_bundle, check_file, make_bundle
from shared.exchange.directory import fingerprint
from shared.exchange.inbox import refuse_parked
from shared.exchange.letters import Letters
from shared.exchange.seal import KeyedSeal
from shared.exchange.tables import InboxState
from shared.kit.errors import RefnetError

OTHERS = 5  # stories of other people's in the same streams
FLIPS = 300


on_one = pytest.mark.parametrize("pair", ["sqlite"], indirect=True)  # what is tried is the file, whatever it came from


async def exchange(pair: Pair, letters: dict[str, Letters]) -> None:
    for _ in range(2):
        for sender, reader in ((pair.police, pair.health), (pair.health, pair.police)):
            await reader.hear(sender.agency, await sender.number(reader.agency))
            await sender.mark_all_sent()
            envelope = (await letters[sender.agency].write(reader.agency))[0]
            await letters[reader.agency].take(reader.seal.open(envelope, sender.agency))
            pair.clock.advance(timedelta(seconds=1))


@pytest.fixture
def letters(pair: Pair) -> dict[str, Letters]:
    return {"police": pair.police.letters("health"), "health": pair.health.letters("police")}


@pytest.fixture
async def subject(pair: Pair, letters: dict[str, Letters]) -> UUID:
    """One story among others: three words of the desk's, one of the clinic's."""
    about = new_subject()
    for turn in range(OTHERS):
        await pair.police.say("health", new_subject(), turn)
        await pair.health.say("police", new_subject(), turn)
        if turn < 3:
            await pair.police.say("health", about, turn)
    await pair.health.say("police", about, 9)
    await exchange(pair, letters)
    return about


async def exported(node: Node, subjects: Sequence[UUID]) -> bytes:
    async with node.database.read() as tx:
        return (await make_bundle(tx, node.seal, subjects[0], subjects)).to_bytes()


async def test_what_was_said_and_heard_checks_offline_under_the_other_ends_signature(pair: Pair, subject: UUID) -> None:
    for node, peer in ((pair.police, "health"), (pair.health, "police")):
        check = check_bundle(await exported(node, [subject]))
        assert check.faults == []
        assert [(one.sender, one.data and one.data["step"]) for one in check.shown] == [
            ("health", 9), ("police", 0), ("police", 1), ("police", 2),
        ]  # fmt: skip
        # What the exporter said stands under the peer's receipt; what it heard under the sender's own head.
        assert {one.proved_by for one in check.shown} == {peer}
        assert check.roots == {name: fingerprint(holder_of(name).directory.root) for name in ("police", "health")}
        for words in (*check.roots.values(), "Compare each", PROVES_NOT):
            assert words in check.words


@on_one
async def test_nothing_of_anybody_else_is_in_it(pair: Pair, subject: UUID) -> None:
    said = await exported(pair.police, [subject])
    others = {row.subject for row in await pair.police.outbox_rows()} - {subject}
    assert others
    words = Sealed.model_validate_json(said).body.words
    assert all(str(other).encode() not in (word.signed or b"") for other in others for word in words)
    assert len(words) == 4


async def test_words_that_are_cleared_are_there_as_their_place_and_proved(
    pair: Pair, letters: dict[str, Letters], subject: UUID
) -> None:
    for _ in range(2):
        pair.clock.advance(BACKUP_WINDOW + timedelta(minutes=1))
        await exchange(pair, letters)
    await clear(pair.police.database, pair.police.acts_first)
    check = check_bundle(await exported(pair.police, [subject]))
    assert check.faults == []
    assert all(one.type is None and one.proved_by == "health" for one in check.shown if one.sender == "police")
    assert "only its place is left" in check.words


@on_one
async def test_what_nobody_has_signed_for_yet_says_so(pair: Pair, subject: UUID) -> None:
    await pair.police.say("health", subject, 3)
    await pair.police.number("health")
    check = check_bundle(await exported(pair.police, [subject]))
    assert check.faults == []
    assert [one.proved_by for one in check.shown if one.sender == "police"] == ["health"] * 3 + [None]
    assert "under its sender's signature alone: the file holds no other for its place." in check.words


@on_one
@pytest.mark.parametrize("why", ["erased", "key"])
@pytest.mark.parametrize("is_signed_for", [True, False])
async def test_a_place_that_nobodys_signature_stands_for_is_left_out(
    pair: Pair, letters: dict[str, Letters], monkeypatch: pytest.MonkeyPatch, why: str, *, is_signed_for: bool
) -> None:
    """Its words are erased, or stand under no good key. Under a head its place is proved; else nothing is claimed of it."""
    about, other = new_subject(), new_subject()
    for subject in (about, other):
        await pair.police.say("health", subject, 1)
    await pair.health.hear("police", await pair.police.number("health"))
    if is_signed_for:
        await exchange(pair, letters)
    if why == "erased":
        for node in (pair.police, pair.health):
            assert node.database.keys is not None
            node.database.keys.destroy([about], pair.clock.now())
    else:
        monkeypatch.setattr(pair.health.seal, "reaches", lambda inner: inner.header.seq != 1)
    for node in (pair.police, pair.health)[why == "key" :]:
        check = check_bundle(await exported(node, [about, other]))
        assert check.faults == []
        places = [(one.place, one.data is None, one.proved_by is None) for one in check.shown]
        assert places == ([(1, True, False), (2, False, False)] if is_signed_for else [(2, False, True)])
        assert "a place that nobody had signed for is left out" in check.words


@on_one
async def test_a_place_that_is_claimed_and_that_nobody_has_signed_for_is_a_fault(pair: Pair, subject: UUID) -> None:
    """The exporter may make up leaves: without a head there is no signature of anybody else's about them."""
    body = _body(await exported(pair.police, [subject]))
    made_up = body.words[-1].model_copy(update={"signed": None, "leaf": b"x" * 32, "head": None, "proof": (), "seq": 99})
    forged = body.model_copy(update={"words": (*body.words, made_up)})
    signer, signature = pair.police.seal.sign_bundle(forged.to_bytes())
    check = check_bundle(Sealed(body=forged, signer=signer, signature=signature).to_bytes())
    (fault,) = check.faults
    assert "at place 99 of police.health" in fault
    assert "is signed for by nobody" in fault


@pytest.fixture
async def good(pair: Pair, subject: UUID) -> bytes:
    return await exported(pair.police, [subject])


@on_one
async def test_every_flip_of_a_bit_is_found_and_named(good: bytes) -> None:
    assert check_bundle(good).is_good

    @settings(max_examples=FLIPS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers(0, len(good) * 8 - 1))
    def flipped(bit: int) -> None:
        data = bytearray(good)
        data[bit // 8] ^= 1 << bit % 8
        check = check_bundle(bytes(data))
        assert not check.is_good
        assert all(fault.endswith(".") for fault in check.faults)
        assert "not good" in check.words

    flipped()


@on_one
async def test_what_is_cut_off_or_added_is_found(good: bytes) -> None:
    chance = random.Random(3)
    for data in (b"", good[:-1], good + b"\n", b" " + good, good[: chance.randrange(len(good))], good.replace(b'":', b'": ', 1)):
        assert not check_bundle(data).is_good


def _changed(good: bytes, **changes: Any) -> Sealed:
    sealed = Sealed.model_validate_json(good)
    return sealed.model_copy(update={"body": sealed.body.model_copy(update=changes)})


def _body(good: bytes) -> Body:
    return Sealed.model_validate_json(good).body


@on_one
@pytest.mark.parametrize("part", ["words", "heads", "roots", "signature", "case", "made_at", "proof", "place"])
async def test_each_part_that_was_changed_is_named(good: bytes, part: str) -> None:
    body = _body(good)
    word, head, root = body.words[-1], body.heads[-1], body.roots[0]
    signed = bytearray(word.signed or b"")
    signed[len(signed) // 2] ^= 1
    statement = bytearray(head.signed)
    statement[-1] ^= 1
    line = bytearray(root.lines[0].signed or b"")
    line[0] ^= 1

    def last_word(**to: Any) -> dict[str, Any]:
        return {"words": (*body.words[:-1], word.model_copy(update=to))}

    other_line = root.lines[0].model_copy(update={"signed": bytes(line)})
    other_root = root.model_copy(update={"lines": (other_line, *root.lines[1:])})
    other_head = head.model_copy(update={"signed": bytes(statement)})
    changes: dict[str, tuple[dict[str, Any], str]] = {
        "words": (last_word(signed=bytes(signed)), f"at place {word.seq} of police.health"),
        "heads": ({"heads": (*body.heads[:-1], other_head)}, f"The head of {head.sender}"),
        "roots": ({"roots": (other_root, *body.roots[1:])}, f"The directory of keys of {root.agency}"),
        "case": ({"case": new_subject()}, "for which case"),
        "made_at": ({"made_at": body.made_at + timedelta(days=1)}, "when"),
        "proof": (last_word(proof=word.proof[::-1]), "not proved to lie under"),
        "place": (last_word(seq=word.seq + 1), "signed for another place"),
    }
    if part == "signature":
        sealed = Sealed.model_validate_json(good)
        sealed, words = sealed.model_copy(update={"signature": sealed.signature[::-1]}), "its signature under all of it"
    else:
        sealed, words = _changed(good, **changes[part][0]), changes[part][1]
    faults = check_bundle(sealed.to_bytes()).faults
    assert any(words in fault for fault in faults), faults


@on_one
async def test_a_message_that_is_left_out_breaks_the_exporters_signature_and_an_exporter_may_leave_out(good: bytes) -> None:
    """Only the exporter can leave something out unnoticed, and the check says that a pass does not prove the contrary."""
    body = _body(good)
    assert not check_bundle(_changed(good, words=body.words[1:]).to_bytes()).is_good
    assert "only what it chose to export" in PROVES_NOT


@on_one
async def test_a_forger_with_keys_of_his_own_passes_only_where_nobody_compares_the_roots(good: bytes) -> None:
    """Other roots, and everything signed anew under them: that is what the person is told to compare."""
    body, forgers = _body(good), {name: Holder(name) for name in ("police", "health")}
    seals = {name: KeyedSeal(ring(forgers[name], forgers.values())) for name in forgers}

    def anew(raw: bytes | None) -> bytes | None:
        inner = unframe(raw) if raw is not None else None
        return seals[inner.header.sender].sign(inner.header, inner.content) if inner is not None else None

    theirs = [one.as_read_by("police") for one in forgers.values()]
    forged = body.model_copy(
        update={
            "words": tuple(word.model_copy(update={"signed": anew(word.signed)}) for word in body.words),
            "heads": tuple(head.model_copy(update={"signed": anew(head.signed)}) for head in body.heads),
            "roots": tuple(Roots(agency=one.agency, root=one.root, lines=tuple(one.lines)) for one in theirs),
        }
    )
    signer, signature = seals["police"].sign_bundle(forged.to_bytes())
    check = check_bundle(Sealed(body=forged, signer=signer, signature=signature).to_bytes())
    assert check.faults == []
    assert [one.data for one in check.shown] == [one.data for one in check_bundle(good).shown]
    for name, forger in forgers.items():
        assert check.roots[name] == fingerprint(forger.directory.root)
        assert check.roots[name] != check_bundle(good).roots[name] == fingerprint(holder_of(name).directory.root)


@on_one
async def test_what_was_not_taken_up_says_so(pair: Pair, letters: dict[str, Letters], subject: UUID) -> None:
    """A forged word that was parked, one that a person gave up, and one that waits are not read as said and taken."""
    another = new_subject()
    await pair.health.say("police", subject, 20, fails="unauthorised")
    refused = await pair.health.say("police", another, 21, fails="unauthorised")
    await pair.health.say("police", subject, 22)
    await exchange(pair, letters)
    async with pair.police.database.write() as tx:
        assert await refuse_parked(tx, "health", refused) == another
    check = check_bundle(await exported(pair.police, [subject, another]))
    assert check.faults == []
    assert {one.data["step"]: one.became for one in check.shown if one.data and one.sender == "health"} == {
        9: "applied", 20: "parked", 21: "refused", 22: "waiting",
    }  # fmt: skip
    lines = check.words.splitlines()
    assert [line.rpartition("; ")[2].partition(". ")[2] for line in lines if line.startswith("health to police")] == [
        BECAME[state].format("police") for state in (InboxState.APPLIED, InboxState.PARKED, InboxState.REFUSED, InboxState.WAITING)
    ]
    word = next(word for word in _body(await exported(pair.police, [another])).words if word.became == "refused")
    assert word.signed is not None
    claimed = _changed(await exported(pair.health, [subject]), words=(word.model_copy(update={"became": "applied"}),), heads=())
    assert any("not its to say" in fault for fault in check_bundle(claimed.to_bytes()).faults)


@on_one
async def test_a_file_from_before_it_was_said_what_became_of_a_message_still_checks(pair: Pair, subject: UUID) -> None:
    body = _body(await exported(pair.police, [subject]))
    older = body.model_copy(update={"words": tuple(word.model_copy(update={"became": None}) for word in body.words)})
    signer, signature = pair.police.seal.sign_bundle(older.to_bytes())
    data = Sealed(body=older, signer=signer, signature=signature).to_bytes()
    assert b"became" not in data
    assert check_bundle(data).faults == []


def test_a_file_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RefnetError, match="cannot be read"):
        check_file(tmp_path / "nothing")
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"body": {}}))
    assert "is no custody bundle, or its form is damaged" in check_file(other).words
